"""Bounds on the tool frame's motion: speed, workspace, and lead over the measured pose."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.limits import TaskSpaceLimits
from vla_ros.core.se3 import rotation_from_vector, vector_from_rotation

Array = NDArray[np.float64]


def limit_twist(twist: Array, limits: TaskSpaceLimits) -> tuple[Array, tuple[str, ...]]:
    """Scale a twist (6,) [m/s, rad/s] as a whole until both speeds are within their limits.

    One factor for all six numbers keeps the path; the second value names what acted. A twist that
    is not finite becomes no motion.
    """
    if not np.isfinite(twist).all():
        return np.zeros(6), ('twist is not finite',)
    acted = []
    factor = 1.0
    speed = float(np.linalg.norm(twist[:3]))
    rotation_speed = float(np.linalg.norm(twist[3:]))
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
    """Bring a goal pose into the workspace box and within the lead over the measured pose.

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
    acted = []
    T = T_base_goal.copy()
    position = T[:3, 3]
    lower = np.minimum(limits.lower, T_base_from[:3, 3])
    upper = np.maximum(limits.upper, T_base_from[:3, 3])
    boxed = np.clip(position, lower, upper)
    if not (boxed == position).all():
        axes = ' '.join(axis for axis, same in zip('xyz', boxed == position, strict=True)
                        if not same)
        acted.append(f'workspace {axes}')
        T[:3, 3] = boxed

    lead = T[:3, 3] - T_base_measured[:3, 3]
    distance = float(np.linalg.norm(lead))
    if not distance <= limits.max_lead_position:
        acted.append(f'lead {distance:.3f} > {limits.max_lead_position:g} m')
        T[:3, 3] = T_base_measured[:3, 3] + lead * (limits.max_lead_position / distance)

    R_lead = vector_from_rotation(T[:3, :3] @ T_base_measured[:3, :3].T)
    angle = float(np.linalg.norm(R_lead))
    if not angle <= limits.max_lead_rotation:
        acted.append(f'lead {angle:.3f} > {limits.max_lead_rotation:g} rad')
        T[:3, :3] = (rotation_from_vector(R_lead * (limits.max_lead_rotation / angle))
                     @ T_base_measured[:3, :3])
    return T, tuple(acted)
