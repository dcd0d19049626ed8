"""Observations of a bag: by the same ingest as live, at a rate and at recorded stamps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vla_ros.core.errors import InputError
from vla_ros.core.ingest import IngestConfig
from vla_ros.core.joint_states import JointStateReader
from vla_ros.replay import messages
from vla_ros.replay.bag import Bag
from vla_ros.replay.bag_observations import BagObservations, BagReaders, Seen
from vla_ros.replay.bag_writer import BagWriter
from vla_ros.replay.pictures import IMAGE
from vla_ros.replay.recorded_vector import vector_readers
from vla_ros.replay.replay_topics import replay_topics
from vla_ros.replay.stamps import to_ns
from vla_ros.replay.topic_choice import JOINT_STATE, STRING

MS = 1_000_000
START = 1_700_000_000_000_000_000
CAMERAS = ('third_person', 'wrist')
CONFIG = IngestConfig(350 * MS, 200 * MS, 100 * MS, 100 * MS, 200 * MS, 1000 * MS, 500 * MS, 10.0)


def observations(bag: Bag, config: IngestConfig = CONFIG, instruction: str | None = None,
                 readers: BagReaders | None = None) -> BagObservations:
    topics = replay_topics(bag, CAMERAS)
    names = tuple(bag.message(next(bag.records([topics.state]))).name)
    return BagObservations(bag, topics, config, readers or vector_readers(names, topics.state),
                           instruction)


def good(seen: list[Seen]) -> list[Seen]:
    return [one for one in seen if one.observation is not None]


def test_at_the_recorded_stamps_it_gives_what_was_recorded(run_bag: Path) -> None:
    with Bag(run_bag) as bag:
        stamps = [START + k * 100 * MS for k in range(20)]
        seen = list(observations(bag).at_stamps(stamps))
        assert [one.wanted_ns for one in seen] == stamps
        for k, one in enumerate(seen):
            assert one.problem == ''
            assert one.observation is not None
            assert one.observation.stamp_ns == stamps[k]
            assert one.observation.instruction == 'hang it'
            assert one.observation.state['proprio'].tolist() == [float(k), -float(k)]
            assert [one.observation.images[c][5, 0, 1] for c in CAMERAS] == [k, k + 100]


def test_a_stamp_without_pictures_is_answered_with_the_reason(run_bag: Path) -> None:
    with Bag(run_bag) as bag:
        wanted = [START - 50 * MS, START + 100 * MS, START + 150 * MS, START + 9_000 * MS]
        seen = list(observations(bag).at_stamps(wanted))
    assert [one.wanted_ns for one in seen] == wanted
    assert [one.observation is not None for one in seen] == [False, True, False, False]
    assert seen[0].problem == 'no pictures belong to it'


def test_at_a_rate_it_asks_as_the_node_does_and_the_same_pictures_once(run_bag: Path) -> None:
    with Bag(run_bag) as bag:
        slow = good(list(observations(bag).at_rate(5.0)))
        fast = good(list(observations(bag).at_rate(50.0)))
    assert 9 <= len(slow) <= 10
    stamps = [one.observation.stamp_ns for one in fast if one.observation]
    assert stamps == [START + k * 100 * MS for k in range(20)]
    assert all(one.now_ns >= one.observation.stamp_ns for one in fast if one.observation)


def test_an_observation_has_only_what_had_come_by_then(tmp_path: Path) -> None:
    path = tmp_path / 'late'
    with BagWriter(path) as bag:
        bag.write_message('/instruction', STRING, START, messages.text('go'))
        for k in range(10):
            stamp = START + k * 100 * MS
            for camera in CAMERAS:  # received 60 ms late
                bag.write_message(f'/{camera}', IMAGE, stamp + 60 * MS, messages.image(
                    np.full((4, 4, 3), k, np.uint8), stamp, camera))
            bag.write_message('/joint_states', JOINT_STATE, stamp + 61 * MS,
                              messages.joint_state(['a'], [float(k)], stamp))
    with Bag(path) as bag:
        seen = good(list(observations(bag).at_rate(100.0)))
    assert len(seen) == 10
    assert all(one.now_ns - one.observation.stamp_ns >= 60 * MS for one in seen if one.observation)


def test_stale_inputs_are_misses_with_the_stream_named(tmp_path: Path) -> None:
    path = tmp_path / 'gap'
    with BagWriter(path) as bag:
        bag.write_message('/instruction', STRING, START, messages.text('go'))
        for k in range(30):
            stamp = START + k * 100 * MS
            for camera in CAMERAS:
                bag.write_message(f'/{camera}', IMAGE, stamp, messages.image(
                    np.full((4, 4, 3), k, np.uint8), stamp, camera))
            if not 10 <= k < 20:
                bag.write_message('/joint_states', JOINT_STATE, stamp,
                                  messages.joint_state(['a'], [float(k)], stamp))
    with Bag(path) as bag:
        seen = list(observations(bag).at_rate(10.0))
    missed = [one.problem for one in seen if one.observation is None]
    assert 7 <= len(missed) <= 10
    assert all('joint_states: ' in why for why in missed)


def test_a_recording_of_simulated_time_is_replayed_on_its_clock(tmp_path: Path) -> None:
    path = tmp_path / 'sim'
    second = 1_000_000_000
    clock = _clock()
    with BagWriter(path) as bag:
        bag.write_message('/instruction', STRING, START, messages.text('go'))
        for k in range(100):
            sim, wall = second + k * 10 * MS, START + k * 3 * MS  # three times as fast
            bag.write_message('/clock', 'rosgraph_msgs/msg/Clock', wall, clock(sim))
            bag.write_message('/joint_states', JOINT_STATE, wall + MS,
                              messages.joint_state(['a'], [float(k)], sim))
            if k % 10 == 0:
                for camera in CAMERAS:
                    bag.write_message(f'/{camera}', IMAGE, wall + MS, messages.image(
                        np.full((4, 4, 3), k, np.uint8), sim, camera))
    with Bag(path) as bag:
        walk = observations(bag)
        seen = good(list(walk.at_rate(10.0)))
        assert walk.time.kind == 'clock'
        assert 'time is that of /clock' in walk.time.note
    assert len(seen) == 10
    assert all(one.observation.stamp_ns < 3 * second for one in seen if one.observation)


def test_stamps_of_another_clock_without_a_clock_topic_are_the_time(tmp_path: Path) -> None:
    path = tmp_path / 'boot'
    with BagWriter(path) as bag:
        bag.write_message('/instruction', STRING, START, messages.text('go'))
        for k in range(10):
            stamp = (5 + k) * 100 * MS  # since the robot was switched on
            for camera in CAMERAS:
                bag.write_message(f'/{camera}', IMAGE, START + k * 100 * MS, messages.image(
                    np.full((4, 4, 3), k, np.uint8), stamp, camera))
            bag.write_message('/joint_states', JOINT_STATE, START + k * 100 * MS,
                              messages.joint_state(['a'], [float(k)], stamp))
    with Bag(path) as bag:
        walk = observations(bag)
        assert len(good(list(walk.at_rate(10.0)))) >= 9
        assert walk.time.kind == 'stamps'


def test_messages_that_cannot_be_used_are_counted_with_the_reason(run_bag: Path) -> None:
    reader = JointStateReader(['other'], '/joint_states')

    def state(message: Any) -> tuple[int, np.ndarray, None]:
        return to_ns(message.header.stamp), reader.position(message), None

    with Bag(run_bag) as bag:
        walk = observations(bag, readers=BagReaders(state, lambda v: {}))
        assert good(list(walk.at_rate(10.0))) == []
        assert sum(walk.refused.values()) == 40
        assert any('missing joints: other' in why for why in walk.refused)


def test_a_given_instruction_is_said_instead_of_the_recorded_one(run_bag: Path) -> None:
    with Bag(run_bag) as bag:
        seen = good(list(observations(bag, instruction='stack it').at_rate(10.0)))
    assert {one.observation.instruction for one in seen if one.observation} == {'stack it'}


@pytest.mark.parametrize(('cameras', 'privileged', 'lacking'), [
    (('third_person', 'high'), False, 'high: no name points to one topic; say which'),
    (CAMERAS, True, 'objects: no topic with messages of type visualization_msgs/msg/MarkerArray')])
def test_what_the_policy_needs_and_the_bag_lacks_is_named(
        run_bag: Path, cameras: tuple[str, ...], privileged: bool, lacking: str) -> None:
    with Bag(run_bag) as bag, pytest.raises(InputError) as caught:
        replay_topics(bag, cameras, privileged)
    assert str(caught.value).startswith(f'{run_bag}: the policy cannot be replayed on it: ')
    assert lacking in str(caught.value)


def test_a_picture_that_is_not_used_is_never_decoded(
        run_bag: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vla_ros.replay import bag_observations

    decoded: list[str] = []
    real = bag_observations.rgb_from_image

    def counted(message: Any, topic: str) -> np.ndarray:
        decoded.append(topic)
        return real(message, topic)

    monkeypatch.setattr(bag_observations, 'rgb_from_image', counted)
    with Bag(run_bag) as bag:
        count = len(good(list(observations(bag).at_rate(2.0))))
    assert len(decoded) == 2 * count < 40


def _clock() -> Callable[[int], Any]:
    from vla_ros.replay.message_types import KNOWN_TYPES

    def clock(ns: int) -> Any:
        t = KNOWN_TYPES.types
        return t['rosgraph_msgs/msg/Clock'](
            t['builtin_interfaces/msg/Time'](*divmod(ns, 1_000_000_000)))

    return clock


def test_a_recorder_that_heard_of_everything_late_does_not_make_an_observation_stale(
        tmp_path: Path) -> None:
    path = tmp_path / 'late'
    with BagWriter(path) as bag:
        bag.write_message('/instruction', STRING, START, messages.text('go'))
        for camera in CAMERAS:
            bag.write_message(f'/{camera}', IMAGE, START + 900 * MS, messages.image(
                np.zeros((4, 4, 3), np.uint8), START, camera))
        bag.write_message('/joint_states', JOINT_STATE, START + 901 * MS,
                          messages.joint_state(['a'], [1.0], START))
    with Bag(path) as bag:
        assert len(good(list(observations(bag).at_stamps([START])))) == 1
        assert good(list(observations(bag).at_rate(10.0))) == [], 'at a rate, age is what it was'


@pytest.mark.parametrize(('used', 'value', 'others'), [
    (-50, 1.0, 0),  # the node inferred before the state of the picture's time had come
    (0, 2.0, 0),
    (None, 2.0, 0),  # nothing was recorded of it
    (-100, 2.0, 1)])  # a sample that the recorder did not have then
def test_the_very_sample_that_the_live_node_used_is_taken(
        tmp_path: Path, used: int | None, value: float, others: int) -> None:
    from vla_ros.core.observation_record import ObservationRecord
    from vla_ros.replay.bag_observations import recorded_sources

    path = tmp_path / 'run'
    with BagWriter(path) as bag:
        bag.write_message('/instruction', STRING, START, messages.text('go'))
        for camera in CAMERAS:
            bag.write_message(f'/{camera}', IMAGE, START + 1, messages.image(
                np.zeros((4, 4, 3), np.uint8), START, camera))
        # Stamped before, at and after the picture; the first came before it.
        for k, at in enumerate((-50, 0, 50)):
            bag.write_message('/joint_states', JOINT_STATE, START + max(at, 0) * MS + k,
                              messages.joint_state(['a'], [k + 1.0], START + at * MS))
        if used is not None:
            bag.write_message('/observation', STRING, START + 90 * MS, messages.text(
                ObservationRecord(START, {'third_person': START, 'wrist': START,
                                          'joint_states': START + used * MS}).to_json()))
    with Bag(path) as bag:
        topics = replay_topics(bag, CAMERAS)
        walk = BagObservations(bag, topics, CONFIG, vector_readers(('a',), topics.state), None,
                               recorded_sources(bag, topics.observation))
        seen, = walk.at_stamps([START])
        assert seen.observation is not None
        assert seen.observation.state['proprio'].tolist() == [value]
        assert walk.other_samples == others
