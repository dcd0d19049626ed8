"""Joint states are read by name: order and extra joints do not matter, all else is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensor_msgs.msg import JointState

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.ros.joint_states import JointStateReader, joint_state_message, joint_vector

NAMES = ['joint1', 'joint2', 'joint3']
nan, inf = float('nan'), float('inf')


@given(st.permutations([*NAMES, 'gripper', 'left_wheel']))
def test_order_and_extra_joints_do_not_matter(received):
    value = {'joint1': 0.1, 'joint2': -2.0, 'joint3': 3.0, 'gripper': 0.04, 'left_wheel': nan}
    msg = JointState(name=received, position=[value[n] for n in received])
    assert joint_vector(msg, NAMES).tolist() == [0.1, -2.0, 3.0]


def test_reader_follows_a_sender_that_changes_its_order():
    reader = JointStateReader(NAMES)
    first = JointState(name=NAMES, position=[1.0, 2.0, 3.0])
    second = JointState(name=NAMES[::-1], position=[3.0, 2.0, 1.0])
    for msg in (first, second, first, second, second):
        assert reader.position(msg).tolist() == [1.0, 2.0, 3.0]


def test_reader_recovers_after_a_refused_message():
    reader = JointStateReader(NAMES)
    with pytest.raises(InputError):
        reader.position(JointState(name=['other'], position=[1.0]))
    assert reader.position(JointState(name=NAMES, position=[1.0, 2.0, 3.0])).tolist() == [1, 2, 3]


def test_result_does_not_change_with_the_message():
    msg = JointState(name=NAMES, position=[1.0, 2.0, 3.0])
    q = joint_vector(msg, NAMES)
    msg.position[0] = 9.0
    assert q[0] == 1.0


@pytest.mark.parametrize(('names', 'position', 'words'), [
    (['joint1', 'joint3'], [0.0, 0.0], ['missing joints: joint2', 'received: joint1, joint3']),
    ([], [], ['missing joints: joint1, joint2, joint3', 'received: none']),
    (NAMES, [0.0, nan, 0.0], ['not finite', 'joint2 = nan']),
    (NAMES, [-inf, 0.0, 0.0], ['joint1 = -inf']),
    ([*NAMES, 'joint2'], [0.0] * 4, ['more than once: joint2']),
    (NAMES, [0.0, 0.0], ['3 joint names but 2 values']),
    (NAMES, [0.0] * 4, ['3 joint names but 4 values']),
    (NAMES, [], ['3 joint names but 0 values']),
])
def test_unusable_joint_state_is_refused_with_topic_and_joints(names, position, words):
    with pytest.raises(InputError) as error:
        joint_vector(JointState(name=names, position=position), NAMES, '/arm/joint_states')
    for word in ['/arm/joint_states', *words]:
        assert word in str(error.value)


def test_velocity_and_effort_may_be_absent_but_not_wrong():
    reader = JointStateReader(NAMES)
    msg = JointState(name=NAMES[::-1], position=[0.0] * 3, velocity=[3.0, 2.0, 1.0])
    assert reader.velocity(msg).tolist() == [1.0, 2.0, 3.0]
    assert reader.effort(msg) is None
    msg.effort = [1.0]
    with pytest.raises(InputError, match="'effort'"):
        reader.effort(msg)


def test_exact_reader_refuses_a_joint_that_is_not_there():
    reader = JointStateReader(NAMES, 'joint_command', exact=True)
    with pytest.raises(InputError, match='unknown joints: joint4'):
        reader.position(JointState(name=[*NAMES, 'joint4'], position=[0.0] * 4))


def test_message_survives_the_round_trip():
    msg = joint_state_message(NAMES, np.array([1.0, 2.0, 3.0]), stamp_ns=1_500_000_000)
    assert joint_vector(msg, NAMES).tolist() == [1.0, 2.0, 3.0]
    assert len(msg.velocity) == len(msg.effort) == 0
    assert (msg.header.stamp.sec, msg.header.stamp.nanosec) == (1, 500_000_000)


@pytest.mark.parametrize('arguments', [([1.0],), ([],), ([1.0] * 3, [0.0] * 2)])
def test_message_with_other_lengths_than_names_is_not_made(arguments):
    with pytest.raises(InputError, match='3 names'):
        joint_state_message(NAMES, *arguments, stamp_ns=0)


def test_reader_of_one_joint_twice_is_a_mistake():
    with pytest.raises(ConfigError, match='distinct'):
        JointStateReader(['a', 'a'])
