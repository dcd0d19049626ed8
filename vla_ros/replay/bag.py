"""A bag that is read in full, in time order, or refused with the reason."""

from __future__ import annotations

import heapq
import tempfile
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from vla_ros.core.errors import DependencyError, InputError, unknown_choice
from vla_ros.replay.bag_files import BagFiles, find_bag, readable_file
from vla_ros.replay.message_types import MessageReader, full_type
from vla_ros.replay.storage_files import ZSTD_MAGIC, Contents, contents_of
from vla_ros.replay.zstd_library import zstd

try:
    from rosbags.interfaces import QosDurability
    from rosbags.rosbag2.storage_mcap import McapReader
    from rosbags.rosbag2.storage_sqlite3 import Sqlite3Reader
except ImportError as error:  # pragma: no cover, depends on the machine
    raise DependencyError("bags are read with rosbags, which is not installed: "
                          "pip install 'vla_ros[bags]'") from error

# The reader of a whole bag in rosbags passes over, in silence, every topic whose QoS is written
# differently in metadata.yaml and in the storage file; those of single files do not.
_READERS: dict[str, Any] = {'sqlite3': Sqlite3Reader, 'mcap': McapReader}


class Record(NamedTuple):
    """One message as it lies in a bag: ``data`` is CDR, decompressed."""

    topic: str
    type: str
    receive_ns: int
    data: bytes


@dataclass(frozen=True)
class Topic:
    """A topic of a bag.

    ``count`` is that of the storage files; ``latched`` says that late subscribers of a publisher
    got its last message, too.
    """

    name: str
    type: str
    count: int
    latched: bool = False


class _Part:
    """One storage file, open."""

    def __init__(self, path: Path, shown: Path) -> None:
        self.path, self.shown = path, shown
        self.contents: Contents = contents_of(path)
        self.reader = _READERS[self.contents.storage](path)
        self.read('opened', self.reader.open)
        # Asked for here: rosbags empties its list when the file is closed.
        self.connections = list(self.reader.connections)
        if self.contents.total is None:
            self.contents.total = self.reader.metadata.message_count
        if self.contents.counts is None:
            self.contents.counts = Counter()
            for connection in self.connections:
                self.contents.counts[connection.topic] += connection.msgcount
        self.start_ns, self.end_ns = (self.reader.metadata.start_time,
                                      self.reader.metadata.end_time)

    def read(self, what: str, call: Any, *args: Any) -> Any:
        """Call the reader; whatever it raises becomes an error that names the file."""
        try:
            return call(*args)
        except Exception as error:
            raise self.damaged(what, error) from error

    def damaged(self, what: str, error: Exception) -> InputError:
        return InputError(f'{self.shown}: cannot be {what}: {error}', path=self.shown)

    def records(self, topics: Collection[str], start_ns: int | None,
                stop_ns: int | None) -> Iterator[Record]:
        wanted = [connection for connection in self.connections if connection.topic in topics]
        if not wanted:
            return
        types = {connection.id: full_type(connection.msgtype) for connection in wanted}
        messages = iter(self.reader.messages(wanted, start_ns, stop_ns))
        while True:
            try:
                connection, receive_ns, data = next(messages)
                # By content: without metadata.yaml nothing says that messages are compressed.
                # CDR begins with 00.
                if data[:4] == ZSTD_MAGIC:
                    data = zstd.decompress(data)
            except StopIteration:
                return
            except Exception as error:
                raise self.damaged('read to its end, it is cut short or damaged', error) from error
            yield Record(connection.topic, types[connection.id], receive_ns, data)


class Bag:
    """The messages of a bag: sqlite3 or MCAP, split, compressed by file or by message.

    Use it in a ``with`` statement. Compressed files are unpacked into the folder for temporary
    files (``TMPDIR``) while it is open; nothing else of the bag is kept in memory or on disk.

    Attributes
    ----------
    path : Path
        As given.
    topics : dict[str, Topic]
        By name, as the storage files have them.
    message_count : int
        Messages of the storage files.
    start_ns, end_ns : int
        Receive times of the first and the last message [ns]; both 0 when there is none.
    notes : list[str]
        What is odd, but loses no message.

    Raises
    ------
    ConfigError
        When there is nothing at ``path``.
    InputError
        When it is not a bag, is cut short or damaged, has a serialisation other than CDR, or its
        files hold fewer messages than its metadata says.

    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.notes: list[str] = []
        self._stack = ExitStack()
        try:
            files = find_bag(self.path)
            self.custom = dict(files.metadata.custom) if files.metadata else {}
            if files.metadata:
                _check_formats(files.path, files.metadata.formats.values())
            self._parts = self._open(files)
            self.topics = self._topics()
            self._compare(files)
        except BaseException:
            self.close()
            raise
        self.message_count = sum(part.contents.total or 0 for part in self._parts)
        filled = [part for part in self._parts if part.contents.total]
        self.start_ns = min((part.start_ns for part in filled), default=0)
        # rosbags: one after the last.
        self.end_ns = max((part.end_ns - 1 for part in filled), default=0)
        self._reader = MessageReader({
            full_type(connection.msgtype): connection.msgdef
            for part in self._parts for connection in part.connections
            if connection.msgdef.data})

    def __enter__(self) -> Bag:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the files and remove what was unpacked."""
        self._stack.close()

    @property
    def duration_s(self) -> float:
        """Time between the first and the last message [s]."""
        return (self.end_ns - self.start_ns) * 1e-9

    @property
    def storage(self) -> str:
        """``sqlite3`` or ``mcap``."""
        return '+'.join(sorted({part.contents.storage for part in self._parts}))

    def records(self, topics: Collection[str] | None = None, start_ns: int | None = None,
                stop_ns: int | None = None) -> Iterator[Record]:
        """Yield the messages by receive time.

        Parameters
        ----------
        topics : Collection[str] | None
            Only these; None: all.
        start_ns, stop_ns : int | None
            Only what was received at or after the one and before the other [ns].

        Raises
        ------
        ConfigError
            When the bag has no such topic.
        InputError
            When there is no message, a file is damaged, or fewer came out than it says it has.

        """
        for name in topics or ():
            if name not in self.topics:
                raise unknown_choice(f'topic of {self.path}', name, self.topics)
        wanted = set(self.topics if topics is None else topics)
        if not any(self.topics[name].count for name in wanted):
            raise InputError(f'{self.path}: no message'
                             + (f' on {", ".join(sorted(wanted))}' if topics else ': it is empty'),
                             path=self.path)
        return self._checked(wanted, start_ns, stop_ns)

    def message(self, record: Record) -> Any:
        """Return the message of a record, an object with the fields of its type.

        Raises
        ------
        InputError
            When nothing defines the type or the data do not fit it.

        """
        return self._reader.read(record.data, record.type, record.topic)

    def _checked(self, wanted: set[str], start_ns: int | None,
                 stop_ns: int | None) -> Iterator[Record]:
        seen: Counter[str] = Counter()
        for group in self._groups():
            streams = [part.records(wanted, start_ns, stop_ns) for part in group]
            for record in heapq.merge(*streams, key=lambda record: record.receive_ns):
                seen[record.topic] += 1
                yield record
        if start_ns is not None or stop_ns is not None:
            return
        lost = [f'{name} {seen[name]} of {self.topics[name].count}' for name in sorted(wanted)
                if seen[name] < self.topics[name].count]
        if lost:
            raise InputError(f'{self.path}: fewer messages came out than the files say they have: '
                             f'{", ".join(lost)}', path=self.path)

    def _groups(self) -> list[list[_Part]]:
        """Return the parts in time order; those that overlap are to be merged."""
        groups: list[list[_Part]] = []
        reached = 0
        for part in sorted((part for part in self._parts if part.contents.total),
                           key=lambda part: part.start_ns):
            if groups and part.start_ns < reached:
                groups[-1].append(part)
            else:
                groups.append([part])
            reached = max(reached, part.end_ns)
        return groups

    def _open(self, files: BagFiles) -> list[_Part]:
        parts = []
        for i, shown in enumerate(files.storage):
            # Unpacked parts lie apart: a log beside a database belongs to it.
            workplace = Path(self._stack.enter_context(
                tempfile.TemporaryDirectory(prefix=f'vla_ros_bag_{i}_')))
            part = _Part(readable_file(shown, workplace), shown)
            self._stack.callback(part.reader.close)
            _check_formats(shown, part.contents.formats)
            parts.append(part)
        if not files.metadata:
            self.notes.append('no metadata.yaml: read from the storage files alone')
        return parts

    def _topics(self) -> dict[str, Topic]:
        counts: Counter[str] = Counter()
        types: dict[str, set[str]] = {}
        latched: set[str] = set()
        for part in self._parts:
            counts.update(part.contents.counts or {})
            for connection in part.connections:
                types.setdefault(connection.topic, set()).add(full_type(connection.msgtype))
                counts[connection.topic] += 0
                if any(offer.durability is QosDurability.TRANSIENT_LOCAL
                       for offer in getattr(connection.ext, 'offered_qos_profiles', ())):
                    latched.add(connection.topic)
        for name, found in types.items():
            if len(found) > 1:
                self.notes.append(f'{name} has messages of {len(found)} types: '
                                  f'{", ".join(sorted(found))}')
        return {name: Topic(name, ' or '.join(sorted(types.get(name, {'unknown'}))), counts[name],
                            name in latched)
                for name in sorted(counts)}

    def _compare(self, files: BagFiles) -> None:
        """Hold what the metadata say against what the storage files say."""
        if files.metadata is None:
            return
        found = sum(part.contents.total or 0 for part in self._parts)
        told = files.metadata.message_count
        lacking = [f'{name} {self.topics[name].count if name in self.topics else 0} of {count}'
                   for name, count in sorted(files.metadata.counts.items())
                   if (self.topics[name].count if name in self.topics else 0) < count]
        if found < told or lacking:
            raise InputError(
                f'{files.path}: metadata.yaml says {told} messages, the storage files have {found}'
                + (f' ({", ".join(lacking)})' if lacking else ''), path=files.path)
        if found > told:
            self.notes.append(f'metadata.yaml says {told} messages, the storage files have '
                              f'{found}; all are read')


def _check_formats(path: Path, formats: Iterable[str]) -> None:
    other = sorted({form for form in formats if form != 'cdr'})
    if other:
        raise InputError(f'{path}: serialised as {", ".join(map(repr, other))}; only cdr can be '
                         'read', path=path)
