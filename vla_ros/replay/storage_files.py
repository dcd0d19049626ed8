"""One storage file of a bag: what it is, and how many messages it says it has.

The counts are read here with other code than the messages (SQL, the summary of the MCAP), so that
a reader that loses messages is found out.
"""

from __future__ import annotations

import sqlite3
import struct
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from vla_ros.core.errors import InputError

SQLITE_MAGIC = b'SQLite format 3\x00'
MCAP_MAGIC = b'\x89MCAP0\r\n'
ZSTD_MAGIC = b'\x28\xb5\x2f\xfd'
_LFS_MAGIC = b'version https://git-lfs'
_ROS1_MAGIC = b'#ROSBAG V'

_FOOTER, _CHANNEL, _CHUNK_INDEX, _STATISTICS = 0x02, 0x04, 0x08, 0x0B
_FOOTER_SIZE = 37  # opcode, length, three fields, closing magic


@dataclass
class Contents:
    """What a storage file says about itself.

    Attributes
    ----------
    storage : str
        ``sqlite3`` or ``mcap``.
    total : int | None
        Messages in the file; None: it does not say (an MCAP without summary).
    counts : Counter[str] | None
        Topic -> messages, also the topics that have none; None: it does not say.
    formats : set[str]
        How the messages are serialised; only ``cdr`` can be read.

    """

    storage: str
    total: int | None = None
    counts: Counter[str] | None = None
    formats: set[str] = field(default_factory=set)


def kind_of(path: Path) -> str:
    """Return ``sqlite3``, ``mcap`` or ``zstd``, by the file's content and not by its name.

    Raises
    ------
    InputError
        When it is none of them; says what it is instead, where that is known.

    """
    try:
        with path.open('rb') as file:
            head = file.read(32)
        size = path.stat().st_size
    except OSError as error:
        raise InputError(f'{path}: cannot be read: {error.strerror}', path=path) from error
    for magic, kind in ((SQLITE_MAGIC, 'sqlite3'), (MCAP_MAGIC, 'mcap'), (ZSTD_MAGIC, 'zstd')):
        if head.startswith(magic):
            return kind
    if not size:
        reason = 'the file is empty'
    elif head.startswith(_LFS_MAGIC):
        reason = (f'a Git LFS pointer of {size} bytes and not the file itself; '
                  '`git lfs pull` fetches it')
    elif head.startswith(_ROS1_MAGIC):
        reason = 'a bag of ROS 1; rosbags-convert makes a ROS 2 bag of it'
    elif all(byte in b'\t\n\r' or 32 <= byte < 127 for byte in head):
        reason = f'a text file of {size} bytes'
    else:
        reason = f'unknown content of {size} bytes'
    raise InputError(f'{path}: not a bag file (expected SQLite, MCAP or zstd): {reason}', path=path)


def contents_of(path: Path) -> Contents:
    """Return what a storage file says it holds.

    Raises
    ------
    InputError
        When the file is cut short or damaged.

    """
    kind = kind_of(path)
    if kind == 'sqlite3':
        return _sqlite_contents(path)
    if kind == 'mcap':
        return _mcap_contents(path)
    raise InputError(f'{path}: compressed; expected SQLite or MCAP inside', path=path)


def _sqlite_contents(path: Path) -> Contents:
    _check_sqlite_size(path)
    try:
        # immutable: a bag on a read-only disk may have no lock file beside it.
        base = sqlite3.connect(f'{path.absolute().as_uri()}?mode=ro&immutable=1', uri=True)
        try:
            topics = base.execute('SELECT id, name, serialization_format FROM topics').fetchall()
            counts = dict(base.execute(
                'SELECT topic_id, count(*) FROM messages GROUP BY topic_id').fetchall())
        finally:
            base.close()
    except sqlite3.Error as error:
        raise InputError(f'{path}: the database cannot be read: {error}', path=path) from error
    orphans = set(counts) - {key for key, _, _ in topics}
    if orphans:
        raise InputError(f'{path}: {sum(counts[key] for key in orphans)} messages belong to no '
                         f'topic (topic_id {", ".join(map(str, sorted(orphans)))}); the database '
                         'is damaged', path=path)
    found: Counter[str] = Counter()
    for key, name, _ in topics:
        found[name] += counts.get(key, 0)
    return Contents('sqlite3', sum(found.values()), found, {form for _, _, form in topics})


def _check_sqlite_size(path: Path) -> None:
    with path.open('rb') as file:
        header = file.read(100)
    size = path.stat().st_size
    if len(header) < 100:
        raise InputError(f'{path}: cut short: {size} bytes, the header alone has 100', path=path)
    page = struct.unpack('>H', header[16:18])[0]
    page = 65536 if page == 1 else page
    changed, pages, valid_for = (struct.unpack('>I', header[at:at + 4])[0] for at in (24, 28, 92))
    # The number of pages counts only where the last writer kept it up to date.
    if changed == valid_for and size < page * pages:
        raise InputError(f'{path}: cut short: {size} bytes of the {page * pages} that the database '
                         'had', path=path)


def _mcap_contents(path: Path) -> Contents:
    size = path.stat().st_size
    with path.open('rb') as file:
        if size < 2 * len(MCAP_MAGIC) + _FOOTER_SIZE:
            raise InputError(f'{path}: cut short: {size} bytes are too few for an MCAP', path=path)
        file.seek(-_FOOTER_SIZE, 2)
        footer = file.read()
        if not footer.endswith(MCAP_MAGIC) or footer[0] != _FOOTER:
            raise InputError(
                f'{path}: cut short: the MCAP of {size} bytes has no footer (was the recorder '
                'killed, or the copy not complete?); `mcap recover` saves what is there', path=path)
        start = struct.unpack('<Q', footer[9:17])[0]
        if not start:
            return Contents('mcap')
        if not start < size:
            raise InputError(f'{path}: the MCAP has its summary beyond its end; it is damaged',
                             path=path)
        file.seek(start)
        summary = file.read(size - _FOOTER_SIZE - start)
    try:
        return _summary(summary, path)
    except (struct.error, UnicodeDecodeError, IndexError) as error:
        raise InputError(f'{path}: the summary of the MCAP is damaged: {error}',
                         path=path) from error


def _summary(summary: bytes, path: Path) -> Contents:
    topics: dict[int, tuple[str, str]] = {}
    per_channel: dict[int, int] | None = None
    total, chunks, unindexed = 0, 0, 0
    at = 0
    while at < len(summary):
        opcode, length = summary[at], struct.unpack_from('<Q', summary, at + 1)[0]
        body = summary[at + 9:at + 9 + length]
        at += 9 + length
        if opcode == _CHANNEL:
            key, _ = struct.unpack_from('<HH', body)
            topic, after = _text(body, 4)
            topics[key] = (topic, _text(body, after)[0])
        elif opcode == _CHUNK_INDEX:
            chunks += 1
            first, last = struct.unpack_from('<QQ', body)
            offsets = struct.unpack_from('<I', body, 32)[0]
            unindexed += offsets == 0 and last > 0 and first <= last
        elif opcode == _STATISTICS:
            total, length = struct.unpack_from('<Q', body)[0], struct.unpack_from('<I', body, 42)[0]
            per_channel = dict(struct.iter_unpack('<HQ', body[46:46 + length]))
    formats = {form for _, form in topics.values()}
    if unindexed and total:
        # A chunk of which no index says what is in it is passed over by readers, in silence.
        raise InputError(f'{path}: {unindexed} of {chunks} chunks of the MCAP have no message '
                         'index; `mcap recover` writes one', path=path)
    if per_channel is None:
        return Contents('mcap', formats=formats)
    if sum(per_channel.values()) != total:
        raise InputError(f'{path}: the MCAP says {total} messages, but '
                         f'{sum(per_channel.values())} by topic; its summary is damaged', path=path)
    if not set(per_channel) <= set(topics):
        return Contents('mcap', total, formats=formats)
    counts = Counter({topic: 0 for topic, _ in topics.values()})
    for key, count in per_channel.items():
        counts[topics[key][0]] += count
    return Contents('mcap', total, counts, formats)


def _text(body: bytes, at: int) -> tuple[str, int]:
    length = struct.unpack_from('<I', body, at)[0]
    return body[at + 4:at + 4 + length].decode(), at + 4 + length
