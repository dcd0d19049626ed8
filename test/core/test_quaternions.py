"""Rows of quaternions against the rotations of se3, one at a time."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vla_ros.core import quaternions, se3

rows = arrays(np.float64, (3, 3), elements=st.floats(-10.0, 10.0))


def matrices(q):
    return [se3.rotation_from_quaternion(row) for row in q]


@given(rows)
def test_quaternions_of_rotation_vectors_are_those_rotations(r):
    q = quaternions.from_vectors(r)
    assert np.allclose(matrices(q), [se3.rotation_from_vector(row) for row in r], atol=1e-9)
    assert np.allclose(np.linalg.norm(q, axis=1), 1.0)


@given(rows)
def test_roll_pitch_yaw_turn_about_fixed_axes(rpy):
    assert np.allclose(matrices(quaternions.from_rpy(rpy)),
                       [se3.rotation_from_rpy(*row) for row in rpy], atol=1e-9)


@settings(max_examples=30)
@given(rows, rows)
def test_the_product_turns_by_the_right_one_first(a, b):
    a, b = quaternions.from_vectors(a), quaternions.from_vectors(b)
    expected = [A @ B for A, B in zip(matrices(a), matrices(b), strict=True)]
    assert np.allclose(matrices(quaternions.product(a, b)), expected, atol=1e-9)
    assert np.allclose(quaternions.product(a, quaternions.conjugate(a)), [0, 0, 0, 1], atol=1e-12)


@given(rows)
def test_vectors_are_at_most_half_a_turn_and_the_same_for_both_quaternions(r):
    q = quaternions.from_vectors(r)
    back = quaternions.to_vectors(q)
    assert (np.linalg.norm(back, axis=1) <= math.pi + 1e-9).all()
    assert np.allclose(matrices(quaternions.from_vectors(back)), matrices(q), atol=1e-9)
    assert (quaternions.to_vectors(-q) == back).all() or np.isclose(q[:, 3], 0.0).any()


def test_no_turn_is_the_zero_vector_and_back():
    zero = np.zeros((2, 3))
    assert (quaternions.from_vectors(zero) == [0, 0, 0, 1]).all()
    assert (quaternions.to_vectors(quaternions.from_vectors(zero)) == 0.0).all()


@given(rows, rows)
def test_vectors_turn_and_cross_as_with_matrices(r, v):
    q = quaternions.from_vectors(r)
    expected = [R @ row for R, row in zip(matrices(q), v, strict=True)]
    assert np.allclose(quaternions.rotated(q, v), expected, atol=1e-9)
    assert np.allclose(quaternions.cross(r, v), np.cross(r, v))
