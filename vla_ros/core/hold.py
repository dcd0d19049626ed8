"""Holding: brake, then keep the joints where they were measured when the arm had come to rest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_REST_SPEED = 0.01  # rad/s; below it a joint counts as at rest
_SETTLE_TIMEOUT = 0.5  # s; a joint that never comes to rest (noise) is latched all the same


class Hold:
    """Gives the joint goal of each tick while the arm holds.

    Going straight to the measured joints would pull a moving arm back, because the measured joints
    lag the commanded ones. So the command is braked first; when the arm has come to rest, the
    measured joints are latched once. Following them tick by tick would let the arm sag.

    Parameters
    ----------
    approach_speed : float
        Speed at which the command moves to the latched joints [rad/s].

    """

    def __init__(self, approach_speed: float = 0.2) -> None:
        self.approach_speed = approach_speed
        self._latched: Array | None = None
        self._previous: Array | None = None
        self._waited = 0.0

    def reset(self) -> None:
        """Forget the latched joints: the arm moves again."""
        self._latched = None
        self._previous = None
        self._waited = 0.0

    @property
    def latched(self) -> bool:
        """Whether the joints to keep are known."""
        return self._latched is not None

    def goal(self, commanded: Array, velocity: Array, measured: Array, dt: float) -> Array:
        """Return the joint goal (n,) [rad] of this tick.

        ``commanded`` (n,) [rad] and ``velocity`` (n,) [rad/s] are the last command's, ``measured``
        (n,) [rad] the newest joint state, ``dt`` [s] the time since the last tick.
        """
        if self._latched is None:
            self._try_to_latch(velocity, measured, dt)
            if self._latched is None:
                return commanded
        step = self.approach_speed * dt
        return commanded + np.clip(self._latched - commanded, -step, step)

    def _try_to_latch(self, velocity: Array, measured: Array, dt: float) -> None:
        if not (np.abs(velocity) <= _REST_SPEED).all():
            return
        previous, self._previous = self._previous, measured.copy()
        self._waited += dt
        if previous is None:
            return
        at_rest = (np.abs(measured - previous) <= _REST_SPEED * dt).all()
        if (at_rest and self._waited >= 5 * dt) or self._waited >= _SETTLE_TIMEOUT:
            self._latched = measured.copy()
