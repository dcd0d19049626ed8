"""The gate: nothing outside a limit passes, whatever goal it is given."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.core.errors import ConfigError
from vla_ros.core.limits import JointLimits
from vla_ros.core.safety import JointGate

DT = 0.01
LIMITS = JointLimits(('a', 'b', 'c'), [-1, -2, 0], [1, 2, 3], [3, 2, 1], [5, 4, 3], margin=0.02)
LOW, HIGH = LIMITS.lower + LIMITS.margin, LIMITS.upper - LIMITS.margin
EPS = 1e-9

any_number = st.floats(allow_nan=True, allow_infinity=True) | st.floats(-4, 4)
goals = st.lists(st.tuples(any_number, any_number, any_number), min_size=1, max_size=60)


def check(before_v, gated, q_before):
    assert np.isfinite(gated.q).all()
    assert (gated.q >= LOW - EPS).all() and (gated.q <= HIGH + EPS).all()
    assert (np.abs(gated.velocity) <= LIMITS.velocity + EPS).all()
    assert (np.abs(gated.velocity - before_v) <= LIMITS.acceleration * DT + EPS).all()
    assert np.allclose(gated.q, q_before + gated.velocity * DT)


@settings(max_examples=150, deadline=None)
@given(goals, st.booleans())
def test_no_sequence_of_goals_breaks_position_velocity_or_acceleration(sequence, relative):
    gate = JointGate(LIMITS, max_step=10.0)
    q, v = np.array([0.0, 0.0, 1.5]), np.zeros(3)
    for goal in sequence:
        target = np.array(goal) + (q if relative else 0.0)
        for _ in range(5):
            gated = gate(target, q, v, DT)
            check(v, gated, q)
            q, v = gated.q, gated.velocity


def test_running_into_a_limit_at_full_speed_brakes_in_time():
    gate = JointGate(LIMITS, max_step=10.0)
    q, v = np.array([0.0, 0.0, 1.5]), np.zeros(3)
    for _ in range(500):
        gated = gate(np.array([9.0, 0.0, 1.5]), q, v, DT)
        check(v, gated, q)
        q, v = gated.q, gated.velocity
    assert q[0] == pytest.approx(HIGH[0], abs=1e-3)
    assert abs(v[0]) < 1e-2


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf])
def test_a_goal_that_is_not_finite_is_refused_and_the_arm_brakes(bad):
    v = np.array([1.0, 0.0, 0.0])
    gated = JointGate(LIMITS)(np.array([bad, 0.0, 1.5]), np.array([0.0, 0.0, 1.5]), v, DT)
    assert gated.refused and 'refused' in gated.acted[0]
    assert 0.0 <= gated.velocity[0] < 1.0


def test_a_goal_of_the_wrong_size_is_refused():
    gated = JointGate(LIMITS)(np.zeros(2), np.array([0.0, 0.0, 1.5]), np.zeros(3), DT)
    assert gated.refused
    assert (gated.velocity == 0.0).all()


def test_a_jump_is_refused_and_names_the_joint():
    gated = JointGate(LIMITS, max_step=0.3)(
        np.array([0.0, 0.31, 1.5]), np.array([0.0, 0.0, 1.5]), np.zeros(3), DT)
    assert gated.refused
    assert 'b would jump 0.310 rad' in gated.acted[0]


def test_a_goal_that_is_too_fast_is_slowed_in_its_own_direction():
    q = np.array([0.0, 0.0, 1.5])
    step = np.array([0.01, -0.04, 0.002])  # b wants 4 rad/s and may do 2
    v = step / DT / 2  # already at the speed it may have, so acceleration does not act
    gated = JointGate(LIMITS)(q + step, q, v, DT)
    assert np.allclose(gated.velocity, step / DT / 2)
    assert gated.acted == ('velocity b',)


def test_a_joint_outside_its_limit_may_come_back_and_go_no_further():
    gate = JointGate(LIMITS)
    outside = np.array([1.1, 0.0, 1.5])
    further = gate(outside + [0.01, 0, 0], outside, np.zeros(3), DT)
    assert further.velocity[0] <= 0.0
    back = gate(outside - [0.01, 0, 0], outside, np.zeros(3), DT)
    assert back.velocity[0] < 0.0


def test_a_goal_within_all_limits_passes_unchanged():
    q = np.array([0.0, 0.0, 1.5])
    gated = JointGate(LIMITS)(q + 1e-4, q, np.full(3, 1e-2), DT)
    assert np.allclose(gated.q, q + 1e-4)
    assert gated.acted == () and not gated.refused


@pytest.mark.parametrize(('field', 'value', 'match'), [
    ('velocity', [3, 0, 1], 'positive'), ('acceleration', [5, math.nan, 3], 'finite'),
    ('lower', [-1, 2.5, 0], 'no room'), ('upper', [1, 2], 'expected 3 numbers'),
])
def test_limits_that_make_no_sense_are_refused(field, value, match):
    values = dict(names=('a', 'b', 'c'), lower=[-1, -2, 0], upper=[1, 2, 3],
                  velocity=[3, 2, 1], acceleration=[5, 4, 3])
    with pytest.raises(ConfigError, match=match):
        JointLimits(**{**values, field: value})


@pytest.mark.parametrize('step', [0.0, -1.0, math.nan, math.inf])
def test_a_largest_step_that_bounds_nothing_is_refused(step):
    with pytest.raises(ConfigError, match='max_joint_step'):
        JointGate(LIMITS, max_step=step)
