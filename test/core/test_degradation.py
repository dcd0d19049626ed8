"""Every transition of the degradation ladder, and its times."""

import itertools
import math

import pytest

from vla_ros.core.arbiter import MODES, Mode
from vla_ros.core.degradation import TRANSITIONS, Event, Ladder, LadderConfig, Level
from vla_ros.core.errors import ConfigError

S = 1_000_000_000
CONFIG = LadderConfig(slow_after=0.3, chunk_timeout=1.0, stop_after=5.0, slow_factor=0.25)

RUNNING, SLOW, HOLD, STOPPED = Level.RUNNING, Level.SLOW, Level.HOLD, Level.STOPPED


def test_the_table_has_every_pair_of_level_and_event():
    assert set(TRANSITIONS) == set(itertools.product(Level, Event))


def test_every_level_has_a_mode():
    assert set(MODES) == set(Level)
    assert MODES[SLOW] is Mode.AUTONOMOUS


@pytest.mark.parametrize(('level', 'event', 'after'), [
    (RUNNING, Event.READY, RUNNING), (RUNNING, Event.LATE, SLOW),
    (RUNNING, Event.NOT_READY, HOLD), (RUNNING, Event.EXPIRED, STOPPED),
    (RUNNING, Event.STOP, STOPPED), (RUNNING, Event.START, RUNNING),
    (SLOW, Event.READY, RUNNING), (SLOW, Event.LATE, SLOW), (SLOW, Event.NOT_READY, HOLD),
    (SLOW, Event.EXPIRED, STOPPED), (SLOW, Event.STOP, STOPPED), (SLOW, Event.START, SLOW),
    (HOLD, Event.READY, RUNNING), (HOLD, Event.LATE, HOLD), (HOLD, Event.NOT_READY, HOLD),
    (HOLD, Event.EXPIRED, STOPPED), (HOLD, Event.STOP, STOPPED), (HOLD, Event.START, HOLD),
    (STOPPED, Event.READY, STOPPED), (STOPPED, Event.LATE, STOPPED),
    (STOPPED, Event.NOT_READY, STOPPED), (STOPPED, Event.EXPIRED, STOPPED),
    (STOPPED, Event.STOP, STOPPED), (STOPPED, Event.START, HOLD),
])
def test_each_transition(level, event, after):
    ladder = Ladder(CONFIG)
    ladder.level = level
    ladder.handle(event, 'because')
    assert ladder.level is after


def test_why_it_was_stopped_stays_until_it_is_started():
    ladder = Ladder(CONFIG)
    ladder.handle(Event.STOP, 'stopped by service')
    ladder.handle(Event.NOT_READY, 'joint_states: stale')
    assert (ladder.level, ladder.reason) == (STOPPED, 'stopped by service')
    ladder.handle(Event.START, 'started')
    assert (ladder.level, ladder.reason) == (HOLD, 'started')


def test_silence_goes_down_rung_by_rung_and_a_chunk_brings_it_back():
    ladder = Ladder(CONFIG)
    seen = []
    for silence in (0.0, 0.29, 0.31, 0.99, 1.01, 0.0):
        ladder.update(10 * S, '', silence)
        seen.append(ladder.level)
    assert seen == [RUNNING, RUNNING, SLOW, SLOW, HOLD, RUNNING]


def test_nothing_begins_on_a_late_chunk():
    ladder = Ladder(CONFIG)
    ladder.update(10 * S, '', 0.5)
    assert ladder.level is HOLD
    assert 'waiting for a new one' in ladder.reason


@pytest.mark.parametrize('silence', [math.nan, math.inf])
def test_a_silence_that_is_no_number_holds(silence):
    ladder = Ladder(CONFIG)
    ladder.update(10 * S, '', 0.0)
    ladder.update(11 * S, '', silence)
    assert ladder.level is HOLD


def test_an_arm_that_held_for_too_long_needs_to_be_started_again():
    ladder = Ladder(CONFIG)
    ladder.update(10 * S, '', 0.0)
    ladder.update(11 * S, 'camera is gone', 0.0)
    ladder.update(16 * S, 'camera is gone', 0.0)
    assert ladder.level is HOLD
    ladder.update(16 * S + 1, 'camera is gone', 0.0)
    assert ladder.level is STOPPED
    assert 'camera is gone' in ladder.reason and 'held for 5 s' in ladder.reason
    ladder.update(17 * S, '', 0.0)
    assert ladder.level is STOPPED
    ladder.handle(Event.START, 'started')
    ladder.update(18 * S, '', 0.0)
    assert ladder.level is RUNNING


def test_an_arm_that_never_moved_may_wait_for_ever():
    ladder = Ladder(CONFIG)
    for t in range(0, 1000, 10):
        ladder.update(t * S, 'the model is loading', math.inf)
    assert ladder.level is HOLD


def test_after_a_start_the_waiting_begins_anew():
    ladder = Ladder(CONFIG)
    ladder.update(10 * S, '', 0.0)
    ladder.update(11 * S, 'gone', 0.0)
    ladder.handle(Event.STOP, 'stopped by service')
    ladder.handle(Event.START, 'started')
    for t in range(12, 60):
        ladder.update(t * S, 'gone', 0.0)
    assert ladder.level is HOLD


def test_a_clock_that_was_set_back_does_not_stop_the_arm():
    ladder = Ladder(CONFIG)
    ladder.update(100 * S, '', 0.0)
    ladder.update(101 * S, 'gone', 0.0)
    ladder.update(1 * S, 'gone', 0.0)
    ladder.update(5 * S, 'gone', 0.0)
    assert ladder.level is HOLD
    ladder.update(7 * S, 'gone', 0.0)
    assert ladder.level is STOPPED


def test_the_speed_is_full_only_when_running():
    ladder = Ladder(CONFIG)
    speeds = {}
    for level in Level:
        ladder.level = level
        speeds[level] = ladder.speed
    assert speeds == {RUNNING: 1.0, SLOW: 0.25, HOLD: 0.0, STOPPED: 0.0}


@pytest.mark.parametrize(('name', 'value'), [
    ('slow_after', 0.0), ('slow_after', math.nan), ('slow_after', 2.0), ('chunk_timeout', -1.0),
    ('chunk_timeout', math.inf), ('stop_after', 0.0), ('stop_after', math.nan),
    ('slow_factor', 0.0), ('slow_factor', 1.1), ('slow_factor', math.nan)])
def test_times_that_make_no_ladder_are_refused(name, value):
    with pytest.raises(ConfigError, match=name):
        LadderConfig(**{**CONFIG.__dict__, name: value})
