"""A stream of trajectories moves a lagging arm as smoothly as the commands do.

The controller here is a model of ``joint_trajectory_controller``: a new trajectory begins at the
measured joints unless its first point has passed, as ``Trajectory::sample`` has it.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.robots.adapters.trajectory import SPLICE_S, TrajectoryPoint, TrajectoryStream

ACCELERATION, LIMIT = np.array([5.0]), np.array([9.0])
DT, LAG = 0.002, 0.03  # s: controller period, and how far the arm is behind its command
AMPLITUDE, FREQUENCY = 0.5, 0.3  # of the commanded motion [rad], [Hz]
PEAK = AMPLITUDE * (2 * np.pi * FREQUENCY) ** 2  # its largest acceleration [rad/s^2]


def stream(ends_at_rest: bool = True) -> TrajectoryStream:
    return TrajectoryStream(0.1, ACCELERATION, -LIMIT, LIMIT, ends_at_rest)


def commanded(t: float) -> tuple[float, float]:
    w = 2 * np.pi * FREQUENCY
    return AMPLITUDE * (1 - np.cos(w * t)), AMPLITUDE * w * np.sin(w * t)


class Controller:
    """Follows the last trajectory by the clock; ``points`` in absolute time."""

    def __init__(self) -> None:
        self.points: list[tuple[float, float, float]] = []

    def take(self, now: float, measured: tuple[float, float],
             points: list[tuple[float, float, float]]) -> None:
        self.points = points if now >= points[0][0] else [(now, *measured), *points]

    def at(self, t: float) -> float:
        for (t0, q0, v0), (t1, q1, v1) in pairwise(self.points):
            if t < t1:
                T, s = t1 - t0, (t - t0) / (t1 - t0)
                return ((2 * s**3 - 3 * s**2 + 1) * q0 + (s**3 - 2 * s**2 + s) * T * v0
                        + (3 * s**2 - 2 * s**3) * q1 + (s**3 - s**2) * T * v1)
        return self.points[-1][1]


def run(ours: bool, jitter: float = 0.0, hz: float = 50.0) -> tuple[float, float]:
    """Return the arm's largest acceleration [rad/s^2] and error after a lag of its own [rad]."""
    rng = np.random.default_rng(1)
    made, controller = stream(), Controller()
    q = v = command = 0.0
    due, waiting, moved, accelerations = 0.0, [], [], []
    w = 2 / LAG
    for k in range(3000):
        t = k * DT
        if t >= due - 1e-9:
            due += 1 / hz
            goal, speed = (np.array([x]) for x in commanded(t))
            begin, points = made.next(round((t + 1) * 1e9), goal, speed, np.array([q]))
            absolute = [(begin * 1e-9 - 1 + p.time, float(p.position[0]), float(p.velocity[0]))
                        for p in points]
            waiting.append((t + rng.uniform(0.0, jitter), absolute))
        if waiting and t >= waiting[0][0]:
            _, points = waiting.pop(0)
            # Naively: from the first point in the future on, beginning when it comes.
            controller.take(t, (q, v), points if ours else points[1:])
        command = controller.at(t) if controller.points else 0.0
        a = w * w * (command - q) - 2 * w * v
        v += a * DT
        q += v * DT
        moved.append(q)
        accelerations.append(abs(a))
    path = np.array(moved)
    ideal = np.array([commanded(k * DT)[0] for k in range(3000)])
    behind = min(range(20, 300), key=lambda n: np.abs(path[n:] - ideal[:-n])[500:].max())
    return max(accelerations[500:]), float(np.abs(path[behind:] - ideal[:-behind])[500:].max())


@pytest.mark.parametrize('jitter', [0.0, 0.008])
def test_the_arm_accelerates_no_more_than_it_is_commanded_to(jitter):
    acceleration, error = run(ours=True, jitter=jitter)
    assert acceleration < 1.1 * PEAK
    assert error < 2e-3


def test_beginning_at_the_measured_joints_would_shake_it():
    acceleration, _ = run(ours=False)
    assert acceleration > 20 * PEAK


@given(st.lists(st.tuples(st.floats(-2.0, 2.0), st.floats(-3.0, 3.0),
                          st.integers(1_000_000, 300_000_000)), min_size=1, max_size=20))
def test_each_trajectory_joins_the_one_before_and_ends_at_rest(commands):
    made, controller, now = stream(), Controller(), 10_000_000_000
    for q, v, step in commands:
        now += step
        begin, points = made.next(now, np.array([q]), np.array([v]), np.array([q]))
        assert begin == now - round(SPLICE_S * 1e9)
        times = [point.time for point in points]
        assert times[0] == 0.0
        assert all(b > a for a, b in pairwise(times))
        assert points[-1].velocity[0] == 0.0
        assert any(point.position[0] == q for point in points)
        if controller.points:
            assert points[0].position[0] == pytest.approx(controller.at(begin * 1e-9), abs=1e-6)
        controller.take(now * 1e-9, (q, 0.0), [
            (begin * 1e-9 + p.time, float(p.position[0]), float(p.velocity[0])) for p in points])


@given(st.floats(-2.9, 2.9), st.floats(-3.0, 3.0))
def test_braking_is_as_strong_as_allowed_and_stays_within_the_limits(q, v):
    low, high = np.array([-3.0]), np.array([3.0])
    made = TrajectoryStream(0.1, ACCELERATION, low, high)
    _, points = made.next(0, np.array([q]), np.array([v]), np.array([q]))
    last = points[-1]
    assert low[0] <= last.position[0] <= high[0]
    reached = next(p for p in points if p.position[0] == q and p.time > 0)
    if last is not reached and abs(last.position[0]) < 3.0:
        braking = reached.velocity[0] / (last.time - reached.time)
        assert abs(braking) <= ACCELERATION[0] * (1 + 1e-9)
        # The cubic between the two points is one of constant deceleration.
        middle = _position(reached, last, 0.5)
        assert middle == pytest.approx(q + 0.75 * (last.position[0] - q), abs=1e-9)


def _position(a: TrajectoryPoint, b: TrajectoryPoint, s: float) -> float:
    T = b.time - a.time
    return float(((2 * s**3 - 3 * s**2 + 1) * a.position + (s**3 - 2 * s**2 + s) * T * a.velocity
                  + (3 * s**2 - 2 * s**3) * b.position + (s**3 - s**2) * T * b.velocity)[0])


def test_where_the_controller_allows_it_a_trajectory_may_end_in_motion():
    _, points = stream(ends_at_rest=False).next(0, np.array([0.1]), np.array([0.5]), np.zeros(1))
    assert points[-1].velocity[0] == 0.5


def test_after_a_reset_it_begins_at_the_measured_joints():
    made = stream()
    made.next(0, np.array([1.0]), np.array([0.5]), np.array([1.0]))
    made.reset()
    _, points = made.next(10_000_000, np.array([0.3]), np.array([0.0]), np.array([0.3]))
    assert points[0].position[0] == 0.3
    assert points[0].velocity[0] == 0.0
