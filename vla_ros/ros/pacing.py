"""How simulated time follows real time, and how well it does."""

from __future__ import annotations

from collections import deque


class Pacer:
    """Says how long a simulation has to wait so as not to run ahead of real time.

    One that fell behind by more than ``slack_ns`` does not race to catch up: the arm's controllers
    would see that as a burst. It goes on from where it is, at the real rate.

    Parameters
    ----------
    slack_ns : int
        Lateness that is still made up for [ns].

    """

    def __init__(self, slack_ns: int = 50_000_000) -> None:
        self._slack_ns = slack_ns
        self._origin: tuple[int, int, float] | None = None

    def wait_ns(self, sim_ns: int, wall_ns: int, factor: float) -> int:
        """Return how long to wait until ``sim_ns`` is due [ns]; 0 when it is due or late.

        Parameters
        ----------
        sim_ns, wall_ns : int
            Simulated and monotonic time now [ns].
        factor : float
            Simulated seconds in a real one; 0: never wait.

        """
        if factor <= 0.0:
            self._origin = None
            return 0
        if self._origin is None or self._origin[2] != factor:
            self._origin = (sim_ns, wall_ns, factor)
        sim_0, wall_0, _ = self._origin
        wait = wall_0 + round((sim_ns - sim_0) / factor) - wall_ns
        if wait < -self._slack_ns:
            self._origin = (sim_ns, wall_ns, factor)
        return max(0, wait)


class Schedule:
    """Says when something that happens at a fixed rate is due, in simulated time."""

    def __init__(self, rate_hz: float) -> None:
        self._period_ns = 1e9 / rate_hz
        self._count = 0

    @property
    def due_ns(self) -> int:
        """Time of the next event [ns]."""
        return round(self._count * self._period_ns)

    def take(self, now_ns: int) -> bool:
        """Return whether an event is due; if so, the next one is the first after now."""
        if now_ns < self.due_ns:
            return False
        # One ns more, for a period that is not whole and whose multiples are rounded down.
        self._count = int((now_ns + 1) / self._period_ns) + 1
        return True


class RateWindow:
    """The rate of one count against another over the last ``window`` of the latter.

    With (wall time, simulated time) it is the real-time factor; with (time, number of images) it
    is the frame rate.
    """

    def __init__(self, window: float) -> None:
        self._window = window
        self._samples: deque[tuple[float, float]] = deque()

    def add(self, at: float, count: float) -> None:
        """Note that ``count`` had been reached at ``at`` (which never goes back)."""
        self._samples.append((at, count))
        # Keep one sample that is older than the window, to span all of it.
        while len(self._samples) > 2 and self._samples[1][0] <= at - self._window:
            self._samples.popleft()

    def rate(self) -> float | None:
        """Return count per unit of ``at``, or None before there are two samples."""
        if len(self._samples) < 2:
            return None
        (at_0, count_0), (at_1, count_1) = self._samples[0], self._samples[-1]
        return (count_1 - count_0) / (at_1 - at_0) if at_1 > at_0 else None

    def clear(self) -> None:
        """Forget all samples."""
        self._samples.clear()
