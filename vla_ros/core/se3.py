"""Rotations and rigid motions as numpy arrays: 3x3 rotation matrices and 4x4 poses.

Rotation vectors are axis times angle [rad]. Roll, pitch and yaw turn about fixed axes x, y, z
(REP-103): R = Rz(yaw) Ry(pitch) Rx(roll).

Single rotations are worked out in plain floats: an array operation on three numbers costs as much
as twenty of them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import InputError

Array = NDArray[np.float64]

_SMALL_ANGLE = 1e-8  # rad; below it the first-order terms are exact to double precision
_IDENTITY: Array = np.eye(4)  # to be copied, which takes a fifth of the time of making it


def skew(v: Array) -> Array:
    """Return the matrix [v]x with [v]x w = v x w."""
    x, y, z = float(v[0]), float(v[1]), float(v[2])
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def rotation_from_vector(r: Array) -> Array:
    """Return the 3x3 rotation of a rotation vector (3,) [rad] (Rodrigues' formula)."""
    x, y, z = float(r[0]), float(r[1]), float(r[2])
    angle = math.sqrt(x * x + y * y + z * z)
    s, v = 1.0, 0.5
    if not angle < _SMALL_ANGLE:
        s, v = math.sin(angle) / angle, (1.0 - math.cos(angle)) / (angle * angle)
    return np.array((
        (1.0 - v * (y * y + z * z), v * x * y - s * z, v * x * z + s * y),
        (v * x * y + s * z, 1.0 - v * (x * x + z * z), v * y * z - s * x),
        (v * x * z - s * y, v * y * z + s * x, 1.0 - v * (x * x + y * y)),
    ))


def quaternion_from_rotation(R: Array) -> Array:
    """Return the unit quaternion (x, y, z, w), w >= 0, of a 3x3 rotation.

    Divides by the largest of the four components (Shepperd 1978), so it is exact at half turns.
    """
    return np.array(_quaternion(R))


def _quaternion(R: Array) -> tuple[float, float, float, float]:
    (a, b, c), (d, e, f), (g, h, i) = R.tolist()
    largest = max(a + e + i, a, e, i)
    if largest == a + e + i:
        x, y, z, w = h - f, c - g, d - b, 1.0 + largest
    elif largest == a:
        x, y, z, w = 1.0 + a - e - i, d + b, g + c, h - f
    elif largest == e:
        x, y, z, w = b + d, 1.0 + e - i - a, h + f, c - g
    else:
        x, y, z, w = c + g, f + h, 1.0 + i - a - e, d - b
    length = math.sqrt(x * x + y * y + z * z + w * w)
    if w < 0.0:
        length = -length
    return x / length, y / length, z / length, w / length


def rotation_from_quaternion(q: Array) -> Array:
    """Return the 3x3 rotation of a quaternion (x, y, z, w), normalised first.

    Raises
    ------
    InputError
        When its length is zero or not finite.

    """
    norm = math.sqrt(float(q[0]) ** 2 + float(q[1]) ** 2 + float(q[2]) ** 2 + float(q[3]) ** 2)
    if not 1e-6 <= norm < math.inf:
        raise InputError(f'quaternion {q} has length {norm}; expected a unit quaternion x y z w')
    x, y, z, w = (float(c) / norm for c in q)
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ])


def vector_from_rotation(R: Array) -> Array:
    """Return the rotation vector (3,) of a 3x3 rotation, of length at most pi [rad]."""
    x, y, z, w = _quaternion(R)
    sine = math.sqrt(x * x + y * y + z * z)
    scale = 2.0 if sine < _SMALL_ANGLE else 2.0 * math.atan2(sine, w) / sine
    return np.array((x * scale, y * scale, z * scale))


def rotation_from_rpy(roll: float, pitch: float, yaw: float) -> Array:
    """Return Rz(yaw) Ry(pitch) Rx(roll), angles in rad."""
    cr, sr = math.cos(roll), math.sin(roll)
    cp, sp = math.cos(pitch), math.sin(pitch)
    cy, sy = math.cos(yaw), math.sin(yaw)
    return np.array([
        [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
        [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
        [-sp, cp * sr, cp * cr],
    ])


def rpy_from_rotation(R: Array) -> Array:
    """Return (roll, pitch, yaw) [rad]; at pitch = +-90 degrees roll is taken as 0."""
    pitch = math.atan2(-float(R[2, 0]), math.hypot(float(R[0, 0]), float(R[1, 0])))
    if abs(abs(pitch) - math.pi / 2) < 1e-9:
        return np.array([0.0, pitch, math.atan2(-float(R[0, 1]), float(R[1, 1]))])
    return np.array([math.atan2(float(R[2, 1]), float(R[2, 2])), pitch,
                     math.atan2(float(R[1, 0]), float(R[0, 0]))])


def pose(R: Array, p: Array) -> Array:
    """Return the 4x4 pose of a rotation and a position [m]."""
    T: Array = _IDENTITY.copy()
    T[:3, :3] = R
    T[:3, 3] = p
    return T


def inverse(T: Array) -> Array:
    """Return the inverse of a 4x4 pose."""
    out: Array = _IDENTITY.copy()
    Rt = T[:3, :3].T
    out[:3, :3] = Rt
    out[:3, 3] = -Rt @ T[:3, 3]
    return out


def rotation_angle(R_a: Array, R_b: Array) -> float:
    """Return the angle between two rotations [rad], 0 to pi."""
    return float(np.linalg.norm(vector_from_rotation(R_a.T @ R_b)))


def moved(T: Array, twist: Array, dt: float, in_tool_frame: bool = False) -> Array:
    """Return the pose ``T`` after moving with a twist for ``dt`` seconds.

    Parameters
    ----------
    T : np.ndarray
        (4, 4) T_base_tool.
    twist : np.ndarray
        (6,) velocity of the tool's origin [m/s] and rotation velocity [rad/s], axes of the base
        frame (or of the tool frame). The rotation turns the tool about its own origin.
    dt : float
        Duration [s].
    in_tool_frame : bool
        Whether the twist's axes are the tool's.

    """
    R, p, way = T[:3, :3], T[:3, 3], twist * dt
    turn = rotation_from_vector(way[3:])
    if in_tool_frame:
        return pose(R @ turn, p + R @ way[:3])
    return pose(turn @ R, p + way[:3])
