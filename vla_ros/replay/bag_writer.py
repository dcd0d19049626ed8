"""Writes MCAP bags, split by size, so that what is complete stays readable whatever happens."""

from __future__ import annotations

import contextlib
import shutil
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import yaml

from vla_ros.core.errors import ConfigError, DependencyError, InputError
from vla_ros.replay.bag_files import METADATA
from vla_ros.replay.message_types import KNOWN_TYPES
from vla_ros.replay.messages import serialized

try:
    from rosbags.interfaces import (
        Qos,
        QosDurability,
        QosHistory,
        QosLiveliness,
        QosReliability,
        QosTime,
    )
    from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
except ImportError as error:  # pragma: no cover, depends on the machine
    raise DependencyError("bags are written with rosbags, which is not installed: "
                          "pip install 'vla_ros[bags]'") from error

_ROOT = 'rosbag2_bagfile_information'
_VERSION: Literal[8] = 8  # the newest whose QoS profiles Humble reads, too
_OVERHEAD = 60  # bytes of a record beside its message
_FOREVER = QosTime(2147483647, 4294967295)


class BagWriter:
    """A bag of one or more MCAP files.

    The part that is being written lies in a folder beside the finished ones and is moved in when
    it is complete; ``metadata.yaml`` then names it. A process that is killed loses the open part
    only.

    Parameters
    ----------
    path : Path
        Folder of the bag; must not exist.
    max_bytes, max_ns : int | None
        A part that reaches this size or this time [ns] is closed and the next begun; None: no
        bound.
    latched : Collection[str]
        Topics that late subscribers of a playback shall get, too (transient local).
    custom : Mapping[str, str]
        What ``metadata.yaml`` shall note.
    compress : bool
        Whether chunks are compressed (zstd); JPEG gains nothing.

    Raises
    ------
    ConfigError
        When ``path`` exists.

    """

    def __init__(self, path: str | Path, *, max_bytes: int | None = None,
                 max_ns: int | None = None, latched: Collection[str] = (),
                 custom: Mapping[str, str] | None = None, compress: bool = False) -> None:
        self.path = Path(path)
        if self.path.exists():
            raise ConfigError(f'{self.path}: exists already; a bag is never written over another',
                              path=self.path)
        self.max_bytes, self.max_ns = max_bytes, max_ns
        self.latched = frozenset(latched)
        self.custom = dict(custom or {})
        self.compress = compress
        self.counts: Counter[str] = Counter()
        self.bytes_written = 0
        self._done: list[dict[str, Any]] = []
        self._part: _Part | None = None
        self.path.mkdir(parents=True)

    def __enter__(self) -> BagWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    @property
    def parts(self) -> int:
        """Number of files that are complete."""
        return len(self._done)

    def write_message(self, topic: str, message_type: str, receive_ns: int, message: Any) -> None:
        """Write a message of :mod:`vla_ros.replay.messages`."""
        self.write(topic, message_type, receive_ns, serialized(message, message_type))

    def write(self, topic: str, message_type: str, receive_ns: int, data: bytes,
              definition: tuple[str, str] | None = None) -> None:
        """Write the CDR of a message.

        Parameters
        ----------
        topic, message_type : str
            What it is.
        receive_ns : int
            When it was received [ns].
        data : bytes
            The message as CDR.
        definition : tuple[str, str] | None
            Text and hash (RIHS01) of the type; needed for what is not a common type.

        Raises
        ------
        InputError
            When nothing defines the type.
        OSError
            When the disk does not take it; :meth:`abort` keeps the parts that are complete.

        """
        if (self._part is not None and self.max_ns is not None
                and receive_ns - self._part.first_ns >= self.max_ns):
            self.split()
        if self._part is None:
            self._part = _Part(self.path / f'.part_{len(self._done)}', self.latched, self.compress,
                               receive_ns)
        self._part.write(topic, message_type, receive_ns, data, definition)
        self.counts[topic] += 1
        self.bytes_written += len(data) + _OVERHEAD
        if self.max_bytes is not None and self._part.size >= self.max_bytes:
            self.split()

    def split(self) -> None:
        """Complete the part that is being written; the next message begins another one."""
        if self._part is None:
            return
        part, self._part = self._part, None
        name = f'{self.path.name}_{len(self._done)}.mcap'
        info = part.close(self.path / name)
        info['relative_file_paths'] = [name]
        info['files'] = [{**info['files'][0], 'path': name}]
        self._done.append(info)
        self._write_metadata()

    def close(self) -> None:
        """Complete the bag. One without a message is a bag, too: it says that it is empty."""
        if self._part is None and not self._done:
            self._part = _Part(self.path / '.part_0', self.latched, self.compress)
        self.split()

    def abort(self) -> None:
        """Give up the part that is being written; those before it stay a readable bag."""
        part, self._part = self._part, None
        if part is not None:
            part.abort()

    def _write_metadata(self) -> None:
        merged = dict(self._done[0])
        merged['relative_file_paths'] = [info['relative_file_paths'][0] for info in self._done]
        merged['files'] = [info['files'][0] for info in self._done]
        filled = [info for info in self._done if info['message_count']]
        starts = [info['starting_time']['nanoseconds_since_epoch'] for info in filled]
        ends = [start + info['duration']['nanoseconds']
                for start, info in zip(starts, filled, strict=True)]
        merged['message_count'] = sum(info['message_count'] for info in self._done)
        if filled:
            merged['starting_time'] = {'nanoseconds_since_epoch': min(starts)}
            merged['duration'] = {'nanoseconds': max(ends) - min(starts)}
        topics: dict[tuple[str, str], dict[str, Any]] = {}
        for info in self._done:
            for entry in info['topics_with_message_count']:
                key = (entry['topic_metadata']['name'], entry['topic_metadata']['type'])
                known = topics.setdefault(key, {**entry, 'message_count': 0})
                known['message_count'] += entry['message_count']
        merged['topics_with_message_count'] = list(topics.values())
        merged['custom_data'] = self.custom or None
        merged['ros_distro'] = ''
        text = yaml.safe_dump({_ROOT: merged}, sort_keys=False)
        temporary = self.path / f'{METADATA}.new'
        temporary.write_text(text, encoding='utf-8')
        temporary.replace(self.path / METADATA)


class _Part:
    """One MCAP file, written as a bag of its own by rosbags."""

    def __init__(self, folder: Path, latched: Collection[str], compress: bool,
                 first_ns: int = 0) -> None:
        self.folder, self.latched, self.size, self.first_ns = folder, latched, 0, first_ns
        self._writer = Writer(folder, version=_VERSION, storage_plugin=StoragePlugin.MCAP)
        if compress:
            self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        self._writer.open()
        self._connections: dict[tuple[str, str], Any] = {}

    def write(self, topic: str, message_type: str, receive_ns: int, data: bytes,
              definition: tuple[str, str] | None) -> None:
        connection = self._connections.get((topic, message_type))
        if connection is None:
            connection = self._add(topic, message_type, definition)
        self._writer.write(connection, receive_ns, data)
        self.size += len(data) + _OVERHEAD

    def close(self, target: Path) -> dict[str, Any]:
        """Move the complete file to ``target`` and return its metadata."""
        try:
            self._writer.close()
        except BaseException:
            self.abort()
            raise
        info = yaml.safe_load((self.folder / METADATA).read_text(encoding='utf-8'))[_ROOT]
        (self.folder / info['relative_file_paths'][0]).replace(target)
        shutil.rmtree(self.folder)
        return dict(info)

    def abort(self) -> None:
        # What was written stays where it is: `mcap recover` may save it.
        with contextlib.suppress(OSError, ValueError):  # flushing to a full disk fails again
            self._writer.abort()

    def _add(self, topic: str, message_type: str, definition: tuple[str, str] | None) -> Any:
        if definition is None and message_type not in KNOWN_TYPES.fielddefs:
            raise InputError(f'{topic}: cannot be written: nothing defines {message_type}',
                             topic=topic)
        text, digest = definition or (None, None)
        connection = self._writer.add_connection(
            topic, message_type, typestore=KNOWN_TYPES, msgdef=text, rihs01=digest,
            offered_qos_profiles=[_qos(topic in self.latched)])
        self._connections[topic, message_type] = connection
        return connection


def _qos(latched: bool) -> Qos:
    durability = QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE
    return Qos(QosHistory.KEEP_LAST, 1 if latched else 10, QosReliability.RELIABLE, durability,
               _FOREVER, _FOREVER, QosLiveliness.AUTOMATIC, _FOREVER, False)
