"""Keep-out boxes: the tool goes around, along or out of them, never in."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.core.errors import ConfigError
from vla_ros.core.limits import KeepOut, TaskSpaceLimits
from vla_ros.core.safety import limit_pose
from vla_ros.core.safety.task_space import keep_outside
from vla_ros.core.se3 import pose, rotation_from_vector

TABLE = KeepOut('table', [-1, -1, -0.5], [1, 1, 0.0])
POLE = KeepOut('pole', [0.3, 0.1, 0.0], [0.4, 0.2, 0.6])
SHELF = KeepOut('shelf', [0.35, -0.3, 0.3], [0.9, 0.3, 0.32])
BOXES = (TABLE, POLE, SHELF)

number = st.integers(-12000, 12000).map(lambda i: i / 1e4)
point = st.tuples(number, number, number).map(np.array)


def inside(p, box, by=0.0):
    return (p > box.lower + by).all() and (p < box.upper - by).all()


def enters(start, goal, box):
    """Slow and obvious: whether any of many points of the way is inside."""
    return any(inside(start + s * (goal - start), box, 1e-9) for s in np.linspace(0, 1, 400))


@settings(max_examples=300, deadline=None)
@given(point, point)
def test_no_way_from_outside_leads_into_or_through_a_box(start, goal):
    if any(inside(start, box) for box in BOXES):
        return
    reached, names = keep_outside(goal, start, BOXES)
    assert not any(enters(start, reached, box) for box in BOXES)
    assert bool(names) == (not np.array_equal(reached, goal))
    # Only ever nearer to where it was, on each axis: no box throws the tool about.
    assert (np.abs(reached - start) <= np.abs(goal - start) + 1e-12).all()
    grown = [KeepOut(box.name, box.lower - 0.01, box.upper + 0.01) for box in BOXES]
    assert not names or any(enters(start, goal, box) for box in grown)


@settings(max_examples=200, deadline=None)
@given(point, point)
def test_from_inside_the_only_way_is_out_by_the_nearest_face(start, goal):
    if not inside(start, TABLE, 1e-3):
        return
    reached, _ = keep_outside(goal, start, [TABLE])

    def depth(p):
        return np.concatenate([p - TABLE.lower, TABLE.upper - p]).min()

    assert depth(reached) <= depth(start) + 1e-12
    assert (reached != start).sum() <= 1


def test_the_tool_slides_along_the_table_and_the_box_is_named():
    here = pose(np.eye(3), np.array([0.2, 0.0, 0.004]))
    goal = pose(rotation_from_vector(np.array([0, 0, 0.1])), np.array([0.21, 0.02, -0.01]))
    limits = TaskSpaceLimits([-1] * 3, [1] * 3, 1.0, 1.0, 0.5, 1.0, BOXES)
    T, acted = limit_pose(goal, here, here, limits)
    assert np.allclose(T[:3, 3], [0.21, 0.02, 0.0])
    assert np.array_equal(T[:3, :3], goal[:3, :3])
    assert acted == ('keep-out table',)


def test_sliding_does_not_creep_in_and_an_error_of_the_solver_does_not_stop_it():
    start = np.array([0.0, 0.0, -5e-5])  # the last answer was 0.05 mm below the face
    reached, _ = keep_outside(np.array([0.1, 0.0, -0.02]), start, [TABLE])
    assert np.allclose(reached, [0.1, 0.0, -5e-5])
    up, names = keep_outside(np.array([0.1, 0.0, 0.01]), start, [TABLE])
    assert np.allclose(up, [0.1, 0.0, 0.01]) and names == ()


def test_pulling_the_goal_back_to_the_measured_pose_does_not_lead_through_a_box():
    limits = TaskSpaceLimits([-1] * 3, [1] * 3, 1.0, 1.0, 0.05, 1.0, (POLE,))
    last = pose(np.eye(3), np.array([0.35, 0.22, 0.3]))
    measured = pose(np.eye(3), np.array([0.35, 0.08, 0.3]))  # the other side of the pole
    T, acted = limit_pose(last, last, measured, limits)
    assert not inside(T[:3, 3], POLE)
    assert not enters(last[:3, 3], T[:3, 3], POLE)
    assert 'keep-out pole' in acted


@pytest.mark.parametrize('bad', [math.nan, math.inf])
def test_a_pose_that_is_not_finite_is_no_motion(bad):
    here = pose(np.eye(3), np.array([0.2, 0.0, 0.1]))
    goal = here.copy()
    goal[1, 3] = bad
    limits = TaskSpaceLimits([-1] * 3, [1] * 3, 1.0, 1.0, 0.5, 1.0, BOXES)
    T, acted = limit_pose(goal, here, here, limits)
    assert np.array_equal(T, here) and acted == ('pose is not finite',)


@pytest.mark.parametrize(('lower', 'upper', 'match'), [
    ([0, 0, 0], [1, 0, 1], 'not below'), ([0, 0, math.nan], [1, 1, 1], 'finite'),
    ([0, 0], [1, 1, 1], 'expected 3 numbers'),
])
def test_boxes_that_make_no_sense_are_refused(lower, upper, match):
    with pytest.raises(ConfigError, match=match):
        KeepOut('shelf', lower, upper)


def test_two_boxes_of_one_name_are_refused():
    with pytest.raises(ConfigError, match='names must differ'):
        TaskSpaceLimits([-1] * 3, [1] * 3, 1.0, 1.0, 0.5, 1.0, (TABLE, TABLE))
