"""Joint states of any driver become the profile's joints and the gripper's width."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

pytest.importorskip('rclpy')

from sensor_msgs.msg import JointState

from vla_ros.core.errors import InputError
from vla_ros.robots import load_profile
from vla_ros.robots.adapters import load_driver
from vla_ros.robots.adapters.mapping import JointMapping
from vla_ros.ros.adapters import ArmStateReader
from vla_ros.ros.stamps import time_message

pytestmark = pytest.mark.ros

PIPER = load_driver(load_profile('piper'), 'agx_arm_ros')
UR = load_driver(load_profile('ur5e'))
KNUCKLE = 'robotiq_85_left_knuckle_joint'
Q = [0.1, 0.2, -0.3, 0.4, 0.5, 0.6]


def message(names, positions, stamp_ns=5, **fields):
    msg = JointState(name=list(names), position=list(positions), **fields)
    msg.header.stamp = time_message(stamp_ns)
    return msg


def test_joints_are_read_by_name_beside_others_that_are_not_finite():
    names = [*PIPER.joints.names[::-1], 'other', 'gripper']
    msg = message(names, [*Q[::-1], math.nan, 0.04], velocity=[math.nan])
    stamp, q, width = ArmStateReader(PIPER).read(msg)
    assert (stamp, q.tolist(), width) == (5, Q, 0.04)


def test_signs_offsets_and_scale_are_undone():
    joints = JointMapping(PIPER.joints.names, np.array([1.0, -1, 1, 1, 1, 1]),
                          np.array([0.0, 0.5, 0, 0, 0, 0]), 1.0, 0.99)
    driver = dataclasses.replace(PIPER, joints=joints)
    q = ArmStateReader(driver).read(message(PIPER.joints.names, Q))[1]
    assert q[0] == pytest.approx(0.1 / 0.99)
    assert q[1] == pytest.approx(-(0.2 / 0.99 - 0.5))


def test_a_gripper_with_messages_of_its_own_goes_with_the_arm_for_a_second():
    reader = ArmStateReader(UR)
    arm = [0.0] * 6
    assert reader.read(message(UR.joints.names, arm, 1))[2] is None
    assert reader.read(message([KNUCKLE], [0.0], 2)) is None
    assert reader.read(message(UR.joints.names, arm, 3))[2] == pytest.approx(0.085)
    assert reader.read(message(UR.joints.names, arm, 2_000_000_000))[2] is None


def test_a_width_that_is_not_finite_is_an_error():
    names = [*PIPER.joints.names, 'gripper']
    with pytest.raises(InputError, match='gripper = nan'):
        ArmStateReader(PIPER).read(message(names, [*Q, math.nan]))


@pytest.mark.parametrize(('names', 'positions', 'stamp', 'says'), [
    (PIPER.joints.names, Q, 0, 'has no stamp'),
    (PIPER.joints.names[:5], Q[:5], 5, 'missing joints: joint6'),
    (PIPER.joints.names, [*Q[:5], math.inf], 5, 'joint6 = inf'),
    (PIPER.joints.names, Q[:5], 5, '6 joint names but 5 values'),
    ([*PIPER.joints.names, 'gripper'], Q, 5, '7 joint names but 6 values'),
])
def test_what_cannot_be_used_is_an_error(names, positions, stamp, says):
    with pytest.raises(InputError, match=says):
        ArmStateReader(PIPER).read(message(names, positions, stamp))


def test_somebody_elses_joints_are_no_error():
    assert ArmStateReader(PIPER).read(message(['wheel'], [1.0])) is None
