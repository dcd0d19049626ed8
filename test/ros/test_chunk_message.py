"""Action chunks survive the way through ROS exactly, and a wrong one is refused whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from trajectory_msgs.msg import JointTrajectory

from vla_ros.core.errors import InputError
from vla_ros.core.policy_description import PolicyDescription
from vla_ros.core.types import ActionChunk, ActionConvention, ActionFrame, ActionSpace
from vla_ros.ros.chunk_message import chunk_frame_id, chunk_from_message, chunk_message
from vla_ros.ros.stamps import duration_message

DT = 100_000_000
POLICY = PolicyDescription('scripted', 'scripted expert', ActionConvention(), DT, 8)


def chunk(horizon=8):
    return ActionChunk(12_345_678_901, DT, np.arange(horizon * 7.0).reshape(horizon, 7))


@given(horizon=st.integers(1, 50), dt_ns=st.integers(1, 10**10),
       stamp_ns=st.integers(0, 2**31 * 10**9 - 1),
       value=st.floats(allow_nan=False, allow_infinity=False))
def test_chunk_survives_ros_bit_for_bit(horizon, dt_ns, stamp_ns, value):
    policy = PolicyDescription('p', 'P', ActionConvention(), dt_ns, horizon)
    sent = ActionChunk(stamp_ns, dt_ns, np.full((horizon, 7), value))
    msg = deserialize_message(serialize_message(chunk_message(sent, 'base_link')), JointTrajectory)
    got = chunk_from_message(msg, policy, 'base_link')
    assert (got.stamp_ns, got.dt_ns, got.dims) == (stamp_ns, dt_ns, sent.dims)
    assert np.array_equal(got.actions, sent.actions)
    assert (got.convention, got.source) == (policy.convention, 'p')


def test_message_is_what_ros_tools_expect():
    msg = chunk_message(chunk(), 'base_link')
    assert list(msg.joint_names) == ['x', 'y', 'z', 'rx', 'ry', 'rz', 'gripper']
    assert msg.points[3].time_from_start == duration_message(3 * DT)
    assert (msg.header.stamp.sec, msg.header.stamp.nanosec) == (12, 345_678_901)


@pytest.mark.parametrize(('convention', 'frame'), [
    (ActionConvention(), 'base_link'),
    (ActionConvention(frame=ActionFrame.TOOL), 'tcp'),
    (ActionConvention(space=ActionSpace.JOINT_POSITION), 'base_link')])
def test_frame_id_is_the_frame_of_the_numbers(convention, frame):
    assert chunk_frame_id(convention, 'base_link', 'tcp') == frame


def empty(msg):
    msg.points = []


def other_frame(msg):
    msg.header.frame_id = 'tcp'


def reordered(msg):
    msg.joint_names = ['y', 'x', 'z', 'rx', 'ry', 'rz', 'gripper']


def no_names(msg):
    msg.joint_names = []


def short_step(msg):
    msg.points[2].positions = [0.0] * 6


def not_a_number(msg):
    msg.points[4].positions[5] = float('nan')


def uneven(msg):
    msg.points[3].time_from_start = duration_message(3 * DT + 5_000_000)


def late_start(msg):
    for i, point in enumerate(msg.points):
        point.time_from_start = duration_message((i + 1) * DT)


def negative(msg):
    msg.points[1].time_from_start = duration_message(-DT)


@pytest.mark.parametrize(('damage', 'words'), [
    (empty, ['no steps']),
    (other_frame, ["'tcp'", "'base_link'"]),
    (reordered, ['y x z', 'announced: x y z']),
    (no_names, ['none']),
    (short_step, ['step 2', '6 values', '7 dimensions']),
    (not_a_number, ['step 4', 'nan', "'rz'"]),
    (uneven, ['step 3', '0.305', 'expected 0.3']),
    (late_start, ['step 0', '0.1']),
    (negative, ['step 1', '-0.1']),
])
def test_damaged_chunk_is_refused_with_topic_and_place(damage, words):
    msg = chunk_message(chunk(), 'base_link')
    damage(msg)
    with pytest.raises(InputError) as error:
        chunk_from_message(msg, POLICY, 'base_link', '/action_chunk')
    for word in ['/action_chunk', *words]:
        assert word in str(error.value)


def test_times_that_were_rounded_from_float_seconds_are_taken():
    msg = chunk_message(chunk(), 'base_link')
    for i, point in enumerate(msg.points):
        point.time_from_start = duration_message(i * DT + (-1) ** i * 900 * (i > 0))
    assert chunk_from_message(msg, POLICY, 'base_link').horizon == 8
