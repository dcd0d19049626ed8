"""Proprioception vectors from the robot's state, number by number."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.core.proprioception import ProprioLayout
from vla_ros.core.se3 import (
    pose,
    rotation_from_quaternion,
    rotation_from_rpy,
    rotation_from_vector,
)

STATE = {
    'joint_position': np.array([0.1, 0.2, 0.3]),
    'gripper': np.float64(0.06),
    'tool_pose': pose(rotation_from_rpy(0.4, 0.5, 0.6), np.array([1.0, 2.0, 3.0])),
}


def test_bridge_has_the_pose_as_rpy_a_zero_and_the_gripper():
    layout = ProprioLayout(['x', 'y', 'z', 'roll', 'pitch', 'yaw', 'zero', 'gripper'])
    assert np.allclose(layout.vector(STATE), [1, 2, 3, 0.4, 0.5, 0.6, 0, 0.06])


def test_libero_has_a_rotation_vector_and_two_fingers():
    vector = ProprioLayout(['x', 'y', 'z', 'rx', 'ry', 'rz', 'finger_left', 'finger_right']).vector(
        STATE)
    assert np.allclose(rotation_from_vector(vector[3:6]), STATE['tool_pose'][:3, :3])
    assert np.allclose(vector[6:], [0.03, -0.03])


def test_joints_are_counted_from_one():
    assert np.allclose(ProprioLayout(['joint3', 'joint1', 'gripper']).vector(STATE),
                       [0.3, 0.1, 0.06])


def test_the_order_of_the_layout_is_the_order_of_the_vector():
    assert np.allclose(ProprioLayout(['qw', 'z', 'x']).vector(STATE)[1:], [3, 1])


@pytest.mark.parametrize('names', [['x', 'wrist'], ['joint0'], []])
def test_an_unknown_number_lists_the_choices(names):
    with pytest.raises(ConfigError, match='Choices: joint1.*finger_left'):
        ProprioLayout(names)


def test_a_joint_that_the_arm_lacks_is_named():
    with pytest.raises(InputError, match="'joint4': the arm has 3 joints"):
        ProprioLayout(['joint4']).vector(STATE)


def test_a_state_that_lacks_something_is_named():
    with pytest.raises(InputError, match="'rx' needs 'tool_pose'.*gripper"):
        ProprioLayout(['rx']).vector({'gripper': np.float64(0.0)})


ROBOSUITE = ProprioLayout(['robosuite_rx', 'robosuite_ry', 'robosuite_rz'])


def state_of(quaternion):
    return {'tool_pose': pose(rotation_from_quaternion(quaternion), np.zeros(3))}


@given(st.floats(0.05, 1.0), *[st.floats(-1.0, 1.0)] * 3)
def test_robosuite_has_twice_the_acos_of_w_and_flips_no_sign(x, y, z, w):
    """Its quaternion comes from joint angles; near a tool that points down its x is positive."""
    q = np.array([x, y, z, w]) / np.linalg.norm([x, y, z, w])
    angle = 2.0 * np.arccos(q[3])
    expected = q[:3] / np.sqrt(1.0 - q[3] ** 2) * angle
    assert np.allclose(ROBOSUITE.vector(state_of(q)), expected, atol=1e-6)


def test_robosuite_is_not_the_shortest_turn_where_the_training_data_is_not():
    turn = 3.63
    q = np.array([np.sin(turn / 2), 0.0, 0.0, np.cos(turn / 2)])
    assert q[3] < 0.0
    assert np.allclose(ROBOSUITE.vector(state_of(q)), [turn, 0.0, 0.0])
    shortest = ProprioLayout(['rx', 'ry', 'rz']).vector(state_of(q))
    assert np.allclose(shortest, [turn - 2 * np.pi, 0.0, 0.0]), 'that is another number'


def test_robosuite_does_not_jump_where_a_tool_points_straight_down():
    either = [ROBOSUITE.vector({'tool_pose': pose(rotation_from_rpy(np.pi + e, 0.0, 0.0),
                                                  np.zeros(3))}) for e in (-1e-4, 1e-4)]
    assert np.allclose(*either, atol=1e-3)


def test_robosuite_has_nothing_for_no_rotation():
    assert ROBOSUITE.vector({'tool_pose': np.eye(4)}).tolist() == [0.0, 0.0, 0.0]
