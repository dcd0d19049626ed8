"""Braking in proportion: what is promised holds tick by tick."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.core.safety.braking import braked, largest_factor, stop_time, stop_way

ACCELERATION = np.array([5.0, 4.0, 3.0])
DT = 0.01
speeds = st.tuples(*[st.floats(-3, 3)] * 3).map(np.array)


@settings(max_examples=200, deadline=None)
@given(speeds)
def test_braking_stays_on_the_line_within_the_deceleration_and_ends_before_the_stop_point(v):
    q, end = np.zeros(3), v * stop_way(stop_time(v, ACCELERATION), DT)
    velocity, ticks = v, 0
    q = q + v * DT  # this tick's command keeps the velocity; braking begins at the next
    while velocity.any():
        slower = np.array(braked(velocity, ACCELERATION, DT))
        assert (np.abs(slower - velocity) <= ACCELERATION * DT + 1e-12).all()
        assert np.allclose(np.cross(slower, v), 0.0, atol=1e-9)
        q, velocity, ticks = q + slower * DT, slower, ticks + 1
    assert ticks <= stop_time(v, ACCELERATION) / DT + 1.001
    assert (np.abs(q) <= np.abs(end) + 1e-12).all()
    assert np.allclose(q, end, atol=3.0 * DT)


@settings(max_examples=200, deadline=None)
@given(st.floats(1e-6, 5), st.floats(0, 1), st.floats(0, 1))
def test_the_factor_is_the_largest_that_stops_within_the_gap(closing, gap, time):
    factor = largest_factor(closing, gap, time, DT)

    def way(s):
        return s * s * closing * time / 2 + s * closing * DT

    assert way(factor) <= gap + 1e-12
    assert way(factor * 1.001 + 1e-9) >= gap - 1e-12


@pytest.mark.parametrize('closing', [0.0, -1.0, -1e9])
def test_what_does_not_close_is_not_slowed(closing):
    assert largest_factor(closing, -1.0, 0.1, DT) == math.inf


def test_without_room_nothing_may_close():
    assert largest_factor(0.1, -0.01, 0.1, DT) == 0.0
