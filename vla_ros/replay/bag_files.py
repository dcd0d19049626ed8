"""Which files make up a bag, and what its ``metadata.yaml`` says about them."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.replay.storage_files import kind_of
from vla_ros.replay.zstd_library import zstd

METADATA = 'metadata.yaml'
_STORAGE = re.compile(r'\.(db3|mcap)(\.zstd?)?$')
_ROOT = 'rosbag2_bagfile_information'


@dataclass(frozen=True)
class BagMetadata:
    """What ``metadata.yaml`` says.

    Attributes
    ----------
    message_count : int
        Messages in the whole bag.
    counts : Mapping[str, int]
        Topic -> messages.
    types : Mapping[str, str]
        Topic -> message type.
    formats : Mapping[str, str]
        Topic -> serialisation.
    custom : Mapping[str, str]
        What the recorder noted.

    """

    message_count: int
    counts: Mapping[str, int]
    types: Mapping[str, str]
    formats: Mapping[str, str]
    custom: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class BagFiles:
    """The files of one bag, in order, and its metadata (None: it has none)."""

    path: Path
    storage: tuple[Path, ...]
    metadata: BagMetadata | None


def find_bag(path: Path) -> BagFiles:
    """Return the files of the bag at ``path``: its folder, its metadata file or one storage file.

    Raises
    ------
    ConfigError
        When there is nothing at ``path``.
    InputError
        When it is not a bag, a file that the metadata names is missing, or the metadata cannot be
        read.

    """
    if not path.exists():
        raise ConfigError(f'{path}: no such bag', path=path)
    if path.name == METADATA:
        path = path.parent
    if path.is_file():
        kind_of(path)
        return BagFiles(path, (path,), None)
    if (path / METADATA).is_file():
        names, metadata = _read_metadata(path / METADATA)
        storage = tuple(path / Path(name).name for name in names)
        missing = [file.name for file in storage if not file.is_file()]
        if missing:
            raise InputError(f'{path}: of {len(storage)} storage files {len(missing)} are missing: '
                             f'{", ".join(missing)}', path=path, missing=missing)
        return BagFiles(path, storage, metadata)
    storage = tuple(sorted((file for file in path.iterdir() if _STORAGE.search(file.name)),
                           key=_natural))
    if not storage:
        inside = sorted(file.parent.name for file in path.glob(f'*/{METADATA}'))
        hint = f'; bags inside: {", ".join(inside[:8])}' if inside else ''
        raise InputError(f'{path}: not a bag: it has neither {METADATA} nor .db3 or .mcap files'
                         f'{hint}', path=path)
    for file in storage:
        kind_of(file)
    stems = {re.sub(r'_\d+$', '', _STORAGE.sub('', file.name)) for file in storage}
    if len(stems) > 1:
        found = ', '.join(file.name for file in storage)
        raise InputError(f'{path}: no {METADATA}, and the files {found} are not parts of one bag; '
                         'name one of them', path=path)
    return BagFiles(path, storage, None)


def readable_file(path: Path, workplace: Path) -> Path:
    """Return an uncompressed, complete copy of a storage file; the file itself where it is that.

    ``workplace`` is an empty folder for copies. A write-ahead log that a killed recorder left
    beside a database is merged into the copy: readers pass over the messages in it.

    Raises
    ------
    InputError
        When the file cannot be decompressed, or there is no space to.

    """
    log = path.with_name(path.name + '-wal')
    if kind_of(path) == 'zstd':
        return _decompressed(path, workplace / re.sub(r'\.zstd?$', '', path.name))
    if not log.is_file() or not log.stat().st_size:
        return path
    copy = workplace / path.name
    shutil.copyfile(path, copy)
    shutil.copyfile(log, workplace / log.name)
    try:
        base = sqlite3.connect(copy)
        base.execute('PRAGMA wal_checkpoint(TRUNCATE)').fetchall()
        base.close()
    except sqlite3.Error as error:
        raise InputError(f'{log}: the write-ahead log cannot be merged: {error}',
                         path=path) from error
    return copy


def _decompressed(path: Path, target: Path) -> Path:
    try:
        with path.open('rb') as raw, zstd.open(raw, 'rb') as source, target.open('wb') as out:
            shutil.copyfileobj(source, out, 1 << 20)
    except (zstd.ZstdError, EOFError) as error:
        raise InputError(f'{path}: the zstd data are cut short or damaged: {error}',
                         path=path) from error
    except OSError as error:
        raise InputError(f'{path}: cannot be decompressed into {target.parent}: {error.strerror}',
                         path=path) from error
    return target


def _read_metadata(path: Path) -> tuple[list[str], BagMetadata]:
    try:
        info = yaml.safe_load(path.read_text(encoding='utf-8'))[_ROOT]
        topics = [(entry['topic_metadata'], int(entry['message_count']))
                  for entry in info['topics_with_message_count']]
        counts: Counter[str] = Counter()
        for topic, count in topics:
            counts[topic['name']] += count
        return [str(name) for name in info['relative_file_paths']], BagMetadata(
            int(info['message_count']), dict(counts),
            {topic['name']: topic['type'] for topic, _ in topics},
            {topic['name']: topic['serialization_format'] for topic, _ in topics},
            dict(info.get('custom_data') or {}))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f'{path}: cannot be read: {error}', path=path) from error
    except KeyError as error:
        raise InputError(f'{path}: not the metadata of a bag: {error} is missing',
                         path=path) from error
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(f'{path}: not the metadata of a bag: {error}', path=path) from error


def _natural(path: Path) -> list[tuple[int, str]]:
    """Order part 10 after part 9."""
    return [(int(piece), '') if piece.isdigit() else (-1, piece)
            for piece in re.split(r'(\d+)', path.name)]
