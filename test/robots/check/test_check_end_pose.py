"""The driver's end pose tells a wrong model, a missing or another TCP, and a turned base."""

from __future__ import annotations

import numpy as np
import pytest
from arm_recordings import recording

from vla_ros.core import se3
from vla_ros.robots import load_profile
from vla_ros.robots.adapters import load_driver
from vla_ros.robots.check import Level, examine

HALF_TURN = se3.pose(se3.rotation_from_rpy(0.0, 0.0, np.pi), np.zeros(3))


def end_pose(robot, heard, driver=''):
    profile = load_profile(robot)
    findings = examine(profile, load_driver(profile, driver), heard)
    (finding,) = (f for f in findings if f.check == 'end pose')
    return finding


@pytest.mark.parametrize('moves', [False, True])
@pytest.mark.parametrize(('robot', 'truth'), [('piper', 'piper_old_dh'), ('piper_old_dh', 'piper'),
                                              ('ur5e', 'ur10e'), ('ur3e', 'ur5e')])
def test_a_wrong_model_is_named_with_the_right_one(robot, truth, moves):
    finding = end_pose(robot, recording(robot, truth, moves=moves))
    assert finding.level is Level.FAIL
    assert f'Use robot:={truth}' in finding.text
    if truth.startswith('piper'):
        assert '9.93 mm' in finding.text


@pytest.mark.parametrize('robot', ['piper', 'piper_old_dh', 'ur3e', 'ur5e', 'ur10e'])
def test_the_right_model_is_right(robot):
    finding = end_pose(robot, recording(robot, noise=1e-5))
    assert finding.level is (Level.OK if robot.startswith('piper') else Level.WARN)
    assert 'is the flange' in finding.text


def test_a_tcp_that_was_not_set_is_told_where_the_topic_claims_one():
    assert end_pose('piper', recording('piper')).level is Level.OK  # piper_ros says flange
    finding = end_pose('piper', recording('piper'), 'agx_arm_ros')
    assert finding.level is Level.WARN
    assert 'no TCP set' in finding.text
    assert '135.8 mm further' in finding.text


def test_a_tcp_at_our_tool_is_right_and_another_one_is_told():
    ours = se3.pose(np.eye(3), np.array([0.0, 0.0, 0.1358]))
    assert end_pose('piper', recording('piper', T_flange_end=ours), 'agx_arm_ros').level is Level.OK
    other = se3.pose(np.eye(3), np.array([0.01, 0.0, 0.2]))
    finding = end_pose('piper', recording('piper', T_flange_end=other), 'agx_arm_ros')
    assert finding.level is Level.WARN
    assert '(10.0, 0.0, 200.0) mm' in finding.text


def test_a_wrong_model_is_named_also_behind_a_tcp():
    other = se3.pose(np.eye(3), np.array([0.01, 0.0, 0.2]))
    finding = end_pose('ur5e', recording('ur5e', 'ur10e', T_flange_end=other))
    assert finding.level is Level.FAIL
    assert 'Use robot:=ur10e' in finding.text


def test_the_controllers_base_frame_of_a_ur_is_known():
    heard = recording('ur5e', T_frame_base=HALF_TURN, frame='base')
    assert 'is the flange' in end_pose('ur5e', heard).text


def test_a_pose_in_a_base_that_is_not_ours_is_told():
    finding = end_pose('ur5e', recording('ur5e', T_frame_base=HALF_TURN, frame='base_link'))
    assert finding.level is Level.FAIL
    assert 'turned 180.0 degrees' in finding.text


def test_a_frame_that_does_not_exist_is_told():
    finding = end_pose('ur5e', recording('ur5e', frame='bse'))
    assert finding.level is Level.FAIL
    assert "no link 'bse'" in finding.text


def test_a_calibrated_arm_is_doubtful_not_wrong():
    shift = se3.pose(se3.rotation_from_rpy(0.0, 0.002, 0.0), np.array([0.0015, 0.001, 0.0]))
    finding = end_pose('ur5e', recording('ur5e', T_flange_end=shift))
    assert finding.level is Level.WARN
    assert '/robot_description' in finding.text


def test_an_arm_that_did_not_move_is_asked_to():
    other = se3.pose(np.eye(3), np.array([0.01, 0.0, 0.05]))
    finding = end_pose('piper', recording('piper', T_flange_end=other, moves=False))
    assert finding.level is Level.FAIL
    assert 'Move it' in finding.text


def test_no_pose_is_no_verdict():
    assert end_pose('piper', recording('piper', poses=False)).level is Level.WARN
    assert end_pose('piper', recording('piper', poses=False), 'sim').level is Level.NOTE
