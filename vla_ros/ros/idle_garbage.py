"""Python's garbage collector, kept out of the time in which something must be done."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

_EVERY_NS = 1_000_000_000
_AT_LATEST_NS = 30_000_000_000


class IdleGarbage:
    """Collects garbage only when told that there is nothing else to do.

    Left to itself Python collects whenever enough objects have been made, in whatever thread makes
    one more, with every other thread waiting. A full collection looks at all objects: 6 to 10 ms
    for the 40 000 that exist once this package's control node has been imported. Those that exist
    at the start are therefore left out (``gc.freeze``), and the others are looked at in the gaps,
    once a second.

    For the whole process, so there must be only one. One thread calls all methods.

    Parameters
    ----------
    monotonic_ns : Callable[[], int]
        A monotonic clock [ns].

    """

    def __init__(self, monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self.longest_ns = 0
        self.late = 0
        self._now_ns = monotonic_ns
        self._cost_ns = 0
        self._last_ns = 0

    def take_over(self) -> None:
        """Collect now, leave what is left alone from now on, and switch the collector off."""
        gc.collect()
        gc.freeze()
        gc.disable()
        self._last_ns = self._now_ns()

    def give_back(self) -> None:
        """Let Python collect as it does by itself."""
        gc.unfreeze()
        gc.enable()

    def idle(self, idle_ns: int) -> None:
        """Collect if it is time to and, by the last time, takes less than half of ``idle_ns``.

        When it did not fit for 30 s it is done all the same and counted in ``late``: one late tick
        does less harm than memory that grows.
        """
        started = self._now_ns()
        since = started - self._last_ns
        if since < _EVERY_NS:
            return
        fits = 2 * self._cost_ns < idle_ns
        if not (fits or since >= _AT_LATEST_NS):
            return
        gc.collect()
        self._last_ns = self._now_ns()
        self._cost_ns = self._last_ns - started
        self.longest_ns = max(self.longest_ns, self._cost_ns)
        self.late += not fits
