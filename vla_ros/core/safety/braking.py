"""Braking along a straight line: one factor for all joints, so that the arm stops on its path."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_STILL = 1e-12  # rad/s, m/s; what closes more slowly does not close


def stop_time(velocity: Array, acceleration: Array) -> float:
    """Return how long it takes to stop (n,) [rad/s] with all joints slowing in proportion [s].

    The joint that needs longest at its full deceleration (n,) [rad/s^2] sets the time of all.
    """
    return float((np.abs(velocity) / acceleration).max())


def braked(velocity: Array, acceleration: Array, dt: float) -> Array:
    """Return the velocity (n,) [rad/s] after braking for ``dt`` [s] in proportion."""
    left = stop_time(velocity, acceleration) - dt
    return velocity * (left / (left + dt)) if left > 0.0 else np.zeros_like(velocity)


def stop_point(q: Array, velocity: Array, acceleration: Array, dt: float) -> Array:
    """Return where the joints (n,) [rad] can come to rest when ``velocity`` is kept for ``dt``.

    In ticks of dt the way is v dt (N + 1) / 2 with N = T / dt, half a tick less than v (T/2 + dt).
    """
    return q + velocity * (0.5 * stop_time(velocity, acceleration) + dt)


def largest_factor(closing: Array, gap: Array, stop_time: float, dt: float) -> Array:
    """Return the factors (m,) by which a velocity may be scaled and still be braked in time.

    Scaled by s the velocity needs s T to stop, so that s^2 c T/2 + s c dt <= gap.

    Parameters
    ----------
    closing : np.ndarray
        (m,) speeds c at which m gaps shrink [rad/s, m/s]; not positive: they grow, and any factor
        will do (infinity is returned).
    gap : np.ndarray
        (m,) what is left of them [rad, m]; not positive: nothing.
    stop_time : float
        T of the velocity as it is [s].
    dt : float
        Time until braking can begin [s].

    """
    closes = closing > _STILL
    g = np.where(closes, np.maximum(gap, 0.0), 0.0)
    b = np.where(closes, closing, 1.0) * dt
    # The root in the form that does not cancel: 2 g / (b + sqrt(b^2 + 4 a g)), a = c T/2.
    factor = 2.0 * g / (b + np.sqrt(b * b + 2.0 * b * (stop_time / dt) * g))
    return np.where(closes, factor, np.inf)
