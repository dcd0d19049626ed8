"""Simulated time follows real time, does not race after a stall, and says how well it does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.ros.pacing import Pacer, RateWindow, Schedule

MS = 1_000_000


@pytest.mark.parametrize('factor', [0.5, 1.0, 4.0])
def test_simulation_waits_until_its_time_is_due(factor):
    pacer, wall = Pacer(), 7_000 * MS
    for sim in range(0, 1000 * MS, 5 * MS):
        wall += pacer.wait_ns(sim, wall, factor)
        assert abs((wall - 7_000 * MS) - sim / factor) <= 1


def test_short_delay_is_made_up_for_and_a_long_one_is_not():
    pacer = Pacer(slack_ns=50 * MS)
    assert pacer.wait_ns(0, 0, 1.0) == 0
    assert pacer.wait_ns(5 * MS, 25 * MS, 1.0) == 0  # 20 ms late
    assert pacer.wait_ns(30 * MS, 26 * MS, 1.0) == 4 * MS  # on the first grid again
    assert pacer.wait_ns(35 * MS, 1000 * MS, 1.0) == 0  # stalled
    assert pacer.wait_ns(40 * MS, 1000 * MS, 1.0) == 5 * MS  # goes on at the real rate


def test_factor_zero_never_waits_and_leaves_no_debt():
    pacer = Pacer()
    assert pacer.wait_ns(0, 0, 1.0) == 0
    assert pacer.wait_ns(10**12, 1, 0.0) == 0
    assert pacer.wait_ns(10**12, 2, 1.0) == 0
    assert pacer.wait_ns(10**12 + 5 * MS, 2, 1.0) == 5 * MS


@given(rate=st.floats(0.5, 500), steps=st.lists(st.integers(1, 30 * MS), max_size=40))
def test_event_is_taken_at_the_first_step_past_each_due_time_and_only_once(rate, steps):
    schedule, due = Schedule(rate), [round(i * 1e9 / rate) for i in range(1000)]
    before, now = -1, 0
    for step in [0, *steps]:
        now += step
        assert schedule.take(now) == any(before < time <= now for time in due)
        assert not schedule.take(now)
        before = now


def test_schedule_takes_every_multiple_of_a_period_that_is_not_whole_exactly_once():
    schedule = Schedule(30.0)
    for _ in range(300):
        assert schedule.take(schedule.due_ns)
    assert schedule.due_ns == 10_000 * MS


def test_rate_window_forgets_what_is_older():
    window = RateWindow(3.0)
    assert window.rate() is None
    for second in range(10):
        window.add(second, 100 * second)
    assert window.rate() == 100
    for second in range(10, 14):
        window.add(second, 900 + 10 * (second - 9))
    assert window.rate() == pytest.approx(10)
    window.clear()
    assert window.rate() is None
