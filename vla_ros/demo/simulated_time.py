"""What time it is in the simulation, from the stamps of messages that come often."""

from __future__ import annotations

from collections import deque


class SimulatedTime:
    """A clock between two messages, and a judge of their delay.

    Of the last messages the one that came soonest sets the clock: the others were only delayed
    longer. So the delay of each message can be told from the clock, apart from the shortest.
    Cheaper than ``/clock``, whose messages would have to be received 200 times a second.

    Parameters
    ----------
    keep : int
        How many messages back to look.
    longest_ns : int
        Without a message for this long, simulated time stands still [ns].

    """

    def __init__(self, keep: int = 5, longest_ns: int = 50_000_000) -> None:
        self._samples: deque[tuple[int, int]] = deque(maxlen=keep)
        self._longest_ns = longest_ns

    @property
    def last_wall_ns(self) -> int | None:
        """Real time at which the newest message came [ns]."""
        return self._samples[-1][1] if self._samples else None

    def add(self, stamp_ns: int, wall_ns: int) -> None:
        """Take in a message: its stamp, and the monotonic time at which it came [ns]."""
        self._samples.append((stamp_ns, wall_ns))

    def now_ns(self, wall_ns: int) -> int | None:
        """Return the simulated time at a monotonic time [ns]; None before the first message."""
        if not self._samples:
            return None
        return max(stamp + min(wall_ns - came, self._longest_ns) for stamp, came in self._samples)
