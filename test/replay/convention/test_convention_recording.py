"""What a bag gives to the convention check: states, and the actions that were carried out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rosbags', reason='rosbags is not installed')

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.replay import messages
from vla_ros.replay.bag_writer import BagWriter
from vla_ros.replay.convention.recording import POSE, read_recording
from vla_ros.replay.message_types import KNOWN_TYPES
from vla_ros.replay.topic_choice import JOINT_STATE, TRAJECTORY

START = 1_000_000_000
MS = 1_000_000
DIMS = ('x', 'y', 'z', 'rx', 'ry', 'rz', 'gripper')
JOINTS = ('joint1', 'joint2', 'gripper')


def write(path: Path, chunk_times: list[int], pose: bool = False, bad: float = 0.0) -> Path:
    types = KNOWN_TYPES.types
    with BagWriter(path) as bag:
        for i in range(40):
            stamp = START + i * 10 * MS
            bag.write_message('/joint_states', JOINT_STATE, stamp, messages.joint_state(
                JOINTS, [i * 0.01, bad if i == 7 else 0.0, 0.05], stamp))
            bag.write_message('/joint_command', JOINT_STATE, stamp, messages.joint_state(
                JOINTS, [i * 0.01 + 0.02, 0.0, 0.05], stamp))
            if pose and i % 2 == 0:
                header = messages.joint_state((), (), stamp, 'base_link').header
                bag.write_message('/tcp_pose', POSE, stamp, types[POSE](
                    header, types['geometry_msgs/msg/Pose'](
                        types['geometry_msgs/msg/Point'](0.1 * i, 0.0, 0.3),
                        types['geometry_msgs/msg/Quaternion'](0.0, 0.0, 0.0, 1.0))))
        for at in chunk_times:
            actions = np.full((4, 7), float(at))
            actions[:, 0] = range(4)
            bag.write_message('/action_chunk', TRAJECTORY, START + at * MS,
                              messages.action_chunk(DIMS, actions, 50 * MS, START + at * MS, ''))
    return path


def test_of_each_chunk_the_steps_before_the_next_one_are_taken(tmp_path: Path) -> None:
    found = read_recording(write(tmp_path / 'bag', [0, 100, 130]))
    times = ((found.action_ns - START) // MS).tolist()
    assert times == [0, 50, 100, 130, 180, 230, 280]
    assert ((found.anchor_ns - START) // MS).tolist() == [0, 0, 100, 130, 130, 130, 130]
    assert found.actions[:, 0].tolist() == [0, 1, 0, 0, 1, 2, 3]
    assert (found.dt, found.chunk_steps, found.arm) == (pytest.approx(0.05), 4, 6)


def test_commands_are_taken_where_there_are_no_chunks_or_when_asked_for(tmp_path: Path) -> None:
    for path, actions in ((write(tmp_path / 'none', []), 'auto'),
                          (write(tmp_path / 'both', [0]), 'commands')):
        found = read_recording(path, actions=actions)
        assert found.action_names == JOINTS
        assert found.actions[3].tolist() == pytest.approx([0.05, 0.0, 0.05])
        assert found.dt == pytest.approx(0.01)
    with pytest.raises(InputError, match='no topic of chunks'):
        read_recording(tmp_path / 'none', actions='chunks')
    with pytest.raises(ConfigError, match='Choices: auto, chunks, commands'):
        read_recording(tmp_path / 'none', actions='states')


def test_a_tool_pose_goes_before_the_joints_which_are_taken_at_its_times(tmp_path: Path) -> None:
    found = read_recording(write(tmp_path / 'bag', [0], pose=True))
    assert found.state_names == ('x', 'y', 'z', 'qx', 'qy', 'qz', 'qw', *JOINTS)
    assert found.state.shape == (20, 10)
    assert found.state[3].tolist() == pytest.approx([0.6, 0, 0.3, 0, 0, 0, 1, 0.06, 0, 0.05])


def test_a_number_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / 'bag', [0], bad=float('nan'))
    with pytest.raises(InputError, match='/joint_states: message 7 .*not finite'):
        read_recording(path)
