"""A recording session: what is heard becomes a bag, or stays in memory until it is asked for."""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.replay.bag_writer import BagWriter
from vla_ros.replay.latched import Latched
from vla_ros.replay.record_queue import Importance, LiveMessage
from vla_ros.replay.recorder import DiskReserve, Recorder, RecorderReport, RecorderState
from vla_ros.replay.recording_summary import LOST, RecordingSummary
from vla_ros.replay.ring_buffer import RingBuffer, save_ring


@dataclass(frozen=True)
class RecordingSettings:
    """How a session records.

    Attributes
    ----------
    folder : Path
        Where its bags are made.
    part_bytes, part_ns : int
        A file that reaches this size or this time [ns] is closed and the next begun.
    room : Mapping[Importance, int]
        Memory for what waits to be written, by importance [bytes].
    reserve : DiskReserve
        Free space that is left on the disk.
    keep_ns : int
        0: everything is written. Above: the last so many ns are kept in memory and written when
        asked for.
    ring_bytes : int
        Memory for those [bytes].
    compress : bool
        Whether the files are compressed (zstd).

    """

    folder: Path
    part_bytes: int
    part_ns: int
    room: Mapping[Importance, int]
    reserve: DiskReserve
    keep_ns: int = 0
    ring_bytes: int = 0
    compress: bool = False


class RecordingSession:
    """Takes messages from any thread; everything that waits for the disk is a method that says so.

    Parameters
    ----------
    settings : RecordingSettings
        How.
    latched, shared : Collection[str]
        Topics that are said once, and those of them with several publishers.
    free_bytes : Callable[[], int] | None
        Returns the free space of the disk [bytes]; None: asks the disk of the folder.

    Raises
    ------
    ConfigError
        When the folder cannot be made.

    """

    def __init__(self, settings: RecordingSettings, latched: Collection[str],
                 shared: Collection[str] = (),
                 free_bytes: Callable[[], int] | None = None) -> None:
        self.settings = settings
        self.path: Path | None = None
        self._latched = Latched(latched, shared)
        self._free_bytes = free_bytes or (lambda: shutil.disk_usage(settings.folder).free)
        self._ring = (RingBuffer(settings.keep_ns, settings.ring_bytes, Latched(latched, shared))
                      if settings.keep_ns else None)
        self._recorder: Recorder | None = None
        self._writer: BagWriter | None = None
        self._notes: dict[str, str] = {}
        self._span: tuple[int, int] | None = None
        self._lost: Counter[str] = Counter()
        self._lock = threading.Lock()
        try:
            settings.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f'cannot make the folder for recordings: {error}',
                              path=settings.folder) from error

    @property
    def ring(self) -> RingBuffer | None:
        """What is kept in memory; None when everything is written."""
        return self._ring

    @property
    def running(self) -> bool:
        """Whether a bag is being written."""
        return self._recorder is not None

    def latch(self, topic: str) -> None:
        """Let a topic be one that is said once."""
        self._latched.include(topic)
        if self._ring is not None:
            self._ring.latched.include(topic)

    def offer(self, message: LiveMessage) -> None:
        """Take a message; never waits."""
        self._latched.keep(message)
        if self._ring is not None:
            self._ring.add(message)
        with self._lock:
            if self._recorder is not None:
                first, last = self._span or (message.receive_ns, message.receive_ns)
                self._span = min(first, message.receive_ns), max(last, message.receive_ns)
                self._recorder.offer(message)

    def hold(self, message: LiveMessage) -> None:
        """Take a message from before time began: only a latched one is of use."""
        self._latched.keep(message)
        if self._ring is not None:
            self._ring.latched.keep(message)

    def note(self, **notes: str) -> None:
        """Have the bags' ``metadata.yaml`` say so, too, from their next file on."""
        with self._lock:
            self._notes.update(notes)
            if self._writer is not None:
                self._writer.custom = {**self._writer.custom, **notes}

    def lose(self, topic: str, count: int) -> None:
        """Count messages that were published and did not get here."""
        with self._lock:
            self._lost[topic] += count

    def begin(self, name: str, now_ns: int) -> Path:
        """Begin a bag with what was said before; waits for the disk.

        Raises
        ------
        ConfigError
            When a bag is being written, or a folder of this name exists or cannot be made.

        """
        if self._recorder is not None:
            raise ConfigError(f'recording already, to {self.path}')
        path = self.settings.folder / name
        try:
            writer = _NotingWriter(
                path, max_bytes=self.settings.part_bytes, max_ns=self.settings.part_ns,
                latched=self._latched.topics, custom=self._notes, compress=self.settings.compress)
        except OSError as error:
            raise ConfigError(f'cannot make the bag: {error}', path=path) from error
        recorder = Recorder(writer, self.settings.room, self._free_bytes, self.settings.reserve)
        writer.report = lambda: self._summary(recorder)
        with self._lock:
            for message in self._latched.messages():
                recorder.offer(LiveMessage(message.topic, message.type, now_ns, message.data,
                                           message.importance, message.definition))
            self.path, self._span = path, None
            self._lost.clear()
            self._recorder, self._writer = recorder, writer
        recorder.start()
        return path

    def end(self) -> RecordingSummary:
        """Write what waits, complete the bag, and return what is in it; waits for the disk."""
        with self._lock:
            recorder, self._recorder = self._recorder, None
        if recorder is None:
            raise ConfigError('no recording runs')
        recorder.stop()
        return self._summary(recorder)

    def report(self) -> RecorderReport | None:
        """Return how the bag that is being written is doing."""
        recorder = self._recorder
        return None if recorder is None else recorder.report()

    def summary(self) -> RecordingSummary | None:
        """Return what the bag that is being written has until now."""
        recorder = self._recorder
        return None if recorder is None else self._summary(recorder)

    def save(self, name: str, notes: Mapping[str, str] | None = None) -> RecordingSummary:
        """Write what is kept in memory as a bag; waits for the disk.

        Raises
        ------
        ConfigError
            When nothing is kept in memory, or the folder exists.
        InputError
            When nothing has been heard yet, or the disk is full even without the pictures.

        """
        ring = self._ring
        if ring is None:
            raise ConfigError('nothing is kept in memory: keep_last_s is 0')
        said, kept = ring.contents()
        sizes = {kind: sum(m.size for m in (*said, *kept) if m.importance is kind)
                 for kind in Importance}
        free, reserve = self._free_bytes(), self.settings.reserve
        pictures = free - sum(sizes.values()) >= reserve.pictures
        if free - sum(sizes.values()) + sizes[Importance.PICTURE] < reserve.all:
            raise InputError(f'not saved: {free / 1e6:.0f} MB are free, and {reserve.all / 1e6:.0f}'
                             ' MB stay free')
        path = self.settings.folder / name
        dropped: dict[str, dict[str, int]] = {}
        if ring.early:
            dropped['memory was short'] = dict(ring.early)
        if not pictures:
            dropped['the disk is nearly full'] = dict(Counter(
                m.topic for m in kept if m.importance is Importance.PICTURE))
        try:
            counts = save_ring(
                ring, path, {**self._notes, **(notes or {}), 'dropped': json.dumps(dropped)},
                self.settings.part_bytes, pictures=pictures)
        except OSError as error:
            raise InputError(f'not saved: {error}', path=path) from error
        span = (kept[-1].receive_ns - kept[0].receive_ns) * 1e-9 if kept else 0.0
        return RecordingSummary(path, RecorderState.STOPPED, dict(counts), {}, dropped, span,
                                _bytes_on_disk(path))

    def _summary(self, recorder: Recorder) -> RecordingSummary:
        assert self.path is not None
        report = recorder.report()
        first, last = self._span or (0, 0)
        dropped = {reason: dict(topics) for reason, topics in report.dropped.items() if topics}
        if self._lost:
            dropped[LOST] = dict(self._lost)
        return RecordingSummary(self.path, report.state, report.written, report.sizes, dropped,
                                (last - first) * 1e-9, _bytes_on_disk(self.path), report.error)


class _NotingWriter(BagWriter):
    """Notes in ``metadata.yaml``, with every file that is complete, what was dropped until then."""

    report: Callable[[], RecordingSummary]

    def split(self) -> None:
        self.custom = {**self.custom, 'dropped': json.dumps(self.report().dropped)}
        super().split()


def _bytes_on_disk(path: Path) -> int:
    total = 0
    for file in path.rglob('*'):
        with contextlib.suppress(OSError):  # moved by the thread that writes
            total += file.stat().st_size if file.is_file() else 0
    return total
