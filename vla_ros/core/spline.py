"""The curve between a trajectory's knots, for many trajectories at one moment.

A uniform quadratic B-spline with the knots as control polygon: the velocity is that of each step
in the step's middle and changes linearly from one middle to the next, so that it is continuous and
lags behind nothing. The first and the last half step are straight. Around knot k, with u from 0 to
1 between the two middles beside it and s the steps,

    x = x_k - (1-u)^2/2 s_k + u^2/2 s_{k+1},    R = exp(-(1-u)^2/2 r_k + u^2/2 r_{k+1}) R_k

where r_k = log(R_k R_{k-1}^T) is the step's rotation vector in base axes, the shorter way round.

What a knot needs lies in one row of a table: x_k, s_k, s_{k+1} (``LINEAR``) and, for poses, r_k,
r_{k+1}, c = r_k x r_{k+1}, r_k x c, r_{k+1} x c (``TURNS``), the quaternion q_k of R_k after the
products of r_k and r_{k+1} with it, both taken for quaternions without a real part (``SPIN``), and
r_k.r_k, r_k.r_{k+1}, r_{k+1}.r_{k+1} (``DOTS``). The present is then a sum of such vectors with
numbers before them, for places and velocities also over all trajectories. Joints have the first
part only, each n wide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.quaternions import cross, right_matrices

Array = NDArray[np.float64]

Spot = tuple[float, float, float, float]
"""The numbers a, b before a knot's two steps, -(1-u)^2/2 and u^2/2, and their derivatives [1/s]."""

LINEAR, TURNS, SPIN, DOTS = slice(0, 9), slice(9, 24), slice(24, 36), slice(36, 39)
"""Columns of a pose table."""

_WIDTH = 39

_SMALL_ANGLE = 1e-5  # rad; below it the series' first terms are exact to double precision
_SMALL_SQUARE = _SMALL_ANGLE ** 2


def linear_part(knots: Array) -> Array:
    """Return (H+1, 3, D) of knots (H+1, D): each with the step before and the step after it.

    Beyond the ends the steps repeat, which makes the first and the last half step straight.
    """
    steps = np.diff(knots, axis=0)
    out = np.empty((len(knots), 3, knots.shape[1]))
    out[:, 0] = knots
    out[1:, 1], out[0, 1] = steps, steps[0]
    out[:-1, 2], out[-1, 2] = steps, steps[-1]
    return out


def turn_part(before: Array, after: Array) -> Array:
    """Return (N, 5, 3) of the rotation steps (N, 3) before and after N knots [rad]."""
    c = cross(before, after)
    return np.stack((before, after, c, cross(before, c), cross(after, c)), axis=1)


def pose_table(linear: Array, turns: Array, quaternion: Array) -> Array:
    """Return the table (H+1, 39) of the parts and the knots' quaternions (H+1, 4)."""
    knots = len(linear)
    steps = turns[:, :2]
    table = np.empty((knots, _WIDTH))
    table[:, LINEAR] = linear.reshape(knots, 9)
    table[:, TURNS] = turns.reshape(knots, 15)
    spin = np.concatenate((steps @ right_matrices(quaternion)[:, :3], quaternion[:, None]), axis=1)
    table[:, SPIN] = spin.reshape(knots, 12)
    table[:, DOTS] = np.einsum('nij,nij->ni', turns[:, (0, 0, 1)], turns[:, (0, 1, 1)])
    return table


def spot(elapsed_ns: int, dt_ns: int) -> tuple[int, Spot]:
    """Return the nearest knot, and where beside it, at a time since knot 0."""
    knot, past = divmod(2 * elapsed_ns + dt_ns, 2 * dt_ns)
    u = past / (2 * dt_ns)
    v, per_s = 1.0 - u, 1e9 / dt_ns
    return knot, (-0.5 * v * v, 0.5 * u * u, v * per_s, u * per_s)


def mean_place(linear: Array, spots: Sequence[Spot], weights: Sequence[float]) -> Array:
    """Return (2, D), the weighted mean of places and of velocities, from rows (m, 3 D)."""
    place: list[float] = []
    velocity: list[float] = []
    for (a, b, a_dot, b_dot), w in zip(spots, weights):
        place += (w, w * a, w * b)
        velocity += (0.0, w * a_dot, w * b_dot)
    out: Array = np.array((place, velocity)) @ linear.reshape(3 * len(spots), -1)
    return out


def turned(
    rows: Array, spots: Sequence[Spot], weights: Sequence[float],
) -> tuple[Array, Array]:
    """Return the quaternions (m, 4) and the mean rotation velocity (3,) [rad/s] from rows (m, 39).

    The velocity is in base axes. With f = a r_k + b r_{k+1} the rotation vector from the knot to
    the present and f' its derivative it is J f', J the left Jacobian of the exponential map: f' +
    (1 - cos |f|)/|f|^2 f x f' + (|f| - sin |f|)/|f|^3 f x (f x f'), where f x f' = (a b' - b a') c.
    """
    # Numbers in plain floats, vectors in arrays: for eight trajectories neither pays the other way.
    spins: list[float] = []
    speeds: list[float] = []
    for (a, b, a_dot, b_dot), w, (rr, rs, ss) in zip(spots, weights, rows[:, DOTS].tolist()):
        square = a * a * rr + 2.0 * a * b * rs + b * b * ss  # of |f|; rounding may take it below 0
        angle = math.sqrt(square) if square > _SMALL_SQUARE else _SMALL_ANGLE
        sinc = math.sin(0.5 * angle) / angle
        spins += (a * sinc, b * sinc, math.cos(0.5 * angle))
        across = w * (a * b_dot - b * a_dot)
        bend = across * (angle - math.sin(angle)) / (angle * angle * angle)
        speeds += (w * a_dot, w * b_dot, 2.0 * across * sinc * sinc, a * bend, b * bend)
    quaternions: Array = (np.array(spins).reshape(-1, 1, 3) @ rows[:, SPIN].reshape(-1, 3, 4))[:, 0]
    velocity: Array = np.array(speeds) @ rows[:, TURNS].reshape(-1, 3)
    return quaternions, velocity
