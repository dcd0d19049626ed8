"""The gripper's override: every transition, every way in which it ends, and who wins."""

import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.core.limits import GripperRange
from vla_ros.core.override_gripper import (
    TRANSITIONS,
    GripperOverride,
    GripperOverrideConfig,
    GripperOverrideEvent,
    GripperOverrideMode,
    GripperOverrideState,
)
from vla_ros.core.override_sources import Sources

MS = 1_000_000
S, E = GripperOverrideState, GripperOverrideEvent
SOURCES = ('panel', 'joystick', 'topic')
CONFIG = GripperOverrideConfig(deadman_s=0.3, dwell_s=0.5, agree_s=0.5, agree_timeout_s=10.0,
                               binary=True, close_below=0.4, open_above=0.6, agree_within=0.1)


def override(**changes):
    return GripperOverride(replace(CONFIG, **changes), Sources(SOURCES), GripperRange(0.01, 0.08))


def states(o, times_ms, policy=1.0):
    """Return the state at each time [ms], with the policy wanting this fraction."""
    found = []
    for at in times_ms:
        o.step(at * MS, policy)
        found.append(o.state)
    return found


# How it comes into each state and out again

IN = {
    S.POLICY: lambda o: None,
    S.MOMENTARY: lambda o: o.command(0, 'joystick', 'close', 'momentary'),
    S.DWELL: lambda o: (o.command(0, 'joystick', 'close', 'momentary'), o.release(0, 'joystick')),
    S.LATCHED: lambda o: o.command(0, 'joystick', 'close', 'latched'),
    S.UNTIL_AGREE: lambda o: o.command(0, 'joystick', 'close', 'until_agree'),
    S.STOPPED: lambda o: o.stop(0),
}
EVENTS = {
    E.PRESS: lambda o: o.command(1, 'joystick', 'close', 'momentary'),
    E.LATCH: lambda o: o.command(1, 'joystick', 'close', 'latched'),
    E.ASK: lambda o: o.command(1, 'joystick', 'close', 'until_agree'),
    E.RELEASE: lambda o: o.release(1, 'joystick'),
    E.SILENT: lambda o: o.step(301 * MS, 1.0),
    E.DWELLED: lambda o: o.step(500 * MS, 1.0),
    E.AGREED: lambda o: (o.step(1, 0.0), o.step(501 * MS, 0.0)),
    E.DISAGREED: lambda o: o.step(10_000 * MS, 1.0),
    E.STOP: lambda o: o.stop(1),
    E.START: lambda o: o.start(1),
}


@pytest.mark.parametrize(('state', 'event'), TRANSITIONS)
def test_every_transition_of_the_table_happens(state, event):
    o = override()
    IN[state](o)
    assert o.state is state
    EVENTS[event](o)
    assert o.state is TRANSITIONS[state, event]


def test_what_is_not_in_the_table_cannot_happen():
    for state, event in set(itertools.product(S, E)) - set(TRANSITIONS):
        o = override(dwell_s=20.0)
        IN[state](o)
        EVENTS[event](o)
        # Time does other things in these states, or nothing.
        assert o.state in {state} | {TRANSITIONS[state, e] for e in E if (state, e) in TRANSITIONS}
        assert event in (E.SILENT, E.DWELLED, E.AGREED, E.DISAGREED)


# What is commanded


@pytest.mark.parametrize(('target', 'fraction'), [
    ('close', 0.0), ('open', 1.0), (0.01, 0.0), (0.08, 1.0), (0.045, 0.5)])
@pytest.mark.parametrize('mode', list(GripperOverrideMode))
def test_the_command_holds_whatever_the_policy_wants(target, fraction, mode):
    o = override()
    assert o.command(0, 'panel', target, mode) == ''
    for wanted in (0.5, None, math.nan, math.inf):
        decision = o.step(10 * MS, wanted)
        assert decision.fraction == pytest.approx(fraction)
        assert (decision.source, decision.mode) == ('panel', mode.value)
        assert decision.label == f'gripper override: panel {mode.value}'


def test_without_an_override_the_policy_has_the_gripper():
    decision = override().step(0, 0.3)
    assert (decision.fraction, decision.label, decision.source, decision.mode) == (None, '', '', '')


@pytest.mark.parametrize('target', ['shut', '', 'CLOSE', math.nan, math.inf, -math.inf, 0.0, 0.081,
                                    30.0])
def test_what_the_gripper_cannot_do_is_refused_whole(target):
    o = override()
    o.command(0, 'panel', 'close', 'latched')
    with pytest.raises(InputError, match='gripper override'):
        o.command(1, 'panel', target, 'momentary')
    assert (o.state, o.mode) == (S.LATCHED, 'latched')


def test_an_unknown_source_or_mode_lists_the_choices():
    with pytest.raises(InputError, match='Choices: panel, joystick, topic'):
        override().command(0, 'mouse', 'close', 'latched')
    with pytest.raises(ConfigError, match="Did you mean 'latched'"):
        override().command(0, 'panel', 'close', 'latch')


# Momentary


def test_momentary_is_kept_while_pressed_then_dwells_then_ends():
    o = override()
    for at in range(0, 1001, 100):
        o.command(at * MS, 'joystick', 'close', 'momentary')
        assert o.step(at * MS, 1.0).fraction == 0.0
    # 0.3 s of silence, the dwell of 0.5 s, over
    assert states(o, [1300, 1301, 1800, 1801]) == [S.MOMENTARY, S.DWELL, S.DWELL, S.POLICY]


def test_momentary_is_kept_by_heartbeats_alone():
    o = override()
    o.command(0, 'joystick', 'close', 'momentary')
    for at in range(0, 2000, 250):
        o.alive(at * MS, 'joystick')
        o.alive(at * MS, 'panel')
        assert states(o, [at]) == [S.MOMENTARY]
    o.alive(2100 * MS, 'panel')  # somebody else's
    assert states(o, [2200]) == [S.DWELL]


def test_in_the_dwell_the_command_holds_and_anybody_may_take_the_gripper():
    o = override()
    o.command(0, 'panel', 'close', 'momentary')
    o.release(0, 'panel')
    assert o.step(1 * MS, 1.0).fraction == 0.0
    assert o.command(2 * MS, 'topic', 'open', 'latched') == ''
    assert o.step(3 * MS, 0.0).fraction == 1.0


# Until the policy agrees


@pytest.mark.parametrize(('target', 'agree', 'not_yet'), [
    ('close', [0.0, 0.4], [0.41, 1.0, None, math.nan]),
    ('open', [0.6, 1.0], [0.59, 0.0, None, math.inf]),
    (0.03, [0.0, 0.4], [0.41, 1.0]), (0.06, [0.6, 1.0], [0.59, 0.0])])
def test_agreement_is_what_a_binary_gripper_would_keep(target, agree, not_yet):
    for wanted, expected in [(a, S.POLICY) for a in agree] + [(n, S.UNTIL_AGREE) for n in not_yet]:
        o = override()
        o.command(0, 'panel', target, 'until_agree')
        assert states(o, [0, 500], wanted)[-1] is expected, wanted


@pytest.mark.parametrize(('wanted', 'agrees'), [(0.5, True), (0.59, True), (0.39, False)])
def test_agreement_of_a_gripper_with_any_width_is_nearness(wanted, agrees):
    o = override(binary=False)
    o.command(0, 'panel', 0.045, 'until_agree')
    assert (states(o, [0, 600], wanted)[-1] is S.POLICY) == agrees


def test_agreement_must_last_without_interruption():
    o = override()
    o.command(0, 'panel', 'close', 'until_agree')
    assert states(o, [0, 499], 0.0) == [S.UNTIL_AGREE] * 2
    assert states(o, [499], 1.0) == [S.UNTIL_AGREE]
    assert states(o, [500, 999], 0.0) == [S.UNTIL_AGREE] * 2
    assert states(o, [1000], 0.0) == [S.POLICY]


def test_a_source_that_goes_on_commanding_keeps_the_gripper():
    o = override()
    for at in range(0, 3000, 20):
        o.command(at * MS, 'panel', 'close', 'until_agree')
        assert states(o, [at], 0.0) == [S.UNTIL_AGREE]
    assert states(o, [3479, 3480], 0.0) == [S.UNTIL_AGREE, S.POLICY]


def test_without_agreement_it_stays_closed_and_says_so():
    o = override()
    o.command(0, 'panel', 'close', 'until_agree')
    assert states(o, [9999, 10_000, 100_000]) == [S.UNTIL_AGREE, S.LATCHED, S.LATCHED]
    decision = o.step(100_001 * MS, 0.0)
    assert (decision.fraction, decision.mode) == (0.0, 'latched')
    assert decision.label == 'gripper override: panel latched (no agreement within 10 s)'
    assert o.release(100_002 * MS, 'panel') == ''
    assert o.state is S.POLICY
    o.command(100_003 * MS, 'panel', 'close', 'latched')
    assert 'no agreement' not in o.label


# Two sources


@pytest.mark.parametrize('mode', list(GripperOverrideMode))
def test_a_higher_source_takes_the_gripper_and_a_lower_one_is_refused(mode):
    o = override()
    o.command(0, 'joystick', 'close', mode)
    refusal = o.command(1, 'topic', 'open', 'latched')
    assert refusal == 'gripper override of topic refused: joystick has the gripper'
    assert 'joystick has the gripper' in o.release(2, 'topic')
    assert (o.source, o.step(3, 1.0).fraction) == ('joystick', 0.0)
    assert o.command(4, 'panel', 'open', 'latched') == ''
    assert (o.source, o.step(5, 0.0).fraction) == ('panel', 1.0)
    assert 'panel has the gripper' in o.release(6, 'joystick')


def test_a_higher_source_may_release_what_a_lower_one_holds():
    o = override()
    o.command(0, 'topic', 'close', 'latched')
    assert o.release(1, 'panel') == ''
    assert o.state is S.POLICY


def test_stop_ends_it_and_refuses_more_until_the_start():
    o = override()
    o.command(0, 'panel', 'close', 'latched')
    o.stop(1)
    assert o.step(2, 1.0).fraction is None
    assert 'stopped (~/start)' in o.command(3, 'panel', 'close', 'latched')
    assert o.release(3, 'panel') == ''
    o.start(4)
    assert o.step(5, 1.0).fraction is None
    assert o.command(6, 'panel', 'close', 'latched') == ''


def test_a_clock_that_was_set_back_does_not_lengthen_anything():
    o = override()
    o.command(10_000_000 * MS, 'panel', 'close', 'momentary')
    assert states(o, [0, 300, 301, 800, 801]) == [S.MOMENTARY] * 2 + [S.DWELL] * 2 + [S.POLICY]


def test_since_is_when_the_present_state_and_holder_began():
    o = override()
    o.command(5, 'topic', 'close', 'latched')
    o.command(7, 'topic', 'open', 'latched')
    assert o.since_ns == 5
    o.command(9, 'panel', 'open', 'latched')
    assert o.since_ns == 9
    o.release(11, 'panel')
    assert o.since_ns == 11


@pytest.mark.parametrize(('change', 'match'), [
    ({'deadman_s': 0.0}, 'deadman_s must be positive'), ({'deadman_s': math.nan}, 'deadman_s'),
    ({'dwell_s': -0.1}, 'dwell_s must not be negative'), ({'agree_s': math.inf}, 'agree_s'),
    ({'agree_timeout_s': 0.5}, 'must be shorter than agree_timeout_s'),
    ({'agree_within': 1.1}, 'agree_within')])
def test_a_configuration_that_makes_no_sense_is_refused(change, match):
    with pytest.raises(ConfigError, match=match):
        replace(CONFIG, **change)


# Any sequence of commands

commands = st.tuples(st.sampled_from(['close', 'open', 0.03]),
                     st.sampled_from(list(GripperOverrideMode)))
moves = st.lists(st.tuples(
    st.integers(0, 600), st.sampled_from(SOURCES),
    st.one_of(commands, st.sampled_from(['release', 'alive', 'stop', 'start', 'nothing'])),
    st.sampled_from([0.0, 0.5, 1.0, None, math.nan])), max_size=40)


@given(moves)
def test_whatever_is_sent_one_source_has_it_and_everything_ends_as_it_should(sequence):
    o, now, stopped = override(), 0, False
    for wait_ms, source, what, policy in sequence:
        now += wait_ms * MS
        o.step(now, policy)
        holder, state = o.source, o.state
        refusal = ''
        if what == 'stop':
            o.stop(now)
            stopped = True
        elif what == 'start':
            o.start(now)
            stopped = False
        elif what == 'alive':
            o.alive(now, source)
        elif what == 'release':
            refusal = o.release(now, source)
        elif what != 'nothing':
            refusal = o.command(now, source, *what)
            assert bool(refusal) == (o.source != source)
        outranked = (state in (S.MOMENTARY, S.LATCHED, S.UNTIL_AGREE)
                     and SOURCES.index(source) > SOURCES.index(holder))
        if refusal:
            assert (o.state, o.source) == (state, holder)
            assert stopped or outranked
        elif outranked and what not in ('stop', 'start'):
            assert (o.state, o.source) == (state, holder)
        decision = o.step(now, policy)
        assert stopped == (o.state is S.STOPPED)
        assert (decision.fraction is None) == (o.source == '') == (o.state in (S.POLICY, S.STOPPED))
        assert decision.fraction is None or 0.0 <= decision.fraction <= 1.0
    # A momentary command ends by itself, and so does one that the policy agrees with.
    held = o.state
    o.step(now + 301 * MS, 0.5)
    o.step(now + 10_000 * MS, 0.5)
    expected = {S.MOMENTARY: S.POLICY, S.DWELL: S.POLICY, S.UNTIL_AGREE: S.LATCHED}
    assert o.state is expected.get(held, held)
