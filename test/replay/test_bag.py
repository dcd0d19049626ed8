"""Bags: read in full, in order, or refused with the reason; never an empty success."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.replay import messages
from vla_ros.replay.bag import Bag
from vla_ros.replay.bag_writer import BagWriter
from vla_ros.replay.message_types import KNOWN_TYPES
from vla_ros.replay.messages import serialized
from vla_ros.replay.topic_choice import JOINT_STATE, STRING


def counted(path: Path) -> Counter[str]:
    """Return topic -> messages, by reading all of them."""
    with Bag(path) as bag:
        return Counter(record.topic for record in bag.records())


def write_with_rosbags(path: Path, plugin: StoragePlugin, mode: CompressionMode,
                       count: int = 30) -> None:
    writer = Writer(path, version=9, storage_plugin=plugin)
    if mode is not CompressionMode.NONE:
        writer.set_compression(mode, CompressionFormat.ZSTD)
    with writer:
        joints = writer.add_connection('/joint_states', JOINT_STATE, typestore=KNOWN_TYPES)
        text = writer.add_connection('/text', STRING, typestore=KNOWN_TYPES)
        for i in range(count):
            writer.write(joints, 1000 + i * 10, serialized(
                messages.joint_state(['a'], [float(i)], 1000 + i * 10), JOINT_STATE))
            writer.write(text, 1001 + i * 10, serialized(messages.text(f'n{i}' * 50), STRING))


@pytest.mark.parametrize(('plugin', 'mode'), [
    (StoragePlugin.SQLITE3, CompressionMode.NONE), (StoragePlugin.SQLITE3, CompressionMode.FILE),
    (StoragePlugin.SQLITE3, CompressionMode.MESSAGE), (StoragePlugin.MCAP, CompressionMode.NONE),
    (StoragePlugin.MCAP, CompressionMode.FILE), (StoragePlugin.MCAP, CompressionMode.MESSAGE),
    (StoragePlugin.MCAP, CompressionMode.STORAGE)])
def test_every_storage_and_compression_gives_the_same_messages(tmp_path, plugin, mode):
    path = tmp_path / 'bag'
    write_with_rosbags(path, plugin, mode)
    with Bag(path) as bag:
        found = [(record.topic, record.receive_ns, bag.message(record))
                 for record in bag.records()]
    assert [at for _, at, _ in found] == sorted(at for _, at, _ in found)
    assert [message.position[0] for topic, _, message in found
            if topic == '/joint_states'] == list(map(float, range(30)))
    assert [message.data for topic, _, message in found if topic == '/text'] == [
        f'n{i}' * 50 for i in range(30)]


def test_compressed_messages_are_read_without_metadata_too(tmp_path):
    path = tmp_path / 'bag'
    write_with_rosbags(path, StoragePlugin.SQLITE3, CompressionMode.MESSAGE)
    (path / 'metadata.yaml').unlink()
    with Bag(path) as bag:
        texts = [bag.message(record).data for record in bag.records(['/text'])]
        assert any('no metadata.yaml' in note for note in bag.notes)
    assert len(texts) == 30 and texts[3] == 'n3' * 50


def test_split_bag_is_one_bag_in_time_order(tmp_path, make_run):
    whole = make_run(tmp_path / 'whole')
    split = make_run(tmp_path / 'split', max_bytes=8000)
    assert len(list(split.glob('*.mcap'))) >= 5
    with Bag(whole) as one, Bag(split) as other:
        assert list(one.records()) == list(other.records())
        assert (one.start_ns, one.end_ns) == (other.start_ns, other.end_ns)


def test_parts_that_overlap_in_time_are_merged(tmp_path):
    path = tmp_path / 'bag'
    path.mkdir()
    for part in range(2):
        with BagWriter(tmp_path / f'p{part}') as bag:
            for i in range(10):
                bag.write_message('/text', STRING, 1000 + i * 10 + part * 5,
                                  messages.text(f'{part} {i}'))
        shutil.move(tmp_path / f'p{part}' / f'p{part}_0.mcap', path / f'bag_{part}.mcap')
    with Bag(path) as bag:
        times = [record.receive_ns for record in bag.records()]
    assert times == sorted(times) and len(times) == 20


def test_only_the_wanted_topics_and_times_come_out(run_bag):
    with Bag(run_bag) as bag:
        start = bag.start_ns + 500_000_000
        found = list(bag.records(['/joint_states'], start, start + 200_000_000))
    assert {record.topic for record in found} == {'/joint_states'}
    assert len(found) == 4
    assert all(start <= record.receive_ns < start + 200_000_000 for record in found)


def test_topic_that_is_not_there_is_refused_with_the_nearest(run_bag):
    with Bag(run_bag) as bag, pytest.raises(ConfigError, match=r"Did you mean '/joint_states'"):
        bag.records(['/joint_state'])


def test_empty_bag_is_described_but_never_read_as_if_it_had_ended(tmp_path):
    with BagWriter(tmp_path / 'bag'):
        pass
    with Bag(tmp_path / 'bag') as bag:
        assert bag.message_count == 0
        with pytest.raises(InputError, match='it is empty'):
            bag.records()


def test_metadata_that_promise_more_than_the_files_hold_are_found_out(run_bag):
    path = run_bag / 'metadata.yaml'
    metadata = yaml.safe_load(path.read_text())
    info = metadata['rosbag2_bagfile_information']
    told = info['message_count']
    info['message_count'] += 5
    info['topics_with_message_count'][1]['message_count'] += 5
    name = info['topics_with_message_count'][1]['topic_metadata']['name']
    path.write_text(yaml.safe_dump(metadata))
    with pytest.raises(InputError, match=f'says {told + 5} messages.*have {told}.*{name}'):
        Bag(run_bag)


def test_qos_written_differently_in_the_metadata_loses_no_message(run_bag):
    path = run_bag / 'metadata.yaml'
    metadata = yaml.safe_load(path.read_text())
    for entry in metadata['rosbag2_bagfile_information']['topics_with_message_count']:
        entry['topic_metadata']['offered_qos_profiles'] = ''
    path.write_text(yaml.safe_dump(metadata))
    assert counted(run_bag)['/joint_states'] == 40


def test_missing_part_is_named(tmp_path, make_run):
    path = make_run(tmp_path / 'bag', max_bytes=8000)
    (path / 'bag_1.mcap').unlink()
    with pytest.raises(InputError, match=r'1 are missing: bag_1\.mcap'):
        Bag(path)


@pytest.mark.parametrize('kept', [0.1, 0.5, 0.9, 0.999])
def test_cut_mcap_is_refused(run_bag, kept):
    file = next(run_bag.glob('*.mcap'))
    file.write_bytes(file.read_bytes()[:int(kept * file.stat().st_size)])
    with pytest.raises(InputError, match=r'cut short.*mcap recover'):
        Bag(run_bag)


@pytest.mark.parametrize('kept', [0.01, 0.3, 0.7, 0.95])
def test_cut_database_is_refused(tmp_path, kept):
    write_with_rosbags(tmp_path / 'bag', StoragePlugin.SQLITE3, CompressionMode.NONE, 300)
    file = tmp_path / 'bag' / 'bag.db3'
    file.write_bytes(file.read_bytes()[:int(kept * file.stat().st_size)])
    with pytest.raises(InputError, match='cut short'):
        Bag(tmp_path / 'bag')


@pytest.mark.parametrize('kept', [0.3, 0.9])
def test_cut_zstd_is_refused(tmp_path, kept):
    write_with_rosbags(tmp_path / 'bag', StoragePlugin.MCAP, CompressionMode.FILE)
    file = next((tmp_path / 'bag').glob('*.zstd'))
    file.write_bytes(file.read_bytes()[:int(kept * file.stat().st_size)])
    with pytest.raises(InputError, match='zstd data are cut short or damaged'):
        Bag(tmp_path / 'bag')


def test_damaged_chunk_is_an_error_and_not_a_shorter_bag(tmp_path):
    path = tmp_path / 'bag'
    write_with_rosbags(path, StoragePlugin.MCAP, CompressionMode.STORAGE)
    file = next(path.glob('*.mcap'))
    data = bytearray(file.read_bytes())
    middle = data.index(b'\x28\xb5\x2f\xfd') + 60
    data[middle:middle + 40] = bytes(40)
    file.write_bytes(bytes(data))
    with pytest.raises(InputError, match='read to its end'):
        counted(path)


def test_messages_without_a_topic_are_found_out(tmp_path):
    write_with_rosbags(tmp_path / 'bag', StoragePlugin.SQLITE3, CompressionMode.NONE)
    file = tmp_path / 'bag' / 'bag.db3'
    with sqlite3.connect(file) as base:
        base.execute("DELETE FROM topics WHERE name = '/text'")
    (tmp_path / 'bag' / 'metadata.yaml').unlink()
    with pytest.raises(InputError, match='30 messages belong to no topic'):
        Bag(tmp_path / 'bag')


def test_messages_in_the_log_of_a_killed_recorder_are_read(tmp_path):
    write_with_rosbags(tmp_path / 'bag', StoragePlugin.SQLITE3, CompressionMode.NONE)
    file = tmp_path / 'bag' / 'bag.db3'
    (tmp_path / 'bag' / 'metadata.yaml').unlink()
    base = sqlite3.connect(file)
    base.execute('PRAGMA journal_mode=WAL')
    base.execute('INSERT INTO messages (topic_id, timestamp, data) SELECT topic_id, timestamp + '
                 '1000000, data FROM messages')
    base.commit()
    killed = tmp_path / 'killed'
    killed.mkdir()
    for name in ('bag.db3', 'bag.db3-wal'):
        shutil.copy(tmp_path / 'bag' / name, killed / name)
    base.close()
    before = (killed / 'bag.db3').read_bytes()
    assert counted(killed) == {'/joint_states': 60, '/text': 60}
    assert (killed / 'bag.db3').read_bytes() == before, 'the recording itself is not touched'


@pytest.mark.parametrize(('content', 'reason'), [
    (b'version https://git-lfs.github.com/spec/v1\noid sha256:00\n', 'Git LFS pointer'),
    (b'hello, I am no bag\n', 'a text file'), (b'', 'empty'), (b'#ROSBAG V2.0\n', 'ROS 1'),
    (bytes(range(200, 250)), 'unknown content')])
def test_what_is_no_bag_is_named_for_what_it_is(tmp_path, content, reason):
    file = tmp_path / 'bag.mcap'
    file.write_bytes(content)
    for path in (file, tmp_path):
        with pytest.raises(InputError, match=reason):
            Bag(path)


def test_folder_without_a_bag_names_the_bags_inside(tmp_path, make_run):
    make_run(tmp_path / 'inner')
    with pytest.raises(InputError, match='bags inside: inner'):
        Bag(tmp_path)
    with pytest.raises(ConfigError, match='no such bag'):
        Bag(tmp_path / 'nothing')


@pytest.mark.parametrize('text', ['', 'a: [', 'rosbag2_bagfile_information: {}', '- 1', 'null'])
def test_unreadable_metadata_are_refused(run_bag, text):
    (run_bag / 'metadata.yaml').write_text(text)
    with pytest.raises(InputError, match=r'metadata\.yaml'):
        Bag(run_bag)


def test_bytes_that_do_not_fit_their_type_name_the_topic(tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        bag.write('/joint_states', JOINT_STATE, 1, b'\x00\x01\x00\x00' + b'\xff' * 20)
    with Bag(tmp_path / 'bag') as bag, pytest.raises(InputError, match='/joint_states: 24 bytes'):
        bag.message(next(bag.records()))


def test_type_that_nothing_defines_is_named(tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        bag.write('/odd', 'odd_msgs/msg/Odd', 1, b'\x00\x01\x00\x00\x00\x00\x00\x00',
                  ('int32 value\n', 'RIHS01_' + '0' * 64))
        with pytest.raises(InputError, match='nothing defines odd_msgs/msg/Even'):
            bag.write('/even', 'odd_msgs/msg/Even', 1, b'\x00\x01\x00\x00')
    with Bag(tmp_path / 'bag') as bag:
        assert bag.message(next(bag.records())).value == 0, 'the definition of the bag is used'


def test_closing_removes_what_was_unpacked(tmp_path, monkeypatch):
    write_with_rosbags(tmp_path / 'bag', StoragePlugin.MCAP, CompressionMode.FILE)
    workplace = tmp_path / 'work'
    workplace.mkdir()
    monkeypatch.setattr('tempfile.tempdir', str(workplace))
    with Bag(tmp_path / 'bag') as bag:
        assert list(workplace.rglob('*.mcap'))
        assert len(list(bag.records())) == 60
    assert list(workplace.iterdir()) == []


def test_positions_survive_exactly(tmp_path):
    values = np.random.default_rng(0).normal(size=(50, 3))
    with BagWriter(tmp_path / 'bag') as bag:
        for i, row in enumerate(values):
            bag.write_message('/j', JOINT_STATE, i, messages.joint_state('abc', row, i + 1))
    with Bag(tmp_path / 'bag') as bag:
        found = np.array([bag.message(record).position for record in bag.records()])
    assert np.array_equal(found, values)
