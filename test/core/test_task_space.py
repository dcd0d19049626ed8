"""Speed, workspace and lead."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.core.limits import TaskSpaceLimits
from vla_ros.core.safety import limit_pose, limit_twist
from vla_ros.core.se3 import pose, rotation_angle, rotation_from_vector

LIMITS = TaskSpaceLimits([0.1, -0.3, 0.02], [0.5, 0.3, 0.4], max_speed=0.25,
                         max_rotation_speed=1.2, max_lead_position=0.05, max_lead_rotation=0.3)
number = st.floats(-2, 2)
vector = st.tuples(number, number, number).map(np.array)


def at(x, y, z, r=(0.0, 0.0, 0.0)):
    return pose(rotation_from_vector(np.array(r)), np.array([x, y, z]))


@given(vector, vector)
def test_no_twist_is_faster_than_the_limits_and_its_direction_stays(v, w):
    twist = np.concatenate([v, w])
    limited, acted = limit_twist(twist, LIMITS)
    assert np.linalg.norm(limited[:3]) <= 0.25 + 1e-9
    assert np.linalg.norm(limited[3:]) <= 1.2 + 1e-9
    assert np.allclose(limited * np.linalg.norm(twist), twist * np.linalg.norm(limited), atol=1e-9)
    assert bool(acted) == (not np.array_equal(limited, twist))


@pytest.mark.parametrize('bad', [math.nan, math.inf])
def test_a_twist_that_is_not_finite_is_no_motion(bad):
    limited, acted = limit_twist(np.array([0.1, bad, 0, 0, 0, 0]), LIMITS)
    assert (limited == 0.0).all()
    assert acted == ('twist is not finite',)


@settings(max_examples=100)
@given(vector, vector, vector)
def test_a_pose_stays_within_the_lead_of_the_measured_one(p, r, r_measured):
    measured = at(0.3, 0.0, 0.2, r_measured)
    T, _ = limit_pose(at(*p, r), measured, measured, LIMITS)
    assert np.linalg.norm(T[:3, 3] - measured[:3, 3]) <= 0.05 + 1e-9
    assert rotation_angle(T[:3, :3], measured[:3, :3]) <= 0.3 + 1e-6


def test_the_table_is_the_floor_of_the_workspace_and_the_axis_is_named():
    here = at(0.3, 0.0, 0.03)
    T, acted = limit_pose(at(0.3, 0.0, 0.01), here, here, LIMITS)
    assert T[2, 3] == pytest.approx(0.02)
    assert acted == ('workspace z',)


def test_a_tool_that_is_outside_may_come_back_but_go_no_further_and_is_not_thrown_in():
    outside = at(0.3, 0.0, 0.45)
    further, _ = limit_pose(at(0.3, 0.0, 0.46), outside, outside, LIMITS)
    assert further[2, 3] == pytest.approx(0.45)
    back, acted = limit_pose(at(0.3, 0.0, 0.44), outside, outside, LIMITS)
    assert back[2, 3] == pytest.approx(0.44)
    assert acted == ()


def test_a_pose_within_all_limits_passes_unchanged():
    here, goal = at(0.3, 0.0, 0.2), at(0.301, 0.0, 0.2, (0.01, 0, 0))
    T, acted = limit_pose(goal, here, here, LIMITS)
    assert np.array_equal(T, goal)
    assert acted == ()
