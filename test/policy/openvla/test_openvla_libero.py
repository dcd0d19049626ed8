"""LIBERO's gripper and orientation are as in its own code."""

import numpy as np

from vla_ros.core.proprioception import robosuite_axis_angle
from vla_ros.policy.openvla.libero import gripper_command


def test_the_gripper_is_that_of_the_reference(golden):
    table = np.load(golden / 'expected/misc/gripper_and_quat.npz')
    for name in ('gripper_openvla', 'gripper_oft'):
        actions = table[f'{name}.input']
        np.testing.assert_array_equal(gripper_command(actions), table[f'{name}.libero_full'])
        np.testing.assert_allclose(gripper_command(actions, binary=False)[:, -1],
                                   -table[f'{name}.normalize_no_binarize'][:, -1], atol=1e-15)


def test_the_orientation_is_that_of_the_reference(golden):
    table = np.load(golden / 'expected/misc/gripper_and_quat.npz')
    found = [robosuite_axis_angle(q) for q in table['quat2axisangle.quat_xyzw']]
    np.testing.assert_allclose(found, table['quat2axisangle.axis_angle'], atol=1e-14)


def test_the_actions_that_come_in_are_not_changed():
    actions = np.array([0.1, 0.2, 0.9])
    gripper_command(actions)
    assert actions.tolist() == [0.1, 0.2, 0.9]
