"""A chain as lines in space: where the joint axes are when every joint is at zero."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vla_ros.ik.arm_model import ArmModel

Array = NDArray[np.float64]


class ScrewAxes:
    """The product of exponentials T_base_tool = e_1(q_1) ... e_n(q_n) T_0 (Brockett 1984).

    Joint i turns everything after it about the line through ``points[i]`` along
    ``directions[i]``, both as they are with all joints at zero.

    Attributes
    ----------
    directions, points : np.ndarray
        (n, 3) unit vectors, and positions [m], in the base frame.
    T_0 : np.ndarray
        (4, 4) T_base_tool with all joints at zero.
    revolute : tuple[bool, ...]
        Whether each joint turns.

    """

    def __init__(self, arm: ArmModel) -> None:
        pin, model, data = arm.pin, arm.model, arm.data
        zero = np.zeros(model.nq)
        J = pin.computeJointJacobians(model, data, zero)
        base = arm.world_base.inverse()
        R_base_world = np.array(base.rotation)
        self.directions = np.array(J[3:]).T @ R_base_world.T
        self.points = np.array([base.act(data.oMi[i].translation)
                                for i in range(1, arm.n + 1)])
        self.revolute = tuple(bool(np.linalg.norm(a) > 0.5) for a in self.directions)
        self.T_0 = arm.forward(zero)
        K = [_cross_matrix(a) for a in self.directions]
        self._K = np.array(K)
        self._K2 = self._K @ self._K

    def rotations(self, joint: int, angles: Array) -> Array:
        """Return the rotations (k, 3, 3) of a joint for angles (k,) [rad]."""
        sines, cosines = np.sin(angles)[:, None, None], np.cos(angles)[:, None, None]
        R: Array = np.eye(3) + sines * self._K[joint] + (1.0 - cosines) * self._K2[joint]
        return R

    def turn(self, joint: int, start: Array, end: Array) -> Array:
        """Return the angles (k,) by which a joint turns vectors (k, 3) toward others (k, 3).

        Only what is at right angles to the axis counts; where nothing is, the angle is NaN.
        """
        a = self.directions[joint]
        sine = ((start @ self._K[joint].T) * end).sum(axis=-1)
        cosine = (start * end).sum(axis=-1) - (start @ a) * (end @ a)
        angle: Array = np.arctan2(sine, cosine)
        angle[sine * sine + cosine * cosine < 1e-24] = np.nan
        return angle

    def angle_between(self, i: int, j: int) -> float:
        """Return the angle of two axes, their directions' signs apart, 0 to pi / 2 [rad]."""
        sine = np.linalg.norm(np.cross(self.directions[i], self.directions[j]))
        return float(np.arctan2(sine, abs(self.directions[i] @ self.directions[j])))

    def gap(self, i: int, j: int) -> float:
        """Return the shortest distance of two axes that are not parallel [m]."""
        normal = np.cross(self.directions[i], self.directions[j])
        return float(abs(normal @ (self.points[j] - self.points[i])) / np.linalg.norm(normal))

    def crossing(self, i: int, j: int) -> Array:
        """Return the point of axis i that is nearest to axis j, (3,) [m]."""
        a, b = self.directions[i], self.directions[j]
        across = self.points[j] - self.points[i]
        along = a @ b
        reach = ((across @ a) - (across @ b) * along) / (1.0 - along * along)
        point: Array = self.points[i] + reach * a
        return point

    def distance(self, i: int, point: Array) -> float:
        """Return the distance of a point (3,) from axis i [m]."""
        return float(np.linalg.norm(np.cross(self.directions[i], point - self.points[i])))


def two_angles(A: float, B: float, c: Array, slack: float) -> Array:
    """Return both x (..., 2) [rad] with A cos x + B sin x = c (...,); NaN where there is none.

    A ``c`` out of range by no more than the fraction ``slack`` gives two angles beside the end of
    the range, as far from it as one that is in range by as much: the exact solution that is
    looked for from there lies to either side.
    """
    size = math.hypot(A, B)
    if size == 0.0:
        return np.full((*np.shape(c), 2), np.nan)
    share = np.abs(c) / size
    beyond = share > 1.0
    inside = np.where(beyond, np.where(share <= 1.0 + slack, 2.0 - share, np.nan), share)
    spread = np.arccos(np.copysign(inside, c))
    middle = math.atan2(B, A)
    return np.stack((middle + spread, middle - spread), axis=-1)


class TwoLinks:
    """Joints i and i + 1 with parallel axes that take a point somewhere in their plane.

    Parameters
    ----------
    axes : ScrewAxes
        The arm.
    first : int
        Joint i.
    point : np.ndarray
        (3,) where the point is with all joints at zero [m].

    """

    def __init__(self, axes: ScrewAxes, first: int, point: Array) -> None:
        h = axes.directions[first]
        x = np.cross(h, [1.0, 0.0, 0.0] if abs(h[0]) < 0.7 else [0.0, 1.0, 0.0])
        x /= np.linalg.norm(x)
        # In the plane, as complex numbers: the angle of a quotient is that between two vectors.
        self._plane = x + 1j * np.cross(h, x)
        self._origin = axes.points[first]
        self._upper = complex((axes.points[first + 1] - self._origin) @ self._plane)
        self._lower = complex((point - axes.points[first + 1]) @ self._plane)
        self._sign = float(np.sign(axes.directions[first + 1] @ h))

    def solve(self, goal: Array, slack: float) -> tuple[Array, Array]:
        """Return the angles of both joints (k, 2) [rad] for goals (k, 3) [m]; NaN out of reach.

        What lies along the axes is ignored. ``slack`` is that of :func:`two_angles`.
        """
        upper, lower = self._upper, self._lower
        to_goal = (goal - self._origin) @ self._plane
        bend = two_angles(2.0 * abs(upper) * abs(lower), 0.0,
                          np.abs(to_goal)**2 - abs(upper)**2 - abs(lower)**2, slack)
        elbow = bend - np.angle(lower / upper)
        reached = upper + lower * np.exp(1j * elbow)
        return np.angle(to_goal[:, None] * reached.conj()), self._sign * elbow


def _cross_matrix(a: Array) -> Array:
    return np.array([[0.0, -a[2], a[1]], [a[2], 0.0, -a[0]], [-a[1], a[0], 0.0]])
