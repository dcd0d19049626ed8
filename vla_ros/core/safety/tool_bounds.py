"""The tool's workspace and keep-out boxes as distances, so that the joint gate brakes in time."""

from __future__ import annotations

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
        self._lower, self._upper = limits.lower, limits.upper
        self._box_lower = np.array([box.lower for box in limits.keep_out]).reshape(-1, 3)
        self._box_upper = np.array([box.upper for box in limits.keep_out]).reshape(-1, 3)
        self._names = [*(f'workspace {face}' for face in _FACES),
                       *(box.name for box in limits.keep_out)]

    def near(self, q: Array) -> list[Proximity]:
        """Return what the tool is near to at joints (n,) [rad]."""
        T_base_tool = self._forward(q)
        distances, normals = self._measure(T_base_tool[:3, 3])
        close = np.flatnonzero(distances < _SEEN_FROM)
        if not close.size:
            return []
        gradients = normals[close] @ T_base_tool[:3, :3] @ self._jacobian(q)[:3]
        return [Proximity(k, ('tool', self._names[k]), float(distances[k]), _DAMPED - _BEYOND,
                          -_BEYOND, gradient)
                for k, gradient in zip(close.tolist(), gradients, strict=True)]

    def distances(self, q: Array) -> list[tuple[int, float]]:
        """Return (number, distance [m]) of what the tool is beyond."""
        distances, _ = self._measure(self._forward(q)[:3, 3])
        return [(k, float(distances[k])) for k in np.flatnonzero(distances < -_BEYOND).tolist()]

    def _measure(self, p: Array) -> tuple[Array, Array]:
        """Return distances (m,) [m], negative beyond, and their directions (m, 3)."""
        faces = np.concatenate([p - self._lower, self._upper - p])
        normals = np.concatenate([np.eye(3), -np.eye(3)])
        if not len(self._box_lower):
            return faces, normals
        # A box's nearest face decides inside of it, all faces that the point is beyond outside.
        below, above = self._box_lower - p, p - self._box_upper
        out = np.maximum(np.maximum(below, above), 0.0)
        away = np.linalg.norm(out, axis=1)
        sign = np.where(below > above, -1.0, 1.0)
        signed = np.maximum(below, above)
        axis = signed.argmax(axis=1)
        rows = np.arange(len(axis))
        inner = np.zeros_like(out)
        inner[rows, axis] = sign[rows, axis]
        outside = away > 0.0
        outer = out * sign / np.where(outside, away, 1.0)[:, None]
        return (np.concatenate([faces, np.where(outside, away, signed[rows, axis])]),
                np.concatenate([normals, np.where(outside[:, None], outer, inner)]))
