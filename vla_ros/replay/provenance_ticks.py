"""From a bag to the records of its control ticks, and with them to labelled pieces for DAgger."""

from __future__ import annotations

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.core.provenance import TickRecord, decode
from vla_ros.replay.bag import Bag

_NAME = 'provenance'


def read_ticks(bag: Bag, topic: str = '') -> list[TickRecord]:
    """Return the control ticks that a bag has, in the order in which they were recorded.

    What people did in them: ``segments(read_ticks(bag))`` and ``intervals(...)`` of
    :mod:`vla_ros.core.provenance`.

    Parameters
    ----------
    bag : Bag
        An open bag.
    topic : str
        Where the control node's provenance is; empty: the only topic of that name.

    Raises
    ------
    ConfigError
        When there are several and none is named, or the bag has no such topic.
    InputError
        When the bag has no provenance, or a message cannot be read.

    """
    found = [topic] if topic else [name for name in bag.topics
                                   if name.rpartition('/')[2] == _NAME]
    if not found:
        raise InputError(f'{bag.path}: no topic {_NAME!r}, so it cannot be told what humans did. '
                         f'Topics: {", ".join(sorted(bag.topics)) or "none"}')
    if len(found) > 1:
        raise ConfigError(f'{bag.path}: several control nodes were recorded; name the topic. '
                          f'Choices: {", ".join(sorted(found))}')
    return [tick for record in bag.records(found)
            for tick in decode(bag.message(record).data).ticks]
