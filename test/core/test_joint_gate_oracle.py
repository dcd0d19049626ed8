"""The gate, in plain floats, does what the same in arrays does, whatever comes in."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joint_gate_oracle import GateOracle

from vla_ros.core.limits import JointLimits, SingularityLimits, TaskSpaceLimits
from vla_ros.core.safety import Clearances, JointGate, SingularityGuard, ToolBounds, ToolSpeed
from vla_ros.core.se3 import pose

LIMITS = JointLimits(('a', 'b', 'c'), [-1, -2, 0], [1, 2, 3], [3, 2, 1], [5, 4, 3], margin=0.02)
TASK = TaskSpaceLimits([-0.6] * 3, [0.8, 0.8, 1.9], 0.8, 2.0, 1.0, 1.0)


def jacobian(q):
    """Of no real arm; it changes with the joints."""
    return np.vstack([np.diag([1.0, math.cos(q[0]), 0.8]), np.eye(3) * (0.5 + 0.3 * q[1])])


def gates(guarded):
    def forward(q):
        return pose(np.eye(3), q * [1.0, 0.5, 0.7])

    def turn(q):
        J = np.zeros((6, 3))
        J[:3] = np.diag([1.0, 0.5, 0.7])
        return J

    def made():
        if not guarded:
            return JointGate(LIMITS, 0.3)
        guard = SingularityGuard(lambda q: np.diag([1, 1, 1, 1, 1, 0.2 + abs(q[1])]),
                                 SingularityLimits(0.5, 0.25, 0.3))
        return JointGate(LIMITS, 0.3, Clearances([ToolBounds(forward, turn, TASK)]), 0.3, guard,
                         ToolSpeed(jacobian, TASK))
    return made(), GateOracle(made())


number = st.floats(-0.35, 0.35) | st.floats(allow_nan=True, allow_infinity=True)
steps = st.lists(st.tuples(st.tuples(number, number, number), st.sampled_from([0.01, 0.01, 0.03])),
                 min_size=1, max_size=40)
starts = st.tuples(st.floats(-1.2, 1.2), st.floats(-2.2, 2.2), st.floats(-0.2, 3.2))


@pytest.mark.parametrize('guarded', [False, True])
@settings(max_examples=120, deadline=None)
@given(steps=steps, start=starts, kept=st.integers(1, 8))
def test_the_gate_agrees_with_the_oracle(guarded, steps, start, kept):
    gate, oracle = gates(guarded)
    q, v = np.array(start), np.zeros(3)
    for step, dt in steps:
        for _ in range(kept):
            goal = q + step
            fast, slow = gate(goal, q, v, dt), oracle(goal, q, v, dt)
            np.testing.assert_allclose(fast.velocity, slow.velocity, rtol=0, atol=1e-9)
            np.testing.assert_allclose(fast.q, slow.q, rtol=0, atol=1e-11)
            assert fast.refused == slow.refused
            assert fast.acted == slow.acted
            q, v = slow.q, slow.velocity
