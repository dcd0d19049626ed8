"""The last seconds of everything, in memory, to be saved when something has happened."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Collection, Mapping
from pathlib import Path

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.replay.bag_writer import BagWriter
from vla_ros.replay.record_queue import Importance, LiveMessage


class RingBuffer:
    """Keeps the messages of the last seconds, and of some topics always the newest.

    When they need more memory than allowed, the oldest pictures go before their time, then the
    oldest states, then commands.

    Parameters
    ----------
    keep_ns : int
        Older messages go [ns].
    max_bytes : int
        Memory [bytes].
    latched : Collection[str]
        Topics that are said once (robot description, policy, instruction): the newest message of
        each stays however old it is.

    """

    def __init__(self, keep_ns: int, max_bytes: int, latched: Collection[str] = ()) -> None:
        if not keep_ns > 0 or not max_bytes > 0:
            raise ConfigError(f'ring buffer: {keep_ns * 1e-9:g} s and {max_bytes} bytes must both '
                              'be more than 0')
        self.keep_ns, self.max_bytes = keep_ns, max_bytes
        self.early: Counter[str] = Counter()
        self.latched = frozenset(latched)
        self._said: dict[str, LiveMessage] = {}
        self._lines: dict[Importance, deque[LiveMessage]] = {kind: deque() for kind in Importance}
        self._bytes = 0
        self._newest_ns = 0
        self._lock = threading.Lock()

    def add(self, message: LiveMessage) -> None:
        """Take in a message; any thread may."""
        with self._lock:
            if message.topic in self.latched:
                self._said[message.topic] = message
                return
            self._newest_ns = max(self._newest_ns, message.receive_ns)
            self._lines[message.importance].append(message)
            self._bytes += message.size
            for line in self._lines.values():
                while line and line[0].receive_ns < self._newest_ns - self.keep_ns:
                    self._bytes -= line.popleft().size
            for kind in reversed(Importance):
                while self._bytes > self.max_bytes and self._lines[kind]:
                    gone = self._lines[kind].popleft()
                    self._bytes -= gone.size
                    self.early[gone.topic] += 1

    def contents(self) -> list[LiveMessage]:
        """Return what is kept, by receive time; latched messages come first in any case."""
        with self._lock:
            kept = [message for line in self._lines.values() for message in line]
            said = list(self._said.values())
        kept.sort(key=lambda message: message.receive_ns)
        said.sort(key=lambda message: message.receive_ns)
        return said + kept

    def seconds(self, importance: Importance) -> float:
        """Return how far back the messages of an importance reach [s]."""
        with self._lock:
            line = self._lines[importance]
            return (self._newest_ns - line[0].receive_ns) * 1e-9 if line else 0.0


def save_ring(ring: RingBuffer, path: Path, custom: Mapping[str, str] | None = None) -> int:
    """Write what a ring buffer keeps as a bag, and return the number of messages.

    A message that was latched before the ring's first one is written as received with that: a
    playback would otherwise begin with a long silence.

    Raises
    ------
    ConfigError
        When ``path`` exists.
    InputError
        When there is nothing to save.

    """
    kept = ring.contents()
    if not kept:
        raise InputError('the ring buffer is empty: nothing to save')
    latched = ring.latched
    first = min((message.receive_ns for message in kept if message.topic not in latched),
                default=kept[0].receive_ns)
    notes = dict(custom or {})
    if ring.early:
        notes['left_out_for_memory'] = ', '.join(f'{topic} {count}' for topic, count in
                                                 sorted(ring.early.items()))
    with BagWriter(path, latched=latched, custom=notes) as bag:
        for message in kept:
            bag.write(message.topic, message.type, max(message.receive_ns, first), message.data,
                      message.definition)
    return len(kept)
