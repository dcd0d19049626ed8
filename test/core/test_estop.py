"""The interlock: what stops stays stopped until somebody says otherwise."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.core.errors import ConfigError
from vla_ros.core.safety.estop import (
    TRANSITIONS,
    Interlock,
    Permission,
    SafetyEvent,
    SafetyState,
)

MS = 1_000_000
NOW = 10_000 * MS


def test_every_state_answers_every_event():
    assert set(TRANSITIONS) == {(s, e) for s in SafetyState for e in SafetyEvent}


def test_only_arming_leads_to_armed_and_only_reset_leads_out_of_an_emergency_stop():
    for (state, event), then in TRANSITIONS.items():
        if then is SafetyState.ARMED and state is not SafetyState.ARMED:
            assert event is SafetyEvent.ARM and state is SafetyState.DISARMED
        if state is SafetyState.ESTOPPED and then is not SafetyState.ESTOPPED:
            assert event is SafetyEvent.RESET and then is SafetyState.DISARMED


def test_until_it_is_armed_nothing_is_sent_and_the_reason_says_so():
    lock = Interlock()
    verdict = lock.verdict(NOW)
    assert (verdict.permission, verdict.reason) == (Permission.SILENT, 'not armed yet')
    assert lock.arm() == (True, 'armed')
    assert lock.verdict(NOW).permission is Permission.FOLLOW


def test_a_driver_that_is_not_ready_is_not_armed():
    lock = Interlock()
    assert lock.arm('robot_mode is 5, expected 7') == (False, 'robot_mode is 5, expected 7')
    assert lock.verdict(NOW).permission is Permission.SILENT


def test_an_emergency_stop_holds_until_it_is_released_then_reset_then_armed():
    lock = Interlock(armed=True)
    lock.estop('topic estop')
    assert lock.verdict(NOW).permission is Permission.HOLD
    assert lock.verdict(NOW).reason == 'emergency stop by topic estop'
    assert lock.arm()[0] is False
    assert lock.reset() == (False, 'emergency stop is still pressed: topic estop')
    lock.estop('topic estop', pressed=False)
    assert lock.verdict(NOW).permission is Permission.HOLD, 'releasing is not resetting'
    assert lock.reset()[0] is True
    assert lock.verdict(NOW).permission is Permission.SILENT
    assert lock.arm()[0] is True


def test_one_of_two_stops_that_is_still_pressed_prevents_the_reset():
    lock = Interlock(armed=True)
    lock.estop('service')
    lock.estop('topic')
    assert lock.reset('service')[0] is False
    assert lock.state is SafetyState.ESTOPPED
    lock.estop('topic', pressed=False)
    assert lock.reset('service')[0] is True


def test_the_first_reason_stays_until_somebody_acts():
    lock = Interlock(armed=True)
    lock.estop('service')
    lock.fault('protective stop')
    lock.disarm('shutdown')
    assert lock.verdict(NOW).reason == 'emergency stop by service'


def test_a_protective_stop_of_the_arm_needs_arming_again():
    lock = Interlock(armed=True)
    lock.fault('safety_mode is 3 (protective stop)')
    verdict = lock.verdict(NOW)
    assert verdict.permission is Permission.SILENT
    assert verdict.reason == 'safety_mode is 3 (protective stop)'


def test_hold_to_run_moves_only_while_the_switch_is_held_and_heard_of():
    lock = Interlock(hold_to_run_timeout=0.2, armed=True)
    assert lock.verdict(NOW).permission is Permission.HOLD
    lock.hold_to_run(True, NOW)
    assert lock.verdict(NOW + 200 * MS).permission is Permission.FOLLOW
    late = lock.verdict(NOW + 201 * MS)
    assert (late.permission, late.reason) == (Permission.HOLD,
                                              'hold to run: not heard of for 0.2 s')
    lock.hold_to_run(True, NOW + 300 * MS)
    assert lock.verdict(NOW + 310 * MS).permission is Permission.FOLLOW, 'it does not latch'
    lock.hold_to_run(False, NOW + 320 * MS)
    assert lock.verdict(NOW + 320 * MS).permission is Permission.HOLD


def test_a_switch_held_in_a_future_that_the_clock_has_left_does_not_count():
    lock = Interlock(hold_to_run_timeout=0.2, armed=True)
    lock.hold_to_run(True, NOW)
    assert lock.verdict(NOW - 5000 * MS).permission is Permission.HOLD


def test_a_dry_run_decides_everything_and_sends_nothing():
    lock = Interlock(dry_run=True, armed=True)
    verdict = lock.verdict(NOW)
    assert verdict.permission is Permission.FOLLOW and not verdict.send
    assert verdict.reason == 'dry-run: nothing is sent'


@pytest.mark.parametrize('timeout', [0.0, -1.0, math.nan, math.inf])
def test_a_timeout_that_bounds_nothing_is_refused(timeout):
    with pytest.raises(ConfigError, match='hold_to_run_timeout'):
        Interlock(hold_to_run_timeout=timeout)


actions = st.lists(st.sampled_from(['estop', 'release', 'reset', 'arm', 'disarm', 'fault']),
                   max_size=30)


@given(actions)
def test_whatever_happens_the_arm_follows_only_after_reset_and_arm_since_the_last_stop(sequence):
    lock = Interlock()
    may, pressed, stopped = False, False, False  # the obvious bookkeeping
    for action in sequence:
        if action == 'estop':
            lock.estop('button')
            may, pressed, stopped = False, True, True
        elif action == 'release':
            lock.estop('button', pressed=False)
            pressed = False
        elif action == 'reset':
            lock.reset()
            stopped = stopped and pressed
        elif action == 'arm':
            lock.arm()
            may = not stopped
        else:
            getattr(lock, action)('test')
            may = False
        assert (lock.verdict(NOW).permission is Permission.FOLLOW) == may
        assert may or lock.verdict(NOW).reason
