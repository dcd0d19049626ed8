"""The control loop's clock: no drift, missed deadlines are counted, it can always be stopped."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rclpy.clock import ROSClock
from rclpy.time import Time

from vla_ros.ros.rate import Deadlines, Ticker

MS = 1_000_000


@given(st.lists(st.integers(0, 60 * MS), min_size=1, max_size=50), st.integers(1, 20 * MS))
def test_deadlines_stay_on_the_grid_and_every_one_is_met_or_counted(waits, period):
    deadlines = Deadlines(period)
    now = start = 5 * MS
    assert deadlines.reached(now) == 0  # the first call is the origin of the grid
    met = 1
    for wait in waits:
        now += wait
        late = deadlines.reached(now)
        if late is not None:
            met += 1
            assert late >= 0
            assert (now - late - start) % period == 0
            assert deadlines.next_ns > now
    assert met + deadlines.overruns == (deadlines.next_ns - start) // period


def test_clock_that_goes_back_begins_anew():
    deadlines = Deadlines(10 * MS)
    assert deadlines.reached(1000 * MS) == 0
    assert deadlines.reached(3 * MS) == 0
    assert deadlines.next_ns == 13 * MS
    assert deadlines.overruns == 0


@pytest.fixture
def clock():
    """Return a real ROS clock in simulated time, and set it with ``clock.set_ms``."""
    clock = ROSClock()
    clock._set_ros_time_is_active(True)
    clock.set_ms = lambda ms: clock.set_ros_time_override(
        Time(nanoseconds=ms * MS, clock_type=clock.clock_type))
    return clock


class Loop(threading.Thread):
    """Runs a ticker in a thread and hands over its ticks one by one."""

    def __init__(self, ticker):
        super().__init__(daemon=True)
        self.ticker = ticker
        self.ticks = []
        self._changed = threading.Condition()
        self.start()

    def run(self):
        while True:
            tick = self.ticker.wait()
            with self._changed:
                self.ticks.append(tick)
                self._changed.notify_all()
            if tick is None:
                return

    def expect(self, count):
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.ticks) >= count, timeout=20)
        return self.ticks[count - 1]


def test_simulated_time_wakes_the_loop_when_it_passes_the_deadline(clock):
    loop = Loop(Ticker(clock, 10 * MS))
    clock.set_ms(100)
    assert (loop.expect(1).time_ns, loop.expect(1).error_ns) == (100 * MS, 0)
    clock.set_ms(105)  # before the deadline: no tick, as the next one shows
    clock.set_ms(112)
    tick = loop.expect(2)
    assert (tick.time_ns, tick.error_ns, tick.overruns) == (112 * MS, 2 * MS, 0)
    clock.set_ms(120)
    assert loop.expect(3).error_ns == 0
    clock.set_ms(155)
    tick = loop.expect(4)
    assert (tick.time_ns, tick.error_ns, tick.overruns) == (155 * MS, 25 * MS, 2)
    loop.ticker.stop()
    assert loop.expect(5) is None
    assert len(loop.ticks) == 5


def test_no_tick_before_the_first_clock_message(clock):
    loop = Loop(Ticker(clock, 10 * MS))
    clock.set_ms(7)
    assert loop.expect(1).time_ns == 7 * MS
    loop.ticker.stop()


def test_simulation_that_starts_again_does_not_stall_the_loop(clock):
    loop = Loop(Ticker(clock, 10 * MS))
    clock.set_ms(5000)
    loop.expect(1)
    clock.set_ms(20)
    assert loop.expect(2).time_ns == 20 * MS
    loop.ticker.stop()


def test_stop_wakes_a_loop_whose_simulation_stands_still(clock):
    loop = Loop(Ticker(clock, 10 * MS))
    clock.set_ms(5)
    loop.expect(1)
    loop.ticker.stop()
    assert loop.expect(2) is None
    loop.join(timeout=20)
    assert not loop.is_alive()
    assert loop.ticker.wait() is None


class StepClock:
    """A monotonic clock that a test sets, and that a sleep moves on, as late as it is told."""

    def __init__(self):
        self.now_ns = 1000 * MS
        self.wakes_late_ns = 0

    def __call__(self):
        return self.now_ns

    def sleep(self, seconds):
        assert seconds > 0.0
        self.now_ns += round(seconds * 1e9) + self.wakes_late_ns


def test_without_simulated_time_deadlines_are_on_the_monotonic_clock():
    monotonic = StepClock()
    ticker = Ticker(ROSClock(), 10 * MS, monotonic)
    assert ticker.wait().error_ns == 0
    monotonic.now_ns += 13 * MS
    assert ticker.wait().error_ns == 3 * MS
    monotonic.now_ns += 7 * MS  # on the grid of the first tick, not 10 ms after the late one
    assert ticker.wait().error_ns == 0
    monotonic.now_ns += 45 * MS
    tick = ticker.wait()
    assert (tick.error_ns, tick.overruns) == (35 * MS, 3)
    ticker.stop()
    assert ticker.wait() is None


@given(st.lists(st.tuples(st.integers(0, 2 * MS), st.integers(0, 3 * MS)), max_size=40),
       st.lists(st.integers(0, 3 * MS), min_size=40, max_size=40))
def test_what_takes_less_than_the_lead_is_sent_exactly_on_the_grid(turns, leads):
    clock = StepClock()
    ticker = Ticker(ROSClock(), 10 * MS, clock, clock.sleep)
    first = ticker.wait()
    assert (first.error_ns, first.ahead_ns) == (0, 0)
    start = clock.now_ns
    for i, ((late, work), lead) in enumerate(zip(turns, leads, strict=False), start=1):
        ticker.lead_ns = lead
        deadline = start + i * 10 * MS
        clock.wakes_late_ns = late
        tick = ticker.wait()
        assert tick.error_ns == late
        assert clock.now_ns == deadline - lead + late
        assert tick.ahead_ns == max(0, lead - late)
        clock.wakes_late_ns = 0
        clock.now_ns += work
        ready = clock.now_ns
        ticker.wait_deadline()
        assert clock.now_ns == max(deadline, ready)
        assert ticker.idle_ns() == deadline + 10 * MS - lead - clock.now_ns
    assert ticker.overruns == 0
    ticker.stop()


def test_a_lead_that_shrinks_or_a_missed_deadline_does_not_leave_the_grid():
    clock = StepClock()
    ticker = Ticker(ROSClock(), 10 * MS, clock, clock.sleep)
    ticker.lead_ns = 5 * MS
    ticker.wait()
    ticker.wait_deadline()
    start = clock.now_ns  # the first deadline is a lead after the beginning
    assert start == 1005 * MS
    clock.now_ns = start + 27 * MS  # 22 ms after it should have woken up for the next one
    tick = ticker.wait()
    assert (tick.overruns, tick.ahead_ns) == (2, 3 * MS)
    ticker.wait_deadline()
    assert clock.now_ns == start + 30 * MS
    ticker.lead_ns = 0
    assert ticker.wait().error_ns == 0
    assert clock.now_ns == start + 40 * MS
    ticker.stop()


def test_a_tick_tells_the_time_of_its_deadline_not_of_waking_up():
    clock, ros = StepClock(), ROSClock()
    ticker = Ticker(ros, 10 * MS, clock, clock.sleep)
    ticker.lead_ns = 4 * MS
    before = ros.now().nanoseconds
    tick = ticker.wait()
    after = ros.now().nanoseconds
    assert before + 4 * MS <= tick.time_ns <= after + 4 * MS
    ticker.stop()


def test_in_simulated_time_there_is_no_lead(clock):
    ticker = Ticker(clock, 10 * MS)
    ticker.lead_ns = 5 * MS
    clock.set_ms(100)
    tick = ticker.wait()
    assert (tick.time_ns, tick.ahead_ns, tick.simulated) == (100 * MS, 0, True)
    ticker.wait_deadline()  # would sleep for ever if it slept
    clock.set_ms(110)
    assert ticker.wait().error_ns == 0
    ticker.stop()


def test_stop_during_the_last_part_of_a_wait_ends_it():
    clock = StepClock()

    def stop(seconds):
        ticker.stop()

    ticker = Ticker(ROSClock(), 10 * MS, clock, stop)
    ticker.wait()
    assert ticker.wait() is None


def test_loop_on_the_real_clock_does_not_run_ahead_of_its_deadlines():
    ticker = Ticker(ROSClock(), MS)
    start = time.monotonic_ns()
    ticks = [ticker.wait() for _ in range(20)]
    met = time.monotonic_ns() - start
    assert met >= (19 + ticks[-1].overruns) * MS
    assert all(tick.error_ns >= 0 for tick in ticks)
    ticker.stop()
    ticker.stop()  # twice does no harm


def test_switching_to_simulated_time_reaches_a_waiting_loop():
    clock = ROSClock()
    loop = Loop(Ticker(clock, 10**18))  # its next deadline is in 30 years
    loop.expect(1)
    clock._set_ros_time_is_active(True)
    clock.set_ros_time_override(Time(nanoseconds=42, clock_type=clock.clock_type))
    assert loop.expect(2).time_ns == 42
    loop.ticker.stop()


def test_period_must_be_positive():
    with pytest.raises(ValueError, match='positive'):
        Ticker(ROSClock(), 0)
