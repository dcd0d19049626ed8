"""The gate: nothing outside a limit passes, whatever goal it is given."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.core.errors import ConfigError, InvariantError
from vla_ros.core.limits import ClearanceLimits, JointLimits, SingularityLimits
from vla_ros.core.safety import JointGate, Proximity, SingularityGuard

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


# What comes in is not only the goal.

@pytest.mark.parametrize('bad', [np.array([math.nan, 0, 0]), np.array([0, math.inf, 0]),
                                 np.zeros(2)])
def test_a_last_velocity_that_cannot_be_used_counts_as_rest(bad):
    q = np.array([0.0, 0.0, 1.5])
    gated = JointGate(LIMITS)(q + 0.1, q, bad, DT)
    check(np.zeros(3), gated, q)
    assert gated.velocity.any()


@pytest.mark.parametrize('bad', [np.array([math.nan, 0, 1.5]), np.zeros(2)])
def test_without_a_last_command_there_is_no_next_one(bad):
    with pytest.raises(InvariantError, match='last command'):
        JointGate(LIMITS)(np.array([0.0, 0.0, 1.5]), bad, np.zeros(3), DT)


@pytest.mark.parametrize('dt', [0.0, -0.01, math.nan, math.inf])
def test_in_no_time_nothing_moves(dt):
    q, v = np.array([0.0, 0.0, 1.5]), np.array([0.1, 0.0, 0.0])
    gated = JointGate(LIMITS)(q + 0.01, q, v, dt)
    assert np.array_equal(gated.q, q) and np.array_equal(gated.velocity, v)
    assert gated.refused and 'dt' in gated.acted[0]


def test_what_comes_in_is_not_written_to():
    q, v = np.array([0.0, 0.0, 1.5]), np.array([0.1, 0.0, 0.0])
    goal = q + 0.1
    for a in (q, v, goal):
        a.setflags(write=False)
    JointGate(LIMITS)(goal, q, v, DT)
    JointGate(LIMITS)(goal, q, v, 0.0).q[0] = 1.0


def test_near_a_limit_all_joints_slow_down_together_so_that_the_direction_stays():
    gate = JointGate(LIMITS, max_step=10.0)
    start = np.array([0.0, 0.0, 1.5])
    q, v = start, np.zeros(3)
    for _ in range(400):
        gated = gate(start + [2.0, 1.0, 0.5], q, v, DT)
        assert np.allclose(np.cross(gated.q - start, [2.0, 1.0, 0.5]), 0.0, atol=1e-9)
        q, v = gated.q, gated.velocity
    assert q[0] == pytest.approx(HIGH[0], abs=1e-3)
    assert gated.acted and 'position limit a' in gated.acted


def test_at_a_limit_only_motion_toward_it_is_held():
    gate = JointGate(LIMITS)
    at_limit = np.array([HIGH[0], 0.0, 1.5])
    toward = gate(at_limit + [0.001, 0.001, 0.0], at_limit, np.zeros(3), DT)
    assert not toward.velocity.any()
    along = gate(at_limit + [0.0, 1e-4, 0.0], at_limit, np.zeros(3), DT)
    away = gate(at_limit - [1e-4, 0.0, 0.0], at_limit, np.zeros(3), DT)
    assert np.allclose(along.q, at_limit + [0.0, 1e-4, 0.0]) and along.acted == ()
    assert np.allclose(away.q, at_limit - [1e-4, 0.0, 0.0]) and away.acted == ()


@settings(max_examples=100, deadline=None)
@given(goals)
def test_from_any_moment_on_the_arm_can_brake_straight_to_a_stop_within_its_limits(sequence):
    gate = JointGate(LIMITS, max_step=10.0)
    q, v = np.array([0.0, 0.0, 1.5]), np.zeros(3)
    for goal in sequence:
        for _ in range(4):
            gated = gate(np.array(goal), q, v, DT)
            q, v = gated.q, gated.velocity
    q_brake, v_brake = q, v
    while v_brake.any():
        gated = gate(q_brake, q_brake, v_brake, DT)  # the goal of a stop: where it is
        check(v_brake, gated, q_brake)
        assert np.allclose(np.cross(gated.velocity, v), 0.0, atol=1e-6)
        q_brake, v_brake = gated.q, gated.velocity


# Clearance

class Ball:
    """A point in joint space that keeps away from a ball around (0.5, 0, 1.5)."""

    centre, radius = np.array([0.5, 0.0, 1.5]), 0.2

    def distance(self, q):
        return float(np.linalg.norm(q - self.centre)) - self.radius

    def near(self, q):
        d = self.distance(q)
        if d >= 0.1:
            return []
        gradient = (q - self.centre) / np.linalg.norm(q - self.centre)
        return [Proximity(7, ('hand', 'ball'), d, 0.1, 0.02, gradient)]

    def distances(self, q):
        return [(7, d)] if (d := self.distance(q)) < 0.02 else []


class Bar:
    """A bar of height a and tilt b over a floor; of its two ends only the lower is reported."""

    length = 0.5

    def ends(self, q):
        return [(q[0] + s * self.length * math.sin(q[1]), s) for s in (-1, 1)]

    def near(self, q):
        d, s = min(self.ends(q))
        if d >= 0.1:
            return []
        gradient = np.array([1.0, s * self.length * math.cos(q[1]), 0.0])
        return [Proximity(0, ('bar', 'floor'), d, 0.1, 0.02, gradient)]

    def distances(self, q):
        d = min(self.ends(q))[0]
        return [(0, d)] if d < 0.02 else []

    def distance(self, q):
        return min(self.ends(q))[0]


wild = st.lists(st.tuples(st.floats(-1.5, 1.5), st.floats(-2, 2), st.floats(0, 3)),
                min_size=1, max_size=25)


@pytest.mark.parametrize(('scene', 'start'), [(Ball(), (0.0, 0.0, 1.5)), (Bar(), (0.6, 0.0, 1.5))])
@settings(max_examples=60, deadline=None)
@given(sequence=wild)
def test_no_sequence_of_goals_brings_two_bodies_nearer_than_they_may_be(scene, start, sequence):
    gate = JointGate(LIMITS, max_step=10.0, clearance=scene, approach_speed=0.5)
    q, v = np.array(start), np.zeros(3)
    for goal in sequence:
        for _ in range(25):
            gated = gate(np.array(goal), q, v, DT)
            check(v, gated, q)
            q, v = gated.q, gated.velocity
            assert scene.distance(q) >= 0.02 - 1e-3


def test_an_approach_slows_down_in_its_direction_then_ends_and_the_pair_is_named():
    ball = Ball()
    gate = JointGate(LIMITS, max_step=10.0, clearance=ball, approach_speed=0.2)
    q, v = np.array([0.0, 0.0, 1.5]), np.zeros(3)
    for _ in range(600):
        gated = gate(q + [0.003, 0.0, 0.0], q, v, DT)
        q, v = gated.q, gated.velocity
        assert np.allclose(q[1:], [0.0, 1.5])
        d = ball.distance(q)
        if d < 0.09:
            assert v[0] <= 0.2 * (d - 0.02) / 0.08 + 0.01
    assert ball.distance(q) == pytest.approx(0.02, abs=1e-3)
    assert gated.acted[0].startswith('clearance hand to ball')


def test_two_bodies_that_are_too_near_already_may_part_or_pass_and_not_come_nearer():
    gate = JointGate(LIMITS, clearance=Ball())
    q = np.array([0.29, 0.0, 1.5])  # 1 cm
    nearer = gate(q + [1e-3, 0, 0], q, np.zeros(3), DT)
    assert not nearer.velocity.any()
    part = gate(q - [1e-4, 0, 0], q, np.zeros(3), DT)
    assert np.allclose(part.q, q - [1e-4, 0, 0]) and part.acted == ()
    passing = gate(q + [0, 1e-4, 0], q, np.zeros(3), DT)
    assert np.allclose(passing.q, q + [0, 1e-4, 0])


def test_far_away_nothing_is_slowed():
    far = np.array([-0.5, 0.0, 1.5])
    gated = JointGate(LIMITS, clearance=Ball())(far + [1e-4, 0, 0], far, np.zeros(3), DT)
    assert gated.acted == ()


@pytest.mark.parametrize('speed', [0.0, -1.0, math.nan, math.inf])
def test_an_approach_speed_that_bounds_nothing_is_refused(speed):
    with pytest.raises(ConfigError, match='approach_speed'):
        JointGate(LIMITS, approach_speed=speed)


@pytest.mark.parametrize('values', [(0.01, 0.02, 0.02, 0.001, 0.2), (0.05, 0.01, 0.0, 0.0, 0.2),
                                    (0.05, -0.01, 0.02, 0.001, 0.2),
                                    (0.05, 0.01, 0.02, 0.001, math.nan)])
def test_clearance_limits_that_make_no_sense_are_refused(values):
    with pytest.raises(ConfigError, match='clearance'):
        ClearanceLimits(*values)


# Singularity

def test_toward_a_singularity_the_gate_slows_all_joints_and_away_from_it_none():
    guard = SingularityGuard(lambda q: np.diag([1, 1, abs(q[0])]),
                             SingularityLimits(slow_below=0.4, halt_below=0.1, resume_above=0.2))
    gate = JointGate(LIMITS, singularity=guard)
    q, v = np.array([0.25, 0.0, 1.5]), np.array([-0.05, 0.05, 0.0])
    toward = gate(q + v * 2 * DT, q, v, DT)
    assert np.allclose(toward.velocity, v)
    assert toward.acted == ('singularity: slowed at 0.2500',)
    away = gate(q - v * DT, q, -v, DT)
    assert np.allclose(away.velocity, -v) and away.acted == ()
