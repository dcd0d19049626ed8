"""Many rotations at once, as unit quaternions (N, 4) in the order x y z w.

The functions of :mod:`vla_ros.core.se3` turn one rotation at a time; a trajectory has fifty, and
fusion turns one of each chunk in every control tick. ``q`` and ``-q`` are the same rotation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_TINY = 1e-200  # keeps sin(x)/x and its like at their limit where x is 0
_CONJUGATE: Array = np.array([-1.0, -1.0, -1.0, 1.0])
_NEXT, _LAST = np.array([1, 2, 0]), np.array([2, 0, 1])
_RIGHT_INDEX = np.array([[3, 2, 1, 0], [2, 3, 0, 1], [1, 0, 3, 2], [0, 1, 2, 3]])
_RIGHT_SIGN = np.array([[1.0, -1.0, 1.0, -1.0], [1.0, 1.0, -1.0, -1.0],
                        [-1.0, 1.0, 1.0, -1.0], [1.0, 1.0, 1.0, 1.0]])


def right_matrices(b: Array) -> Array:
    """Return the matrices (..., 4, 4) that multiply by ``b`` (..., 4) from the right: a b = a @ M.

    ``a`` is a row. With the matrices at hand a product of quaternions is one matrix product.
    """
    out: Array = b[..., _RIGHT_INDEX] * _RIGHT_SIGN
    return out


def product(a: Array, b: Array) -> Array:
    """Return the products a b (N, 4): turn by ``b`` first, then by ``a``."""
    out: Array = (a[:, None, :] @ right_matrices(b))[:, 0]
    return out


def conjugate(q: Array) -> Array:
    """Return the inverse rotations (..., 4)."""
    return q * _CONJUGATE


def from_vectors(r: Array) -> Array:
    """Return the quaternions (N, 4) of rotation vectors (N, 3) [rad]."""
    half = np.sqrt((r * r).sum(axis=1)) / 2.0 + _TINY
    return np.column_stack((r * (np.sin(half) / half / 2.0)[:, None], np.cos(half)))


def from_rpy(rpy: Array) -> Array:
    """Return the quaternions (N, 4) of rows roll, pitch, yaw [rad], about fixed axes (REP-103)."""
    (sr, sp, sy), (cr, cp, cy) = np.sin(rpy.T / 2.0), np.cos(rpy.T / 2.0)
    return np.column_stack((
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
        cr * cp * cy + sr * sp * sy))


def to_vectors(q: Array) -> Array:
    """Return the rotation vectors (N, 3) [rad], of length at most pi (the shorter way round)."""
    v, w = q[:, :3], q[:, 3]
    sine = np.sqrt((v * v).sum(axis=1)) + _TINY
    out: Array = v * (np.copysign(2.0, w) * np.arctan2(sine, np.abs(w)) / sine)[:, None]
    return out


def rotated(q: Array, v: Array) -> Array:
    """Return the vectors ``v`` (N, 3), each turned by its quaternion."""
    axis = q[:, :3]
    t = 2.0 * cross(axis, v)
    return v + q[:, 3:] * t + cross(axis, t)


def cross(a: Array, b: Array) -> Array:
    """Return the vector products a x b (N, 3); numpy's own takes three times as long for few."""
    return a[:, _NEXT] * b[:, _LAST] - a[:, _LAST] * b[:, _NEXT]


def rotations(q: Array) -> Array:
    """Return the rotation matrices (N, 3, 3) of unit quaternions (N, 4)."""
    x, y, z, w = q.T
    return np.stack([
        1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
        2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
        2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
    ], axis=-1).reshape(len(q), 3, 3)
