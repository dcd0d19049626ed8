"""Records messages into a bag from a thread of its own; no one else waits for the disk."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from vla_ros.core.errors import ConfigError, VlaRosError
from vla_ros.replay.record_queue import Importance, LiveMessage, RecordQueue

_LOOK_AFTER_BYTES = 1 << 20  # how much is written between two looks at the free space


class Sink(Protocol):
    """Where messages go; :class:`~vla_ros.replay.bag_writer.BagWriter` is one."""

    def write(self, topic: str, message_type: str, receive_ns: int, data: bytes,
              definition: tuple[str, str] | None = None) -> None:
        """Write one message; raises OSError when the disk does not take it."""

    def close(self) -> None:
        """Complete the bag."""

    def abort(self) -> None:
        """Give up what is not complete."""


class RecorderState(Enum):
    """How the recording is doing."""

    RECORDING = 'recording'
    NO_PICTURES = 'recording without pictures: the disk is nearly full'
    FULL = 'ended: the disk is full'
    FAILED = 'ended: the disk failed'
    STOPPED = 'stopped'


@dataclass(frozen=True)
class DiskReserve:
    """Free space that is left on the disk [bytes].

    With less than ``pictures`` free, pictures are dropped; with less than ``all``, the bag is
    completed, for which it needs some space, and the recording ends.
    """

    pictures: int
    all: int

    def __post_init__(self) -> None:
        if not 0 <= self.all <= self.pictures:
            raise ConfigError(f'recording: the reserve for everything ({self.all} bytes) must be '
                              f'from 0 to that for pictures ({self.pictures} bytes)')


@dataclass(frozen=True)
class RecorderReport:
    """What has been recorded, and what has not.

    Attributes
    ----------
    state : RecorderState
        How it is doing.
    written : Mapping[str, int]
        Topic -> messages in the bag.
    dropped : Mapping[str, Mapping[str, int]]
        Reason -> topic -> messages that are not.
    waiting : int
        Messages that wait to be written.
    error : str
        What the disk said.
    sizes : Mapping[str, int]
        Topic -> bytes of its messages in the bag.

    """

    state: RecorderState
    written: Mapping[str, int]
    dropped: Mapping[str, Mapping[str, int]]
    waiting: int = 0
    error: str = ''
    sizes: Mapping[str, int] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """Return it in words; one line when nothing is lost."""
        found = [f'{self.state.value}: {sum(self.written.values())} messages written'
                 + (f', {self.waiting} wait' if self.waiting else '')
                 + (f' ({self.error})' if self.error else '')]
        found += [f'dropped, {reason}: ' + ', '.join(
            f'{count} of {topic}' for topic, count in sorted(topics.items()))
            for reason, topics in self.dropped.items() if topics]
        return found


@dataclass
class _Counts:
    written: Counter[str] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)
    no_space: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)


class Recorder:
    """Takes messages from any thread without making it wait, and writes them in its own.

    Parameters
    ----------
    sink : Sink
        Where they go.
    room : Mapping[Importance, int]
        Memory for what waits, by importance [bytes]. Full: that kind is dropped and counted.
    free_bytes : Callable[[], int]
        Returns the free space of the disk [bytes].
    reserve : DiskReserve
        Free space that is left.

    """

    def __init__(self, sink: Sink, room: Mapping[Importance, int],
                 free_bytes: Callable[[], int], reserve: DiskReserve) -> None:
        self._sink = sink
        self._queue = RecordQueue(room)
        self._free_bytes = free_bytes
        self._reserve = reserve
        self._state = RecorderState.RECORDING
        self._error = ''
        self._counts = _Counts()
        self._lock = threading.Lock()
        self._since_look = _LOOK_AFTER_BYTES  # look before the first message
        self._thread = threading.Thread(target=self._run, name='recorder', daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def offer(self, message: LiveMessage) -> bool:
        """Hand over a message; False: it is not recorded, see :meth:`report`. Never waits."""
        if self._state in (RecorderState.FULL, RecorderState.FAILED, RecorderState.STOPPED):
            with self._lock:
                self._counts.ended[message.topic] += 1
            return False
        return self._queue.put(message)

    def stop(self) -> RecorderReport:
        """Write what waits, complete the bag and return what was recorded.

        This waits for the disk, unlike :meth:`offer`.
        """
        self._queue.close()
        if self._thread.is_alive():
            self._thread.join()
        while self.write_next(wait=False):
            pass
        if self._state in (RecorderState.RECORDING, RecorderState.NO_PICTURES):
            self._finish(RecorderState.STOPPED)
        return self.report()

    def report(self) -> RecorderReport:
        """Return what has been recorded until now."""
        with self._lock:
            dropped = {'the writer is slower than what comes': dict(self._queue.dropped),
                       'the disk is nearly full': dict(self._counts.no_space),
                       'the recording had ended': dict(self._counts.ended)}
            return RecorderReport(self._state, dict(self._counts.written), dropped,
                                  len(self._queue), self._error, dict(self._counts.sizes))

    def write_next(self, wait: bool = True) -> bool:
        """Write one message; False when there is none, or there will be none."""
        message = self._queue.take(wait)
        if message is None:
            return False
        if self._state is RecorderState.RECORDING or self._state is RecorderState.NO_PICTURES:
            self._look()
        if self._state not in (RecorderState.RECORDING, RecorderState.NO_PICTURES):
            with self._lock:
                self._counts.ended[message.topic] += 1
            return True
        if (self._state is RecorderState.NO_PICTURES
                and message.importance is Importance.PICTURE):
            with self._lock:
                self._counts.no_space[message.topic] += 1
            self._since_look += message.size  # space may have been made
            return True
        try:
            self._sink.write(message.topic, message.type, message.receive_ns, message.data,
                             message.definition)
        except (OSError, VlaRosError) as error:
            self._fail(error)
            with self._lock:
                self._counts.ended[message.topic] += 1
            return True
        self._since_look += message.size
        with self._lock:
            self._counts.written[message.topic] += 1
            self._counts.sizes[message.topic] += len(message.data)
        return True

    def _run(self) -> None:
        while self.write_next():
            pass

    def _look(self) -> None:
        if self._since_look < _LOOK_AFTER_BYTES:
            return
        self._since_look = 0
        try:
            free = self._free_bytes()
        except OSError as error:
            self._fail(error)
            return
        if free < self._reserve.all:
            self._finish(RecorderState.FULL)
        elif free < self._reserve.pictures:
            self._state = RecorderState.NO_PICTURES
        else:
            self._state = RecorderState.RECORDING

    def _finish(self, state: RecorderState) -> None:
        self._state = state
        try:
            self._sink.close()
        except (OSError, VlaRosError) as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._state = RecorderState.FAILED
        self._error = str(error)
        self._sink.abort()
