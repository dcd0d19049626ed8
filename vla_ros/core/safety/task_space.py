"""Bounds on the tool frame's motion: speed, workspace, keep-out boxes, lead over the measured."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.limits import KeepOut, TaskSpaceLimits
from vla_ros.core.se3 import rotation_from_vector, vector_from_rotation

Array = NDArray[np.float64]

_STILL = 1e-12  # m
_ON_FACE = 2e-4  # m; inside by less counts as touching: a solver's answer is no more exact


def limit_twist(twist: Array, limits: TaskSpaceLimits) -> tuple[Array, tuple[str, ...]]:
    """Scale a twist (6,) [m/s, rad/s] as a whole until both speeds are within their limits.

    One factor for all six numbers keeps the path; the second value names what acted. A twist that
    is not finite becomes no motion.
    """
    x, y, z, rx, ry, rz = twist.tolist()
    speed, rotation_speed = _length(x, y, z), _length(rx, ry, rz)
    if not (speed < math.inf and rotation_speed < math.inf):
        return np.zeros(6), ('twist is not finite',)
    acted = []
    factor = 1.0
    if not speed <= limits.max_speed:
        factor = limits.max_speed / speed
        acted.append(f'speed {speed:.3f} > {limits.max_speed:g} m/s')
    if not rotation_speed <= limits.max_rotation_speed:
        factor = min(factor, limits.max_rotation_speed / rotation_speed)
        acted.append(f'rotation speed {rotation_speed:.3f} > {limits.max_rotation_speed:g} rad/s')
    return (twist * factor if acted else twist), tuple(acted)


def limit_pose(
    T_base_goal: Array, T_base_from: Array, T_base_measured: Array, limits: TaskSpaceLimits,
) -> tuple[Array, tuple[str, ...]]:
    """Bring a goal pose into the workspace, out of keep-out boxes, and within the lead.

    A goal that is not finite becomes ``T_base_from``.

    Parameters
    ----------
    T_base_goal : np.ndarray
        (4, 4) where the tool shall be after this tick.
    T_base_from : np.ndarray
        (4, 4) where it was commanded to be before. A tool that is outside the box already may move
        toward it along each axis, never further away, and is not thrown to the wall.
    T_base_measured : np.ndarray
        (4, 4) where it was measured.
    limits : TaskSpaceLimits
        The bounds.

    Returns
    -------
    tuple
        The bounded pose (4, 4) and what acted, in words.

    """
    if not math.isfinite(np.vdot(T_base_goal, T_base_goal)):
        return T_base_from.copy(), ('pose is not finite',)
    acted = []
    T = T_base_goal.copy()
    position, start = T[:3, 3].tolist(), T_base_from[:3, 3].tolist()
    boxed = [min(max(p, min(low, f)), max(high, f)) for p, f, low, high in
             zip(position, start, limits.lower.tolist(), limits.upper.tolist())]
    if boxed != position:
        axes = ' '.join(axis for axis, b, p in zip('xyz', boxed, position) if b != p)
        acted.append(f'workspace {axes}')
        T[:3, 3] = boxed

    lead = T[:3, 3] - T_base_measured[:3, 3]
    distance = _length(*lead.tolist())
    if not distance <= limits.max_lead_position:
        acted.append(f'lead {distance:.3f} > {limits.max_lead_position:g} m')
        T[:3, 3] = T_base_measured[:3, 3] + lead * (limits.max_lead_position / distance)

    R_lead = vector_from_rotation(T[:3, :3] @ T_base_measured[:3, :3].T)
    angle = _length(*R_lead.tolist())
    if not angle <= limits.max_lead_rotation:
        acted.append(f'lead {angle:.3f} > {limits.max_lead_rotation:g} rad')
        T[:3, :3] = (rotation_from_vector(R_lead * (limits.max_lead_rotation / angle))
                     @ T_base_measured[:3, :3])

    # Last, because pulling the goal back to the measured pose may lead through a box.
    outside, names = keep_outside(T[:3, 3], T_base_from[:3, 3], limits.keep_out)
    if names:
        acted += [f'keep-out {name}' for name in names]
        T[:3, 3] = outside
    return T, tuple(acted)


def _length(x: float, y: float, z: float) -> float:
    return math.sqrt(x * x + y * y + z * z)


def keep_outside(
    goal: Array, start: Array, boxes: Sequence[KeepOut],
) -> tuple[Array, tuple[str, ...]]:
    """Return where a point may go without entering a box, and the names of the boxes that acted.

    The point slides along the face it would go through. One that is inside already may only leave
    through the nearest face. Every change brings a coordinate nearer to that of ``start``, so no
    box undoes what another has done.

    Parameters
    ----------
    goal, start : np.ndarray
        (3,) where the point shall go, and where it is [m].
    boxes : Sequence[KeepOut]
        In the same frame.

    """
    point, names = goal, []
    moved = True
    while moved:
        moved = False
        for box in boxes:
            allowed = _outside_one(point, start, box)
            if not (allowed == point).all():
                point, moved = allowed, True
                names.append(box.name)
    return point, tuple(dict.fromkeys(names))


def _outside_one(goal: Array, start: Array, box: KeepOut) -> Array:
    # How far the start is outside each of the six faces; all negative: inside.
    out = np.concatenate([box.lower - start, start - box.upper])
    face = int(out.argmax())
    depth = -float(out[face])
    if depth > _ON_FACE:
        axis = face % 3
        allowed: Array = start.copy()
        outward = min if face < 3 else max
        allowed[axis] = outward(float(goal[axis]), float(start[axis]))
        return allowed
    # On a face, or just within: the box begins where the start is.
    lower, upper = box.lower.copy(), box.upper.copy()
    if depth > 0.0:
        if face < 3:
            lower[face] = start[face]
        else:
            upper[face - 3] = start[face - 3]
    return _slide(goal, start, lower, upper)


def _slide(goal: Array, start: Array, lower: Array, upper: Array) -> Array:
    """Return the goal, or the goal moved to the face that the way from ``start`` goes in by.

    The way is inside a slab of the box between two fractions of it; inside the box where it is
    inside all three (Kay and Kajiya 1986).
    """
    way = goal - start
    enter, leave, axis = 0.0, 1.0, -1
    for i in range(3):
        if abs(way[i]) < _STILL:
            if not lower[i] < start[i] < upper[i]:
                return goal
            continue
        first, last = (lower[i] - start[i]) / way[i], (upper[i] - start[i]) / way[i]
        if way[i] < 0.0:
            first, last = last, first
        if first >= enter:
            enter, axis = float(first), i
        leave = min(leave, float(last))
    if axis < 0 or not enter < leave:
        return goal
    allowed: Array = goal.copy()
    allowed[axis] = lower[axis] if way[axis] > 0.0 else upper[axis]
    return allowed
