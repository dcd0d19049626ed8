"""The arm waits for the fingers: what lifts before it has closed, drops."""

from __future__ import annotations

import numpy as np

from vla_ros.core.errors import ConfigError

_CHANGE = 0.002  # m; a command that differs by less is the same command
_STILL = 0.0005  # m; a width that changes by less within _STILL_NS is at rest
_STILL_NS = 100_000_000


class GripperSettle:
    """Tells while the gripper is on its way after a change of its command.

    A policy plans to close and then to lift. When its answer comes late, the closing begins late
    but the lifting does not, since the arm is where the plan says it should be by now. So the arm
    waits until the measured width has changed and come to rest, and at most for ``limit``.

    Parameters
    ----------
    limit : float
        Longest wait [s]; 0 never waits.

    """

    def __init__(self, limit: float) -> None:
        if not 0.0 <= limit < np.inf:
            raise ConfigError(f'gripper: settle must not be negative, found {limit}')
        self._limit_ns = round(limit * 1e9)
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._command: float | None = None
        self._since_ns: int | None = None  # of the change that is waited for
        self._rest: tuple[int, float] | None = None  # since when, and at which width
        self._moved = False

    def measured(self, stamp_ns: int, width: float) -> None:
        """Take in a measured opening width [m] of this time [ns]."""
        if self._rest is None or stamp_ns < self._rest[0]:
            self._rest = stamp_ns, width
        elif not abs(width - self._rest[1]) <= _STILL:
            self._rest = stamp_ns, width
            self._moved = True

    def waiting(self, now_ns: int, width: float | None) -> bool:
        """Return whether the arm shall wait, with this width [m] being commanded now [ns]."""
        if width is None:
            return False
        if self._command is None:
            self._command = width
        elif not abs(width - self._command) <= _CHANGE:
            self._command, self._since_ns, self._moved = width, now_ns, False
        since = self._since_ns
        if since is None:
            return False
        settled = (self._moved and self._rest is not None
                   and now_ns - self._rest[0] >= _STILL_NS)
        if settled or not 0 <= now_ns - since < self._limit_ns:
            self._since_ns = None
            return False
        return True
