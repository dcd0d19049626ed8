"""Between an arm's joints as the profile has them and as its driver has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class JointMapping:
    """Names, signs, offsets and scales of the joints, in the profile's order.

    The driver's joint is ``(sign * q + offset) * scale``, with a scale of its own for what it is
    told and for what it tells: drivers that convert with a rounded pi do it differently each way.

    Attributes
    ----------
    names : tuple[str, ...]
        The driver's joint names.
    signs, offsets : np.ndarray
        (n,) 1 or -1, and [rad].
    command_scale, feedback_scale : float
        Driver's radians for one radian.

    """

    names: tuple[str, ...]
    signs: Array
    offsets: Array
    command_scale: float = 1.0
    feedback_scale: float = 1.0

    def to_driver(self, q: Array) -> Array:
        """Return the positions to send (n,) for the profile's [rad]."""
        return (self.signs * q + self.offsets) * self.command_scale

    def velocity_to_driver(self, velocity: Array) -> Array:
        """Return the velocities to send (n,) for the profile's [rad/s]."""
        return self.signs * velocity * self.command_scale

    def from_driver(self, q: Array) -> Array:
        """Return the profile's positions (n,) [rad] for those that the driver reports."""
        return self.signs * (q / self.feedback_scale - self.offsets)

    def from_command(self, q: Array) -> Array:
        """Return the profile's positions (n,) [rad] for those that were sent: to_driver undone."""
        return self.signs * (q / self.command_scale - self.offsets)

    def order_in(self, theirs: Sequence[str]) -> NDArray[np.intp] | None:
        """Return, for each of their joints, its place among ours; None when the sets differ."""
        place = {name: i for i, name in enumerate(self.names)}
        if len(theirs) != len(place) or set(theirs) != set(place):
            return None
        return np.array([place[name] for name in theirs], dtype=np.intp)


@dataclass(frozen=True)
class GripperMapping:
    """The gripper's opening width [m] as its driver has it: ``at_zero + per_metre * width``.

    Attributes
    ----------
    joint : str
        Its name in the driver's joint states.
    at_zero : float
        The driver's position when closed to zero width.
    per_metre : float
        How much it changes for a metre of width; negative where a larger number is more closed.

    """

    joint: str
    at_zero: float
    per_metre: float

    def to_driver(self, width: float) -> float:
        """Return the position to send for a width [m]."""
        return self.at_zero + self.per_metre * width

    def from_driver(self, position: float) -> float:
        """Return the width [m] of a position that the driver reports."""
        return (position - self.at_zero) / self.per_metre
