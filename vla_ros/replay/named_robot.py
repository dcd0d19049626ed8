"""Which robot a recording is of, and which driver moved it, in the words of its own nodes."""

from __future__ import annotations

import json
from collections.abc import Mapping

from vla_ros.replay.bag import Bag
from vla_ros.replay.topic_choice import STRING


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


def named_driver(bag: Bag) -> str:
    """Return the parameter ``driver`` of the recorded nodes; empty when they do not agree.

    ``record_node`` writes the parameters of the nodes that it finds to its topic ``recording``, at
    the start and at the end. Like the robot it may be one that is not known here.
    """
    drivers = set()
    for name, topic in bag.topics.items():
        if name.rpartition('/')[2] != 'recording' or topic.type != STRING:
            continue
        for record in bag.records([name]) if topic.count else ():
            drivers |= _drivers(bag.message(record).data)
    return drivers.pop() if len(drivers) == 1 else ''


def _drivers(text: str) -> set[str]:
    try:
        nodes = json.loads(text)['parameters'].values()
    except (ValueError, KeyError, TypeError, AttributeError):
        return set()  # somebody else's topic
    return {values['driver'] for values in nodes
            if isinstance(values, Mapping) and isinstance(values.get('driver'), str)}
