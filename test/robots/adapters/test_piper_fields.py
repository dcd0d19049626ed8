"""What the Piper drivers are sent leaves nothing to their defaults."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.robots import load_profile
from vla_ros.robots.adapters import JointCommand, load_driver
from vla_ros.robots.adapters.piper import (
    agx_fields,
    piper_ros_fields,
    status_notice,
    status_problem,
)

PROFILE = load_profile('piper')
PIPER = load_driver(PROFILE, 'piper_ros')
AGX = load_driver(PROFILE, 'agx_arm_ros')
NAMES = ['joint1', 'joint2', 'joint3', 'joint4', 'joint5', 'joint6', 'gripper']

JOINTS = st.tuples(*(st.floats(float(low), float(high)) for low, high in zip(
    PROFILE.joints.lower, PROFILE.joints.upper, strict=True)))
COMMANDS = st.builds(
    JointCommand, JOINTS.map(np.array), st.just(np.zeros(6)),
    st.none() | st.floats(0.0, 0.07), st.none() | st.floats(0.0, 100.0))


@given(COMMANDS, st.floats(0.0, 0.07), st.integers(1, 100))
def test_piper_ros_always_gets_seven_names_a_speed_and_an_effort_in_range(command, width, percent):
    driver = dataclasses.replace(PIPER, speed_percent=percent)
    fields = piper_ros_fields(driver, command, width)
    assert fields.name == NAMES
    assert len(fields.position) == len(fields.velocity) == len(fields.effort) == 7
    assert np.isfinite(fields.position).all()
    assert fields.velocity[6] == percent
    assert 0.5 <= fields.effort[6] <= 3.0
    assert fields.position[6] == pytest.approx(width)
    np.testing.assert_allclose(fields.position[:6], command.q, rtol=6e-4, atol=1e-12)


def test_the_gripper_multiple_of_the_driver_is_undone():
    driver = dataclasses.replace(PIPER, gripper_multiple=2.0)
    command = JointCommand(PROFILE.joints.home, np.zeros(6))
    assert piper_ros_fields(driver, command, 0.06).position[6] * 2.0 == pytest.approx(0.06)


@given(COMMANDS)
def test_agx_gets_all_joints_and_no_velocity_or_effort_for_one(command):
    fields = agx_fields(AGX, command)
    assert fields.name[:6] == NAMES[:6]
    assert np.isfinite(fields.position).all()
    assert fields.velocity == []
    assert all(math.isnan(effort) for effort in fields.effort[:6])
    if command.width is None:
        assert fields.name == NAMES[:6]
    else:
        assert fields.name == NAMES
        assert fields.position[6] == command.width
        assert 0.5 <= fields.effort[6] <= 3.0


@pytest.mark.parametrize('code', [1, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 255])
def test_every_fault_stops_also_one_that_is_not_known(code):
    assert f'arm_status {code}' in status_problem(1, code)


@pytest.mark.parametrize('code', [0, 2, 3, 4])
def test_a_target_that_the_arm_refused_is_no_fault(code):
    assert status_problem(1, code) == status_problem(0, code) == ''
    assert bool(status_notice(code)) == (code != 0)


def test_only_can_control_and_standby_may_be_commanded():
    assert [mode for mode in range(256) if status_problem(mode, 0) == ''] == [0, 1]
    assert 'fall' in status_problem(2, 0)
