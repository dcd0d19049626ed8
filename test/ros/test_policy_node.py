"""The policy node as a process, with cameras, joints and objects that the tests play."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy')

from graph_rig import node_process, stamp_ns, wait_until
from policy_world import INFERENCE, PROFILE, TASK, THIRD, WRIST, World
from sensor_msgs.msg import Image, JointState

from vla_ros.core.policy_description import PolicyDescription
from vla_ros.ros.chunk_message import chunk_from_message

pytestmark = pytest.mark.ros


@pytest.fixture(scope='module')
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp('policy'))
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
    running.say(TASK)
    running.new_chunk('a chunk before the test')
    yield running
    assert running.process.alive, running.process.log


def test_says_who_it_is_and_how_to_read_its_chunks(world: World) -> None:
    description = PolicyDescription.from_json(
        world.descriptions.wait(lambda m: True, 'the description').data)
    assert description.name == 'scripted'
    assert 'scripted' in description.label
    assert 'privileged' in description.label
    chunk = chunk_from_message(world.new_chunk(), description, PROFILE.base_frame)
    assert chunk.horizon == description.horizon


def test_chunks_carry_the_time_of_the_newest_observation_of_both_cameras(world: World) -> None:
    world.silent = {THIRD, WRIST}
    world.observer.wait_diagnostic(INFERENCE, THIRD, WRIST, level=2,
                                   since=len(world.observer.diagnostics))
    seen = len(world.chunks)
    first = world.now_ns()
    third, wrist = world.images[THIRD], world.images[WRIST]
    third.publish(world.image(first))
    wrist.publish(world.image(first))
    world.chunks.wait(lambda m: stamp_ns(m) == first, 'an answer to the first pair', seen)
    assert {stamp_ns(m) for m in world.chunks.messages[seen:]} == {first}
    second = world.now_ns()
    third.publish(world.image(second))  # one camera ahead: the pair is as old as the other
    wrist.publish(world.image(second - 10_000_000))
    world.chunks.wait(lambda m: stamp_ns(m) == second - 10_000_000, 'an answer to the second')
    stamps = [stamp_ns(m) for m in world.chunks.messages[seen:]]
    assert stamps == sorted(stamps), 'an older observation was answered after a newer one'
    assert set(stamps) <= {first, second - 10_000_000}


@pytest.mark.parametrize('topic', [THIRD, WRIST])
def test_no_chunk_while_a_camera_is_stale_and_it_names_itself(world: World, topic: str) -> None:
    since = len(world.observer.diagnostics)
    world.silent = {topic}
    status = world.observer.wait_diagnostic(INFERENCE, f'no chunk: {topic}: ', 's old > 0.5 s',
                                            level=2, since=since)
    other = WRIST if topic == THIRD else THIRD
    assert other not in status.message, 'a camera that is well was blamed'
    world.process.wait_log(f'no chunk: {topic}: ')
    world.assert_none_until_healed(world.heal, 'chunks when the camera is back')
    world.observer.wait_diagnostic(INFERENCE, level=0, since=since)


@pytest.mark.parametrize('topic', ['joint_states', 'sim/objects'])
def test_no_chunk_while_the_state_is_stale_and_it_names_itself(world: World, topic: str) -> None:
    since = len(world.observer.diagnostics)
    world.silent = {topic}
    world.observer.wait_diagnostic(INFERENCE, f'no chunk: {topic}: ', 's old > 0.5 s', level=2,
                                   since=since)
    world.assert_none_until_healed(world.heal, f'chunks when {topic} is back')


def _short(image: Image) -> Image:
    image.data = image.data[:50]
    return image


def _set(message: Any, **values: object) -> Any:
    for name, value in values.items():
        setattr(message, name, value)
    return message


BAD_IMAGES: dict[str, tuple[Callable[[Image], Image], str]] = {
    'unknown encoding': (lambda m: _set(m, encoding='rgb9'), "unknown image encoding 'rgb9'"),
    'too few bytes': (_short, "expected 288 bytes for 12x8 'rgb8' with step 36, found 50"),
    'no bytes': (lambda m: _set(m, data=[]), 'found 0'),
    'a step below the width': (lambda m: _set(m, step=20), 'step is 20 bytes, but a row'),
    'a wrong step': (lambda m: _set(m, step=40), 'expected 320 bytes'),
    'no pixels': (lambda m: _set(m, width=0), 'the image has no pixels'),
}


@pytest.mark.parametrize('what', BAD_IMAGES)
@pytest.mark.parametrize('topic', [THIRD, WRIST])
def test_a_bad_image_is_named_and_never_used(world: World, topic: str, what: str) -> None:
    damage, message = BAD_IMAGES[what]
    since = len(world.observer.diagnostics)
    world.damage_image = {topic: damage}
    world.observer.wait_diagnostic(INFERENCE, f'no chunk: {topic}: ', message, level=2,
                                   since=since)
    world.assert_none_until_healed(world.heal, 'chunks with valid images')


def _renamed(m: JointState) -> JointState:
    m.name = [*m.name[:5], 'jiont6', 'gripper']
    return m


def _cut(m: JointState, n: int) -> JointState:
    m.name, m.position = list(m.name)[:n], list(m.position)[:n]
    return m


def _at(m: JointState, index: int, value: float) -> JointState:
    m.position[index] = value
    return m


BAD_JOINTS: dict[str, tuple[Callable[[JointState], JointState], str]] = {
    'a missing joint': (lambda m: _cut(m, 3), 'missing joints: joint4, joint5, joint6'),
    'a misspelt joint': (_renamed, 'missing joints: joint6'),
    'nan': (lambda m: _at(m, 1, float('nan')), 'joint2 = nan'),
    'no positions': (lambda m: _set(m, position=[]), "7 joint names but 0 values in 'position'"),
    'a joint twice': (lambda m: _set(m, name=['joint1', *list(m.name)[:6]]),
                      'joint named more than once: joint1'),
}


@pytest.mark.parametrize('what', BAD_JOINTS)
def test_bad_joint_states_are_named_and_never_used(world: World, what: str) -> None:
    damage, message = BAD_JOINTS[what]
    since = len(world.observer.diagnostics)
    world.damage_joints = damage
    world.observer.wait_diagnostic('policy_node: joint_states', 'joint_states: ', message, level=2,
                                   since=since)
    world.observer.wait_diagnostic(INFERENCE, 'no chunk: joint_states: ', level=2, since=since)
    world.assert_none_until_healed(world.heal, 'chunks with valid joint states')
    world.observer.wait_diagnostic('policy_node: joint_states', level=0, since=since)


def test_reordered_and_further_joints_are_read_by_name(world: World) -> None:
    def shuffle(m: JointState) -> JointState:
        m.name = ['lift', *reversed(list(m.name))]
        m.position = [float('nan'), *reversed(list(m.position))]
        m.velocity = []
        return m

    expected = list(world.new_chunk().points[0].positions)
    world.damage_joints = shuffle
    seen = len(world.chunks)
    wait_until(lambda: len(world.chunks) > seen + 15, 'chunks with shuffled joints')
    np.testing.assert_allclose(world.chunks[-1][1].points[0].positions, expected, atol=1e-6)


@pytest.mark.parametrize(('text', 'message'), [
    ('', 'instruction: empty'),
    (' \t\n ', 'instruction: empty'),
    ('make me a coffee', "instruction 'make me a coffee' is not one"),
])
def test_no_chunk_for_an_instruction_that_is_none(world: World, text: str, message: str) -> None:
    since, taken_back = len(world.observer.diagnostics), len(world.withdrawals)
    world.say(text)
    status = world.observer.wait_diagnostic(INFERENCE, message, level=2, since=since)
    if text.strip():
        assert TASK in status.message, 'the choices are not named'
    else:
        world.withdrawals.wait(lambda m: True, 'what was said before being taken back', taken_back)
    world.assert_none_until_healed(lambda: world.say(TASK), 'chunks for a valid instruction')


def test_lifecycle_services_stop_let_go_and_begin_anew(world: World) -> None:
    assert world.observer.state() == 'active'
    for transition, state in (('deactivate', 'inactive'), ('cleanup', 'unconfigured'),
                              ('configure', 'inactive')):
        assert world.observer.change_state(transition)
        assert world.observer.state() == state
    described = len(world.descriptions)
    world.assert_none_until_healed(lambda: world.observer.change_state('activate'),
                                   'chunks after activation')
    assert world.observer.state() == 'active'
    world.descriptions.wait(lambda m: True, 'the description once more', described)


# Each with a process of its own, in a namespace of its own

@pytest.fixture
def alone(tmp_path: Any) -> Iterator[Callable[..., World]]:
    """Return what starts a policy node with these parameters, and the world around it."""
    made = []

    def make(**parameters: object) -> World:
        made.append(World(tmp_path, '/alone', **parameters))
        made[-1].process.start()
        return made[-1]

    yield make
    for world in made:
        world.process.clean_up()
        world.observer.close()


@pytest.mark.parametrize(('parameters', 'parts'), [
    ({'policy': 'scriptd'}, ["unknown policy 'scriptd'", "Did you mean 'scripted'?", 'Choices']),
    ({'robot': 'ur5'}, ["unknown robot 'ur5'", 'Choices: piper', 'ur5e']),
    ({'third_person_topic': 'not a topic'}, ['not a topic']),
])
def test_what_cannot_be_configured_says_why_and_lives(
        alone: Callable[..., World], parameters: dict[str, object], parts: list[str]) -> None:
    world = alone(**parameters)
    for part in parts:
        world.process.wait_log(part)
    world.observer.wait_diagnostic('alone: policy', *parts, level=2)
    assert world.observer.state() == 'unconfigured'
    assert not world.observer.change_state('configure')
    assert world.observer.state() == 'unconfigured'
    assert world.process.log.count('cannot configure: ') == 2
    assert 'Traceback' not in world.process.log
    assert world.process.stop() == 0
    assert not world.chunks


def test_a_policy_whose_file_is_put_right_can_be_configured(
        alone: Callable[..., World], tmp_path: Any, repo_root: Any) -> None:
    config = tmp_path / 'expert.yaml'
    world = alone(policy_config=str(config), instruction=TASK)
    world.process.wait_log(f'cannot configure: {config}')
    config.write_text((repo_root / 'config/policies/scripted.yaml').read_text())
    assert world.observer.change_state('configure')
    assert world.observer.change_state('activate')
    world.new_chunk()


def test_without_autostart_it_waits_to_be_configured_and_activated(
        alone: Callable[..., World]) -> None:
    world = alone(autostart=False, instruction=TASK)
    assert world.observer.state() == 'unconfigured'
    assert world.observer.change_state('configure')
    assert world.observer.state() == 'inactive'
    world.assert_none_until_healed(lambda: world.observer.change_state('activate'),
                                   'chunks after activation')
    assert world.observer.change_state('active_shutdown')
    assert world.observer.state() == 'finalized'
    assert world.process.stop() == 0


def test_without_a_clock_it_is_ready_and_says_what_it_waits_for(
        alone: Callable[..., World]) -> None:
    world = alone(use_sim_time=True, instruction=TASK)
    world.observer.wait_diagnostic('alone: inference', 'no chunk: clock', '/clock', level=2)
    assert world.observer.state() == 'active'
    assert not world.chunks
    assert world.process.stop() == 0


@pytest.mark.parametrize(('arguments', 'parts'), [
    (['-p', 'inference_rate:=5.0'], ["'inference_rate'", "did you mean 'inference_rate_hz'?"]),
])
def test_a_wrong_parameter_ends_with_status_2_and_one_line(
        tmp_path: Any, arguments: list[str], parts: list[str]) -> None:
    process = node_process('policy_node', tmp_path, *arguments).start()
    assert process.wait() == 2
    errors = [x for x in process.log.splitlines() if x.startswith('[policy_node] error: ')]
    assert len(errors) == 1, process.log
    for part in parts:
        assert part in errors[0]
    assert 'Traceback' not in process.log
