"""Where the command stands: the joints that it goes on from, and how it holds there."""

from __future__ import annotations

from enum import Enum

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.commanded import Commanded
from vla_ros.core.hold import Hold
from vla_ros.core.measured_arm import MeasuredArm

Array = NDArray[np.float64]


class Stand(Enum):
    """Whether a command may be sent at this tick."""

    GOES_ON = 'goes on'  # from the last command, or from the measured joints
    UNKNOWN = 'unknown'  # no: nothing was commanded yet, and where the arm is now is not known
    APART = 'apart'  # no: commanded and measured joints are apart, it would be a jump
    ANEW = 'anew'  # no, but from the next tick on: from the measured joints, which have stayed


class Footing:
    """Keeps the command near the measured arm, and holds it when nothing shall move.

    Parameters
    ----------
    commanded : Commanded
        The last command; who moves the arm writes the next one there.
    arm : MeasuredArm
        What is known of the arm.

    """

    def __init__(self, commanded: Commanded, arm: MeasuredArm) -> None:
        self._commanded = commanded
        self._arm = arm
        self._hold = Hold()
        self._silent = False  # whether the joint states were stale at the last tick

    def find(self, now_ns: int, dt: float) -> Stand:
        """Find the joints that the command of this tick of ``dt`` [s] goes on from."""
        measured, commanded = self._arm.q, self._commanded
        if measured is None:
            return Stand.UNKNOWN
        fresh = self._arm.fresh(now_ns)
        if commanded.q is None:
            if not fresh:
                return Stand.UNKNOWN
            self._rest_at(measured)
        silent, self._silent = self._silent, not fresh
        if silent and fresh and commanded.at_rest:
            # Somebody may have moved the arm meanwhile; it must not be pulled back.
            self._rest_at(measured)
        nothing, anew = commanded.lost(measured, fresh, dt)
        if anew:
            self._hold.reset()
            return Stand.ANEW
        return Stand.APART if nothing else Stand.GOES_ON

    def hold(self, now_ns: int, dt: float) -> Array:
        """Return the joint goal (n,) [rad] of a tick in which the arm brakes, or holds."""
        measured, commanded = self._arm.q, self._commanded
        assert measured is not None and commanded.q is not None
        if not self._arm.fresh(now_ns):
            # Where the arm is now is not known; the last command is the nearest thing to it.
            return commanded.q
        return self._hold.goal(commanded.q, commanded.velocity, measured, dt)

    def leave(self) -> None:
        """End the hold: somebody moves the arm."""
        self._hold.reset()

    def rest_at_measured(self) -> None:
        """Go on from the measured joints, at rest; nothing when they, or a command, are unknown."""
        if self._arm.q is not None and self._commanded.q is not None:
            self._rest_at(self._arm.q)

    def begin_again(self) -> None:
        """Begin at the measured joints, unless the arm still brakes: then it goes on from there."""
        if self._commanded.at_rest:
            self._commanded.forget()

    def forget(self) -> None:
        """Know of no command any more: the world that was commanded is gone."""
        self._commanded.forget()
        self._hold.reset()

    def _rest_at(self, measured: Array) -> None:
        self._commanded.rest_at(measured)
        self._hold.reset()
