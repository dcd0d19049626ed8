"""Whether two machines have one clock, from the age that messages have when they arrive."""

from __future__ import annotations

from collections import deque


class ClockOffset:
    """The smallest age of the last messages: transport and a busy machine only add to it.

    Parameters
    ----------
    count : int
        How many messages are remembered.

    """

    def __init__(self, count: int = 50) -> None:
        self._ages: deque[int] = deque(maxlen=count)

    def add(self, stamp_ns: int, now_ns: int) -> None:
        """Take in a message stamped ``stamp_ns`` that arrived at ``now_ns`` [ns]."""
        self._ages.append(now_ns - stamp_ns)

    @property
    def seconds(self) -> float | None:
        """How far the stamps' clock is behind ours, at most [s]; None before any message."""
        return min(self._ages) * 1e-9 if self._ages else None
