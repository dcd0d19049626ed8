"""What waits to be recorded: bounded by importance, so that pictures never push out commands."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from vla_ros.core.errors import ConfigError
from vla_ros.replay.pictures import PICTURE_TYPES

OVERHEAD = 200
"""Memory that a message needs beside its data [bytes], roughly."""


class Importance(IntEnum):
    """What is written first, and dropped last."""

    COMMAND = 0  # commands, chunks, modes, instruction, provenance: few bytes, the record of a run
    STATE = 1
    PICTURE = 2


@dataclass(frozen=True)
class LiveMessage:
    """A message to be recorded: ``data`` is CDR, ``receive_ns`` when it came [ns].

    ``definition`` is text and hash of its type; needed for what is not a common type.
    """

    topic: str
    type: str
    receive_ns: int
    data: bytes
    importance: Importance
    definition: tuple[str, str] | None = None

    @property
    def size(self) -> int:
        """Memory that it needs [bytes]."""
        return len(self.data) + OVERHEAD


def importance_of(topic: str, message_type: str) -> Importance:
    """Return how important a topic is, from its type and name."""
    if message_type in PICTURE_TYPES:
        return Importance.PICTURE
    if topic.rpartition('/')[2] in ('joint_states', 'tf', 'proprio', 'objects', 'camera_info'):
        return Importance.STATE
    return Importance.COMMAND


class RecordQueue:
    """Messages between those who have them and the one who writes them.

    Any thread may put; it never waits. What does not fit into the room of its importance is
    dropped and counted. The important ones come out first, each kind in its order.

    Parameters
    ----------
    room : Mapping[Importance, int]
        Memory for each importance [bytes].

    """

    def __init__(self, room: Mapping[Importance, int]) -> None:
        for importance in Importance:
            if not room.get(importance, 0) > 0:
                raise ConfigError(f'recording: no room for {importance.name.lower()} messages')
        self._room = dict(room)
        self._lines: dict[Importance, deque[LiveMessage]] = {kind: deque() for kind in Importance}
        self._used = dict.fromkeys(Importance, 0)
        self._changed = threading.Condition()
        self._open = True
        self.dropped: Counter[str] = Counter()

    def put(self, message: LiveMessage) -> bool:
        """Take in a message; False: it was dropped."""
        kind = message.importance
        with self._changed:
            if not self._open or self._used[kind] + message.size > self._room[kind]:
                self.dropped[message.topic] += 1
                return False
            self._lines[kind].append(message)
            self._used[kind] += message.size
            self._changed.notify()
            return True

    def take(self, wait: bool = True) -> LiveMessage | None:
        """Return the next message; None when it is closed and empty, or empty and not to wait."""
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: not self._open or any(self._lines.values()))
            for kind in Importance:
                if self._lines[kind]:
                    message = self._lines[kind].popleft()
                    self._used[kind] -= message.size
                    return message
            return None

    def close(self) -> None:
        """Take in nothing more; what waits can still be taken."""
        with self._changed:
            self._open = False
            self._changed.notify_all()

    def __len__(self) -> int:
        """Return how many messages wait."""
        with self._changed:
            return sum(map(len, self._lines.values()))
