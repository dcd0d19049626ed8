"""The last seconds of everything, in memory, to be saved when something has happened."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Mapping
from pathlib import Path

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.replay.bag_writer import BagWriter
from vla_ros.replay.latched import Latched
from vla_ros.replay.record_queue import Importance, LiveMessage

_RESTART_NS = 1_000_000_000  # time that goes back by more has begun anew


class RingBuffer:
    """Keeps the messages of the last seconds, and of some topics what was said last before.

    When they need more memory than allowed, the oldest pictures go before their time, then the
    oldest states, then commands. Time that jumps back (a simulation that begins anew) empties it.

    Parameters
    ----------
    keep_ns : int
        Older messages go [ns].
    max_bytes : int
        Memory [bytes].
    latched : Latched | None
        Topics that are said once (robot description, policy, instruction): what was said last
        before the kept seconds stays however old it is.

    """

    def __init__(self, keep_ns: int, max_bytes: int, latched: Latched | None = None) -> None:
        if not keep_ns > 0 or not max_bytes > 0:
            raise ConfigError(f'ring buffer: {keep_ns * 1e-9:g} s and {max_bytes} bytes must both '
                              'be more than 0')
        self.keep_ns, self.max_bytes = keep_ns, max_bytes
        self.early: Counter[str] = Counter()
        self.latched = Latched() if latched is None else latched
        self._lines: dict[Importance, deque[LiveMessage]] = {kind: deque() for kind in Importance}
        self._bytes = 0
        self._newest_ns = 0
        self._lock = threading.Lock()

    def add(self, message: LiveMessage) -> None:
        """Take in a message; any thread may."""
        with self._lock:
            if message.receive_ns < self._newest_ns - _RESTART_NS:
                self._newest_ns = message.receive_ns
                for line in self._lines.values():
                    while line:
                        self._pop(line)
            self._newest_ns = max(self._newest_ns, message.receive_ns)
            self._lines[message.importance].append(message)
            self._bytes += message.size
            for line in self._lines.values():
                while line and line[0].receive_ns < self._newest_ns - self.keep_ns:
                    self._pop(line)
            for kind in reversed(Importance):
                while self._bytes > self.max_bytes and self._lines[kind]:
                    self.early[self._pop(self._lines[kind]).topic] += 1

    def contents(self) -> tuple[list[LiveMessage], list[LiveMessage]]:
        """Return what was said last before the kept seconds, and what is kept, by receive time."""
        with self._lock:
            kept = [message for line in self._lines.values() for message in line]
            said = self.latched.messages()
        kept.sort(key=lambda message: message.receive_ns)
        return said, kept

    @property
    def bytes(self) -> int:
        """Memory in use [bytes]."""
        return self._bytes

    def seconds(self, importance: Importance) -> float:
        """Return how far back the messages of an importance reach [s]."""
        with self._lock:
            line = self._lines[importance]
            return (self._newest_ns - line[0].receive_ns) * 1e-9 if line else 0.0

    def _pop(self, line: deque[LiveMessage]) -> LiveMessage:
        gone = line.popleft()
        self._bytes -= gone.size
        self.latched.keep(gone)
        return gone


def save_ring(ring: RingBuffer, path: Path, custom: Mapping[str, str] | None = None,
              max_bytes: int | None = None, *, pictures: bool = True) -> Counter[str]:
    """Write what a ring buffer keeps as a bag, and return the number of messages by topic.

    What was said before the ring's first message is written as received with that: a playback
    would otherwise begin with a long silence.

    Parameters
    ----------
    ring : RingBuffer
        May be added to meanwhile.
    path : Path
        Folder of the bag; must not exist.
    custom : Mapping[str, str] | None
        What ``metadata.yaml`` shall note.
    max_bytes : int | None
        A file that reaches this is closed and the next begun.
    pictures : bool
        Whether pictures are written; not, for a disk that is nearly full.

    Raises
    ------
    ConfigError
        When ``path`` exists.
    InputError
        When there is nothing to save.
    OSError
        When the disk does not take it; the files that were complete stay.

    """
    said, kept = ring.contents()
    if not pictures:
        kept = [message for message in kept if message.importance is not Importance.PICTURE]
    if not said and not kept:
        raise InputError('the ring buffer is empty: nothing to save')
    first = kept[0].receive_ns if kept else said[-1].receive_ns
    notes = dict(custom or {})
    if ring.early:
        notes['left_out_for_memory'] = ', '.join(f'{topic} {count}' for topic, count in
                                                 sorted(ring.early.items()))
    with BagWriter(path, max_bytes=max_bytes, latched=ring.latched.topics, custom=notes) as bag:
        for message in said:
            bag.write(message.topic, message.type, first, message.data, message.definition)
        for message in kept:
            bag.write(message.topic, message.type, message.receive_ns, message.data,
                      message.definition)
    return bag.counts
