"""Rotations and poses against their definitions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.core import se3
from vla_ros.core.errors import InputError

angles = st.floats(-math.pi, math.pi)
vectors = st.tuples(angles, angles, angles).map(np.array)


def expm(A, terms=60):
    """Return the matrix exponential by its series: the slow obvious oracle."""
    out, term = np.eye(len(A)), np.eye(len(A))
    for k in range(1, terms):
        term = term @ A / k
        out = out + term
    return out


@given(vectors)
def test_rotation_from_vector_is_the_matrix_exponential(r):
    assert np.allclose(se3.rotation_from_vector(r), expm(se3.skew(r)), atol=1e-9)


@given(vectors)
def test_vector_and_rotation_are_inverse_up_to_whole_turns(r):
    R = se3.rotation_from_vector(r)
    back = se3.vector_from_rotation(R)
    assert np.linalg.norm(back) <= math.pi + 1e-9
    assert np.allclose(se3.rotation_from_vector(back), R, atol=1e-7)


@pytest.mark.parametrize('axis', [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 2, -3)])
def test_half_turns_have_a_vector(axis):
    r = np.array(axis) / np.linalg.norm(axis) * math.pi
    back = se3.vector_from_rotation(se3.rotation_from_vector(r))
    assert np.allclose(np.abs(back), np.abs(r), atol=1e-7)


@given(vectors)
def test_quaternions_round_trip(r):
    R = se3.rotation_from_vector(r)
    assert np.allclose(se3.rotation_from_quaternion(se3.quaternion_from_rotation(R)), R, atol=1e-9)


@pytest.mark.parametrize('q', [(0, 0, 0, 0), (math.nan, 0, 0, 1), (math.inf, 0, 0, 0)])
def test_a_quaternion_without_length_is_refused(q):
    with pytest.raises(InputError, match='quaternion'):
        se3.rotation_from_quaternion(np.array(q, dtype=float))


@given(angles, st.floats(-1.5, 1.5), angles)
def test_rpy_turns_about_fixed_axes_in_the_order_x_y_z(roll, pitch, yaw):
    R = (expm(se3.skew(np.array([0, 0, yaw]))) @ expm(se3.skew(np.array([0, pitch, 0])))
         @ expm(se3.skew(np.array([roll, 0, 0]))))
    assert np.allclose(se3.rotation_from_rpy(roll, pitch, yaw), R, atol=1e-9)
    assert np.allclose(se3.rotation_from_rpy(*se3.rpy_from_rotation(R)), R, atol=1e-9)


def test_rpy_at_gimbal_lock_still_gives_the_same_rotation():
    R = se3.rotation_from_rpy(0.3, math.pi / 2, -0.4)
    assert np.allclose(se3.rotation_from_rpy(*se3.rpy_from_rotation(R)), R, atol=1e-7)


@given(vectors, vectors)
def test_inverse_undoes_a_pose(r, p):
    T = se3.pose(se3.rotation_from_vector(r), p)
    assert np.allclose(T @ se3.inverse(T), np.eye(4), atol=1e-9)


@given(vectors, vectors, vectors)
def test_moving_in_the_tool_frame_is_moving_along_the_tools_axes(r, v, w):
    T = se3.pose(se3.rotation_from_vector(r), np.array([0.1, 0.2, 0.3]))
    twist = np.concatenate([v, w])
    R = T[:3, :3]
    in_base = np.concatenate([R @ v, R @ w])
    assert np.allclose(se3.moved(T, twist, 0.1, in_tool_frame=True),
                       se3.moved(T, in_base, 0.1), atol=1e-9)
