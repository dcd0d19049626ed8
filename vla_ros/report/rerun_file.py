"""A recording as a file for the Rerun viewer: pictures, joints, actions, modes on one time line.

The time line ``stamp`` is the nodes' time, ``receive`` the time of reception. Rerun is optional
and imported here only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vla_ros.core.errors import ConfigError, DependencyError, InputError
from vla_ros.core.provenance import TickRecord, decode
from vla_ros.image_codec import encode_rgb
from vla_ros.progress import Progress
from vla_ros.replay.bag import Bag, Record
from vla_ros.replay.bag_info import STAMPED
from vla_ros.replay.pictures import COMPRESSED_IMAGE, picture_of
from vla_ros.replay.stamps import header_ns
from vla_ros.replay.topic_choice import JOINT_STATE, RECORDED, STRING, TRAJECTORY, choose
from vla_ros.report.gather import node_clock
from vla_ros.report.thumbnails import camera_name, camera_topics
from vla_ros.report.ticks import channel

MODES = ('STOPPED', 'HOLD', 'AUTONOMOUS', 'INTERVENTION')
"""What the numbers of the entity ``mode`` stand for."""

_APPLICATION = 'vla_ros'
_YEAR_2000_NS = 946_684_800_000_000_000
_MEDIA = {b'\xff\xd8\xff': 'image/jpeg', b'\x89PN': 'image/png'}


def check_rerun() -> Any:
    """Return the module of Rerun.

    Raises
    ------
    DependencyError
        When it is not installed, or too old to have ``RecordingStream.set_time``.

    """
    try:
        import rerun
    except ImportError as error:
        raise DependencyError('--rrd needs the Rerun SDK, which is not installed: '
                              "pip install 'rerun-sdk>=0.23'") from error
    if not hasattr(rerun.RecordingStream, 'set_time'):
        raise DependencyError(f'--rrd needs rerun-sdk 0.23 or newer, found '
                              f'{getattr(rerun, "__version__", "an older one")}')
    return rerun


def write_rrd(bag_path: str | Path, out: str | Path, quiet: bool = False) -> Path:
    """Write the recording to ``out`` and return its path; the bag is streamed.

    Raises
    ------
    DependencyError
        As :func:`check_rerun`.
    ConfigError
        When there is no such bag or ``out`` cannot be written.
    InputError
        When the bag cannot be read.

    """
    rerun = check_rerun()
    path = Path(out)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b'')
    except OSError as error:
        raise ConfigError(f'rrd: cannot write {path}: {error}', path=path) from error
    with Bag(bag_path) as bag, Progress('rerun', bag.message_count, 'messages', quiet) as bar:
        stream = rerun.RecordingStream(_APPLICATION, recording_id=str(Path(bag_path).name))
        stream.save(path)
        writer = _Writer(rerun, stream, bag)
        for record in bag.records():
            writer.add(record)
            bar.advance()
        stream.flush()
        stream.disconnect()
    return path


class _Writer:
    """Turns the messages of a bag into entities."""

    def __init__(self, rerun: Any, stream: Any, bag: Bag) -> None:
        self._rr, self._stream, self._bag = rerun, stream, bag
        self._clock = node_clock(bag)
        self._cameras = set(camera_topics(bag, most=8))
        self._commands = choose(bag.topics, RECORDED)['commands'].topic
        self._named: dict[str, tuple[str, ...]] = {}
        self._told: dict[str, str] = {}

    def add(self, record: Record) -> None:
        """Take in a message; those that the viewer has no use for pass."""
        stamp_ns = header_ns(record.data) if record.type in STAMPED else 0
        if stamp_ns and record.type == JOINT_STATE:
            self._clock.hear(record.receive_ns, stamp_ns)
        time_ns = stamp_ns or self._clock.time_ns(record.receive_ns)
        name = record.topic.rpartition('/')[2]
        try:
            if record.topic in self._cameras:
                self._at(time_ns, record.receive_ns)
                self._picture(record)
            elif record.type == JOINT_STATE and '/override/' not in record.topic:
                self._at(time_ns, record.receive_ns)
                self._joints(record)
            elif record.type == TRAJECTORY and 'chunk' in name:
                self._at(time_ns, record.receive_ns)
                self._chunk(record)
            elif record.type == STRING and name == 'provenance':
                for tick in decode(self._bag.message(record).data).ticks:
                    self._at(tick.stamp_ns, record.receive_ns)
                    self._tick(tick)
            elif record.type == STRING and name == 'instruction':
                self._at(time_ns, record.receive_ns)
                self._tell('instruction', self._bag.message(record).data)
        except InputError as error:
            self._tell(f'unreadable{record.topic}', str(error))

    def _at(self, stamp_ns: int, receive_ns: int) -> None:
        for name, time_ns in (('stamp', stamp_ns), ('receive', receive_ns)):
            if time_ns >= _YEAR_2000_NS:
                self._stream.set_time(name, timestamp=np.datetime64(time_ns, 'ns'))
            else:
                self._stream.set_time(name, duration=np.timedelta64(time_ns, 'ns'))

    def _picture(self, record: Record) -> None:
        entity = f'camera/{camera_name(record.topic)}'
        if record.type == COMPRESSED_IMAGE:
            data = bytes(self._bag.message(record).data)
            kind = _MEDIA.get(data[:3])
            if kind is not None:
                self._stream.log(entity, self._rr.EncodedImage(contents=data, media_type=kind))
                return
        jpeg = encode_rgb(picture_of(self._bag, record))
        self._stream.log(entity, self._rr.EncodedImage(contents=jpeg, media_type='image/jpeg'))

    def _joints(self, record: Record) -> None:
        message = self._bag.message(record)
        entity = 'commanded' if record.topic == self._commands else f'measured{record.topic}'
        if len(message.position) == len(message.name):
            self._numbers(entity, tuple(message.name), message.position)

    def _chunk(self, record: Record) -> None:
        message = self._bag.message(record)
        if len(message.points):
            self._numbers('action', tuple(message.joint_names), message.points[0].positions)

    def _tick(self, tick: TickRecord) -> None:
        if tick.mode in MODES:
            self._numbers('mode', ('mode',), [MODES.index(tick.mode)])
        self._tell('mode/reason', f'{tick.mode}: {tick.reason}' if tick.reason else tick.mode)
        taken = {channel(text) for text in (tick.intervention or '').split('; ') if text}
        self._numbers('intervention', ('arm', 'gripper'),
                      [float('arm' in taken), float('gripper' in taken)])
        self._tell('intervention/words', tick.intervention or 'none')
        self._numbers('limiters', ('acting',), [len(tick.acted)])

    def _numbers(self, entity: str, names: tuple[str, ...], values: Any) -> None:
        if self._named.get(entity) != names:
            self._named[entity] = names
            self._stream.log(entity, self._rr.SeriesLines(names=list(names)), static=True)
        self._stream.log(entity, self._rr.Scalars(np.asarray(values, np.float64)))

    def _tell(self, entity: str, text: str) -> None:
        if self._told.get(entity) != text:
            self._told[entity] = text
            self._stream.log(entity, self._rr.TextLog(text))
