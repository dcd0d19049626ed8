"""A measured quantity by time: poses of the tool, or numbers such as joints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.quaternions import conjugate, from_vectors, product, to_vectors

Array = NDArray[np.float64]
Times = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Poses:
    """T_base_tool for each of N moments: ``position`` (N, 3) [m], ``quaternion`` (N, 4) x y z w."""

    position: Array
    quaternion: Array

    def __len__(self) -> int:
        return len(self.position)

    def taken(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Poses:
        """Return some of them."""
        return Poses(self.position[index], self.quaternion[index])


class Clock:
    """The moments (T,) [ns] at which something was measured, and what lies between two of them.

    Parameters
    ----------
    stamps_ns : np.ndarray
        (T,) increasing.

    """

    def __init__(self, stamps_ns: Times) -> None:
        self.stamps_ns = stamps_ns
        steps = np.diff(stamps_ns)
        # Longer than this is an outage: what was measured around it says nothing of its inside.
        self._longest = 3.0 * float(np.median(steps)) + 1.0 if len(steps) else 0.0

    def place(self, at_ns: Times) -> tuple[NDArray[np.intp], Array, NDArray[np.bool_]]:
        """Return for moments (N,): the sample before, the part of the way to the next, and whether
        there is a measurement around it.
        """
        stamps = self.stamps_ns
        if len(stamps) < 2:
            return (np.zeros(len(at_ns), np.intp), np.zeros(len(at_ns)),
                    np.zeros(len(at_ns), bool))
        before = np.clip(np.searchsorted(stamps, at_ns, side='right') - 1, 0, len(stamps) - 2)
        span = stamps[before + 1] - stamps[before]
        part = (at_ns - stamps[before]) / np.maximum(span, 1)
        good = (part >= 0.0) & (part <= 1.0) & (span <= self._longest)
        return before, np.clip(part, 0.0, 1.0), good


def between(values: Array, before: NDArray[np.intp], part: Array) -> Array:
    """Return values (T, n) at places of a :class:`Clock`, linearly."""
    out: Array = values[before] + (values[before + 1] - values[before]) * part[:, None]
    return out


def poses_between(poses: Poses, before: NDArray[np.intp], part: Array) -> Poses:
    """Return poses at places of a :class:`Clock`: on the straight line, turning evenly."""
    first, last = poses.quaternion[before], poses.quaternion[before + 1]
    turn = to_vectors(product(last, conjugate(first))) * part[:, None]
    return Poses(between(poses.position, before, part), product(from_vectors(turn), first))
