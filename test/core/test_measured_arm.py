"""What is known of the arm."""

import math

import numpy as np
import pytest

from vla_ros.core.errors import InputError
from vla_ros.core.measured_arm import MeasuredArm

MS = 1_000_000


@pytest.fixture
def arm():
    return MeasuredArm(3, 0.1, 0.5)


@pytest.mark.parametrize(('q', 'width'), [
    ([0.0, math.nan, 0.0], 0.03), ([0.0, 0.0], 0.03), ([[0.0, 0.0, 0.0]], 0.03),
    ([0.0, 0.0, math.inf], None), ([1.0, 1.0, 1.0], math.nan)])
def test_a_joint_state_that_is_refused_changes_nothing(arm, q, width):
    arm.add(10 * MS, [0.1, 0.2, 0.3], None)
    with pytest.raises(InputError, match='joint state'):
        arm.add(20 * MS, q, width)
    assert (arm.q == [0.1, 0.2, 0.3]).all() and arm.stamp_ns == 10 * MS


def test_it_is_fresh_near_its_stamp_only_on_both_sides(arm):
    assert not arm.fresh(0)
    arm.add(1000 * MS, np.zeros(3), None)
    assert [arm.fresh(ms * MS) for ms in (899, 901, 1000, 1099, 1101)] == [
        False, True, True, True, False]
    assert arm.problem(1200 * MS) == 'joint_states: older than 0.1 s'
    assert arm.problem(800 * MS) == 'joint_states: ahead by more than 0.1 s'


def test_forgotten_joints_are_not_fresh(arm):
    arm.add(1000 * MS, np.zeros(3), None)
    arm.forget()
    assert not arm.fresh(1000 * MS)
    assert arm.problem(1000 * MS) == 'joint_states: none received yet'


@pytest.mark.parametrize(('speed', 'sent', 'frozen'), [
    (0.1, True, True), (0.1, False, False), (0.01, True, False)])
def test_joints_that_stay_the_same_in_motion_are_frozen_but_not_in_a_dry_run(arm, speed, sent,
                                                                              frozen):
    for tick in range(100):
        arm.add(10 * tick * MS, np.zeros(3), None)
        arm.commanded(10 * tick * MS, np.array([0.0, -speed, 0.0]), sent)
    assert ('frozen' in arm.problem(990 * MS)) is frozen
    arm.add(1000 * MS, np.full(3, 1e-9), None)
    assert arm.problem(1000 * MS) == ''


def test_a_driver_that_is_not_ready_is_the_problem_unless_the_joints_are_stale(arm):
    arm.add(1000 * MS, np.zeros(3), None)
    arm.driver_problem = 'controller is inactive'
    assert arm.problem(1000 * MS) == 'driver: controller is inactive'
    assert 'joint_states' in arm.problem(2000 * MS)
