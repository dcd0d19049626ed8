"""The clock of a control loop that runs in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.clock import JumpThreshold
from rclpy.duration import Duration

# The last part of a wait is a plain sleep, which is not interrupted: stop() is that prompt.
_SLEEP_NS = 20_000_000


@dataclass(frozen=True)
class Tick:
    """One turn of the loop.

    Attributes
    ----------
    time_ns : int
        Time of the deadline on the node's clock [ns]; the present, when that has passed.
    error_ns : int
        How much later than it should the loop woke up [ns], >= 0.
    overruns : int
        Deadlines that have been missed altogether since the loop began.
    simulated : bool
        Whether the deadlines are those of simulated time.
    ahead_ns : int
        How long it is until the deadline [ns], 0 when it has passed.

    """

    time_ns: int
    error_ns: int
    overruns: int
    simulated: bool = False
    ahead_ns: int = 0


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

    ``lead_ns`` before each deadline, 0 unless set: so what the thread does at the deadline may take
    time to prepare, and that time may vary. In simulated time, which stands still meanwhile, there
    is no lead.

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
    sleep : Callable[[float], None]
        Sleeps for so many seconds of that clock.

    """

    def __init__(self, clock: Any, period_ns: int,
                 monotonic_ns: Callable[[], int] = time.monotonic_ns,
                 sleep: Callable[[float], None] = time.sleep) -> None:
        if not period_ns > 0:
            raise ValueError(f'period must be positive, found {period_ns} ns')
        self.lead_ns = 0
        self._clock = clock
        self._monotonic_ns = monotonic_ns
        self._sleep = sleep
        self._wake = threading.Condition()
        self._stopped = False
        self._simulated: bool | None = None
        self._deadlines = Deadlines(period_ns)
        self._jumps = clock.create_jump_callback(
            JumpThreshold(min_forward=Duration(nanoseconds=1),
                          min_backward=Duration(nanoseconds=-1), on_clock_change=True),
            post_callback=self._on_clock)

    @property
    def period_ns(self) -> int:
        """Time between two ticks [ns]."""
        return self._deadlines.period_ns

    @property
    def overruns(self) -> int:
        """Deadlines that have been missed altogether since the loop began."""
        return self._deadlines.overruns

    def idle_ns(self) -> int:
        """Return how long it is until the next tick [ns], negative when it is late.

        For the thread that calls :meth:`wait`. In simulated time, when nobody knows, it is a
        period: there a turn that comes late does no harm.
        """
        if self._simulated is not False or self._deadlines.next_ns is None:
            return self._deadlines.period_ns
        return self._deadlines.next_ns - self.lead_ns - self._monotonic_ns()

    def wait(self) -> Tick | None:
        """Sleep until the next tick; returns None when the ticker was stopped.

        A stop is noticed at once, in the last 20 ms before a tick only after them.
        """
        while True:
            with self._wake:
                tick, last_ns = self._look()
            if last_ns is None:
                return tick
            # Outside the lock, and not on the condition: nothing but the deadline wakes it, and no
            # other thread has to have let go of anything first. A clock step does not move it
            # either, while before Python 3.11 the condition waits for a system time.
            self._sleep(last_ns * 1e-9)

    def wait_deadline(self) -> None:
        """Sleep until the deadline of the tick that :meth:`wait` returned; for the same thread."""
        if self._simulated is False:
            left_ns = self._until_deadline(self._monotonic_ns())
            if left_ns > 0:
                self._sleep(left_ns * 1e-9)

    def _until_deadline(self, now_ns: int) -> int:
        """Return how long it is until the deadline of the present tick [ns], 0 when it is past."""
        next_ns = self._deadlines.next_ns
        return 0 if next_ns is None else max(0, next_ns - self._deadlines.period_ns - now_ns)

    def _look(self) -> tuple[Tick | None, int | None]:
        """Return a tick that is due, or None and what is left to sleep [ns]; (None, None): stop.

        Waits, with the lock let go, while that is long.
        """
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
                    return Tick(now_ns, late, self._deadlines.overruns, simulated), None
                self._wake.wait()
                continue
            now_ns = self._monotonic_ns()
            late = self._deadlines.reached(now_ns + self.lead_ns)
            if late is not None:
                ahead = self._until_deadline(now_ns)
                return Tick(self._clock.now().nanoseconds + ahead, late, self._deadlines.overruns,
                            simulated, ahead), None
            assert self._deadlines.next_ns is not None
            left_ns = self._deadlines.next_ns - self.lead_ns - now_ns
            if left_ns <= _SLEEP_NS:
                return None, left_ns
            self._wake.wait((left_ns - _SLEEP_NS) * 1e-9)
        return None, None

    def stop(self) -> None:
        """Make :meth:`wait` return None, now and from now on."""
        with self._wake:
            self._stopped = True
            self._wake.notify_all()
        self._jumps.unregister()

    def _on_clock(self, _jump: Any) -> None:
        with self._wake:
            self._wake.notify_all()
