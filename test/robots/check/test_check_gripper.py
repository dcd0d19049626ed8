"""Unit, zero, sign and scale of the gripper are found from what it reads and what it is told."""

from __future__ import annotations

import numpy as np
import pytest
from arm_recordings import SECOND, START, recording

from vla_ros.robots import load_profile
from vla_ros.robots.adapters import load_driver
from vla_ros.robots.check import Level, examine


def gripper(heard, robot='piper', driver=''):
    profile = load_profile(robot)
    return [f for f in examine(profile, load_driver(profile, driver), heard)
            if f.check == 'gripper']


def commanded(heard, widths, every=1.0):
    """Add commands at 100 Hz, each width for ``every`` seconds."""
    for i, width in enumerate(widths):
        for k in range(round(100 * every)):
            heard.widths_commanded.append((START + round((i * every + k / 100) * SECOND), width))
    return heard


@pytest.mark.parametrize(('widths', 'level', 'says'), [
    (lambda t: 0.035 + 0.034 * np.sin(3 * t), Level.OK, '1.0 to 69.0 mm'),
    (lambda t: 0.03, Level.NOTE, 'not moved'),
    (lambda t: 30.0 + t, Level.FAIL, 'another unit'),
    (lambda t: -0.03 + 0.01 * t, Level.FAIL, 'sign or zero'),
    (lambda t: 0.05 * t, Level.WARN, 'not be commanded wider'),
])
def test_what_it_reads_is_compared_with_its_range(widths, level, says):
    (finding,) = gripper(recording('piper', poses=False, widths=widths))
    assert finding.level is level
    assert says in finding.text


@pytest.mark.parametrize(('answer', 'level', 'says'), [
    (lambda w: w, Level.OK, 'right direction'),
    (lambda w: 0.5 * w, Level.FAIL, 'missing factor 2'),
    (lambda w: 0.07 - w, Level.FAIL, 'sign is wrong'),
    (lambda w: 0.75 * w, Level.WARN, 'hold something'),
])
def test_how_it_follows_is_compared_with_what_it_is_told(answer, level, says):
    told = [0.01, 0.06, 0.02]
    heard = recording('piper', poses=False, seconds=3.0,
                      widths=lambda t: answer(told[min(int(max(t - 0.5, 0.0)), 2)]))
    finding = gripper(commanded(heard, told))[-1]
    assert finding.level is level, finding
    assert says in finding.text


def test_a_command_that_did_not_stand_long_tells_nothing():
    heard = recording('piper', poses=False, widths=lambda t: 0.035 + 0.03 * np.sin(9 * t))
    assert len(gripper(commanded(heard, [0.01, 0.06] * 4, every=0.25))) == 1


def test_a_gripper_that_is_not_in_the_joint_states_is_doubtful():
    (finding,) = gripper(recording('ur5e', poses=False), 'ur5e')
    assert finding.level is Level.WARN
    assert 'robotiq_85_left_knuckle_joint' in finding.text


def test_no_gripper_is_no_fault():
    (finding,) = gripper(recording('ur5e', poses=False), 'ur5e', 'ros2_control')
    assert finding.level is Level.NOTE
