"""What is published of a bag again, and that nothing of it could move an arm."""

from __future__ import annotations

import pytest
from conftest import START_NS, write_run
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.replay import messages
from vla_ros.replay.bag import Bag
from vla_ros.replay.bag_writer import BagWriter
from vla_ros.replay.play_topics import moves_an_arm, play_topics
from vla_ros.replay.topic_choice import JOINT_STATE, STRING, TRAJECTORY

COMMANDS = {'/joint_command', '/joint_ctrl_single', '/control/joint_states',
            '/scaled_joint_trajectory_controller/joint_trajectory'}
SENSORS = {'/instruction', '/joint_states', '/camera/third_person/image_raw',
           '/camera/wrist/image_raw'}


@pytest.fixture
def bag(tmp_path):
    """A run with commands, modes and what people said."""
    write_run(tmp_path / 'run')
    with Bag(tmp_path / 'run') as run, BagWriter(tmp_path / 'all', latched=['/instruction']) as out:
        for record in run.records():
            out.write(record.topic, record.type, record.receive_ns, record.data)
        for name in ('/joint_command', '/control/joint_states', '/override/leader/joints'):
            out.write_message(name, JOINT_STATE, START_NS, messages.joint_state(['a'], [0.0], 1))
        for name in ('/policy', '/provenance', '/override/panel/gripper'):
            out.write_message(name, STRING, START_NS, messages.text('x'))
        out.write_message('/scaled_joint_trajectory_controller/joint_trajectory', TRAJECTORY,
                          START_NS, messages.action_chunk(['a'], [[0.0]], 1, 1, ''))
    with Bag(tmp_path / 'all') as found:
        yield found


def test_sensors_and_what_was_told_are_published_under_their_names(bag):
    found = play_topics(bag, COMMANDS)
    assert {t.recorded for t in found} == SENSORS
    assert all(t.published == t.recorded for t in found)
    assert {t.recorded for t in found if t.latched} == {'/instruction'}
    assert {t.recorded for t in found if t.is_input} == SENSORS - {'/instruction'}


def test_what_the_nodes_said_comes_under_recorded_and_only_when_asked_for(bag):
    others = [name for name in bag.topics if name not in SENSORS]
    found = play_topics(bag, COMMANDS, others)
    assert {t.published for t in found} == {f'/recorded{name}' for name in others}
    assert not any(moves_an_arm(t.published, COMMANDS) for t in found)


@pytest.mark.parametrize('target', [
    'joint_command', '/joint_ctrl_single', '/action_chunk', '/ns/action_chunk', '/estop',
    '/override/leader/joints', '/x/joint_trajectory', '/forward_position_controller/commands',
    '/robotiq/_action/feedback'])
def test_nothing_can_be_renamed_to_what_moves_an_arm(bag, target):
    with pytest.raises(ConfigError, match='an arm could be moved'):
        play_topics(bag, COMMANDS, remap={'/joint_states': target})


@pytest.fixture(scope='module')
def orders(tmp_path_factory):
    folder = tmp_path_factory.mktemp('bag') / 'bag'
    with BagWriter(folder) as out:
        for name in sorted(COMMANDS | SENSORS):
            out.write_message(name, JOINT_STATE, START_NS, messages.joint_state(['a'], [0.0], 1))
        for name in ('/action_chunk', '/policy'):
            out.write_message(name, STRING, START_NS, messages.text('x'))
    with Bag(folder) as found:
        yield found


@given(st.sets(st.sampled_from(sorted(COMMANDS | SENSORS | {'/action_chunk', '/policy'}))),
       st.sampled_from(['/a', '/joint_command', '/action_chunk', '/recorded/x']))
def test_no_choice_of_topics_publishes_an_order(orders, wanted, target):
    try:
        found = play_topics(orders, COMMANDS, sorted(wanted), {'/joint_states': target})
    except ConfigError:
        return
    assert not [t for t in found if moves_an_arm(t.published, COMMANDS)]


def test_another_name_is_taken(bag):
    found = play_topics(bag, COMMANDS, remap={'/camera/wrist/image_raw': '/hand/image'})
    assert {t.published for t in found} == SENSORS - {'/camera/wrist/image_raw'} | {'/hand/image'}


def test_two_topics_cannot_share_a_name(bag):
    with pytest.raises(ConfigError, match='two topics would be published as /joint_states'):
        play_topics(bag, COMMANDS, remap={'/camera/wrist/image_raw': '/joint_states'})


def test_an_unknown_topic_lists_those_of_the_bag(bag):
    with pytest.raises(ConfigError, match='joint_states'):
        play_topics(bag, COMMANDS, ['/joint_stats'])


def test_a_bag_without_a_sensor_is_refused(tmp_path):
    with BagWriter(tmp_path / 'bag') as out:
        out.write_message('/policy', STRING, START_NS, messages.text('x'))
    with Bag(tmp_path / 'bag') as found, pytest.raises(InputError, match='nothing to publish'):
        play_topics(found, COMMANDS)
