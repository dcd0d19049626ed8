"""The tool's workspace and keep-out boxes as distances, so that the joint gate brakes in time."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.limits import TaskSpaceLimits
from vla_ros.core.safety.clearance import Proximity

Array = NDArray[np.float64]

_SEEN_FROM = 0.15  # m; further than a tool needs to stop from its largest speed
_BEYOND = 5e-4  # m
_DAMPED = 4e-3  # m
_FACES = tuple(f'{side} {axis}' for side in ('lower', 'upper') for axis in 'xyz')


class ToolBounds:
    """Distances of the tool frame's origin to the workspace's faces and to keep-out boxes.

    :func:`limit_pose` brings every goal into the workspace, but an arm that moves toward a face
    needs some way to stop, and only the joint gate knows how much. What it lets through ends half a
    millimetre beyond the face at most: on the face itself, where the tool slides along, the last
    digits of a solver's answer must not stop it.

    Parameters
    ----------
    forward : callable
        T_base_tool (4, 4) of joints (n,) [rad].
    jacobian : callable
        (6, n) Jacobian of the tool frame in its own axes, of the same joints.
    limits : TaskSpaceLimits
        The boxes.

    """

    def __init__(self, forward: Callable[[Array], Array], jacobian: Callable[[Array], Array],
                 limits: TaskSpaceLimits) -> None:
        self._forward = forward
        self._jacobian = jacobian
        lower, upper = limits.lower.tolist(), limits.upper.tolist()
        # Axis, direction inward, and where along the axis.
        self._faces = [*((axis, 1.0, at) for axis, at in enumerate(lower)),
                       *((axis, -1.0, at) for axis, at in enumerate(upper))]
        self._boxes = [(box.lower.tolist(), box.upper.tolist()) for box in limits.keep_out]
        self._names = [*(f'workspace {face}' for face in _FACES),
                       *(box.name for box in limits.keep_out)]

    def near(self, q: Array) -> list[Proximity]:
        """Return what the tool is near to at joints (n,) [rad]."""
        T_base_tool = self._forward(q)
        close = self._within(T_base_tool[:3, 3].tolist(), _SEEN_FROM)
        if not close:
            return []
        normals = np.array([normal for _, _, normal in close])
        gradients = normals @ T_base_tool[:3, :3] @ self._jacobian(q)[:3]
        return [Proximity(k, ('tool', self._names[k]), distance, _DAMPED - _BEYOND, -_BEYOND,
                          gradient)
                for (k, distance, _), gradient in zip(close, gradients)]

    def distances(self, q: Array) -> list[tuple[int, float]]:
        """Return (number, distance [m]) of what the tool is beyond."""
        return [(k, distance)
                for k, distance, _ in self._within(self._forward(q)[:3, 3].tolist(), -_BEYOND)]

    def _within(self, p: list[float], limit: float) -> list[tuple[int, float, list[float]]]:
        """Return number, distance [m] (negative beyond) and its direction of all below a limit."""
        found = []
        for k, (axis, inward, at) in enumerate(self._faces):
            distance = inward * (p[axis] - at)
            if distance < limit:
                normal = [0.0, 0.0, 0.0]
                normal[axis] = inward
                found.append((k, distance, normal))
        for k, (lower, upper) in enumerate(self._boxes, len(self._faces)):
            distance, normal = _from_box(p, lower, upper)
            if distance < limit:
                found.append((k, distance, normal))
        return found


def _from_box(p: list[float], lower: list[float], upper: list[float],
              ) -> tuple[float, list[float]]:
    """Return a point's distance from a box [m], negative inside, and the direction away from it.

    Inside the nearest face decides, outside all faces that the point is beyond.
    """
    beyond = [max(low - x, x - high) for x, low, high in zip(p, lower, upper)]
    away = [-1.0 if low - x > x - high else 1.0 for x, low, high in zip(p, lower, upper)]
    out = [max(b, 0.0) for b in beyond]
    distance = math.sqrt(out[0] * out[0] + out[1] * out[1] + out[2] * out[2])
    if distance > 0.0:
        return distance, [o * sign / distance for o, sign in zip(out, away)]
    deepest = max(beyond)
    axis = beyond.index(deepest)
    normal = [0.0, 0.0, 0.0]
    normal[axis] = away[axis]
    return deepest, normal
