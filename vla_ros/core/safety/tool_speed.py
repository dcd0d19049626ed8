"""The tool's speed, whatever moves it: joint actions, a hand that takes over, braking."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.limits import TaskSpaceLimits

Array = NDArray[np.float64]

_PAST = 1.01  # of a limit, while braking: what is allowed now turns with the arm
_ALONG = (0.0, 0.25, 0.5, 0.75)  # of the time that braking takes: where the speed is looked at
_SHORT_STOP = 0.04  # s; a stop this short is a motion of millimetres, the Jacobian stays as it is


class ToolSpeed:
    """Bounds the speeds of the tool frame that joint velocities mean.

    :func:`limit_twist` bounds what is wanted of the tool, but what the joints do about it is also
    decided by their own limits: one that ends at its limit, or an acceleration that turns one
    motion into another, leaves a motion that nobody asked for. And with the same joint velocities
    the tool becomes faster as the arm stretches, faster than some arms can brake. So the joint gate
    asks here, for what it is about to command and for braking from there.

    Parameters
    ----------
    jacobian : callable
        (6, n) Jacobian [m/rad, rad/rad] of the tool frame's origin at joints (n,) [rad], in any
        axes.
    limits : TaskSpaceLimits
        The largest speeds.

    """

    def __init__(self, jacobian: Callable[[Array], Array], limits: TaskSpaceLimits) -> None:
        self._jacobian = jacobian
        self._speed, self._rotation_speed = limits.max_speed, limits.max_rotation_speed

    def factor(self, q: Array, wanted: Array, dt: float) -> tuple[float, str]:
        """Return the factor for a velocity (n,) [rad/s] kept for ``dt`` [s], and what acted.

        Both ends of the tick count.
        """
        now, after = self._speeds(q, wanted), self._speeds(q + wanted * dt, wanted)
        speed, turn = max(now[0], after[0]), max(now[1], after[1])
        factor, acted = 1.0, ''
        if not speed <= self._speed:
            factor, acted = self._speed / speed, f'tool speed {speed:.3f} > {self._speed:g} m/s'
        if not turn * factor <= self._rotation_speed:
            factor = self._rotation_speed / turn
            acted = f'tool rotation speed {turn:.3f} > {self._rotation_speed:g} rad/s'
        return factor, acted

    def keeps(self, q: Array, velocity: Array, stop_time: float, dt: float) -> bool:
        """Return whether the tool is slow enough from now on, if the arm brakes after this tick.

        Parameters
        ----------
        q, velocity : np.ndarray
            (n,) joints [rad], and velocities [rad/s] that they have for ``dt``.
        stop_time : float
            How long all joints then take to stop, slowing in proportion [s].
        dt : float
            Duration of the tick [s].

        """
        for share in _ALONG if stop_time > _SHORT_STOP else _ALONG[:1]:
            # After braking for a share of the time: v T (x - x^2 / 2) further, at v (1 - x).
            way = dt + stop_time * share * (1.0 - 0.5 * share)
            speed, turn = self._speeds(q + velocity * way, velocity)
            if not ((1.0 - share) * speed <= _PAST * self._speed
                    and (1.0 - share) * turn <= _PAST * self._rotation_speed):
                return False
        return True

    def _speeds(self, q: Array, velocity: Array) -> tuple[float, float]:
        """Return the tool's speed [m/s] and rotation speed [rad/s]."""
        x, y, z, rx, ry, rz = (self._jacobian(q) @ velocity).tolist()
        return math.sqrt(x * x + y * y + z * z), math.sqrt(rx * rx + ry * ry + rz * rz)
