"""The policy node's inputs in a real process: frozen, apart, badly stamped, with a latency."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip('rclpy')

from graph_rig import stamp_ns, wait_until
from policy_world import INFERENCE, TASK, THIRD, WRIST, World
from sensor_msgs.msg import Image

from vla_ros.core.observation_record import ObservationRecord
from vla_ros.ros.stamps import time_message

pytestmark = pytest.mark.ros

FROZEN_S = 0.6


@pytest.fixture(scope='module')
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp('policy'), frozen_image_s=FROZEN_S,
                  frozen_joint_state_s=FROZEN_S)
    try:
        world.say(TASK)
        world.process.start()
        world.chunks.wait(lambda m: True, 'a first chunk')
        yield world
    finally:
        world.process.clean_up()
        world.observer.close()


@pytest.fixture
def world(running: World) -> Iterator[World]:
    """The running node with all that it needs, sending chunks."""
    running.heal()
    running.live = {THIRD, WRIST}
    running.new_chunk('a chunk before the test')
    yield running
    assert running.process.alive, running.process.log


@pytest.fixture
def alone(tmp_path: Any) -> Iterator[Callable[..., World]]:
    """Return what starts a policy node with these parameters, and the world around it."""
    made = []

    def make(**parameters: object) -> World:
        made.append(World(tmp_path, '/alone', instruction=TASK, **parameters))
        made[-1].process.start()
        return made[-1]

    yield make
    for world in made:
        world.process.clean_up()
        world.observer.close()


def values(status: Any) -> dict[str, str]:
    return {item.key: item.value for item in status.values}


# Frozen

@pytest.mark.parametrize(('topic', 'swings'), [
    (THIRD, {'joint_command', 'joint_states'}),
    (WRIST, {'joint_command', 'joint_states'}),
    (THIRD, {'joint_states'}),  # nobody commands: a hand, or another controller
])
def test_no_chunk_while_a_camera_repeats_its_picture_and_the_arm_moves(
        world: World, topic: str, swings: set[str]) -> None:
    since = len(world.observer.diagnostics)
    other = WRIST if topic == THIRD else THIRD
    if 'joint_command' not in swings:
        world.silent = {'joint_command'}
    world.live = {other}
    world.swings = swings
    status = world.observer.wait_diagnostic(
        INFERENCE, f'no chunk: {topic}: frozen, the same picture for ', ' s', level=2, since=since)
    assert other not in status.message, 'a camera that is well was blamed'
    reported = world.observer.wait_diagnostic(f'policy_node: input {topic}', 'frozen', level=1,
                                              since=since)
    assert float(values(reported)['frozen_s']) > FROZEN_S
    world.swings = set()  # the arm holds: that must not be enough

    def heal() -> None:
        world.live = {THIRD, WRIST}

    world.assert_none_until_healed(heal, 'chunks when the picture changes')


def test_a_still_scene_is_not_frozen_while_the_arm_rests(world: World) -> None:
    since, seen = len(world.observer.diagnostics), len(world.chunks)
    begin = world.now_ns()
    world.live = set()
    world.chunks.wait(lambda m: stamp_ns(m) > begin + 4 * FROZEN_S * 1e9, 'chunks for a long time',
                      seen)
    spoken = [s.message for _, array in world.observer.diagnostics[since:] for s in array.status]
    assert spoken
    assert not any('frozen' in message for message in spoken)


def test_joint_states_that_repeat_themselves_while_the_arm_is_commanded_are_frozen(
        world: World) -> None:
    since = len(world.observer.diagnostics)
    world.swings = {'joint_command'}
    world.observer.wait_diagnostic(
        INFERENCE, 'no chunk: joint_states: frozen, the same joint positions for ', level=2,
        since=since)

    def heal() -> None:
        world.swings = {'joint_command', 'joint_states'}

    world.assert_none_until_healed(heal, 'chunks when the joints move')


def test_compressed_images_are_found_frozen_too(alone: Callable[..., World]) -> None:
    world = alone(image_transport='compressed', frozen_image_s=FROZEN_S)
    world.observer.policy_node = 'alone'
    world.live = {THIRD, WRIST}
    world.swings = {'joint_command', 'joint_states'}
    world.new_chunk()
    world.live = {WRIST}
    world.observer.wait_diagnostic('alone: inference', f'no chunk: {THIRD}/compressed: frozen',
                                   level=2)

    def heal() -> None:
        world.live = {THIRD, WRIST}

    world.assert_none_until_healed(heal, 'chunks when the picture changes')


# Time

def test_no_chunk_while_the_cameras_are_apart_and_both_are_named(world: World) -> None:
    since = len(world.observer.diagnostics)
    world.every = {THIRD: (8, 0), WRIST: (8, 4)}  # 0.2 s apart
    status = world.observer.wait_diagnostic(
        INFERENCE, 'no chunk: ', THIRD, WRIST, ' s apart > 0.1 s', level=2, since=since)
    words = status.message.split()
    skew = float(words[words.index('apart') - 2])
    assert 0.1 <= skew < 0.4
    world.heal()
    world.observer.wait_diagnostic(INFERENCE, level=0, since=len(world.observer.diagnostics))


def _stamped(stamp: Callable[[int], int]) -> Callable[[World], Callable[[Image], Image]]:
    def of(world: World) -> Callable[[Image], Image]:
        first = world.now_ns()

        def damage(image: Image) -> Image:
            image.header.stamp = time_message(stamp(first) if stamp(first) >= 0
                                              else stamp_ns(image) - stamp(first))
            return image
        return damage
    return of


@pytest.mark.parametrize(('stamp', 'reason'), [
    (lambda first: 0, 'no stamp'),
    (lambda first: first, 'stamp stands still'),
    (lambda first: first - 3_000_000_000, 'out of order'),
    (lambda first: -3_000_000_000, 'stamped in the future'),  # always 3 s ahead
])
def test_stamps_that_are_none_are_named_and_counted(
        world: World, stamp: Callable[[int], int], reason: str) -> None:
    since = len(world.observer.diagnostics)
    world.damage_image = {WRIST: _stamped(stamp)(world)}
    world.observer.wait_diagnostic(INFERENCE, f'no chunk: {WRIST}: ', 's old > 0.5 s',
                                   f'the last one: {reason})', level=2, since=since)
    wait_until(lambda: any(
        status.name == f'policy_node: input {WRIST}' and reason in values(status)
        for _, array in world.observer.diagnostics[since:] for status in array.status),
        f'{reason!r} being counted')
    world.assert_none_until_healed(world.heal, 'chunks with good stamps')


def test_a_latency_moves_the_observation_to_the_time_of_the_truth(
        alone: Callable[..., World]) -> None:
    world = alone(third_person_latency_s=0.12, joint_state_latency_s=0.01)
    seen = len(world.chunks)
    wait_until(lambda: len(world.chunks) > seen + 5, 'chunks')
    stamps = {stamp_ns(m) for m in world.chunks.messages}
    assert stamps <= {t - 120_000_000 for t in world.sent[THIRD]}
    latest = max(stamps)
    record = next(r for text in world.records.messages
                  if (r := ObservationRecord.from_json(text.data)).stamp_ns == latest)
    assert record.sources[THIRD] == record.sources['joint_states'] == latest
    assert record.sources[WRIST] in world.sent[WRIST], 'a camera without latency was moved'
    assert record.skew_ns == abs(record.sources[WRIST] - latest)
    status = world.observer.wait_diagnostic(f'alone: input {THIRD}', ' Hz, ', level=0)
    assert float(values(status)['latency_ms']) == 120.0
    assert float(values(status)['age_ms']) > 120.0


@pytest.mark.parametrize('jump_s', [-100, 100])
def test_a_clock_that_jumps_begins_anew_and_is_counted(
        alone: Callable[..., World], jump_s: int) -> None:
    world = alone(use_sim_time=True)
    world.play_clock()
    world.new_chunk()
    seen, before = len(world.chunks), world.now_ns()
    world.offset_ns = jump_s * 1_000_000_000
    world.chunks.wait(lambda m: abs(stamp_ns(m) - before - world.offset_ns) < 20e9,
                      'chunks of the new time', seen)
    what = 'clock set back' if jump_s < 0 else 'gap'
    wait_until(lambda: any(int(values(s).get(what, 0)) > 0
                           for m in world.observer.diagnostics.messages for s in m.status
                           if s.name == f'alone: input {THIRD}'), f'{what} on /diagnostics')


def test_each_chunk_has_a_record_of_its_sources(world: World) -> None:
    seen = len(world.records)
    chunk = world.new_chunk()
    text = world.records.wait(
        lambda m: ObservationRecord.from_json(m.data).stamp_ns == stamp_ns(chunk), 'its record',
        max(0, seen - 5))
    record = ObservationRecord.from_json(text.data)
    assert set(record.sources) == {THIRD, WRIST, 'joint_states', 'sim/objects'}
    for topic in (THIRD, WRIST):
        assert record.sources[topic] in world.sent[topic]
    assert record.stamp_ns == min(record.sources[THIRD], record.sources[WRIST])
    assert abs(record.sources['joint_states'] - record.stamp_ns) <= 100_000_000
    assert record.instruction == TASK
    assert record.infer_ms >= 0.0


def test_each_input_reports_its_rate_and_age(world: World) -> None:
    since = len(world.observer.diagnostics)
    for stream in (THIRD, WRIST, 'joint_states', 'sim/objects'):
        status = world.observer.wait_diagnostic(f'policy_node: input {stream}', ' Hz, ', ' s old',
                                                level=0, since=since)
        reported = values(status)
        assert float(reported['rate_hz']) > 0.0
        assert 0.0 <= float(reported['age_ms']) <= 500.0
        assert int(reported['received']) > 0
