"""What arm a replay takes a recording for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip('rosbags', reason='rosbags is not installed')
pytest.importorskip('pinocchio', reason='the arm needs Pinocchio')

from vla_ros.core.errors import InputError
from vla_ros.policy_replay import bag_readers, driver_of, robot_of
from vla_ros.replay import messages
from vla_ros.replay.bag import Bag
from vla_ros.replay.bag_writer import BagWriter
from vla_ros.replay.message_types import KNOWN_TYPES
from vla_ros.replay.replay_topics import ReplayTopics
from vla_ros.replay.topic_choice import JOINT_STATE, STRING
from vla_ros.robots import load_profile

STATUS = 'diagnostic_msgs/msg/DiagnosticStatus'
UR = load_profile('ur5e')
ARM, SIM_GRIPPER, REAL_GRIPPER = UR.joints.names, 'gripper', 'robotiq_85_left_knuckle_joint'
TOPICS = ReplayTopics({}, '/joint_states', None, None, None, None, None)


def write_bag(path: Path, names: tuple[str, ...], robot: str = '', driver: str = '') -> Path:
    """Write a bag with one joint state, and what its nodes say of themselves."""
    with BagWriter(path) as bag:
        bag.write_message('/joint_states', JOINT_STATE, 10**9,
                          messages.joint_state(names, [0.1] * len(names), 10**9))
        if robot:
            bag.write_message('/mode', STATUS, 10**9, KNOWN_TYPES.types[STATUS](
                0, 'control_node: mode', 'HOLD', robot, []))
        if driver:
            bag.write_message('/recording', STRING, 10**9, messages.text(json.dumps(
                {'parameters': {'/control_node': {'driver': driver}}})))
    return path


@pytest.mark.parametrize(('given', 'named', 'expected'), [
    ('', 'ur5e', 'ur5e'), ('ur3e', 'ur5e', 'ur3e'), ('', '', 'piper'),
    ('', 'my_arm_of_another_machine', 'piper'), ('my.yaml', 'ur5e', 'my.yaml')])
def test_it_is_the_robot_that_the_bag_names_unless_another_is_asked_for(
        tmp_path: Path, given: str, named: str, expected: str) -> None:
    with Bag(write_bag(tmp_path / 'bag', ARM, named)) as bag:
        assert robot_of(bag, given, 'piper') == expected


@pytest.mark.parametrize(('names', 'recorded', 'expected'), [
    ((*ARM, SIM_GRIPPER), '', 'sim'),
    ((*ARM, REAL_GRIPPER), '', 'ur_trajectory'),
    (ARM, '', 'ur_trajectory'),  # the gripper may have messages of its own
    (ARM, 'sim', 'sim'),
    ((*ARM, REAL_GRIPPER), 'ur_forward_position', 'ur_forward_position'),
    ((*ARM, SIM_GRIPPER), 'one_of_another_version', 'sim')])
def test_the_driver_is_the_recorded_one_else_the_one_whose_gripper_is_there(
        names: tuple[str, ...], recorded: str, expected: str) -> None:
    found = driver_of(names, '/joint_states', UR, '', recorded)
    assert found is not None and found.type == expected


def test_a_driver_that_is_asked_for_and_does_not_fit_is_an_error() -> None:
    with pytest.raises(InputError, match='not the joints of driver'):
        driver_of(('joint1',), '/joint_states', UR, 'ur_trajectory', 'sim')


def test_the_width_of_a_simulated_ur_is_read_from_its_bag(tmp_path: Path) -> None:
    with Bag(write_bag(tmp_path / 'bag', (*ARM, SIM_GRIPPER), 'ur5e', 'sim')) as bag:
        readers = bag_readers(bag, TOPICS, load_profile(robot_of(bag, '', 'piper')), '')
        state = readers.state(bag.message(next(bag.records(['/joint_states']))))
        assert state is not None and state[2] == pytest.approx(0.1)


def test_joints_of_another_arm_are_an_error_that_names_the_arms_they_fit(tmp_path: Path) -> None:
    with Bag(write_bag(tmp_path / 'bag', ARM)) as bag, pytest.raises(
            InputError, match='no joints of piper; .* --robot: ur10e, ur3e, ur5e'):
        bag_readers(bag, TOPICS, load_profile(robot_of(bag, '', 'piper')), '')
