"""The clock of a control loop that runs in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.clock import JumpThreshold
from rclpy.duration import Duration


@dataclass(frozen=True)
class Tick:
    """One turn of the loop.

    Attributes
    ----------
    time_ns : int
        Time on the node's clock [ns].
    error_ns : int
        How long after its deadline the loop woke up [ns], >= 0.
    overruns : int
        Deadlines that have been missed altogether since the loop began.

    """

    time_ns: int
    error_ns: int
    overruns: int


class Deadlines:
    """Evenly spaced points in time; those that were missed are counted and left out.

    The points lie at whole periods after the first, so lateness never adds up.
    """

    def __init__(self, period_ns: int) -> None:
        self.period_ns = period_ns
        self.overruns = 0
        self.next_ns: int | None = None

    def reached(self, now_ns: int) -> int | None:
        """Return how late ``now_ns`` is for the next deadline [ns], or None before it.

        When it is reached, the next deadline is set. A clock that went back begins anew.
        """
        if self.next_ns is None or now_ns < self.next_ns - self.period_ns:
            self.next_ns = now_ns
        late = now_ns - self.next_ns
        if late < 0:
            return None
        missed = late // self.period_ns
        self.overruns += missed
        self.next_ns += (missed + 1) * self.period_ns
        return late


class Ticker:
    """Wakes a thread once a period, by the node's clock.

    Without simulated time the deadlines are on the monotonic clock, so that a step of the system
    time (NTP) neither stalls nor rushes the arm. In simulated time it wakes when ``/clock`` passes
    the deadline, and sleeps as long as the simulation stands still.

    One thread calls :meth:`wait`; any thread may call :meth:`stop`.

    Parameters
    ----------
    clock : rclpy.clock.ROSClock
        The node's clock.
    period_ns : int
        Time between two ticks [ns].
    monotonic_ns : Callable[[], int]
        The monotonic clock [ns].

    """

    def __init__(self, clock: Any, period_ns: int,
                 monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        if not period_ns > 0:
            raise ValueError(f'period must be positive, found {period_ns} ns')
        self._clock = clock
        self._monotonic_ns = monotonic_ns
        self._wake = threading.Condition()
        self._stopped = False
        self._simulated: bool | None = None
        self._deadlines = Deadlines(period_ns)
        self._jumps = clock.create_jump_callback(
            JumpThreshold(min_forward=Duration(nanoseconds=1),
                          min_backward=Duration(nanoseconds=-1), on_clock_change=True),
            post_callback=self._on_clock)

    @property
    def overruns(self) -> int:
        """Deadlines that have been missed altogether since the loop began."""
        return self._deadlines.overruns

    def wait(self) -> Tick | None:
        """Sleep until the next tick; returns None, at once, when the ticker was stopped."""
        with self._wake:
            while not self._stopped:
                simulated = bool(self._clock.ros_time_is_active)
                if simulated != self._simulated:  # the two count from different origins
                    self._simulated = simulated
                    self._deadlines.next_ns = None
                if simulated:
                    now_ns = self._clock.now().nanoseconds
                    # Simulated time is 0 until the first /clock: not a time to act upon.
                    late = self._deadlines.reached(now_ns) if now_ns > 0 else None
                    if late is not None:
                        return Tick(now_ns, late, self._deadlines.overruns)
                    self._wake.wait()
                else:
                    now_ns = self._monotonic_ns()
                    late = self._deadlines.reached(now_ns)
                    if late is not None:
                        return Tick(self._clock.now().nanoseconds, late, self._deadlines.overruns)
                    assert self._deadlines.next_ns is not None
                    self._wake.wait((self._deadlines.next_ns - now_ns) / 1e9)
        return None

    def stop(self) -> None:
        """Make :meth:`wait` return None, now and from now on."""
        with self._wake:
            self._stopped = True
            self._wake.notify_all()
        self._jumps.unregister()

    def _on_clock(self, _jump: Any) -> None:
        with self._wake:
            self._wake.notify_all()
