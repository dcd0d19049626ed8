"""Keeping links apart from each other, from the table and from other keep-out boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.safety.braking import largest_factor

Array = NDArray[np.float64]

_SAME_DISTANCE = 1e-6  # m; a solver's distance repeats no better


@dataclass(frozen=True, eq=False)
class Proximity:
    """Two bodies that are near each other.

    Attributes
    ----------
    pair : int
        Which two, the same number in every call.
    names : tuple[str, str]
        The links, or a link and a keep-out box.
    distance : float
        Between them [m]; negative when they overlap.
    slow, stop : float
        Distances at which their approach is slowed and ended [m].
    gradient : np.ndarray
        (n,) change of the distance with each joint [m/rad].

    """

    pair: int
    names: tuple[str, str]
    distance: float
    slow: float
    stop: float
    gradient: Array


class Clearance(Protocol):
    """Distances within one arm and to its keep-out boxes; ``vla_ros.ik`` has an implementation.

    Not safe for use from several threads at once.
    """

    def near(self, q: Array) -> Sequence[Proximity]:
        """Return the pairs that are nearer than their slow distance at joints (n,) [rad]."""

    def distances(self, q: Array) -> Sequence[tuple[int, float]]:
        """Return (pair, distance [m]) of pairs nearer than their stop distance: the quick check."""


class Clearances:
    """Several of them as one; a pair's number says which one it belongs to."""

    def __init__(self, parts: Sequence[Clearance]) -> None:
        self.parts = tuple(parts)

    def near(self, q: Array) -> list[Proximity]:
        """Return the near pairs of all parts at joints (n,) [rad]."""
        n = len(self.parts)
        return [Proximity(p.pair * n + i, p.names, p.distance, p.slow, p.stop, p.gradient)
                for i, part in enumerate(self.parts) for p in part.near(q)]

    def distances(self, q: Array) -> list[tuple[int, float]]:
        """Return the pairs of all parts that are too near."""
        n = len(self.parts)
        return [(pair * n + i, distance)
                for i, part in enumerate(self.parts) for pair, distance in part.distances(q)]


def approach_factor(
    near: Sequence[Proximity], wanted: Array, stop_time: float, dt: float, approach_speed: float,
) -> tuple[float, str]:
    """Return the factor for a velocity (n,) [rad/s] that keeps every distance, and what acted.

    A distance may shrink at most at ``approach_speed`` [m/s] where slowing begins, falling in
    proportion to zero where the approach ends (a velocity damper, Faverjon and Tournassoud 1987),
    and never faster than can be braked from. What grows or stays is not slowed.
    """
    if not near:
        return 1.0, ''
    smallest, worst = 1.0, near[0]
    for p, opening in zip(near, (np.array([p.gradient for p in near]) @ wanted).tolist()):
        gap = p.distance - p.stop
        allowed = approach_speed * min(max(gap / (p.slow - p.stop), 0.0), 1.0)
        factor = largest_factor(-opening, gap, stop_time, dt)
        if -opening > allowed:
            factor = min(factor, allowed / -opening)
        if factor < smallest:
            smallest, worst = factor, p
    if smallest == 1.0:
        return 1.0, ''
    return smallest, (f'clearance {worst.names[0]} to {worst.names[1]}: '
                      f'{1e3 * worst.distance:.0f} mm')


def stays_clear(clearance: Clearance, near: Sequence[Proximity], q_stop: Array) -> bool:
    """Return whether the arm may come to rest at joints (n,) [rad].

    The linear model of :func:`approach_factor` knows one nearest point of each pair; here the
    distances are computed anew. ``near`` is where the arm is now: a pair that is too near already
    may stay as it is or part.
    """
    now = {p.pair: p.distance for p in near}
    return all(pair in now and distance >= now[pair] - _SAME_DISTANCE
               for pair, distance in clearance.distances(q_stop))
