"""Fusion: one target from all trajectories that speak of the present moment.

Positions and joints are averaged as vectors; rotations by the weighted Karcher mean, the rotation
with the smallest weighted sum of squared angles to all (Moakher 2002; for two rotations the one on
the way between them). It does not depend on the order, nor on the frame, nor on which of its two
quaternions stands for a rotation. The velocity is the mean of the chunks' velocities, as all are
those of one body; how fast weights go from one chunk to another is no part of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.fusion_weights import WEIGHTS, FusionConfig, FusionMode
from vla_ros.core.se3 import pose
from vla_ros.core.spline import LINEAR, mean_place, spot, turned
from vla_ros.core.trajectory import Trajectory

__all__ = ['Fusion', 'FusionConfig', 'FusionMode', 'Target']

Array = NDArray[np.float64]
Quaternion = tuple[float, float, float, float]

_CONVERGED = 1e-10  # rad
_ROUNDS = 30  # rotations within half a turn need three; without bound where the mean is not unique
_TINY = 1e-200  # keeps atan2(s, c)/s at its limit where s is 0


@dataclass(frozen=True, eq=False)
class Target:
    """What the policy wants at one moment.

    Attributes
    ----------
    T_base_tool, twist : np.ndarray | None
        (4, 4) pose of the tool [m] and its velocity (6,) [m/s, rad/s] in base axes, the rotation
        about the tool's origin; None for joint actions.
    q, velocity : np.ndarray | None
        (n,) joints [rad] and their velocities [rad/s]; None for end-effector actions.
    stamps_ns, weights : tuple
        The chunks that took part, oldest first, by the time of their observation, and their
        weights (all above 0, sum 1).
    remaining_ns : int
        How long the last of them to end still goes on [ns].

    """

    T_base_tool: Array | None
    twist: Array | None
    q: Array | None
    velocity: Array | None
    stamps_ns: tuple[int, ...]
    weights: tuple[float, ...]
    remaining_ns: int


class Fusion:
    """Turn trajectories into a target.

    Not thread-safe. Two modes remember what they played, so that :meth:`target` is asked with a
    playhead that does not go back; when it does, :meth:`reset`.

    Parameters
    ----------
    config : FusionConfig
        The mode and its numbers.

    """

    def __init__(self, config: FusionConfig) -> None:
        self.config = config
        self._weights = WEIGHTS[config.mode](config)
        self._due: list[Trajectory] = []
        self._alike: list[Trajectory] = []  # those of them with the newest one's convention

    def reset(self) -> None:
        """Forget what was played."""
        self._weights.reset()

    def target(self, trajectories: Sequence[Trajectory], playhead_ns: int) -> Target | None:
        """Return the target at this time; None when no trajectory has a step due then.

        ``trajectories`` come oldest stamp first. Those of another convention than the newest due
        one are left out: their numbers mean something else.
        """
        live = self._live(trajectories, playhead_ns)
        if not live:
            return None
        raw = self._weights(live, playhead_ns)
        total = math.fsum(raw)
        if not total > 0.0:  # all so near their ends that nothing is left of the numbers
            raw, total = [0.0] * (len(live) - 1) + [1.0], 1.0
        taken, weights, rows, spots = [], [], [], []
        for t, part in zip(live, raw):
            w = part / total
            if w > 0.0:
                knot, beside = spot(playhead_ns - t.stamp_ns, t.dt_ns)
                taken.append(t)
                weights.append(w)
                rows.append(t.table[knot])
                spots.append(beside)
        behind = (tuple([t.stamp_ns for t in taken]), tuple(weights),
                  max([t.end_ns for t in taken]) - playhead_ns)
        table = np.concatenate(rows).reshape(len(rows), -1)
        if not live[-1].cartesian:
            q, velocity = mean_place(table, spots, weights)
            return Target(None, None, q, velocity, *behind)
        quaternions, omega = turned(table, spots, weights)
        place, velocity = mean_place(table[:, LINEAR], spots, weights)
        T_base_tool = pose(_matrix(_rotation_mean(quaternions, weights)), place)
        return Target(T_base_tool, np.concatenate((velocity, omega)), None, None, *behind)

    def _live(self, trajectories: Sequence[Trajectory], playhead_ns: int) -> list[Trajectory]:
        """Return those that are due and of the newest one's convention."""
        due = [t for t in trajectories if t.stamp_ns <= playhead_ns < t.end_ns]
        # They stay the same from one tick to the next, and to compare conventions takes long.
        if due != self._due:
            self._due = due
            convention = due[-1].chunk.convention if due else None
            self._alike = [t for t in due if t.chunk.convention == convention]
        return self._alike


def _rotation_mean(q: Array, weights: list[float]) -> Quaternion:
    """Return the weighted Karcher mean of the quaternions (m, 4), x y z w, of length 1."""
    if len(q) == 1:
        return _unit(q[0].tolist())
    # Begun at the mean of the quaternions, on the heaviest one's side so that it cannot vanish.
    heaviest = q[weights.index(max(weights))]
    mean = _unit((np.copysign(weights, q @ heaviest) @ q).tolist())
    for _ in range(_ROUNDS):
        # With c the cosine of half the angle from the mean to a q, s its sine, and the sign that
        # goes the shorter way, half the rotation vector is +-atan2(s, |c|)/s times the vector part
        # of q mean*. That is linear in q, and so taken of the sum.
        farthest = 0.0
        factors = []
        for c, w in zip((q @ np.array(mean)).tolist(), weights):
            square = 1.0 - c * c
            if square > farthest:
                farthest = square
            s = math.sqrt(square) if square > _TINY else _TINY
            factors.append(math.copysign(w, c) * math.atan2(s, abs(c)) / s)
        x, y, z, w = mean
        i, j, k, _ = _product((np.array(factors) @ q).tolist(), (-x, -y, -z, w))
        size = math.sqrt(i * i + j * j + k * k)  # of half the step
        a = math.sin(size) / size if size > 0.0 else 1.0
        mean = _unit(_product((i * a, j * a, k * a, math.cos(size)), mean))
        # A round leaves at most the third part of (size * sine^2) to do, sine that of the farthest.
        if size * farthest <= _CONVERGED:
            break
    return mean


def _product(a: Sequence[float], b: Sequence[float]) -> Quaternion:
    i, j, k, c = a
    x, y, z, w = b
    return (c * x + i * w + j * z - k * y, c * y - i * z + j * w + k * x,
            c * z + i * y - j * x + k * w, c * w - i * x - j * y - k * z)


def _unit(q: Sequence[float]) -> Quaternion:
    x, y, z, w = q
    length = math.sqrt(x * x + y * y + z * z + w * w)
    return x / length, y / length, z / length, w / length


def _matrix(q: Quaternion) -> Array:
    x, y, z, w = q
    return np.array((
        (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    ))
