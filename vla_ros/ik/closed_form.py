"""Closed-form inverse kinematics of the two kinds of arm that this package drives.

Both take the axes as ideal: exactly parallel, square and meeting. A real URDF is off by its
rounding, and by a little more in a Piper; :class:`vla_ros.ik.analytic_ik.AnalyticIk` takes that
away with Newton steps.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vla_ros.ik.screw_axes import ScrewAxes, TwoLinks, two_angles

Array = NDArray[np.float64]

MAX_OFFSET = 1e-3  # m by which axes that should meet may miss each other
MAX_TILT = 2e-3  # rad by which axes may be off parallel or square
SLACK = 2e-3  # of a cosine: an ideal arm may fall short of what the real one just reaches


class ClosedForm(Protocol):
    """All joint positions of an ideal arm for a pose."""

    def branches(self, T_base_tool: Array, seed: Array) -> Array:
        """Return joint positions (k, 6) [rad], any turn; rows with NaN do not exist.

        Where a joint is free (a singularity), it stays at the seed's (6,) [rad].
        """


class SphericalWrist:
    """Axes 2 and 3 parallel and square to 1; 4, 5 and 6 meet in one point (Piper; Pieper 1968).

    The wrist point lies on axis 6, so the goal gives it. Joint 1 turns the arm's plane to it,
    joints 2 and 3 reach it as a two-link arm, and the rotation that is left is that of the wrist.
    """

    def __init__(self, axes: ScrewAxes) -> None:
        self._axes = axes
        self._wrist = axes.crossing(3, 4)
        self._wrist_tool = axes.T_0[:3, :3].T @ (self._wrist - axes.T_0[:3, 3])
        self._arm = TwoLinks(axes, 1, self._wrist)
        self._face = _Facing(axes, self._wrist)
        self._bent = _bending(axes, 3)

    @staticmethod
    def misfits(axes: ScrewAxes) -> list[str]:
        """Return in words what keeps an arm from having this form."""
        found = [*_not_parallel(axes, [(1, 2)]),
                 *_not_square(axes, [(0, 1), (3, 4), (4, 5)])]
        if not found:
            miss = axes.distance(5, axes.crossing(3, 4)) + axes.gap(3, 4)
            if not miss <= MAX_OFFSET:
                found.append(f'axes 4, 5 and 6 miss each other by {miss * 1e3:.1f} mm')
        return found

    def branches(self, T_base_tool: Array, seed: Array) -> Array:
        """Return joint positions (8, 6) [rad]; see :class:`ClosedForm`."""
        axes = self._axes
        a, p = axes.directions, axes.points
        R_goal = T_base_tool[:3, :3]
        to_wrist = R_goal @ self._wrist_tool + T_base_tool[:3, 3] - p[0]
        q1 = self._face.angles(to_wrist, seed[0])
        R1 = axes.rotations(0, q1)
        q2, q3 = self._arm.solve(to_wrist @ R1 + p[0], SLACK)  # (2, 2) each
        q1, q2, q3 = q1.repeat(2), q2.ravel(), q3.ravel()
        R_arm = R1.repeat(2, axis=0) @ axes.rotations(1, q2) @ axes.rotations(2, q3)
        # What joints 4, 5 and 6 have to turn together.
        R_wrist = R_arm.swapaxes(1, 2) @ (R_goal @ axes.T_0[:3, :3].T)
        pointing = R_wrist @ a[5]
        q5 = two_angles(*self._bent, pointing @ a[3], SLACK).ravel()
        R_wrist, pointing = R_wrist.repeat(2, axis=0), pointing.repeat(2, axis=0)
        R5 = axes.rotations(4, q5)
        q4 = axes.turn(3, R5 @ a[5], pointing)
        # With axes 4 and 6 in line, only their sum counts.
        q4 = np.where(np.isnan(q4) & ~np.isnan(q5), seed[3], q4)
        R6 = (axes.rotations(3, q4) @ R5).swapaxes(1, 2) @ R_wrist
        q6 = axes.turn(5, a[4], R6 @ a[4])
        return np.column_stack((q1.repeat(2), q2.repeat(2), q3.repeat(2), q4, q5, q6))


class ParallelElbow:
    """Axes 2, 3 and 4 parallel and square to 1; 4 meets 5 and 5 meets 6 (UR; Hawkins 2013).

    Turning about 2, 3 and 4 changes neither a point's distance along them nor an angle to them.
    So the point where 5 meets 6 gives joint 1, the direction of axis 6 gives joint 5, and that of
    axis 2, seen from the tool, joint 6. What is left is a two-link arm and a sum.
    """

    def __init__(self, axes: ScrewAxes) -> None:
        self._axes = axes
        self._last = axes.crossing(5, 4)
        self._last_tool = axes.T_0[:3, :3].T @ (self._last - axes.T_0[:3, 3])
        elbow_end = axes.crossing(3, 4)
        self._last_to_elbow_end = elbow_end - self._last
        self._arm = TwoLinks(axes, 1, elbow_end)
        self._face = _Facing(axes, self._last)
        self._bent = _bending(axes, 1)
        self._signs = np.sign(axes.directions[1:4] @ axes.directions[1])

    @staticmethod
    def misfits(axes: ScrewAxes) -> list[str]:
        """Return in words what keeps an arm from having this form."""
        found = [*_not_parallel(axes, [(1, 2), (1, 3)]),
                 *_not_square(axes, [(0, 1), (3, 4), (4, 5)])]
        if not found:
            found += [f'axes {i + 1} and {j + 1} miss each other by {axes.gap(i, j) * 1e3:.1f} mm'
                      for i, j in ((3, 4), (4, 5)) if not axes.gap(i, j) <= MAX_OFFSET]
        return found

    def branches(self, T_base_tool: Array, seed: Array) -> Array:
        """Return joint positions (8, 6) [rad]; see :class:`ClosedForm`."""
        axes = self._axes
        a, p = axes.directions, axes.points
        h = a[1]
        R_goal = T_base_tool[:3, :3]
        to_last = R_goal @ self._last_tool + T_base_tool[:3, 3] - p[0]
        q1 = self._face.angles(to_last, seed[0])
        R1 = axes.rotations(0, q1)
        # What joints 2 to 6 have to turn together.
        R_rest = R1.swapaxes(1, 2) @ (R_goal @ axes.T_0[:3, :3].T)
        q5 = two_angles(*self._bent, R_rest @ a[5] @ h, SLACK).ravel()
        R_rest = R_rest.repeat(2, axis=0)
        R5 = axes.rotations(4, q5)
        q6 = axes.turn(5, h @ R_rest, h @ R5)
        # With axis 6 in line with 2 to 4, only their sum counts.
        q6 = np.where(np.isnan(q6) & ~np.isnan(q5), seed[5], q6)
        R234 = R_rest @ (R5 @ axes.rotations(5, q6)).swapaxes(1, 2)
        sum_234 = axes.turn(1, a[4], R234 @ a[4])
        # Where joints 2 and 3 have to take the end of the elbow: back from the last point.
        last = (to_last @ R1 + p[0]).repeat(2, axis=0)
        q2, q3 = self._arm.solve(last + R234 @ self._last_to_elbow_end, SLACK)  # (4, 2) each
        q2, q3 = q2.ravel(), q3.ravel()
        q4 = self._signs[2] * (sum_234.repeat(2) - q2 - self._signs[1] * q3)
        return np.column_stack((q1.repeat(4), q2, q3, q4, q5.repeat(2), q6.repeat(2)))


FORMS: tuple[tuple[str, type[SphericalWrist] | type[ParallelElbow]], ...] = (
    ('a spherical wrist', SphericalWrist),
    ('three parallel axes (UR)', ParallelElbow),
)


class _Facing:
    """Turns joint 1 until a point lies where it does with all joints at zero, along axis 2."""

    def __init__(self, axes: ScrewAxes, point: Array) -> None:
        h = axes.directions[1]
        self._h, self._across = h, np.cross(axes.directions[0], h)
        self._side = np.asarray(h @ (point - axes.points[0]))

    def angles(self, to_point: Array, seed: float) -> Array:
        """Return both angles (2,) [rad] for the vector (3,) from axis 1 to where the point is."""
        A, B = float(self._h @ to_point), float(self._across @ to_point)
        if abs(A) + abs(B) + abs(self._side) <= 1e-9:  # on the axis: any angle does
            return np.array([seed, seed + np.pi])
        return two_angles(A, B, self._side, SLACK)


def _bending(axes: ScrewAxes, reference: int) -> tuple[float, float]:
    """Return A, B with (axis 6 along a reference axis) = A cos q5 + B sin q5."""
    a = axes.directions
    return float(a[reference] @ a[5]), float(a[reference] @ np.cross(a[4], a[5]))


def _not_parallel(axes: ScrewAxes, pairs: list[tuple[int, int]]) -> list[str]:
    return [f'axes {i + 1} and {j + 1} are {np.degrees(axes.angle_between(i, j)):.1f} deg '
            'off parallel' for i, j in pairs if not axes.angle_between(i, j) <= MAX_TILT]


def _not_square(axes: ScrewAxes, pairs: list[tuple[int, int]]) -> list[str]:
    off = {(i, j): np.pi / 2 - axes.angle_between(i, j) for i, j in pairs}
    return [f'axes {i + 1} and {j + 1} are {np.degrees(angle):.1f} deg off square'
            for (i, j), angle in off.items() if not angle <= MAX_TILT]
