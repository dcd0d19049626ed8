"""Trajectories against the products of their steps, written out."""

import math

import numpy as np
import pytest
from fusion_oracle import JOINT_DIMS, MS, N, Sent, knots, make_chunk, random_pose
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.core import se3
from vla_ros.core.errors import ConfigError, InputError
from vla_ros.core.trajectory import Steps
from vla_ros.core.types import (
    EE_DIMS,
    ActionChunk,
    ActionConvention,
    ActionFrame,
    ActionSpace,
    Rotation,
)

TOOL_SPACES = [ActionSpace.EE_DELTA, ActionSpace.EE_POSE]
JOINT_SPACES = [ActionSpace.JOINT_POSITION, ActionSpace.JOINT_DELTA]


@settings(max_examples=60)
@given(st.sampled_from(TOOL_SPACES), st.sampled_from(list(ActionFrame)),
       st.sampled_from(list(Rotation)), st.sampled_from([1, 2, 9]), st.integers(0, 2**31),
       st.sampled_from([0.0, 0.05, 1.0]))
def test_the_knots_are_the_anchor_and_the_poses_after_each_action(
        space, frame, rotation, steps, seed, scale):
    rng = np.random.default_rng(seed)
    chunk = make_chunk(rng, steps=steps, space=space, scale=scale, frame=frame, rotation=rotation,
                       translation_scale=0.5, rotation_scale=0.8)
    sent = Sent(chunk, random_pose(rng), np.zeros(N), 0)
    trajectory = sent.trajectory()
    assert trajectory.cartesian and trajectory.joints is None
    for T, p, q in zip(knots(sent), trajectory.position, trajectory.quaternion, strict=True):
        assert np.allclose(p, T[:3, 3], atol=1e-12)
        assert np.allclose(se3.rotation_from_quaternion(q), T[:3, :3], atol=1e-9)


@given(st.sampled_from(JOINT_SPACES), st.sampled_from([1, 2, 9]), st.integers(0, 2**31))
def test_joint_knots_are_the_measured_joints_and_the_joints_after_each_action(space, steps, seed):
    rng = np.random.default_rng(seed)
    sent = Sent(make_chunk(rng, steps=steps, space=space, rotation_scale=0.8),
                np.eye(4), rng.normal(size=N), 0)
    trajectory = sent.trajectory()
    assert not trajectory.cartesian and trajectory.position is None
    assert np.allclose(trajectory.joints, knots(sent), atol=1e-12)


@given(st.integers(0, 2**31))
def test_a_chunk_of_deltas_ends_at_the_product_of_its_steps(seed):
    rng = np.random.default_rng(seed)
    chunk = make_chunk(rng, steps=50)
    T = sent_from = random_pose(rng)
    for action in chunk.actions:
        T = se3.moved(T, action[:6], 1.0)
    trajectory = Sent(chunk, sent_from, np.zeros(N), 0).trajectory()
    assert np.allclose(trajectory.position[-1], T[:3, 3], atol=1e-12)
    assert np.allclose(se3.rotation_from_quaternion(trajectory.quaternion[-1]), T[:3, :3],
                       atol=1e-9)


def test_the_times_are_those_of_the_chunk():
    chunk = make_chunk(np.random.default_rng(0), stamp_ms=30, steps=8, dt_ms=100)
    trajectory = Steps.of(chunk, N).anchored(np.eye(4), np.zeros(N), arrival_ns=7)
    assert trajectory.chunk is chunk and trajectory.arrival_ns == 7
    assert trajectory.stamp_ns == 30 * MS and trajectory.dt_ns == 100 * MS
    assert trajectory.end_ns == 830 * MS


def test_one_chunk_can_be_anchored_twice_and_neither_changes_the_other():
    rng = np.random.default_rng(0)
    for space in ActionSpace:
        steps = Steps.of(make_chunk(rng, space=space), N)
        first = steps.anchored(np.eye(4), np.zeros(N), 0)
        table = first.table.copy()
        steps.anchored(random_pose(rng), np.ones(N), 0)
        assert (first.table == table).all()
        with pytest.raises(ValueError, match='read-only'):
            first.table[0] = 1.0


@pytest.mark.parametrize(('space', 'dims'), [
    (ActionSpace.EE_DELTA, ('x', 'y', 'z')),
    (ActionSpace.EE_DELTA, ('y', 'x', 'z', 'rx', 'ry', 'rz')),
    (ActionSpace.EE_POSE, ('gripper', *EE_DIMS)),
    (ActionSpace.EE_POSE, JOINT_DIMS),
    (ActionSpace.JOINT_POSITION, EE_DIMS[:N]),
    (ActionSpace.JOINT_POSITION, JOINT_DIMS[:-1]),
    (ActionSpace.JOINT_DELTA, ('gripper', *JOINT_DIMS[1:])),
    (ActionSpace.JOINT_DELTA, (*JOINT_DIMS[1:], JOINT_DIMS[1])),
])
def test_dimensions_that_are_not_those_of_the_space_are_refused_and_named(space, dims):
    chunk = ActionChunk(0, MS, np.zeros((2, len(dims))), dims=dims,
                        convention=ActionConvention(space=space))
    with pytest.raises(ConfigError, match=rf"'{space.value}'.*\[gripper\], found {dims[0]}"):
        Steps.of(chunk, N)


@pytest.mark.parametrize('space', list(ActionSpace))
def test_a_chunk_without_a_gripper_can_be_executed(space):
    dims = JOINT_DIMS if space in JOINT_SPACES else EE_DIMS
    chunk = ActionChunk(0, MS, np.zeros((2, len(dims))), dims=dims,
                        convention=ActionConvention(space=space))
    assert Steps.of(chunk, N).anchored(np.eye(4), np.zeros(N), 0).end_ns == 2 * MS


@pytest.mark.parametrize('number', [1e7, -1e300, math.nextafter(math.inf, 0.0)])
@pytest.mark.parametrize('space', list(ActionSpace))
def test_a_number_that_is_no_motion_of_an_arm_refuses_the_chunk_by_name(space, number):
    dims = JOINT_DIMS if space in JOINT_SPACES else EE_DIMS
    actions = np.zeros((3, len(dims)))
    actions[1, 2] = number
    chunk = ActionChunk(0, MS, actions, dims=dims,
                        convention=ActionConvention(space=space, rotation_scale=2.0))
    with pytest.raises(InputError, match=f"step 1 .*'{dims[2]}'"):
        Steps.of(chunk, N)
