"""Rates, limits, units and clocks that are wrong are found and said in words."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from arm_recordings import recording

from vla_ros.robots import load_profile
from vla_ros.robots.adapters import load_driver
from vla_ros.robots.check import Level, Recording, TopicSeen, examine


def findings(heard, robot='piper', driver=''):
    profile = load_profile(robot)
    return examine(profile, load_driver(profile, driver), heard)


def one(check, heard, **options):
    (finding,) = (f for f in findings(heard, **options) if f.check == check)
    return finding


def changed(heard, change):
    heard.states = [dataclasses.replace(state, q=change(state.q)) for state in heard.states]
    return heard


def test_a_sound_arm_has_nothing_wrong():
    found = findings(recording('piper', widths=lambda t: 0.035 + 0.03 * np.sin(3 * t)))
    assert {f.level for f in found} == {Level.OK}
    assert {f.check for f in found} == {'rate', 'names', 'limits', 'clock', 'end pose', 'gripper',
                                        'ready'}


@pytest.mark.parametrize(('hz', 'level'), [(200, Level.OK), (120, Level.OK), (80, Level.WARN),
                                           (15, Level.FAIL)])
def test_the_rate_is_compared_with_what_the_driver_promises(hz, level):
    assert one('rate', recording('piper', hz=hz)).level is level


def test_a_long_gap_is_doubtful():
    heard = recording('piper')
    del heard.states[100:140]
    assert one('rate', heard).level is Level.WARN


def test_silence_names_the_topic_and_what_is_there_instead():
    heard = Recording(1.0, elsewhere=('agx_arm_ros',), topics={
        'states': TopicSeen('/joint_states_single')})
    finding = one('rate', heard)
    assert finding.level is Level.FAIL
    assert 'joint_states_single' in finding.text
    assert 'driver:=agx_arm_ros' in finding.text


@pytest.mark.parametrize(('age', 'level', 'says'), [
    (0.002, Level.OK, ''), (0.08, Level.WARN, 'different clocks'), (3.0, Level.FAIL, 'stale'),
    (-0.01, Level.OK, ''), (-0.5, Level.FAIL, '0.500 s in the future')])
def test_the_clock_is_checked_both_ways(age, level, says):
    finding = one('clock', recording('piper', age=age, poses=False))
    assert finding.level is level
    assert says in finding.text


def test_degrees_are_recognised():
    finding = one('positions', changed(recording('piper', poses=False), np.degrees))
    assert finding.level is Level.FAIL
    assert 'degrees' in finding.text


def test_zeros_all_the_time_are_no_arm():
    assert one('positions', changed(recording('piper', poses=False), np.zeros_like)
               ).level is Level.FAIL


def test_a_sign_that_is_wrong_leaves_the_limits():
    finding = one('limits', changed(recording('piper', poses=False), np.negative))
    assert finding.level is Level.FAIL
    assert 'joint2' in finding.text
    assert 'joint3' in finding.text


def test_a_jump_is_doubtful():
    heard = recording('piper', poses=False)
    heard.states[200:] = [dataclasses.replace(s, q=s.q + 0.2) for s in heard.states[200:]]
    assert one('jumps', heard).level is Level.WARN


def test_what_cannot_be_read_is_wrong():
    heard = recording('piper')
    heard.errors = {'joint_states_single: missing joints: joint6': 3}
    finding = next(f for f in findings(heard) if f.check == 'joint states')
    assert finding.level is Level.FAIL
    assert 'joint6' in finding.text


def test_another_commander_and_a_driver_that_does_not_listen_are_told():
    heard = recording('piper')
    heard.topics = {'command': TopicSeen('/c', ('sensor_msgs/msg/JointState',), ('teleop',),
                                         ('driver',))}
    assert 'teleop already send' in one('topics', heard).text
    heard.topics = {'command': TopicSeen('/c')}
    assert one('topics', heard).level is Level.FAIL


def test_an_arm_that_could_not_be_commanded_is_wrong():
    heard = recording('piper')
    heard.ready = 'safety mode 3: protective stop'
    assert one('ready', heard).level is Level.FAIL
