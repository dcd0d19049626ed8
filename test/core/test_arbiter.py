"""Every transition of the modes."""

import itertools

import pytest

from vla_ros.core.arbiter import TRANSITIONS, Arbiter, Event, Mode


def test_the_table_has_every_pair_of_mode_and_event():
    assert set(TRANSITIONS) == set(itertools.product(Mode, Event))


@pytest.mark.parametrize(('mode', 'event', 'after'), [
    (Mode.HOLD, Event.READY, Mode.AUTONOMOUS),
    (Mode.HOLD, Event.NOT_READY, Mode.HOLD),
    (Mode.HOLD, Event.STOP, Mode.STOPPED),
    (Mode.HOLD, Event.START, Mode.HOLD),
    (Mode.AUTONOMOUS, Event.READY, Mode.AUTONOMOUS),
    (Mode.AUTONOMOUS, Event.NOT_READY, Mode.HOLD),
    (Mode.AUTONOMOUS, Event.STOP, Mode.STOPPED),
    (Mode.AUTONOMOUS, Event.START, Mode.AUTONOMOUS),
    (Mode.STOPPED, Event.READY, Mode.STOPPED),
    (Mode.STOPPED, Event.NOT_READY, Mode.STOPPED),
    (Mode.STOPPED, Event.STOP, Mode.STOPPED),
    (Mode.STOPPED, Event.START, Mode.HOLD),
])
def test_each_transition(mode, event, after):
    arbiter = Arbiter()
    arbiter.mode = mode
    arbiter.handle(event, 'because')
    assert arbiter.mode is after


def test_why_it_was_stopped_stays_until_it_is_started():
    arbiter = Arbiter()
    arbiter.handle(Event.STOP, 'stopped by service')
    arbiter.handle(Event.NOT_READY, 'joint_states: stale')
    assert (arbiter.mode, arbiter.reason) == (Mode.STOPPED, 'stopped by service')
    arbiter.handle(Event.START, 'started')
    assert (arbiter.mode, arbiter.reason) == (Mode.HOLD, 'started')


def test_it_tells_whether_anything_changed():
    arbiter = Arbiter()
    assert arbiter.handle(Event.NOT_READY, 'a')
    assert not arbiter.handle(Event.NOT_READY, 'a')
    assert arbiter.handle(Event.NOT_READY, 'b')
