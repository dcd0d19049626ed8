"""Bags that are written: split, latched, complete whatever happens in between."""

from __future__ import annotations

import pytest
import yaml
from rosbags.rosbag2 import Reader

from vla_ros.core.errors import ConfigError
from vla_ros.replay import messages
from vla_ros.replay.bag import Bag
from vla_ros.replay.bag_writer import BagWriter
from vla_ros.replay.topic_choice import STRING


def metadata(path):
    return yaml.safe_load((path / 'metadata.yaml').read_text())['rosbag2_bagfile_information']


def test_parts_keep_to_the_size_and_another_reader_agrees(tmp_path, make_run):
    path = make_run(tmp_path / 'bag', max_bytes=10_000)
    assert metadata(path)['message_count'] == 101
    assert sum(info['message_count'] for info in metadata(path)['files']) == 101
    assert [info['path'] for info in metadata(path)['files']] == [
        f'bag_{i}.mcap' for i in range(len(metadata(path)['files']))]
    with Reader(path) as theirs, Bag(path) as ours:
        assert [(c.topic, at, data) for c, at, data in theirs.messages()] == [
            (record.topic, record.receive_ns, record.data) for record in ours.records()]
        assert theirs.duration - 1 == ours.end_ns - ours.start_ns


def test_instruction_is_latched_for_a_playback_and_the_rest_is_not(run_bag):
    qos = {entry['topic_metadata']['name']: yaml.safe_load(
        entry['topic_metadata']['offered_qos_profiles'])[0]['durability']
        for entry in metadata(run_bag)['topics_with_message_count']}
    assert qos['/instruction'] == 1  # transient local
    assert set(qos.values()) == {1, 2} and list(qos.values()).count(1) == 1


def test_a_writer_that_is_given_up_leaves_the_complete_parts_readable(tmp_path):
    path = tmp_path / 'bag'

    def record():
        with BagWriter(path, max_bytes=2000) as bag:
            for i in range(100):
                bag.write_message('/text', STRING, i + 1, messages.text('x' * 100))
                if bag.parts == 3 and i % 10 == 9:
                    raise RuntimeError('power cut')

    with pytest.raises(RuntimeError, match='power'):
        record()
    with Bag(path) as bag:
        assert 0 < bag.message_count < 100
        assert len(list(bag.records())) == bag.message_count


def test_a_part_that_was_never_completed_is_not_taken_for_one(tmp_path):
    path = tmp_path / 'bag'
    writer = BagWriter(path, max_bytes=2000)
    for i in range(50):
        writer.write_message('/text', STRING, i + 1, messages.text('x' * 100))
    complete = metadata(path)['message_count']  # as a killed process leaves it
    with Bag(path) as bag:
        assert bag.message_count == complete == len(list(bag.records()))
    writer.close()
    with Bag(path) as bag:
        assert bag.message_count == 50


def test_a_bag_is_never_written_over_another(run_bag):
    before = (run_bag / 'metadata.yaml').read_bytes()
    with pytest.raises(ConfigError, match='exists already'):
        BagWriter(run_bag)
    assert (run_bag / 'metadata.yaml').read_bytes() == before


def test_compressed_chunks_are_smaller_and_the_same(tmp_path, make_run):
    plain, small = make_run(tmp_path / 'a'), make_run(tmp_path / 'b', compress=True)
    sizes = [sum(file.stat().st_size for file in path.glob('*.mcap')) for path in (plain, small)]
    assert sizes[1] < sizes[0] / 2
    with Bag(plain) as one, Bag(small) as other:
        assert list(one.records()) == list(other.records())


def test_notes_are_in_the_metadata(tmp_path):
    with BagWriter(tmp_path / 'bag', custom={'derived_from': 'somewhere'}):
        pass
    with Bag(tmp_path / 'bag') as bag:
        assert bag.custom == {'derived_from': 'somewhere'}
