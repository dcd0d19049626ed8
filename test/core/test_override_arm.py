"""The arm's override: every transition, the deadman, who wins, and numbers that no arm can do."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.core.override_arm import (
    TRANSITIONS,
    ArmEvent,
    ArmOverride,
    ArmOverrideConfig,
    ArmState,
)
from vla_ros.core.override_sources import Sources

MS = 1_000_000
S, E = ArmState, ArmEvent
SOURCES = ('panel', 'joystick', 'topic')
CONFIG = ArmOverrideConfig(deadman_s=0.3, leader_start=0.3, leader_distance=0.8)
TWIST = np.array([0.1, 0.0, -0.05, 0.0, 0.2, 0.0])


def override(measured=(0.0, 0.0)):
    o = ArmOverride(CONFIG, Sources(SOURCES), 2)
    o.measured(None if measured is None else np.array(measured))
    return o


def kinds(o, times_ms):
    return [o.step(at * MS).kind for at in times_ms]


# How it comes into each state and out again

IN = {
    S.POLICY: lambda o: None,
    S.HOLD: lambda o: o.hold(0, 'joystick'),
    S.TAKEOVER: lambda o: o.takeover(0, 'joystick'),
    S.TWIST: lambda o: o.twist(0, 'joystick', TWIST, False),
    S.JOINTS: lambda o: o.joints(0, 'joystick', np.zeros(2)),
    S.STOPPED: lambda o: o.stop(0),
}
EVENTS = {
    E.HOLD: lambda o: o.hold(1, 'joystick'),
    E.TAKEOVER: lambda o: o.takeover(1, 'joystick'),
    E.TWIST: lambda o: o.twist(1, 'joystick', TWIST, False),
    E.JOINTS: lambda o: o.joints(1, 'joystick', np.zeros(2)),
    E.RELEASE: lambda o: o.release(1, 'joystick'),
    E.QUIET: lambda o: (o.alive(200 * MS, 'joystick'), o.step(301 * MS)),
    E.SILENT: lambda o: (o.alive(1, 'joystick'), o.step(302 * MS)),
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
        o = override()
        IN[state](o)
        EVENTS[event](o)
        assert o.state is state
        assert event in (E.QUIET, E.SILENT)


# What comes out


def test_nobody_moves_the_arm_at_first():
    decision = override().step(0)
    assert (decision.kind, decision.source, decision.label) == (S.POLICY, '', '')
    assert not decision.held
    assert not decision.handed_back
    assert (decision.twist == 0.0).all()
    assert decision.joints is None


@pytest.mark.parametrize('in_tool_frame', [False, True])
def test_a_twist_comes_out_as_it_went_in(in_tool_frame):
    o, mine = override(), TWIST.copy()
    assert o.twist(0, 'panel', mine, in_tool_frame) == ''
    mine[:] = np.nan
    decision = o.step(1)
    assert (decision.twist == TWIST).all()
    assert (decision.kind, decision.in_tool_frame) == (S.TWIST, in_tool_frame)
    assert decision.label == 'takeover: panel twist'
    assert decision.held


def test_leader_joints_come_out_with_their_velocity_or_none():
    o = override()
    o.joints(0, 'panel', np.array([0.1, 0.2]), np.array([1.0, -1.0]))
    decision = o.step(1)
    assert decision.joints.tolist() == [0.1, 0.2]
    assert decision.joint_velocity.tolist() == [1.0, -1.0]
    assert decision.label == 'takeover: panel joints'
    o.joints(2, 'panel', np.array([0.1, 0.2]))
    assert o.step(3).joint_velocity.tolist() == [0.0, 0.0]


def test_the_labels_say_who_and_what():
    o = override()
    o.hold(0, 'topic')
    assert o.step(1).label == 'hold: topic'
    o.takeover(2, 'panel')
    assert o.step(3).label == 'takeover: panel waiting'


@pytest.mark.parametrize('bad', [
    [math.nan, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, math.inf], [0] * 5, [0] * 7, [[0] * 6],
    [1e3, 0, 0, 0, 0, 0], [0, 0, 0, -1e300, 0, 0]])
def test_a_twist_that_no_arm_can_do_is_refused_whole_and_is_no_sign_of_life(bad):
    o = override()
    o.twist(0, 'panel', TWIST, False)
    with pytest.raises(InputError, match='arm override'):
        o.twist(200 * MS, 'panel', bad, False)
    assert kinds(o, [300, 301]) == [S.TWIST, S.POLICY]


@pytest.mark.parametrize(('q', 'velocity'), [
    ([0.0], None), ([0.0, math.nan], None), ([0.0, 0.0], [0.0, math.inf]), ([0.0, 0.0], [0.0]),
    ([1e9, 0.0], None)])
def test_leader_joints_that_are_not_usable_are_refused_whole(q, velocity):
    o = override()
    with pytest.raises(InputError, match='arm override'):
        o.joints(0, 'panel', q, velocity)
    assert o.state is S.POLICY


def test_an_unknown_source_lists_the_choices():
    with pytest.raises(InputError, match='Choices: panel, joystick, topic'):
        override().hold(0, 'mouse')


def test_a_resting_joystick_takes_no_arm_but_stops_the_one_that_it_has():
    o = override()
    assert o.twist(0, 'joystick', np.zeros(6), False) == ''
    assert o.step(1).kind is S.POLICY
    o.twist(2, 'joystick', TWIST, False)
    o.twist(200 * MS, 'joystick', np.zeros(6), False)
    decision = o.step(400 * MS)
    assert decision.kind is S.TWIST
    assert (decision.twist == 0.0).all()
    o.hold(400 * MS, 'panel')
    assert o.twist(401 * MS, 'joystick', np.zeros(6), False) == ''
    assert o.source == 'panel'


# The deadman


def test_motion_without_more_words_ends_after_the_deadman():
    o = override()
    for at in range(0, 1001, 100):
        o.twist(at * MS, 'joystick', TWIST, False)
        assert kinds(o, [at]) == [S.TWIST]
    assert kinds(o, [1300, 1301]) == [S.TWIST, S.POLICY]


def test_motion_of_a_source_that_has_asked_for_the_arm_ends_in_waiting():
    o = override()
    o.takeover(0, 'joystick')
    o.twist(1 * MS, 'joystick', TWIST, False)
    assert kinds(o, [301, 302, 1_000_000]) == [S.TWIST, S.TAKEOVER, S.TAKEOVER]
    assert (o.step(1_000_001 * MS).twist == 0.0).all()


@pytest.mark.parametrize('ask', ['hold', 'takeover'])
def test_asked_for_without_a_heartbeat_the_arm_is_kept_until_it_is_released(ask):
    o = override()
    getattr(o, ask)(0, 'topic')
    assert o.step(3_600_000 * MS).held
    assert o.release(3_600_001 * MS, 'topic') == ''
    assert not o.step(3_600_002 * MS).held


@pytest.mark.parametrize('ask', ['hold', 'takeover'])
def test_asked_for_with_a_heartbeat_the_arm_is_kept_as_long_as_it_beats(ask):
    o = override()
    getattr(o, ask)(0, 'panel')
    for at in range(0, 2001, 250):
        o.alive(at * MS, 'panel')
        o.alive((at + 1) * MS, 'joystick')
        assert o.step(at * MS).held
    assert [o.step(at * MS).held for at in (2300, 2301)] == [True, False]


def test_heartbeats_keep_the_arm_but_not_a_motion():
    o = override()
    o.twist(0, 'joystick', TWIST, False)
    for at in range(100, 1001, 100):
        o.alive(at * MS, 'joystick')
    assert kinds(o, [1001]) == [S.TAKEOVER]
    assert kinds(o, [1300, 1301]) == [S.TAKEOVER, S.POLICY]


def test_a_new_holder_starts_without_the_old_ones_promises():
    o = override()
    o.takeover(0, 'topic')
    o.twist(1, 'panel', TWIST, False)  # has not asked for the arm
    assert kinds(o, [301]) == [S.POLICY]
    o.takeover(400 * MS, 'topic')
    o.alive(400 * MS, 'topic')
    o.takeover(401 * MS, 'panel')  # sends no heartbeat
    assert kinds(o, [5000]) == [S.TAKEOVER]


def test_a_clock_that_was_set_back_does_not_lengthen_anything():
    o = override()
    o.twist(10_000_000 * MS, 'panel', TWIST, False)
    assert kinds(o, [0, 300, 301]) == [S.TWIST, S.TWIST, S.POLICY]


# The leader arm


def test_a_leader_that_is_too_far_does_not_take_over_and_the_joint_is_named():
    o = override()
    refusal = o.joints(0, 'joystick', np.array([0.0, -0.31]))
    assert refusal == ('arm override of joystick refused: its joint 2 is 0.31 rad > 0.3 rad from '
                       'the measured one')
    assert o.state is S.POLICY
    assert o.joints(1, 'joystick', np.array([0.0, -0.29])) == ''


def test_without_measured_joints_no_leader_takes_over():
    assert 'no joint state' in override(measured=None).joints(0, 'panel', np.zeros(2))


def test_a_leader_that_gets_too_far_has_the_arm_wait_until_it_comes_back():
    o = override()
    o.joints(0, 'joystick', np.array([0.29, 0.0]))
    assert o.joints(20 * MS, 'joystick', np.array([0.79, 0.0])) == ''
    for at in range(40, 1001, 20):
        assert 'refused' in o.joints(at * MS, 'joystick', np.array([0.81, 0.0]))
    assert kinds(o, [1001]) == [S.TAKEOVER]
    # As far as it may be to begin, not as it may be when followed.
    assert 'refused' in o.joints(1020 * MS, 'joystick', np.array([0.5, 0.0]))
    assert o.joints(1040 * MS, 'joystick', np.array([0.2, 0.0])) == ''
    assert kinds(o, [1041]) == [S.JOINTS]
    o.measured(np.array([5.0, 0.0]))
    o.joints(1060 * MS, 'joystick', np.array([0.2, 0.0]))
    assert kinds(o, [1341, 1361]) == [S.TAKEOVER, S.POLICY]


# Two sources, hand-back, stop


@pytest.mark.parametrize('state', [S.HOLD, S.TAKEOVER, S.TWIST, S.JOINTS])
def test_a_higher_source_takes_the_arm_and_a_lower_one_is_refused(state):
    o = override()
    IN[state](o)
    for refusal in (o.hold(1, 'topic'), o.takeover(1, 'topic'), o.twist(1, 'topic', TWIST, True),
                    o.joints(1, 'topic', np.zeros(2)), o.release(1, 'topic')):
        assert refusal == 'arm override of topic refused: joystick has the arm'
    assert (o.state, o.source) == (state, 'joystick')
    assert o.twist(2, 'panel', -TWIST, False) == ''
    assert (o.step(3).twist == -TWIST).all()
    assert 'panel has the arm' in o.twist(4, 'joystick', TWIST, False)
    assert o.release(5, 'panel') == ''


def test_a_higher_source_may_release_what_a_lower_one_holds():
    o = override()
    o.hold(0, 'topic')
    assert o.release(1, 'panel') == ''
    assert o.state is S.POLICY


def test_the_hand_back_is_told_once_however_it_came():
    o = override()
    o.takeover(0, 'panel')
    o.step(1)
    o.release(2, 'panel')
    assert [o.step(at).handed_back for at in (3, 4)] == [True, False]
    o.twist(5, 'panel', TWIST, False)
    o.step(6)
    assert [o.step(at * MS).handed_back for at in (400, 401)] == [True, False]


def test_an_override_that_no_tick_saw_hands_nothing_back():
    o = override()
    o.takeover(0, 'panel')
    o.release(1, 'panel')
    assert not o.step(2).handed_back


@pytest.mark.parametrize('state', list(S))
def test_stop_ends_everything_and_refuses_more_until_the_start(state):
    o = override()
    IN[state](o)
    o.step(1)
    o.stop(2)
    for refusal in (o.hold(3, 'panel'), o.takeover(3, 'panel'), o.twist(3, 'panel', TWIST, True),
                    o.joints(3, 'panel', np.zeros(2))):
        assert 'stopped (~/start)' in refusal
    decision = o.step(4)
    assert (decision.kind, decision.source, decision.label) == (S.STOPPED, '', '')
    assert not decision.held
    assert (decision.twist == 0.0).all()
    o.start(5)
    assert o.step(6).kind is S.POLICY
    assert o.hold(7, 'topic') == ''


@pytest.mark.parametrize(('change', 'match'), [
    ({'deadman_s': 0.0}, 'deadman_s'), ({'leader_start': math.nan}, 'leader_start'),
    ({'leader_start': 0.9}, 'must not be more than leader_distance')])
def test_a_configuration_that_makes_no_sense_is_refused(change, match):
    with pytest.raises(ConfigError, match=match):
        replace(CONFIG, **change)


# Any sequence of commands

number = st.floats(-0.5, 0.5) | st.just(0.0) | st.floats(allow_nan=True, allow_infinity=True)
moves = st.lists(st.tuples(
    st.integers(0, 400), st.sampled_from(SOURCES),
    st.one_of(st.sampled_from(['hold', 'takeover', 'release', 'alive', 'stop', 'start', 'nothing']),
              st.tuples(st.just('twist'), st.lists(number, min_size=6, max_size=6)),
              st.tuples(st.just('joints'), st.lists(number, min_size=2, max_size=2)))),
    max_size=40)


def send(o, now, source, what):
    """Send one command; return whether it was taken."""
    if what == 'stop' or what == 'start':
        return getattr(o, what)(now) is None
    if what in ('hold', 'takeover', 'release'):
        return getattr(o, what)(now, source) == ''
    if what == 'alive':
        return o.alive(now, source) is None
    if what == 'nothing':
        return True
    kind, numbers = what
    try:
        return (o.twist(now, source, numbers, False) if kind == 'twist'
                else o.joints(now, source, numbers)) == ''
    except InputError:
        return False


@given(moves)
def test_whatever_is_sent_the_twist_is_finite_one_source_has_the_arm_and_motion_ends(sequence):
    o, now, stopped = override(), 0, False
    moved = None  # time and source of the newest motion command that was taken
    beating = set()
    for wait_ms, source, what in sequence:
        now += wait_ms * MS
        o.step(now)
        holder = o.source
        outranked = holder and SOURCES.index(source) > SOURCES.index(holder)
        taken = send(o, now, source, what)
        stopped = (stopped or what == 'stop') and what != 'start'
        motion = isinstance(what, tuple)
        if motion and taken and o.source == source:
            moved = now, source
        if stopped or outranked:
            assert not (motion and taken and any(what[1]))
        if outranked and what not in ('stop', 'start'):
            assert o.source == holder
        if what == 'alive' and source == o.source:
            beating.add(source)
        decision = o.step(now)
        assert np.isfinite(decision.twist).all()
        assert stopped == (decision.kind is S.STOPPED)
        assert decision.held == bool(decision.source)
        if stopped:
            assert not decision.held
        if decision.kind in (S.TWIST, S.JOINTS):
            assert moved is not None
            assert moved[1] == decision.source
            assert now - moved[0] <= 300 * MS
        else:
            assert (decision.twist == 0.0).all()
            assert decision.joints is None
    # When everybody falls silent nothing moves any more; only what was asked for is kept.
    decision = o.step(now + 301 * MS)
    assert decision.kind not in (S.TWIST, S.JOINTS)
    assert decision.kind in (S.POLICY, S.STOPPED) or any(
        what in ('hold', 'takeover') and source == decision.source for _, source, what in sequence)
