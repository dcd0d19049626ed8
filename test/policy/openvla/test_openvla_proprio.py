"""Proprioception is made of the robot's state as the settings say, and checked at load."""

import numpy as np
import pytest

pytest.importorskip('torch')
pytest.importorskip('transformers')

from vla_ros.core.errors import ConfigError
from vla_ros.core.se3 import pose, rotation_from_rpy
from vla_ros.core.types import Observation
from vla_ros.policy import load_policy
from vla_ros.policy.openvla.tiny import TinyCheckpoint, write_tiny_checkpoint


@pytest.fixture(scope='module')
def run_directory(tmp_path_factory):
    path = tmp_path_factory.mktemp('tiny')
    write_tiny_checkpoint(path, TinyCheckpoint(head='l1', proprio_size=8, dataset='libero_tiny'))
    return path


def observation(**state):
    image = np.full((224, 224, 3), 90, dtype=np.uint8)
    robot = {'joint_position': np.linspace(-1, 1, 6), 'gripper': np.float64(0.04),
             'tool_pose': pose(rotation_from_rpy(0.1, 0.2, 0.3), np.array([0.4, 0.0, 0.2]))}
    return Observation(1, 'pick it up', {'third_person': image, 'wrist': image},
                       {**robot, **state})


def test_it_is_made_of_the_robots_state_by_the_layout(run_directory):
    policy = load_policy('openvla_oft', model_path=run_directory)
    vector = policy.settings.proprio.vector(observation().state)
    made = policy.infer(observation()).actions
    given = policy.infer(observation(proprio=vector)).actions
    assert np.array_equal(made, given)
    other = policy.infer(observation(proprio=vector + 0.5)).actions
    assert not np.allclose(made, other), 'the model does not see its proprioception'


def test_a_layout_of_another_size_is_refused_at_load(run_directory):
    with pytest.raises(ConfigError, match='proprioception of 8 numbers.*names 7: joint1'):
        load_policy('openvla_oft', model_path=run_directory,
                    proprio=['joint1', 'joint2', 'joint3', 'joint4', 'joint5', 'joint6', 'gripper'])


def test_an_unknown_number_in_the_layout_names_file_and_key(run_directory):
    with pytest.raises(ConfigError, match=r'openvla_oft\.yaml: proprio: .*unknown elbow'):
        load_policy('openvla_oft', model_path=run_directory, proprio=['x', 'elbow'])
