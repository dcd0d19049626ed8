"""One command to an arm, checked again where it leaves: what is wrong here is our own mistake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import InvariantError

if TYPE_CHECKING:
    from vla_ros.robots.profile import RobotProfile

Array = NDArray[np.float64]

_TOLERANCE = 1e-6  # rad, rad/s and m: rounding, nothing else
_MEASURED_SLACK = 0.01  # rad; the measured joints are newer or older than those of the command


@dataclass(frozen=True, eq=False)
class JointCommand:
    """What an adapter sends: the profile's joints, order and units.

    Attributes
    ----------
    q, velocity : np.ndarray
        (n,) [rad], [rad/s].
    width : float | None
        Opening width of the gripper [m]; None: leave it.
    effort : float | None
        Of the gripper, in the unit of its driver; None: the configured one.

    """

    q: Array
    velocity: Array
    width: float | None = None
    effort: float | None = None


def checked_command(profile: RobotProfile, q: Array, velocity: Array, width: float | None,
                    effort: float | None, measured: Array) -> JointCommand:
    """Return the command, or raise when the safety stage let something through.

    An arm that lies beyond a limit (a Piper at rest reads a little below 0 rad) may be held there
    and moved back, so the limits are widened to the ``measured`` joints (n,) [rad].

    Raises
    ------
    InvariantError
        A number is missing or not finite, or a joint is commanded beyond its limits or faster than
        its velocity limit, or the width is beyond the gripper's.

    """
    joints, gripper = profile.joints, profile.gripper
    n = len(joints.names)
    q, velocity = np.asarray(q, dtype=np.float64), np.asarray(velocity, dtype=np.float64)
    for what, values in (('positions', q), ('velocities', velocity)):
        if values.shape != (n,) or not np.isfinite(values).all():
            raise InvariantError(f'joint command: expected {n} finite {what}, found '
                                 f'{values.tolist()}')
    lower = np.where(measured < joints.lower, measured - _MEASURED_SLACK, joints.lower - _TOLERANCE)
    upper = np.where(measured > joints.upper, measured + _MEASURED_SLACK, joints.upper + _TOLERANCE)
    inside = (lower <= q) & (q <= upper)
    if not inside.all():
        i = int(np.argmin(inside))
        raise InvariantError(
            f'joint command: {joints.names[i]} = {q[i]:.6g} rad is outside its limits '
            f'[{joints.lower[i]:.6g}, {joints.upper[i]:.6g}]')
    slow = np.abs(velocity) <= joints.velocity * (1.0 + 1e-6) + _TOLERANCE
    if not slow.all():
        i = int(np.argmin(slow))
        raise InvariantError(
            f'joint command: {joints.names[i]} at {velocity[i]:.6g} rad/s is faster than its '
            f'limit {joints.velocity[i]:.6g}')
    if width is not None and not (gripper.closed - _TOLERANCE <= width
                                  <= gripper.open + _TOLERANCE):
        raise InvariantError(f'gripper command: width {width} m is outside '
                             f'[{gripper.closed:g}, {gripper.open:g}]')
    if effort is not None and not 0.0 <= effort < np.inf:
        raise InvariantError(f'gripper command: effort is {effort}')
    return JointCommand(q, velocity, width, effort)
