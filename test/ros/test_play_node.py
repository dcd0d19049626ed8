"""``vla-ros play`` as a process: what it publishes, and when it refuses to."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from graph_rig import Observer, Process

if importlib.util.find_spec('rosbags') is None:
    pytest.skip('rosbags is not installed', allow_module_level=True)

from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from vla_ros.replay import messages
from vla_ros.replay.bag_writer import BagWriter
from vla_ros.replay.topic_choice import JOINT_STATE, STRING
from vla_ros.ros import qos
from vla_ros.ros.driver_topics import all_command_topics
from vla_ros.ros.stamps import to_ns

START_NS, MS = 1_700_000_000_000_000_000, 1_000_000


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    """Half a second of joint states and commands."""
    with BagWriter(tmp_path / 'bag', latched=['/instruction']) as made:
        made.write_message('/instruction', STRING, START_NS, messages.text('pick it up'))
        for i in range(50):
            at = START_NS + i * 10 * MS
            for topic in ('/joint_states', '/joint_command'):
                made.write_message(topic, JOINT_STATE, at,
                                   messages.joint_state(['joint1'], [float(i)], at))
    return tmp_path / 'bag'


@pytest.fixture
def observer() -> Iterator[Observer]:
    made = Observer()
    yield made
    made.close()


def play(folder: Path, *arguments: str) -> Process:
    return Process('play', [sys.executable, '-m', 'vla_ros.cli.main', 'play', *arguments], folder)


def test_joint_states_come_with_their_stamps_and_the_clock_and_commands_do_not(
        bag: Path, tmp_path: Path, observer: Observer) -> None:
    joints = observer.hear(JointState, '/joint_states', qos.JOINTS)
    clock = observer.hear(Clock, '/clock', qos.CLOCK)
    said = observer.hear(String, '/instruction', qos.LATCHED)
    commands = [observer.hear(JointState, name, qos.JOINTS)
                for name in ('/joint_command', '/recorded/joint_command')]
    process = play(tmp_path, str(bag), '--wait-for-subscribers')
    try:
        assert process.start().wait() == 0, process.log
        joints.wait(lambda m: m.position[0] == 49.0, 'the last joint state')
    finally:
        process.clean_up()
    assert [to_ns(m.header.stamp) for m in joints.messages] == [
        START_NS + i * 10 * MS for i in range(50)]
    times = [to_ns(m.clock) for m in clock.messages]
    assert times == sorted(times) and times[0] >= START_NS and times[-1] == START_NS + 490 * MS
    assert [m.data for m in said.messages] == ['pick it up']
    assert not any(commands), 'what was a command is published nowhere'
    assert '51 messages of 0.49 s' in process.log


def test_what_the_nodes_said_comes_under_recorded_when_asked_for(
        bag: Path, tmp_path: Path, observer: Observer) -> None:
    commands = observer.hear(JointState, '/recorded/joint_command', qos.JOINTS)
    other = observer.hear(JointState, '/joint_command', qos.JOINTS)
    process = play(tmp_path, str(bag), '--topics', '/joint_command', '--rate', '4',
                   '--wait-for-subscribers')
    try:
        assert process.start().wait() == 0, process.log
        commands.wait(lambda m: m.position[0] == 49.0, 'the last command')
    finally:
        process.clean_up()
    assert len(commands) == 50 and not other


def test_it_does_not_play_beside_a_robot_that_runs(
        bag: Path, tmp_path: Path, observer: Observer) -> None:
    observer.publisher(JointState, '/joint_states', qos.JOINTS)
    heard = observer.hear(Clock, '/clock', qos.CLOCK)
    process = play(tmp_path, str(bag), '--discovery', '60')
    try:
        assert process.start().wait() == 1, process.log
    finally:
        process.clean_up()
    assert '/joint_states by /observer' in process.log and 'ROS_DOMAIN_ID' in process.log
    assert not heard, 'nothing was published'


def test_it_ends_when_a_robot_begins_to_run(
        bag: Path, tmp_path: Path, observer: Observer) -> None:
    joints = observer.hear(JointState, '/joint_states', qos.JOINTS)
    process = play(tmp_path, str(bag), '--loop', '--wait-for-subscribers')
    try:
        process.start()
        joints.wait(lambda m: True, 'it plays')
        observer.publisher(JointState, '/joint_states', qos.JOINTS)
        assert process.wait() == 1
    finally:
        process.clean_up()
    assert 'ended: somebody else publishes the same: /joint_states by /observer' in process.log


def test_the_topics_of_every_known_arm_are_known_as_commands() -> None:
    found = all_command_topics()
    assert {'/joint_command', '/joint_ctrl_single', '/control/joint_states',
            '/scaled_joint_trajectory_controller/joint_trajectory',
            '/forward_position_controller/commands'} <= found


@pytest.mark.parametrize(('arguments', 'words'), [
    (['--rate', '0'], 'rate'), (['--remap', 'a=b'], 'FROM:=TO'),
    (['--duration', '-1'], 'duration')])
def test_a_wrong_argument_is_refused(bag: Path, arguments: list[str], words: str,
                                     capsys: Any) -> None:
    from vla_ros.cli.main import main

    assert main(['play', str(bag), *arguments]) == 2
    assert words in capsys.readouterr().err
