"""The tool brakes in time for the workspace's faces and for keep-out boxes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.core.limits import JointLimits, KeepOut, TaskSpaceLimits
from vla_ros.core.safety import Clearances, JointGate, ToolBounds
from vla_ros.core.safety.tool_bounds import _BEYOND
from vla_ros.core.se3 import pose, rotation_from_vector

DT = 0.01
POST = KeepOut('post', [0.2, -0.1, 0.1], [0.3, 0.1, 0.5])
TASK = TaskSpaceLimits([-0.5, -0.5, 0.1], [0.5, 0.5, 0.6], 0.3, 1.0, 0.1, 1.0, (POST,))
JOINTS = JointLimits(('x', 'y', 'z'), [-2] * 3, [2] * 3, [1.0] * 3, [2.0] * 3)
# The tool is turned: its axes are not the base's.
R = rotation_from_vector(np.array([0.3, -0.5, 0.2]))


def forward(q):
    return pose(R, np.asarray(q))


def jacobian(q):
    J = np.zeros((6, 3))
    J[:3] = R.T
    return J


BOUNDS = ToolBounds(forward, jacobian, TASK)
point = st.tuples(st.floats(-0.7, 0.7), st.floats(-0.7, 0.7), st.floats(0, 0.8)).map(np.array)


def slow_distance(p, box):
    """The obvious distance to a box, by many points of it; inside, to the nearest face."""
    if ((p > box.lower) & (p < box.upper)).all():
        return -min(*(p - box.lower), *(box.upper - p))
    return float(np.linalg.norm(p - np.clip(p, box.lower, box.upper)))


@given(point)
def test_distances_are_those_of_the_boxes(p):
    found = {near.names[1]: near for near in BOUNDS.near(p)}
    if slow_distance(p, POST) < 0.14:
        assert found['post'].distance == pytest.approx(slow_distance(p, POST), abs=1e-9)
    for i, axis in enumerate('xyz'):
        if p[i] - TASK.lower[i] < 0.14:
            assert found[f'workspace lower {axis}'].distance == pytest.approx(p[i] - TASK.lower[i])
        if TASK.upper[i] - p[i] < 0.14:
            assert found[f'workspace upper {axis}'].distance == pytest.approx(TASK.upper[i] - p[i])
    beyond = {near.pair for near in found.values() if near.distance < -_BEYOND}
    assert {k for k, _ in BOUNDS.distances(p)} == beyond


@given(point, st.tuples(*[st.floats(-1, 1)] * 3).map(np.array))
def test_gradients_are_the_change_of_the_distances(p, direction):
    step = 1e-6 * direction
    after = {n.pair: n.distance for n in BOUNDS.near(p + step)}
    before = {n.pair: n.distance for n in BOUNDS.near(p - step)}
    for near in BOUNDS.near(p):
        change = (after.get(near.pair, near.distance) - before.get(near.pair, near.distance)) / 2
        one_sided = [after.get(near.pair, near.distance) - near.distance,
                     near.distance - before.get(near.pair, near.distance)]
        if abs(one_sided[0] - one_sided[1]) < 1e-12:  # not on an edge
            assert change == pytest.approx(near.gradient @ step, abs=1e-9)


wild = st.lists(st.tuples(st.floats(-2, 2), st.floats(-2, 2), st.floats(-2, 2)), min_size=1,
                max_size=20)


@settings(max_examples=25, deadline=None)
@given(wild)
def test_whatever_is_wanted_the_tool_stays_in_the_workspace_and_out_of_the_boxes(sequence):
    gate = JointGate(JOINTS, 10.0, BOUNDS)
    q, v = np.array([0.0, 0.0, 0.3]), np.zeros(3)
    for goal in sequence:
        for _ in range(25):
            gated = gate(np.array(goal), q, v, DT)
            q, v = gated.q, gated.velocity
            assert (q >= TASK.lower - 1e-3).all() and (q <= TASK.upper + 1e-3).all()
            assert slow_distance(q, POST) >= -1e-3


def test_the_tool_reaches_the_face_itself_and_slides_along_it():
    gate = JointGate(JOINTS, 10.0, BOUNDS)
    q, v = np.array([0.0, 0.0, 0.3]), np.zeros(3)
    for _ in range(200):
        gated = gate(np.array([q[0], 0.0, 0.1]), q, v, DT)  # as limit_pose leaves it: on the face
        q, v = gated.q, gated.velocity
    assert q[2] == pytest.approx(0.1, abs=1e-4)
    rng = np.random.default_rng(0)
    start = q.copy()
    for _ in range(100):
        noise = 1e-5 * rng.normal(size=3)  # of a solver
        gated = gate(np.array([q[0] + 1e-3, 0.0, 0.1]) + noise, q, v, DT)
        q, v = gated.q, gated.velocity
    assert q[0] - start[0] > 0.08


def test_several_clearances_count_their_pairs_apart():
    both = Clearances([BOUNDS, ToolBounds(forward, jacobian, TASK)])
    at = np.array([0.45, 0.0, 0.12])
    pairs = [near.pair for near in both.near(at)]
    assert len(pairs) == len(set(pairs)) == 2 * len(BOUNDS.near(at))
    beyond = np.array([0.6, 0.0, 0.0])
    assert {k for k, _ in both.distances(beyond)} <= {near.pair for near in both.near(beyond)}
    assert len(both.distances(beyond)) == 4
