"""Braking along a straight line: one factor for all joints, so that the arm stops on its path.

In plain floats: for the six numbers of an arm an array takes five times as long.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

_STILL = 1e-12  # rad/s, m/s; what closes more slowly does not close


def stop_time(velocity: Sequence[float], acceleration: Sequence[float]) -> float:
    """Return how long it takes to stop n joints [rad/s] that slow down in proportion [s].

    The joint that needs longest at its full deceleration [rad/s^2] sets the time of all.
    """
    return max([abs(v) / a for v, a in zip(velocity, acceleration)])


def braked(velocity: Sequence[float], acceleration: Sequence[float], dt: float) -> list[float]:
    """Return the n velocities [rad/s] after braking for ``dt`` [s] in proportion."""
    left = stop_time(velocity, acceleration) - dt
    share = left / (left + dt) if left > 0.0 else 0.0
    return [v * share for v in velocity]


def stop_way(stop_time: float, dt: float) -> float:
    """Return the way to a stop when a velocity is kept for ``dt`` [s], as a time: way = v times it.

    In ticks of dt the way is v dt (N + 1) / 2 with N = T / dt, half a tick less than v (T/2 + dt).
    """
    return 0.5 * stop_time + dt


def largest_factor(closing: float, gap: float, stop_time: float, dt: float) -> float:
    """Return the factor by which a velocity may be scaled and still be braked in time.

    Scaled by s the velocity needs s T to stop, so that s^2 c T/2 + s c dt <= gap.

    Parameters
    ----------
    closing : float
        Speed c at which a gap shrinks [rad/s, m/s]; not positive: it grows, and any factor will do
        (infinity is returned).
    gap : float
        What is left of it [rad, m]; not positive: nothing.
    stop_time : float
        T of the velocity as it is [s].
    dt : float
        Time until braking can begin [s].

    """
    if not closing > _STILL:
        return math.inf
    if not gap > 0.0:
        return 0.0
    b = closing * dt
    # The root in the form that does not cancel: 2 g / (b + sqrt(b^2 + 4 a g)), a = c T/2.
    return 2.0 * gap / (b + math.sqrt(b * b + 2.0 * b * (stop_time / dt) * gap))
