"""Recorded motion as actions: the exact inverse of how the control side reads a chunk."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.core.errors import InputError
from vla_ros.core.se3 import pose, rotation_from_quaternion, rotation_from_rpy
from vla_ros.core.trajectory import Steps
from vla_ros.core.types import (
    EE_DIMS,
    ActionChunk,
    ActionConvention,
    ActionFrame,
    ActionSpace,
    Rotation,
)
from vla_ros.replay.open_loop.recorded_motion import RecordedMotion

T0, DT, H = 1_700_000_000_000_000_000, 100_000_000, 5
DIMS = (*EE_DIMS, 'gripper')
JOINTS = ('a', 'b', 'c')
ANCHOR = pose(rotation_from_rpy(0.3, -0.2, 0.5), np.array([0.3, 0.1, 0.2]))


def motion(vectors: np.ndarray, openings: np.ndarray | None = None, joints: tuple[str, ...] = (),
           poses: list[np.ndarray] | None = None) -> RecordedMotion:
    """Return a motion with a sample at every knot; with ``poses``, their places are recorded."""
    times = T0 + np.arange(len(vectors)) * DT

    def tool_pose(vector: np.ndarray) -> np.ndarray:
        assert poses is not None
        return poses[round(float(vector[0]))]

    return RecordedMotion('states', times, vectors, openings, tool_pose if poses else None, joints)


@settings(max_examples=30)
@given(st.sampled_from([ActionSpace.EE_DELTA, ActionSpace.EE_POSE]), st.sampled_from(ActionFrame),
       st.sampled_from(Rotation), st.integers(0, 2**32 - 1))
def test_a_tool_that_follows_a_chunk_gives_the_chunk_back(space, frame, rotation, seed) -> None:
    random = np.random.default_rng(seed)
    convention = ActionConvention(space, frame, rotation, 0.05, 0.5, -1.0, 1.0)
    actions = random.uniform(-0.5, 0.5, (H, 7))
    chunk = ActionChunk(T0, DT, actions, DIMS, convention)
    followed = Steps.of(chunk, 6).anchored(ANCHOR, np.zeros(6), T0)
    poses = [pose(rotation_from_quaternion(q / np.linalg.norm(q)), p)
             for p, q in zip(followed.position, followed.quaternion, strict=True)]
    share = (actions[:, -1] - 1.0) / -2.0
    recorded = motion(np.arange(H + 1.0)[:, None], np.concatenate(([0.0], share)), poses=poses)
    found = recorded.fitted(DIMS, convention).actions(T0, H, DT)
    np.testing.assert_allclose(found, actions, atol=1e-9)


@pytest.mark.parametrize('space', [ActionSpace.JOINT_POSITION, ActionSpace.JOINT_DELTA])
def test_joints_that_follow_a_chunk_give_the_chunk_back(space: ActionSpace) -> None:
    convention = ActionConvention(space, rotation_scale=2.0)
    actions = np.random.default_rng(0).uniform(-0.2, 0.2, (H, 3))
    chunk = ActionChunk(T0, DT, actions, JOINTS, convention)
    followed = Steps.of(chunk, 3).anchored(ANCHOR, np.array([0.1, 0.2, 0.3]), T0)
    assert followed.joints is not None
    found = motion(followed.joints, joints=JOINTS).fitted(JOINTS, convention).actions(T0, H, DT)
    np.testing.assert_allclose(found, actions, atol=1e-9)


def test_joints_are_taken_by_name() -> None:
    convention = ActionConvention(ActionSpace.JOINT_POSITION)
    vectors = np.arange(6.0)[:, None] + np.array([0.0, 10.0, 20.0])
    found = motion(vectors, joints=JOINTS).fitted(('c', 'a', 'b'), convention).actions(T0, 1, DT)
    assert found.tolist() == [[21.0, 1.0, 11.0]]


def test_what_was_not_recorded_is_not_known() -> None:
    convention = ActionConvention(ActionSpace.JOINT_POSITION)
    recorded = motion(np.zeros((6, 3)), joints=JOINTS).fitted((*JOINTS, 'gripper'), convention)
    found = recorded.actions(T0 + 3 * DT, 4, DT)
    assert np.isfinite(found[:2, :3]).all()
    assert np.isnan(found[2:]).all()
    assert np.isnan(found[:, 3]).all(), 'nothing tells the gripper'
    assert np.isnan(recorded.actions(T0 - DT, 3, DT)).all(), 'the chunk begins before the bag'


def test_across_a_gap_nothing_is_made_up() -> None:
    times = T0 + np.array([0, 1, 20, 21]) * DT
    recorded = RecordedMotion('states', times, np.zeros((4, 3)), None, None, JOINTS).fitted(
        JOINTS, ActionConvention(ActionSpace.JOINT_POSITION))
    assert np.isfinite(recorded.actions(T0, 1, DT)).all()
    assert np.isnan(recorded.actions(T0 + DT, 1, DT)).all()


def test_states_that_do_not_tell_the_pose_are_refused_for_a_policy_of_the_tool() -> None:
    with pytest.raises(InputError, match='do not tell the pose of the tool'):
        motion(np.zeros((3, 3)), joints=JOINTS).fitted(DIMS, ActionConvention())
    with pytest.raises(InputError, match='3 joints, the policy has 6'):
        motion(np.zeros((3, 3)), joints=JOINTS).fitted(
            tuple('abcdef'), ActionConvention(ActionSpace.JOINT_POSITION))
