"""What was commanded last, and whether the arm is still near it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_REST = 1e-6  # rad/s
_APART_S = 0.1  # a difference that stays this long is where the arm really is
_STAYS = 0.02  # rad; within this the measured joints have stayed


class Commanded:
    """The joints of the last command, from which the next one goes on.

    Parameters
    ----------
    n : int
        Number of joints.
    max_lead : float
        Largest difference between a measured joint and the last command [rad].

    Attributes
    ----------
    q : np.ndarray | None
        (n,) joints of the last command [rad]; None before the first.
    velocity : np.ndarray
        (n,) its velocity [rad/s].

    """

    def __init__(self, n: int, max_lead: float) -> None:
        self.max_lead = max_lead
        self.q: Array | None = None
        self.velocity: Array = np.zeros(n)
        self._apart_s = 0.0
        self._apart_at: Array | None = None  # where the arm was measured since

    @property
    def at_rest(self) -> bool:
        """Whether the last command had no velocity (or nothing was ever commanded)."""
        speeds: list[float] = self.velocity.tolist()
        return max(map(abs, speeds)) < _REST

    def forget(self) -> None:
        """Know nothing any more: the world that was commanded is gone."""
        self.q = None
        self.velocity = np.zeros_like(self.velocity)
        self._apart_s, self._apart_at = 0.0, None

    def rest_at(self, q: Array) -> None:
        """Go on from joints (n,) [rad], at rest."""
        self.q = q.copy()
        self.velocity = np.zeros_like(self.velocity)
        self._apart_s, self._apart_at = 0.0, None

    def halt(self) -> None:
        """Take the arm for being at rest at the last command: nothing was sent for a while."""
        self.velocity = np.zeros_like(self.velocity)

    def lost(self, measured: Array, fresh: bool, dt: float) -> tuple[bool, bool]:
        """Return whether nothing may be sent, and whether the arm goes on from where it is.

        A driver that restarts, a reset simulation or a wrong message puts the measured joints (n,)
        [rad] far from the commanded ones. A command would then be a jump. Nothing is sent; when
        they have stayed there and are ``fresh``, they are where the arm really is, and it goes on
        from there, at rest.
        """
        assert self.q is not None
        if max(map(abs, (measured - self.q).tolist())) <= self.max_lead:
            self._apart_s, self._apart_at = 0.0, None
            return False, False
        self.halt()  # an arm that is told nothing stops
        stayed = (self._apart_at is not None
                  and bool((np.abs(measured - self._apart_at) <= _STAYS).all()))
        if not stayed:
            self._apart_s, self._apart_at = 0.0, measured.copy()
        self._apart_s += dt
        if not (self._apart_s >= _APART_S and fresh):
            return True, False
        self.rest_at(measured)
        return True, True
