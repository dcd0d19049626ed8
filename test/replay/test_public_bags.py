"""Every public bag is read in full, or refused with the right reason."""

from __future__ import annotations

import contextlib
import io
import sqlite3
import struct
import zlib
from collections import Counter
from pathlib import Path

import pytest

from vla_ros.core.errors import InputError
from vla_ros.replay.bag import Bag
from vla_ros.replay.zstd_library import zstd

MCAP = b'\x89MCAP0\r\n'

# Folder or file below bags/ -> a word of the reason.
REFUSED = {
    'lfs_pointer_broken': 'Git LFS pointer',
    'lfs_pointer_broken/chunk_not_closed.mcap': 'Git LFS pointer',
    'lfs_pointer_broken/talker-humble.db3': 'Git LFS pointer',
    'rosbag2_upstream/rosbag2_cpp/test/rosbag2_cpp/bags': 'not parts of one bag',
    'rosbag2_upstream/rosbag2_tests/resources/mcap/wrong_rmw_test': "'wrong_format'",
    'rosbag2_upstream/rosbag2_tests/resources/mcap/wrong_rmw_test/wrong_rmw_test_0.mcap':
        "'wrong_format'",
    'rosbag2_upstream/rosbag2_tests/resources/sqlite3/wrong_rmw_test': "'wrong_format'",
}
EMPTY = {
    'rosbag2_history/compressed_bag', 'rosbag2_history/empty_bag_wal',
    'rosbag2_upstream/ros2bag/test/resources/empty_bag',
}


def targets(bags: Path) -> list[str]:
    """Return every bag folder and every storage file, relative to ``bags``."""
    files = [path for path in sorted(bags.rglob('*')) if path.suffix in ('.db3', '.mcap', '.zstd')]
    found = {*files, *(path.parent for path in files)}
    return sorted(str(path.relative_to(bags)) for path in found)


def own_counts(path: Path, workplace: Path) -> Counter[str]:
    """Count the messages of a file by topic, record by record, with nobody's library."""
    data = path.read_bytes()
    if path.suffix == '.zstd':
        data, path = zstd.decompress(data), path.with_suffix('')
    if path.suffix == '.db3':
        copy = workplace / path.name
        copy.write_bytes(data)
        base = sqlite3.connect(copy)
        found = Counter(name for (name,) in base.execute(
            'SELECT name FROM messages JOIN topics ON topics.id = topic_id'))
        base.close()
        return found
    assert data[:8] == MCAP
    return mcap_counts(data[8:-8], {}, Counter())


def mcap_counts(data: bytes, channels: dict[int, str], counts: Counter[str]) -> Counter[str]:
    stream = io.BytesIO(data)
    while head := stream.read(9):
        opcode, length = struct.unpack('<BQ', head)
        body = stream.read(length)
        if opcode == 4:
            size = struct.unpack_from('<I', body, 4)[0]
            channels[struct.unpack_from('<H', body)[0]] = body[8:8 + size].decode()
        elif opcode == 5:
            counts[channels[struct.unpack_from('<H', body)[0]]] += 1
        elif opcode == 6:
            checksum, size = struct.unpack_from('<II', body, 24)
            kind = body[32:32 + size].decode()
            content = body[40 + size:]
            assert kind in ('', 'zstd'), kind
            content = zstd.decompress(content) if kind else content
            assert not checksum or zlib.crc32(content) == checksum
            mcap_counts(content, channels, counts)
        elif opcode == 15:  # the end of the data: the summary repeats channels
            break
    return counts


def test_every_bag_is_read_in_full_or_refused_with_the_right_reason(bags, tmp_path):
    names = targets(bags)
    assert len(names) > 60
    for name in names:
        path = bags / name
        if name in REFUSED:
            with pytest.raises(InputError, match=REFUSED[name]):
                Bag(path)
            continue
        files = [path] if path.is_file() else [
            file for file in path.iterdir() if file.suffix in ('.db3', '.mcap', '.zstd')]
        expected: Counter[str] = sum(
            (own_counts(file, tmp_path) for file in files), Counter())
        with Bag(path) as bag:
            assert bag.message_count == sum(expected.values()), name
            if not expected:
                assert name in EMPTY or str(Path(name).parent) in EMPTY, name
                with pytest.raises(InputError, match='it is empty'):
                    bag.records()
                continue
            found, last = Counter(), -1
            for record in bag.records():
                found[record.topic] += 1
                assert record.receive_ns >= last, name
                last = record.receive_ns
                assert record.data[0] == 0, 'CDR, decompressed'
        assert found == expected, name


def test_reader_that_trusts_the_metadata_would_have_lost_bags(bags):
    """Keeps the reason for reading file by file: without the trap, this may go."""
    from rosbags.rosbag2 import Reader, ReaderError

    silent = []
    for metadata in sorted((bags / 'rosbag2_upstream').rglob('metadata.yaml')):
        with contextlib.suppress(ReaderError), Reader(metadata.parent) as reader:
            if reader.message_count and not any(True for _ in reader.messages()):
                silent.append(metadata.parent)
    for folder in silent:
        with Bag(folder) as bag:
            assert len(list(bag.records())) == bag.message_count > 0


@pytest.mark.parametrize('name', ['test_bag_sqlite3', 'test_bag_mcap'])
def test_all_94_types_are_decoded(bags, name):
    with Bag(bags / 'rosbags_rs' / 'tests' / 'test_bags' / name) as bag:
        found = {type(bag.message(record)).__name__ for record in bag.records()}
    assert len(found) == 94
