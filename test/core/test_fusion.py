"""Fusion against the slow oracle, and what each way of fusing promises."""

import math
from dataclasses import replace

import numpy as np
import pytest
from fusion_oracle import MS, N, Oracle, Sent, at, fused, make_chunk, random_pose
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vla_ros.core import se3
from vla_ros.core.errors import ConfigError, InputError
from vla_ros.core.fusion import Fusion, FusionConfig, FusionMode
from vla_ros.core.trajectory import Steps
from vla_ros.core.types import (
    EE_DIMS,
    ActionChunk,
    ActionConvention,
    ActionFrame,
    ActionSpace,
    Rotation,
)

CONFIG = FusionConfig(FusionMode.ENSEMBLE, 0.1, 'oldest', 0.25, 0.2, 3)
MODES = list(FusionMode)
seeds = st.integers(0, 2**31)
numbers = st.one_of(st.floats(-1e6, 1e6), st.floats(-4.0, 4.0), st.just(math.pi), st.just(5e-324),
                    st.floats(allow_nan=False, allow_infinity=False))


def fusion(mode, **changes):
    return Fusion(replace(CONFIG, mode=mode, **changes))


def still(stamp_ms, x=0.0, steps=8, dt_ms=100, arrival_ms=None, gripper_open=1.0):
    """Return the trajectory of a chunk that wants the tool to stay at x [m]."""
    actions = np.zeros((steps, 7))
    actions[:, 0] = x
    chunk = ActionChunk(stamp_ms * MS, dt_ms * MS, actions, convention=ActionConvention(
        space=ActionSpace.EE_POSE, gripper_open=gripper_open))
    anchor = se3.pose(np.eye(3), np.array([x, 0.0, 0.0]))
    arrival = stamp_ms if arrival_ms is None else arrival_ms
    return Steps.of(chunk, N).anchored(anchor, np.zeros(N), arrival * MS)


def weights_at(fuse, trajectories, ms):
    """Return {stamp [ms]: weight} of the target at a time [ms]."""
    target = fuse.target([t for t in trajectories if t.arrival_ns <= ms * MS], int(ms * MS))
    return dict(zip((s // MS for s in target.stamps_ns), target.weights, strict=True))


def place(target):
    return target.q if target.T_base_tool is None else target.T_base_tool


def speed(target):
    return target.velocity if target.twist is None else target.twist


# Against the oracle

def stream(rng, space, frame, rotation):
    """Return chunks of mixed lengths, steps and delays, and their anchors, in order of stamp."""
    stamp, out = 0, []
    for _ in range(6):
        chunk = make_chunk(rng, stamp, int(rng.integers(1, 25)), int(rng.choice([20, 50, 100])),
                           space=space, frame=frame, rotation=rotation,
                           scale=float(rng.choice([0.02, 0.2])))
        # Anchors within a radian of each other: farther apart the mean may not be unique.
        out.append(Sent(chunk, random_pose(rng, 0.2), rng.normal(size=N),
                        (stamp + int(rng.integers(0, 300))) * MS))
        stamp += int(rng.integers(1, 150))
    return out


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(MODES), st.sampled_from(list(ActionSpace)),
       st.sampled_from(list(ActionFrame)), st.sampled_from(list(Rotation)),
       st.sampled_from(['oldest', 'newest']), seeds)
def test_the_target_is_that_of_the_slow_oracle(mode, space, frame, rotation, direction, seed):
    rng = np.random.default_rng(seed)
    sent = stream(rng, space, frame, rotation)
    config = replace(CONFIG, mode=mode, ensemble_direction=direction)
    fuse, oracle = Fusion(config), Oracle(config)
    trajectories = {s: s.trajectory() for s in sent}
    for now in range(5 * MS, 1200 * MS, 55 * MS + 123_457):
        everything = [s for s in sent if s.arrival_ns <= now]
        live = [s for s in everything if s.chunk.stamp_ns <= now < s.chunk.end_ns]
        target = fuse.target([trajectories[s] for s in everything], now)
        if not live:
            assert target is None
            continue
        weights = oracle.weights(live, now)
        taken = [(s.chunk.stamp_ns, w) for s, w in zip(live, weights, strict=True) if w > 0.0]
        assert target.stamps_ns == tuple(stamp for stamp, _ in taken)
        assert target.weights == pytest.approx([w for _, w in taken], abs=1e-12)
        ends = [s.chunk.end_ns for s, w in zip(live, weights, strict=True) if w > 0.0]
        assert target.remaining_ns == max(ends) - now
        expected, velocity = fused(live, weights, now)
        assert np.allclose(place(target), expected, atol=1e-9)
        assert np.allclose(speed(target), velocity, rtol=1e-4, atol=1e-4)
        assert (target.q is None) == (space in (ActionSpace.EE_DELTA, ActionSpace.EE_POSE))


# One trajectory

@settings(max_examples=30, deadline=None)
@given(st.sampled_from(MODES), st.sampled_from(list(ActionSpace)),
       st.sampled_from(list(ActionFrame)), st.sampled_from([1, 2, 8]), seeds)
def test_one_chunk_alone_is_followed_exactly_in_every_mode(mode, space, frame, steps, seed):
    rng = np.random.default_rng(seed)
    sent = Sent(make_chunk(rng, 40, steps, space=space, frame=frame, scale=0.3),
                random_pose(rng), rng.normal(size=N), 400 * MS)
    for now in rng.integers(40, 40 + 100 * steps, size=5) * MS:
        target = fusion(mode).target([sent.trajectory()], int(now))
        assert target.weights == (1.0,)
        assert np.allclose(place(target), at(sent, int(now)), atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(list(ActionSpace)), st.sampled_from(list(ActionFrame)),
       st.sampled_from([1, 2, 6]), seeds)
def test_place_and_velocity_of_one_trajectory_are_continuous_and_belong_together(
        space, frame, steps, seed):
    rng = np.random.default_rng(seed)
    trajectory = Sent(make_chunk(rng, 0, steps, space=space, frame=frame, scale=0.3),
                      random_pose(rng), rng.normal(size=N), 0).trajectory()
    fuse = fusion(FusionMode.LATEST)
    # Every time where one piece of the spline meets the next, and some between.
    joints = [k * 50 * MS for k in range(1, 2 * steps)]
    times = joints + [int(t) for t in rng.integers(MS, (100 * steps - 1) * MS, size=5)]
    h = 1000
    for now in times:
        early, here, late = (fuse.target([trajectory], now + d) for d in (-h, 0, h))
        assert np.allclose(speed(early), speed(late), rtol=0.0, atol=3e-3)
        a, b = place(early), place(late)
        assert np.allclose(a, b, atol=1e-4)
        measured = b - a
        if trajectory.cartesian:
            turn = se3.vector_from_rotation(b[:3, :3] @ a[:3, :3].T)
            measured = np.concatenate([b[:3, 3] - a[:3, 3], turn])
        assert np.allclose(measured / (2 * h * 1e-9), speed(here), rtol=1e-4, atol=2e-3)


@given(seeds)
def test_in_the_middle_of_a_step_the_velocity_is_the_step_over_dt(seed):
    rng = np.random.default_rng(seed)
    chunk = make_chunk(rng, steps=5)
    trajectory = Sent(chunk, random_pose(rng), np.zeros(N), 0).trajectory()
    for i, action in enumerate(chunk.actions):
        target = fusion(FusionMode.LATEST).target([trajectory], (100 * i + 50) * MS)
        assert np.allclose(target.twist, action[:6] / 0.1, atol=1e-9)


def test_a_trajectory_is_due_from_its_stamp_until_its_end():
    trajectory = still(100)
    for mode in MODES:
        due = [ms for ms in (99, 100, 899, 900)
               if fusion(mode).target([trajectory], ms * MS) is not None]
        assert due == [100, 899]
        assert fusion(mode).target([], 0) is None


# Several

@settings(max_examples=20, deadline=None)
@given(st.sampled_from(MODES), st.lists(st.integers(1, 19), min_size=1, max_size=5, unique=True),
       st.floats(0.0, 2.0), seeds)
def test_chunks_that_agree_are_followed_without_lag_whatever_their_weights(mode, shifts, m, seed):
    rng = np.random.default_rng(seed)
    common = Sent(make_chunk(rng, 0, 40, 50, scale=0.05), random_pose(rng), np.zeros(N), 0)
    whole = common.trajectory()
    trajectories = []
    for shift in sorted(shifts):
        T = se3.pose(se3.rotation_from_quaternion(whole.quaternion[shift]), whole.position[shift])
        part = replace(common.chunk, stamp_ns=shift * 50 * MS, actions=common.chunk.actions[shift:])
        trajectories.append(Steps.of(part, N).anchored(T, common.q, (shift * 50 + 120) * MS))
    fuse, alone = fusion(mode, ensemble_coefficient=m), fusion(FusionMode.LATEST)
    # The first half step of the newest is straight; from then on all are one curve.
    for ms in range(max(shifts) * 50 + 26, 2000, 61):
        target, expected = fuse.target(trajectories, ms * MS), alone.target([whole], ms * MS)
        assert np.allclose(target.T_base_tool, expected.T_base_tool, atol=1e-9)
        assert np.allclose(target.twist, expected.twist, atol=1e-8)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(MODES), st.lists(st.integers(0, 800), min_size=1, max_size=8, unique=True),
       st.floats(0.0, 100.0), st.sampled_from(['oldest', 'newest']), seeds)
def test_the_weights_are_positive_and_add_up_to_one(mode, stamps, m, direction, seed):
    rng = np.random.default_rng(seed)
    fuse = fusion(mode, ensemble_coefficient=m, ensemble_direction=direction)
    trajectories = [still(s, steps=int(rng.integers(1, 20)), dt_ms=int(rng.integers(1, 200)),
                          arrival_ms=s + int(rng.integers(-50, 300))) for s in sorted(stamps)]
    for now in sorted(int(t) for t in rng.integers(0, 2000 * MS, size=20)):
        target = fuse.target(trajectories, now)
        if target is not None:
            assert all(w > 0.0 for w in target.weights)
            assert sum(target.weights) == pytest.approx(1.0, abs=1e-12)
            assert list(target.stamps_ns) == sorted(target.stamps_ns)


def posed(rotations):
    """Return trajectories that stay at these rotations, with stamps one apart."""
    out = []
    for i, R in enumerate(rotations):
        actions = np.zeros((8, 7))
        actions[:, 3:6] = se3.vector_from_rotation(R)
        chunk = ActionChunk(i, 100 * MS, actions,
                            convention=ActionConvention(space=ActionSpace.EE_POSE))
        out.append(Steps.of(chunk, N).anchored(se3.pose(R, np.zeros(3)), np.zeros(N), 0))
    return out


def mean(rotations):
    target = fusion(FusionMode.ENSEMBLE, ensemble_coefficient=0.0).target(posed(rotations), MS)
    return target.T_base_tool[:3, :3]


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 7), st.floats(0.0, 1.2), seeds)
def test_the_mean_rotation_depends_neither_on_the_order_nor_on_the_frame(count, radius, seed):
    rng = np.random.default_rng(seed)
    centre, turn = (se3.rotation_from_vector(rng.normal(size=3)) for _ in range(2))
    directions = rng.normal(size=(count, 3))
    vectors = radius * directions / np.linalg.norm(directions, axis=1)[:, None]
    rotations = [centre @ se3.rotation_from_vector(v) for v in vectors]
    R = mean(rotations)
    assert np.allclose(R.T @ R, np.eye(3), atol=1e-12)
    assert np.allclose(mean([rotations[i] for i in rng.permutation(count)]), R, atol=1e-8)
    assert np.allclose(mean([turn @ x for x in rotations]), turn @ R, atol=1e-8)
    assert np.allclose(mean([x @ turn for x in rotations]), R @ turn, atol=1e-8)
    # What makes it the Karcher mean: the turns to all of them add up to none.
    assert np.allclose(sum(se3.vector_from_rotation(R.T @ x) for x in rotations), 0.0, atol=1e-8)


def test_the_mean_of_two_rotations_is_half_way_also_across_the_half_turn():
    # 179 and -179 degrees about z: component by component the mean would be 0.
    a, b = (se3.rotation_from_vector(np.array([0.0, 0.0, math.radians(d)])) for d in (179, -179))
    assert np.allclose(mean([a, b]), np.diag([-1.0, -1.0, 1.0]), atol=1e-9)


def test_rotations_that_are_opposite_still_have_a_mean_that_is_a_rotation():
    eye = np.eye(3)
    halves = [np.diag([1.0, -1.0, -1.0]), np.diag([-1.0, 1.0, -1.0]), np.diag([-1.0, -1.0, 1.0])]
    for rotations in ([eye, halves[0]], [eye, *halves], halves):
        R = mean(rotations)
        assert np.isfinite(R).all()
        assert np.allclose(R.T @ R, eye, atol=1e-9)


def test_chunks_of_another_convention_than_the_newest_due_one_are_left_out():
    old, new = still(0, 1.0, gripper_open=2.0), still(100, 0.0)
    for mode in MODES:
        target = fusion(mode).target([old, new], 150 * MS)
        assert target.stamps_ns == (100 * MS,) and target.T_base_tool[0, 3] == 0.0
        # Before the newest is due, the older one is what is known.
        assert fusion(mode).target([old, new], 50 * MS).stamps_ns == (0,)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(MODES), st.sampled_from(list(ActionSpace)),
       st.lists(st.tuples(st.integers(1, 3), st.integers(1, 10**15),
                          st.lists(st.floats(allow_nan=False, allow_infinity=False),
                                   min_size=7, max_size=7)), min_size=1, max_size=4),
       st.floats(0.0, 1.0))
def test_any_finite_chunk_gives_a_finite_target_or_is_refused(mode, space, given_chunks, when):
    fuse, trajectories = fusion(mode), []
    for steps, dt, row in given_chunks:
        dims = EE_DIMS if space in (ActionSpace.EE_DELTA, ActionSpace.EE_POSE) else tuple('abcd')
        chunk = ActionChunk(0, dt, [row[:len(dims)]] * steps, dims=dims,
                            convention=ActionConvention(space=space))
        try:
            trajectories.append(Steps.of(chunk, N).anchored(np.eye(4), np.zeros(N), 0))
        except InputError:
            assert max(abs(x) for x in row) > 1e6
    if not trajectories:
        return
    target = fuse.target(trajectories, int(when * (min(t.end_ns for t in trajectories) - 1)))
    assert np.isfinite(place(target)).all() and np.isfinite(speed(target)).all()
    if target.T_base_tool is not None:
        R = target.T_base_tool[:3, :3]
        assert np.allclose(R.T @ R, np.eye(3), atol=1e-9)


# What each mode promises

def test_ensemble_weighs_by_the_time_between_the_observations():
    trajectories = [still(s) for s in (0, 100, 250)]
    for direction, ages in (('oldest', (0.0, 1.0, 2.5)), ('newest', (2.5, 1.5, 0.0))):
        raw = [math.exp(-0.5 * age) for age in ages]
        target = fusion(FusionMode.ENSEMBLE, ensemble_coefficient=0.5,
                        ensemble_direction=direction).target(trajectories, 300 * MS)
        assert target.weights == pytest.approx([w / sum(raw) for w in raw])


def test_latest_follows_the_newest_that_is_due():
    trajectories = [still(0), still(100), still(900)]
    assert weights_at(fusion(FusionMode.LATEST), trajectories, 150) == {100: 1.0}


def test_crossfade_begins_with_no_weight_at_the_arrival_and_is_through_after_its_time():
    trajectories = [still(0), still(100, arrival_ms=300)]
    fuse = fusion(FusionMode.CROSSFADE, crossfade_s=0.2)
    assert weights_at(fuse, trajectories, 300) == {0: 1.0}
    assert weights_at(fuse, trajectories, 350) == pytest.approx({0: 0.75, 100: 0.25})
    assert weights_at(fuse, trajectories, 500) == {100: 1.0}


def test_crossfade_is_through_when_the_old_chunk_ends():
    trajectories = [still(0), still(100, arrival_ms=700)]
    fuse = fusion(FusionMode.CROSSFADE, crossfade_s=10.0)
    assert weights_at(fuse, trajectories, 750) == pytest.approx({0: 0.5, 100: 0.5})
    assert weights_at(fuse, trajectories, 799.999999)[0] < 1e-6


def test_crossfade_over_a_crossfade_is_nested():
    trajectories = [still(0), still(100, arrival_ms=200), still(200, arrival_ms=300)]
    fuse = fusion(FusionMode.CROSSFADE, crossfade_s=0.2)
    weights_at(fuse, trajectories, 250)
    # The second is at 3/4 of its ramp, the third at 1/4 of its own.
    assert weights_at(fuse, trajectories, 350) == pytest.approx(
        {0: 0.25 * 0.75, 100: 0.75 * 0.75, 200: 0.25})


def test_crossfade_to_a_chunk_from_a_clock_that_is_ahead_begins_when_it_is_due():
    trajectories = [still(0), still(100, arrival_ms=60)]
    fuse = fusion(FusionMode.CROSSFADE, crossfade_s=0.2)
    assert weights_at(fuse, trajectories, 100) == {0: 1.0}
    assert weights_at(fuse, trajectories, 150) == pytest.approx({0: 0.75, 100: 0.25})


def test_crossfade_to_a_chunk_that_came_while_the_playhead_was_behind_waits_for_it():
    trajectories = [still(0), still(100, arrival_ms=500)]
    target = fusion(FusionMode.CROSSFADE).target(trajectories, 400 * MS)
    assert target.stamps_ns == (0,)


def test_crossfade_takes_a_chunk_at_once_when_nothing_else_is_known():
    assert weights_at(fusion(FusionMode.CROSSFADE), [still(0, arrival_ms=300)], 300) == {0: 1.0}


def test_crossfade_without_time_switches_at_once():
    trajectories = [still(0), still(100, arrival_ms=300)]
    assert weights_at(fusion(FusionMode.CROSSFADE, crossfade_s=0.0), trajectories, 300) == {
        100: 1.0}


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(20, 400), min_size=1, max_size=8), st.floats(0.05, 1.0), seeds)
def test_crossfade_never_steps_when_chunks_come_in_order_and_overlap(gaps, crossfade_s, seed):
    rng = np.random.default_rng(seed)
    shortest, tick = 50, 2  # ms: of a ramp, between two looks
    trajectories, stamp, arrival = [still(0, 1.0)], 0, 0
    for gap in gaps:
        stamp += gap
        arrival = max(arrival, stamp + int(rng.integers(0, 300)))
        arrival = min(arrival, trajectories[-1].end_ns // MS - shortest)
        trajectories.append(still(stamp, -trajectories[-1].position[0, 0], arrival_ms=arrival))
        assume(arrival >= stamp)
    fuse = fusion(FusionMode.CROSSFADE, crossfade_s=crossfade_s)
    last = None
    for ms in range(0, trajectories[-1].end_ns // MS, tick):
        known = [t for t in trajectories if t.arrival_ns <= ms * MS < t.end_ns]
        x = fuse.target(known, ms * MS).T_base_tool[0, 3]
        # All of them lie 1 from the middle, so a share that moves by s moves x by 2 s at most.
        assert last is None or abs(x - last) <= 2.0 * tick / shortest * len(known) + 1e-9
        last = x


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 400), st.integers(4, 12),
                          st.sampled_from([50, 100]), st.floats(-1.0, 1.0)),
                min_size=1, max_size=8, unique_by=lambda c: c[0]))
def test_blend_never_steps_whatever_comes_when(sent):
    trajectories = [still(stamp, x, steps, dt, stamp + delay)
                    for stamp, delay, steps, dt, x in sorted(sent)]
    fuse = fusion(FusionMode.BLEND, crossfade_s=0.2, fade_horizon_s=0.2)
    last, weight, tick = None, 0.0, 1  # ms
    for ms in range(0, 2800, tick):
        known = [t for t in trajectories if t.arrival_ns <= ms * MS < t.end_ns]
        target = fuse.target(known, ms * MS)
        before, weight = weight, sum(
            min(1.0, (ms * MS - t.arrival_ns) / 200 / MS) * min(1.0, (t.end_ns / MS - ms) / 200)
            for t in known if t.stamp_ns <= ms * MS)
        x = None if target is None else target.T_base_tool[0, 3]
        # Each of them changes its weight by tick/200 at most, and x by 2 for a whole change.
        if last is not None and x is not None and min(weight, before) > 0.0:
            assert abs(x - last) <= 4.0 * tick / 200 * len(trajectories) / min(weight, before)
        last = x


def test_blend_takes_a_chunk_in_and_lets_it_go_by_ramps():
    trajectories = [still(0), still(200, arrival_ms=300)]
    fuse = fusion(FusionMode.BLEND, crossfade_s=0.2, fade_horizon_s=0.4)
    assert weights_at(fuse, trajectories, 300) == {0: 1.0}
    assert weights_at(fuse, trajectories, 400) == pytest.approx({0: 2 / 3, 200: 1 / 3})
    assert weights_at(fuse, trajectories, 600) == pytest.approx({0: 1 / 3, 200: 2 / 3})
    assert weights_at(fuse, trajectories, 799.999999)[0] < 1e-6


@pytest.mark.parametrize('mode', [FusionMode.BLEND, FusionMode.CROSSFADE])
def test_ramps_may_have_no_length_and_a_chunk_may_come_from_ahead_of_the_playhead(mode):
    fuse = fusion(mode, crossfade_s=0.0, fade_horizon_s=0.0)
    assert weights_at(fuse, [still(0)], 0) == {0: 1.0}
    target = fuse.target([still(0), still(100, arrival_ms=500)], 400 * MS)
    assert target.stamps_ns == (0,)
    assert fuse.target([still(100, arrival_ms=500)], 400 * MS).weights == (1.0,)


@pytest.mark.parametrize('direction', ['oldest', 'newest'])
def test_fade_lets_a_chunk_go_towards_its_end(direction):
    trajectories = [still(0), still(100)]
    fuse = fusion(FusionMode.FADE, fade_horizon_s=0.2, ensemble_direction=direction)
    ratio = math.exp(-0.1) if direction == 'oldest' else math.exp(0.1)
    for ms, share in ((500, 1.0), (700, 0.5), (790, 0.05)):
        weights = weights_at(fuse, trajectories, ms)
        new = min(1.0, (900 - ms) / 200)
        assert weights[100] / weights[0] == pytest.approx(ratio * new / share)
    assert weights_at(fuse, trajectories, 799.999999)[0] < 1e-6


def test_fade_at_the_very_end_divides_by_nothing():
    fuse = fusion(FusionMode.FADE, fade_horizon_s=1e300)
    assert weights_at(fuse, [still(0), still(0)], 799.999999)
    fuse = fusion(FusionMode.FADE, fade_horizon_s=1e308, ensemble_coefficient=1e308)
    assert weights_at(fuse, [still(0)], 799.999999) == {0: 1.0}


def test_receding_follows_its_steps_before_it_looks_for_a_newer_one():
    trajectories = [still(s, arrival_ms=s) for s in range(0, 700, 70)]
    fuse = fusion(FusionMode.RECEDING, receding_steps=3)
    followed = {ms: next(iter(weights_at(fuse, trajectories, ms))) for ms in range(0, 700, 10)}
    assert {followed[ms] for ms in range(0, 300, 10)} == {0}
    # At 300 ms the newest is that of 280 ms; the step it is in ends at 380 and counts.
    assert {followed[ms] for ms in range(300, 580, 10)} == {280}
    assert followed[580] == 560


def test_receding_follows_late_chunks_too_although_their_first_steps_are_past():
    trajectories = [still(s, arrival_ms=s + 400) for s in (0, 50, 100)]
    fuse = fusion(FusionMode.RECEDING, receding_steps=2)
    followed = [next(iter(weights_at(fuse, trajectories, ms))) for ms in (420, 480, 599, 600, 799)]
    assert followed == [0, 0, 0, 100, 100]


def test_receding_goes_on_while_there_is_nothing_newer_and_leaves_what_is_gone():
    first, second = still(0), still(300)
    fuse = fusion(FusionMode.RECEDING, receding_steps=2)
    assert weights_at(fuse, [first], 0) == {0: 1.0}
    assert weights_at(fuse, [first], 250) == {0: 1.0}
    assert weights_at(fuse, [first, second], 310) == {300: 1.0}
    third = still(310)
    assert weights_at(fuse, [third], 320) == {310: 1.0}  # the adopted one was dropped


def test_after_a_reset_nothing_is_remembered():
    old, new = still(0), still(100)
    fuse = fusion(FusionMode.RECEDING)
    fuse.target([old], 50 * MS)
    assert weights_at(fuse, [old, new], 110) == {0: 1.0}
    fuse.reset()
    assert weights_at(fuse, [old, new], 110) == {100: 1.0}

    fuse, new = fusion(FusionMode.CROSSFADE), still(100, arrival_ms=300)
    assert weights_at(fuse, [new], 310) == {100: 1.0}  # it is taken at once, there is no other
    assert weights_at(fuse, [old, new], 311) == {100: 1.0}
    fuse.reset()
    assert 0 in weights_at(fuse, [old, new], 312)


@pytest.mark.parametrize(('change', 'message'), [
    ({'mode': 'latst'}, "fusion mode 'latst'.*'latest'"),
    ({'ensemble_direction': 'old'}, "'old'.*oldest"),
    ({'ensemble_coefficient': -0.1}, 'ensemble_coefficient'),
    ({'ensemble_coefficient': math.nan}, 'ensemble_coefficient'),
    ({'crossfade_s': math.inf}, 'crossfade_s'),
    ({'fade_horizon_s': -1.0}, 'fade_horizon_s'),
    ({'receding_steps': 0}, 'receding_steps'),
])
def test_a_setting_out_of_range_is_refused_by_name(change, message):
    with pytest.raises(ConfigError, match=message):
        replace(CONFIG, **change)
