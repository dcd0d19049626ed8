"""Closed-timing replay: the real control side on a virtual clock, with disturbed timing.

Data flow::

    bag -> inputs (joint states and chunks, each with stamp and arrival)
        -> disturbance -> schedule (what arrives when; what is lost, and why)
        -> run (pipeline + arm, tick by tick) -> trace -> scores -> comparison -> words, report

No clock is read and no order depends on hashing: the same inputs give the same bytes.
"""
