"""The time of the ticks, and the time in the chunks that is followed."""

from __future__ import annotations

from enum import Enum

_CLOCK_JUMP = 0.5  # s; a clock set back by less (NTP) is no other world


class ClockEvent(Enum):
    """What the time between two ticks tells, when it is not about a period."""

    WENT_BACK = 'went back'  # a restarted simulation or bag: another world
    PAUSED = 'paused'  # nothing was sent for a while


class Playhead:
    """Goes through the chunks with the clock, or slower when the next chunk is late.

    Parameters
    ----------
    period : float
        Nominal time between two ticks [s].
    slow_factor : float
        How fast it goes when late, as a part of the clock's speed.

    Attributes
    ----------
    ns : int
        The time in the chunks that is due [ns].

    """

    def __init__(self, period: float, slow_factor: float) -> None:
        self.period = period
        self.slow_factor = slow_factor
        self.ns = 0
        self._now_ns: int | None = None

    def tick(self, now_ns: int) -> tuple[float, ClockEvent | None]:
        """Return the time since the last tick [s], and what it tells.

        It is bounded: one tick is all that may be made up for, and a clock that stands still or
        goes back gives a period.
        """
        period = self.period
        last, self._now_ns = self._now_ns, now_ns
        if last is None:
            return period, None
        dt = (now_ns - last) * 1e-9
        if 0.1 * period <= dt <= 5.0 * period:
            return dt, None
        if dt < -_CLOCK_JUMP:
            return period, ClockEvent.WENT_BACK
        return period, ClockEvent.PAUSED if dt > 5.0 * period else None

    def play(self, now_ns: int, dt: float, late: bool) -> int:
        """Return the time in the chunks that is due now [ns]: the present, or less when late."""
        if late:
            now_ns = min(self.ns + round(self.slow_factor * dt * 1e9), now_ns)
        self.ns = now_ns
        return now_ns
