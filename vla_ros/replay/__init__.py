"""Bags and episodes: read strictly, described, converted, recorded; no ROS.

Data flow::

    bag (db3, mcap, zstd, split) -> bag_files -> Bag -> records -> messages, pictures
                                                 |
                                                 +-> bag_info (what is in it), topic_choice
    public episodes, LeRobot, npz <-> Episode <-> bag (bag_writer)
    bag -> convention (what its actions mean), closed_timing (the control side, timing disturbed)
    live messages -> RecordQueue -> Recorder -> bag_writer

A bag is read in full or refused with the reason: what its files say they hold is counted
independently of what is read from them.
"""
