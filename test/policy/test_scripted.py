"""The scripted policy: its answers, its label, and what it refuses."""

import numpy as np
import pytest

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.core.se3 import pose
from vla_ros.core.types import Observation
from vla_ros.policy import POLICIES, load_policy
from vla_ros.policy.expert import approach_rotation
from vla_ros.policy.scripted import INSTRUCTIONS
from vla_ros.resources import share_file


def observation(instruction='pick up the red cube', width=0.07, tool=(0.35, 0.1, 0.2), **changes):
    state = {
        'tool_pose': pose(approach_rotation(0.0, 1.0), np.array(tool)),
        'gripper': width,
        'object/cube_red': pose(np.eye(3), np.array([0.40, 0.10, 0.0175])),
    }
    state.update(changes)
    return Observation(123, instruction, {}, {k: v for k, v in state.items() if v is not None})


def test_the_answer_has_eight_steps_and_the_time_of_the_observation():
    chunk = load_policy('scripted').infer(observation())
    assert chunk.actions.shape == (8, 7)
    assert chunk.stamp_ns == 123
    assert chunk.dt_ns == 100_000_000


def test_it_says_that_it_is_scripted():
    assert 'scripted' in load_policy('scripted').spec.label
    assert load_policy('scripted').spec.privileged


def test_far_away_it_comes_nearer_with_the_gripper_open():
    chunk = load_policy('scripted').infer(observation())
    moved = chunk.actions[:, :3].sum(axis=0)
    assert moved @ (np.array([0.40, 0.10, 0.02]) - [0.35, 0.1, 0.2]) > 0
    assert (chunk.actions[:, 6] == 1.0).all()


def test_no_step_is_faster_than_its_own_limits():
    policy = load_policy('scripted', max_speed=0.1, max_rotation_speed=0.2)
    chunk = policy.infer(observation(tool=(0.2, -0.3, 0.4)))
    assert (np.linalg.norm(chunk.actions[:, :3], axis=1) <= 0.1 * 0.1 + 1e-9).all()
    assert (np.linalg.norm(chunk.actions[:, 3:6], axis=1) <= 0.2 * 0.1 + 1e-9).all()


def at_cube(**changes):
    policy = load_policy('scripted')
    grasp = policy._expert._grasp_pose(pose(np.eye(3), np.array([0.40, 0.10, 0.0175])))
    return policy, observation(tool_pose=grasp, **changes)


def test_at_the_object_it_closes_the_gripper():
    policy, here = at_cube()
    assert policy.infer(here).actions[0, 6] == 0.0


def test_once_gripped_it_lifts_and_keeps_the_gripper_closed():
    policy, here = at_cube(width=0.035)
    chunk = policy.infer(here)
    assert (chunk.actions[:, 6] == 0.0).all()
    assert chunk.actions[:, 2].sum() > 0.02


def test_closed_around_nothing_it_opens_again():
    policy, here = at_cube(width=0.01)
    assert policy.infer(here).actions[0, 6] == 1.0


@pytest.mark.parametrize('text', ['Pick up the  RED cube.', ' pick up the red cube '])
def test_case_spaces_and_a_full_stop_do_not_matter(text):
    load_policy('scripted').infer(observation(instruction=text))


@pytest.mark.parametrize('text', ['', 'dance', 'pick up the purple cube'])
def test_an_instruction_that_it_does_not_know_lists_those_it_does(text):
    with pytest.raises(InputError, match='Choices: pick up the insulator') as caught:
        load_policy('scripted').infer(observation(instruction=text))
    assert all(instruction in str(caught.value) for instruction in INSTRUCTIONS)


def test_a_missing_object_is_named():
    with pytest.raises(InputError, match="needs the pose of 'cube_red'.*sim/objects"):
        load_policy('scripted').infer(observation(**{'object/cube_red': None}))


@pytest.mark.parametrize('key', ['tool_pose', 'gripper'])
def test_a_missing_state_is_named(key):
    with pytest.raises(InputError, match=key):
        load_policy('scripted').infer(observation(**{key: None}))


def test_an_unknown_policy_lists_the_choices_and_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'scripted'"):
        load_policy('scriptd')
    assert 'scripted' in POLICIES


def test_an_unknown_option_lists_the_choices():
    with pytest.raises(ConfigError, match="option of policy scripted 'speed'.*max_speed"):
        load_policy('scripted', speed=3)


@pytest.mark.parametrize(('old', 'new', 'match'), [
    ('horizon: 8 ', '#', "missing key 'horizon'"),
    ('dt: 0.1', 'dt: .nan', 'dt: expected a finite number'),
    ('dt: 0.1', 'dt: fast', 'dt: expected a finite number > 0, found str'),
    ('dt: 0.1', 'dt: -0.1', 'dt: expected a finite number > 0'),
    ('horizon: 8', 'horizon: 8.5', 'horizon: expected a whole number'),
    ('horizon: 8', 'horizon: 0', 'horizon: expected a whole number'),
    ('  cube: 0.035', '', 'grasp_widths.cube'),
    ('gain:', 'gian:', "missing key 'gain'.*'gian' a misspelling"),
])
def test_a_configuration_that_cannot_be_used_names_file_and_key(tmp_path, old, new, match):
    text = share_file('config', 'policies', 'scripted.yaml').read_text()
    assert old in text
    path = tmp_path / 'mine.yaml'
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError, match=match) as caught:
        load_policy('scripted', config=path)
    assert 'mine.yaml' in str(caught.value)
