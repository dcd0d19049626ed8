"""The gripper's channel: it does not chatter, does not average, and never leaves its widths."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.core.gripper import (
    GripperChannel,
    GripperConfig,
    GripperMode,
    GripperState,
)
from vla_ros.core.limits import GripperRange
from vla_ros.core.trajectory import Steps
from vla_ros.core.types import EE_DIMS, ActionChunk, ActionConvention

MS = 1_000_000
RANGE = GripperRange(closed=0.01, open=0.08)
CONFIG = GripperConfig(mode=GripperMode.NEWEST, binary=True, close_below=0.35, open_above=0.65,
                       dwell_s=0.3, latency_s=0.0, max_width=math.inf, max_effort=20.0,
                       vote_half_life_s=0.2)

finite = st.floats(-0.5, 1.5)
anything = finite | st.floats(allow_nan=True, allow_infinity=True) | st.none()


def channel(seed=None, gripper_range=RANGE, **changes):
    made = GripperChannel(replace(CONFIG, **changes), gripper_range)
    if seed is not None:
        made.seed(seed)
    return made


def chunk(stamp_ms, *fractions, dt_ms=100, convention=None, dims=(*EE_DIMS, 'gripper')):
    """Return the trajectory of a chunk whose steps want these numbers in its last dimension."""
    actions = np.zeros((len(fractions), len(dims)))
    actions[:, -1] = fractions
    made = ActionChunk(stamp_ms * MS, dt_ms * MS, actions, dims, convention or ActionConvention())
    return Steps.of(made, 6).anchored(np.eye(4), np.zeros(6), stamp_ms * MS)


def commands(gripper, ticks):
    """Return the command at each (time in ms, fraction)."""
    return [gripper.step(at * MS, fraction) for at, fraction in ticks]


# What is wanted


def test_the_newest_chunk_decides_and_nothing_is_averaged():
    chunks = [chunk(0, *[0.0] * 8), chunk(100, *[0.0] * 8), chunk(200, *[1.0] * 8)]
    assert channel().predict(chunks, 250 * MS) == 1.0
    assert channel().predict(chunks[:2], 250 * MS) == 0.0


def test_each_step_is_read_from_when_it_is_due_until_the_next():
    chunks = [chunk(0, 0.0, 0.25, 0.5, 1.0)]
    gripper = channel()
    read = [gripper.predict(chunks, at * MS) for at in (0, 99, 100, 199, 200, 300, 399)]
    assert read == [0.0, 0.0, 0.25, 0.25, 0.5, 1.0, 1.0]


def test_the_latency_is_looked_ahead_and_beyond_the_end_the_last_step_counts():
    chunks = [chunk(0, 0.0, 0.25, 0.5, 1.0)]
    gripper = channel(latency_s=0.15)
    read = [gripper.predict(chunks, at * MS) for at in (0, 49, 50, 249, 250, 399, 400)]
    assert read == [0.25, 0.25, 0.5, 1.0, 1.0, 1.0, None]


def test_a_chunk_that_becomes_due_within_the_latency_already_decides():
    chunks = [chunk(0, *[0.0] * 8), chunk(100, *[1.0] * 8)]
    assert channel(latency_s=0.0).predict(chunks, 50 * MS) == 0.0
    assert channel(latency_s=0.05).predict(chunks, 50 * MS) == 1.0


@pytest.mark.parametrize('mode', list(GripperMode))
def test_nothing_is_wanted_where_no_chunk_with_a_gripper_is_due(mode):
    gripper = channel(mode=mode, latency_s=1.0)
    assert gripper.predict([], 0) is None
    assert gripper.predict([chunk(0, 1.0)], 100 * MS) is None
    assert gripper.predict([chunk(5000, 1.0)], 0) is None
    assert gripper.predict([chunk(0, 1.0, dims=EE_DIMS)], 0) is None


def test_a_newer_chunk_without_a_gripper_leaves_the_word_to_an_older_one_that_has_one():
    chunks = [chunk(0, *[1.0] * 8), chunk(100, *[0.0] * 8, dims=EE_DIMS)]
    assert channel().predict(chunks, 150 * MS) == 1.0


@pytest.mark.parametrize(('opened', 'closed', 'number', 'wanted'), [
    (1, 0, 0.9, 0.9), (0, 1, 0.9, 0.1), (-1, 1, -1.0, 1.0), (-1, 1, 3.0, 0.0),
])
def test_the_sign_and_the_range_are_those_of_the_convention(opened, closed, number, wanted):
    convention = ActionConvention(gripper_open=opened, gripper_closed=closed)
    found = channel().predict([chunk(0, number, convention=convention)], 0)
    assert found == pytest.approx(wanted)


def test_two_older_chunks_outvote_the_newest_only_while_they_are_recent():
    old = [chunk(0, *[0.0] * 9), chunk(100, *[0.0] * 9)]
    recent = channel(mode='vote', vote_half_life_s=1.0)
    assert recent.predict([*old, chunk(200, *[1.0] * 9)], 250 * MS) == 0.0
    forgetful = channel(mode='vote', vote_half_life_s=0.05)
    assert forgetful.predict([*old, chunk(200, *[1.0] * 9)], 250 * MS) == 1.0


def test_a_vote_is_one_for_open_or_closed_and_not_for_how_far():
    votes = [chunk(0, 0.9, 0.9), chunk(0, 0.2, 0.2), chunk(0, 0.2, 0.2)]  # the mean is above 0.35
    assert channel(mode='vote').predict(votes, 0) == 0.0


@pytest.mark.parametrize(('seed', 'kept'), [(0.08, 1.0), (0.01, 0.0), (None, None)])
def test_equal_votes_are_for_the_present_state(seed, kept):
    # With a half-life of one step the weights are 1, 1/2 and 1/2: open and closed are level.
    votes = [chunk(0, *[0.0] * 9), chunk(0, *[0.0] * 9), chunk(100, *[1.0] * 9)]
    gripper = channel(seed, mode='vote', vote_half_life_s=0.1)
    assert gripper.predict(votes, 150 * MS) == kept


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0, 1)), min_size=1, max_size=8),
       st.integers(0, 1500), st.sampled_from([0.01, 0.08, None]), st.booleans())
def test_a_vote_is_what_a_slow_count_of_the_ballots_finds(ballots, at_ms, seed, binary):
    ballots = sorted(ballots)
    gripper = channel(seed, mode='vote', binary=binary, vote_half_life_s=0.1)
    present = gripper.step(0, None).state
    newest = None
    opened, closed = 0.0, 0.0
    for tenth, fraction in reversed(ballots):
        if not tenth * 100 <= at_ms < tenth * 100 + 1000:
            continue
        newest = tenth if newest is None else newest
        weight = 0.5 ** (newest - tenth)
        if binary and 0.35 < fraction < 0.65:
            fraction = {GripperState.OPEN: 1.0, GripperState.CLOSED: 0.0}.get(present, 0.5)
        opened += weight * (fraction > 0.5)
        closed += weight * (fraction < 0.5)
    if opened == closed:
        kept = {GripperState.OPEN: 1.0, GripperState.CLOSED: 0.0}.get(present)
        expected = kept if newest is not None else None
    else:
        expected = 1.0 if opened > closed else 0.0
    chunks = [chunk(100 * tenth, *[fraction] * 10) for tenth, fraction in ballots]
    assert gripper.predict(chunks, at_ms * MS) == expected


def test_votes_that_chatter_within_the_hysteresis_do_not_move_the_gripper():
    gripper = channel(0.08, mode='vote', dwell_s=0.0)
    for i in range(50):
        votes = [chunk(10 * i, *[0.4 + 0.2 * ((i + j) % 2)] * 8) for j in range(3)]
        assert gripper.step(i, gripper.predict(votes, 10 * i * MS)).state is GripperState.OPEN


# What is sent


def test_nothing_is_sent_until_the_width_was_seen_or_something_is_wanted():
    gripper = channel()
    command = gripper.step(0, None)
    assert (command.width, command.state, command.acted) == (None, GripperState.UNKNOWN, ())
    undecided = gripper.step(1, 0.5)
    assert (undecided.width, undecided.acted) == (None, ('gripper: within hysteresis',))
    assert gripper.step(2, 0.1).width == RANGE.closed


@pytest.mark.parametrize(('width', 'state'), [
    (0.01, GripperState.CLOSED), (0.03, GripperState.CLOSED), (0.06, GripperState.OPEN),
])
def test_the_measured_width_is_kept_until_the_policy_decides(width, state):
    gripper = channel(width)
    for fraction in (None, 0.5, None):
        command = gripper.step(0, fraction)
        assert (command.width, command.state) == (width, state)
    assert gripper.step(1, 0.0).width == RANGE.closed


def test_a_width_measured_later_changes_nothing_but_after_a_reset_it_does():
    gripper = channel(0.01)
    gripper.seed(0.08)
    assert gripper.step(0, None).state is GripperState.CLOSED
    gripper.reset()
    assert gripper.step(1, None).width is None
    gripper.seed(0.08)
    assert gripper.step(2, None).state is GripperState.OPEN


def test_after_a_reset_the_dwell_time_of_before_is_forgotten():
    gripper = channel(0.08)
    gripper.step(0, 0.0)
    gripper.reset()
    gripper.seed(0.01)
    assert gripper.step(1, 1.0).state is GripperState.OPEN


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf])
def test_a_measured_width_that_is_not_finite_is_refused(bad):
    gripper = channel()
    with pytest.raises(InputError, match='gripper width is'):
        gripper.seed(bad)
    assert gripper.step(0, None).width is None


@pytest.mark.parametrize('binary', [True, False])
@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf])
def test_a_prediction_that_is_not_finite_keeps_the_last_command_and_is_told(bad, binary):
    gripper = channel(0.08, binary=binary)
    before = gripper.step(0, 0.0)
    command = gripper.step(1000 * MS, bad)
    assert (command.width, command.state) == (before.width, before.state)
    assert command.acted == (f'gripper: prediction {bad} ignored',)


def test_a_number_that_a_convention_cannot_turn_into_a_fraction_keeps_the_last_command():
    # The span of this convention overflows, so that its open fraction is infinity over infinity.
    convention = ActionConvention(gripper_open=1e308, gripper_closed=-1e308)
    gripper = channel(0.01)
    with np.errstate(all='ignore'):
        fraction = gripper.predict([chunk(0, 1e308, convention=convention)], 0)
    assert gripper.step(0, fraction).width == 0.01


def test_no_prediction_keeps_the_last_command():
    gripper = channel(0.01)
    opened = gripper.step(0, 1.0)
    assert opened.width == RANGE.open
    assert gripper.step(5000 * MS, None) == opened


def test_a_change_is_taken_only_after_the_dwell_time_and_the_reason_is_given():
    found = commands(channel(0.08), [(0, 0.0), (1, 1.0), (299, 1.0), (300, 1.0), (301, 0.0)])
    assert [c.state.value for c in found] == ['closed', 'closed', 'closed', 'open', 'open']
    assert [c.acted for c in found] == [(), ('gripper: dwell',), ('gripper: dwell',), (),
                                        ('gripper: dwell',)]


def test_within_the_hysteresis_the_side_the_gripper_is_not_on_is_named_as_not_taken():
    found = commands(channel(0.08), [(0, 0.36), (1, 0.64), (2, 0.35), (3, 0.64)])
    assert [c.state.value for c in found] == ['open', 'open', 'closed', 'closed']
    assert [c.acted for c in found] == [('gripper: within hysteresis',), (), (),
                                        ('gripper: within hysteresis',)]


def test_after_a_clock_that_was_set_back_the_dwell_time_begins_anew_and_ends():
    gripper = channel(0.08)
    gripper.step(3_600_000 * MS, 0.0)
    assert gripper.step(0, 1.0).acted == ('gripper: dwell',)
    assert gripper.step(300 * MS, 1.0).state is GripperState.OPEN


def test_the_widest_opening_and_the_force_are_bounded_and_the_bound_is_named():
    gripper = channel(0.08, max_width=0.05, max_effort=7.5)
    assert gripper.step(0, None).width == 0.05
    opened = gripper.step(1, 1.0)
    assert (opened.width, opened.effort, opened.acted) == (0.05, 7.5, ('gripper: max_width',))
    follows = channel(0.01, binary=False, max_width=0.05)
    assert follows.step(0, 0.5).width == pytest.approx(0.045)
    assert follows.step(1, 0.9).acted == ('gripper: max_width',)


def test_a_gripper_that_is_not_binary_follows_at_once_within_its_range():
    gripper = channel(0.08, binary=False)
    found = commands(gripper, [(0, 0.0), (1, 1.0), (2, 0.5), (3, -3.0), (4, 3.0), (5, None)])
    assert [c.width for c in found] == pytest.approx([0.01, 0.08, 0.045, 0.01, 0.08, 0.08])
    assert {c.state for c in found} == {GripperState.CONTINUOUS}
    assert all(c.acted == () for c in found)


@given(st.lists(st.floats(0.35, 0.65, exclude_min=True, exclude_max=True), max_size=100),
       st.sampled_from([0.01, 0.08, None]), st.sampled_from(list(GripperMode)))
def test_chatter_within_the_hysteresis_never_changes_the_state(fractions, seed, mode):
    gripper = channel(seed, dwell_s=0.0, mode=mode)
    before = gripper.step(0, None)
    for i, fraction in enumerate(fractions):
        wanted = gripper.predict([chunk(0, fraction)], 0)
        command = gripper.step(i * 10_000 * MS, wanted)
        assert (command.state, command.width) == (before.state, before.width)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 200), anything), max_size=150),
       st.sampled_from([0.0, 0.05, 0.3]), st.sampled_from([0.01, 0.08, None]))
def test_the_state_changes_at_most_once_a_dwell_time(ticks, dwell_s, seed):
    gripper = channel(seed, dwell_s=dwell_s)
    now, state, changes = 0, gripper.step(0, None).state, []
    for wait_ms, fraction in ticks:
        now += wait_ms * MS
        command = gripper.step(now, fraction)
        if command.state is not state:
            changes.append(now)
        state = command.state
    assert all(b - a >= dwell_s * 1e9 for a, b in itertools.pairwise(changes))


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(-10**10, 10**10), anything, finite), max_size=60),
       st.booleans(), st.sampled_from([0.02, 0.08, math.inf]))
def test_whatever_comes_the_width_is_finite_and_within_its_bounds_and_the_same_again(
        ticks, binary, max_width):
    def run():
        gripper = channel(binary=binary, max_width=max_width)
        found = []
        for now, fraction, measured in ticks:
            gripper.seed(measured)
            found.append(gripper.step(now, fraction))
        return found

    found = run()
    for command in found:
        assert RANGE.closed <= command.width <= min(RANGE.open, max_width)
        assert command.effort == 20.0
    assert found == run()


# What is refused


@pytest.mark.parametrize(('field', 'value', 'match'), [
    ('mode', 'newst', "gripper mode 'newst'. Did you mean 'newest'"),
    ('close_below', 0.65, 'close_below < open_above'),
    ('close_below', math.nan, 'close_below'),
    ('open_above', 1.1, 'open_above'),
    ('dwell_s', -0.1, 'dwell_s'), ('dwell_s', math.inf, 'dwell_s'),
    ('latency_s', math.nan, 'latency_s'),
    ('max_width', math.nan, 'max_width'), ('max_width', 0.0, 'max_width'),
    ('max_effort', 0.0, 'max_effort'), ('max_effort', math.inf, 'max_effort'),
    ('vote_half_life_s', 0.0, 'vote_half_life_s'),
])
def test_a_setting_that_makes_no_sense_is_refused_by_name(field, value, match):
    with pytest.raises(ConfigError, match=match):
        replace(CONFIG, **{field: value})


def test_a_widest_opening_below_the_closed_width_is_refused():
    with pytest.raises(ConfigError, match=r'max_width 0\.01 m must be more'):
        channel(max_width=0.01)
