"""Which robot a recording is of, in the words of its control node."""

from __future__ import annotations

from vla_ros.replay.bag import Bag


def named_robot(bag: Bag) -> str:
    """Return the robot profile that the topic ``mode`` names; empty when nothing does.

    It may be of another version, or a file that only its own machine has.
    """
    for name, topic in bag.topics.items():
        if name.rpartition('/')[2] != 'mode' or not topic.type.endswith('DiagnosticStatus'):
            continue
        for record in bag.records([name]) if topic.count else ():
            return str(bag.message(record).hardware_id)
    return ''
