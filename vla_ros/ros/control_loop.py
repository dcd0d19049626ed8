"""A loop at a fixed rate in a thread of its own, which other threads do not keep waiting."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from vla_ros.ros.idle_garbage import IdleGarbage
from vla_ros.ros.period_histogram import PeriodHistogram
from vla_ros.ros.rate import Tick, Ticker
from vla_ros.ros.realtime import Answer, RealtimeSettings, prepare_process, prepare_thread

T = TypeVar('T')

_TURN_OVER_S = 60.0
_ADAPT_NS = 1_000_000_000


class ControlLoop(Generic[T]):
    """Decides and sends once a period, each time after doing what other threads have posted.

    It decides ahead of the deadline by as long as nearly all decisions take, and sends at the
    deadline: commands leave evenly although some decisions take longer than others.

    Whatever ``decide`` and ``send`` use belongs to the loop's thread alone. Other threads leave
    what they want done there with :meth:`post`; nobody ever waits for a lock.

    Parameters
    ----------
    clock : rclpy.clock.ROSClock
        The node's clock.
    rate_hz : float
        Turns a second.
    decide : Callable[[int], T]
        Gets the time of the deadline on the node's clock [ns].
    send : Callable[[T], None]
        Gets what was decided.
    settings : RealtimeSettings
        What to ask of the operating system.
    afterwards : Callable[[], object]
        Called when the command has been sent: for work that can wait, but belongs to this thread.

    """

    def __init__(self, clock: Any, rate_hz: float, decide: Callable[[int], T],
                 send: Callable[[T], None], settings: RealtimeSettings,
                 afterwards: Callable[[], object] = lambda: None) -> None:
        self._decide = decide
        self._send = send
        self._settings = settings
        self._afterwards = afterwards
        self._ticker = Ticker(clock, round(1e9 / rate_hz))
        self._ticker.lead_ns = self._ticker.period_ns // 4
        self._inbox: deque[Callable[[int], object]] = deque()
        self._thread = threading.Thread(target=self._loop, name='control_loop', daemon=True)
        self._prepared = threading.Event()
        self._garbage = IdleGarbage()
        self._error: BaseException | None = None
        self._turned = self._turned_over = time.monotonic()
        self._adapt_ns = time.monotonic_ns() + _ADAPT_NS
        self._overruns_told = 0
        self._error_of_period = PeriodHistogram()
        self._lateness = PeriodHistogram()
        self._duration = PeriodHistogram()
        self.answers: tuple[Answer, ...] = ()

    def start(self) -> None:
        """Begin; on return ``answers`` says what the operating system has granted."""
        self.answers = tuple(prepare_process(self._settings))
        self._thread.start()
        self._prepared.wait()

    def stop(self, timeout_s: float = 1.0) -> None:
        """End after the present turn, and wait for that."""
        self._ticker.stop()
        self._thread.join(timeout_s)

    def post(self, action: Callable[[int], object]) -> None:
        """Have ``action(now_ns)`` called in the loop's thread, before the next decision."""
        self._inbox.append(action)

    @property
    def ended(self) -> bool:
        """Whether there will be no further turn."""
        return self._prepared.is_set() and not self._thread.is_alive()

    def silent_s(self) -> float:
        """Return how long ago the last turn was [s of real time].

        Raises
        ------
        BaseException
            Whatever the loop ended with.

        """
        if self._error is not None:
            raise self._error
        return time.monotonic() - self._turned

    def report(self) -> tuple[int, dict[str, object]]:
        """Return how many deadlines were missed since the last report, and figures by name.

        The quantiles are those of the last one to two minutes.
        """
        overruns = self._ticker.overruns
        missed, self._overruns_told = overruns - self._overruns_told, overruns
        values: dict[str, object] = {
            'overruns': overruns, 'lead_ms': self._ticker.lead_ns * 1e-6,
            **self._error_of_period.summary('period_error'), **self._lateness.summary('wake_up'),
            **self._duration.summary('decide'),
            'garbage_max_ms': self._garbage.longest_ns * 1e-6, 'garbage_late': self._garbage.late,
            'period_error_histogram': self._error_of_period.text()}
        if time.monotonic() - self._turned_over > _TURN_OVER_S:
            self._turned_over = time.monotonic()
            for histogram in (self._error_of_period, self._lateness, self._duration):
                histogram.turn_over()
        return missed, values

    def _loop(self) -> None:
        try:
            self.answers += tuple(prepare_thread(self._settings))
            self._garbage.take_over()
            self._prepared.set()
            self._run()
        except BaseException as error:  # a control loop that ended must not look like one that runs
            self._error = error
        finally:
            self._prepared.set()
            self._garbage.give_back()

    def _run(self) -> None:
        sent_before: tuple[int, bool] | None = None
        while (tick := self._ticker.wait()) is not None:
            began_ns = time.monotonic_ns()
            while self._inbox:
                self._inbox.popleft()(tick.time_ns)
            decision = self._decide(tick.time_ns)
            decided_ns = time.monotonic_ns()
            self._ticker.wait_deadline()
            self._send(decision)
            sent_ns = time.monotonic_ns()
            self._turned = sent_ns * 1e-9
            self._lateness.add(tick.error_ns)
            self._duration.add(decided_ns - began_ns)
            sent_before = self._note_period(tick, sent_ns, sent_before)
            self._adapt_lead(sent_ns)
            self._afterwards()
            self._garbage.idle(self._ticker.idle_ns())

    def _adapt_lead(self, now_ns: int) -> None:
        if now_ns < self._adapt_ns:
            return
        self._adapt_ns = now_ns + _ADAPT_NS
        # Nearly all that come late by waking up, or by deciding, are still in time to be sent.
        enough_ns = self._lateness.quantile_ns(0.99) + self._duration.quantile_ns(0.99)
        self._ticker.lead_ns = min(enough_ns, self._ticker.period_ns // 2)

    def _note_period(self, tick: Tick, sent_ns: int,
                     before: tuple[int, bool] | None) -> tuple[int, bool]:
        # In simulated time the period is that of the simulation, however fast it runs.
        now = (tick.time_ns if tick.simulated else sent_ns, tick.simulated)
        if before is not None and before[1] == tick.simulated:
            self._error_of_period.add(abs(now[0] - before[0] - self._ticker.period_ns))
        return now
