"""Overrides through the whole pipeline: the gripper's touches no arm, the arm's makes no jump."""

import itertools

import numpy as np
import pytest
from control_bench import LIMITS, MS, Bench
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.core.arbiter import Mode
from vla_ros.core.degradation import Level
from vla_ros.core.override_gripper import GripperOverrideMode


def running(**changes):
    """Return a bench that has followed a policy for a while."""
    bench = Bench(**changes)
    bench.run(500, chunks=True)
    assert bench.ticks[-1].mode is Mode.AUTONOMOUS
    return bench


def gripper(bench):
    return bench.pipeline.overrides.gripper


def arm(bench):
    return bench.pipeline.overrides.arm


# The gripper


@pytest.mark.parametrize('mode', list(GripperOverrideMode))
def test_a_gripper_override_is_commanded_at_the_next_tick_and_labelled(mode):
    bench = running(gripper__dwell_s=10.0, gripper_settle=0.6)
    gripper(bench).command(bench.now, 'panel', 'close', mode)
    tick = bench.run(10)
    assert tick.gripper == 0.0
    assert tick.intervention == f'gripper override: panel {mode.value}'
    assert tick.mode is Mode.AUTONOMOUS


def test_a_width_is_commanded_though_the_gripper_is_binary():
    bench = running()
    gripper(bench).command(bench.now, 'panel', 0.03, 'latched')
    assert bench.run(500, chunks=True).gripper == pytest.approx(0.03)


chunks = st.lists(st.tuples(st.integers(5, 30), st.floats(-0.15, 0.15),
                            st.sampled_from([0.0, 0.5, 1.0])), min_size=8, max_size=20)
presses = st.lists(st.tuples(
    st.integers(0, 300), st.sampled_from(['close', 'open', 0.03, 'release']),
    st.sampled_from(list(GripperOverrideMode))), max_size=6)


def arm_stream(plan, pressed):
    bench = Bench(gripper_settle=0.4, gripper__dwell_s=0.1)
    at = 0
    wishes = {}
    for wait, target, mode in pressed:
        at += wait
        wishes[at] = target, mode
    due = list(itertools.accumulate(wait for wait, _, _ in plan))
    seen = set()
    for i in range(due[-1] + 50):
        for (_, speed, fraction), when in zip(plan, due, strict=True):
            if when == i:
                bench.chunk((speed, 0.0, 0.0), fraction)
        if i in wishes:
            target, mode = wishes[i]
            if target == 'release':
                gripper(bench).release(bench.now, 'panel')
            else:
                gripper(bench).command(bench.now, 'panel', target, mode)
        tick = bench.run(10)
        seen.add(tick.gripper)
    return [(t.q.tobytes(), t.velocity.tobytes(), t.level, t.mode, t.reason, t.speed,
             t.chunk_stamps_ns) for t in bench.ticks], seen


@settings(max_examples=25, deadline=None)
@given(chunks, presses)
def test_the_arm_is_commanded_the_same_tick_for_tick_with_and_without(plan, pressed):
    assert arm_stream(plan, pressed)[0] == arm_stream(plan, [])[0]


def test_the_comparison_above_is_of_different_grippers():
    plan = [(10, 0.1, 1.0)] * 8
    with_press = arm_stream(plan, [(20, 'close', GripperOverrideMode.LATCHED)])
    without = arm_stream(plan, [])
    assert with_press[1] > without[1]


def test_the_arm_does_not_wait_for_a_gripper_that_a_human_closes():
    bench = running(gripper_settle=0.6)
    gripper(bench).command(bench.now, 'panel', 'close', 'latched')
    bench.run(300, chunks=True)
    assert all(t.speed == 1.0 for t in bench.ticks[-30:])


def test_after_the_hand_back_the_policy_decides_and_not_before_the_dwell_is_over():
    bench = running(gripper__dwell_s=0.3)
    gripper(bench).command(bench.now, 'panel', 'close', 'latched')
    bench.run(100, chunks=True)
    gripper(bench).release(bench.now, 'panel')
    assert bench.run(200, chunks=True).gripper == 0.0
    assert bench.run(20, chunks=True).gripper == pytest.approx(0.07)


# The arm


def test_a_takeover_brakes_the_arm_and_a_twist_moves_it():
    bench = running()
    assert arm(bench).takeover(bench.now, 'panel') == ''
    tick = bench.run(500, chunks=True)
    assert tick.mode is Mode.INTERVENTION
    assert tick.intervention == 'takeover: panel waiting'
    assert np.abs(tick.velocity).max() < 1e-9
    before = bench.q.copy()
    for _ in range(10):
        arm(bench).twist(bench.now, 'panel', np.array([0, 0.1, 0, 0, 0, 0]), False)
        tick = bench.run(100, chunks=True)
    assert tick.intervention == 'takeover: panel twist'
    assert (bench.q - before)[1] == pytest.approx(0.1, abs=0.015)
    assert (bench.q - before)[[0, 2]] == pytest.approx([0, 0], abs=1e-6)


def test_a_twist_of_the_tool_frame_follows_the_tools_axes():
    bench = running()
    bench.gantry.R = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    before = bench.q.copy()
    for _ in range(5):
        arm(bench).twist(bench.now, 'panel', np.array([0.1, 0, 0, 0, 0, 0]), True)
        bench.run(100)
    assert (bench.q - before)[1] > 0.03


def test_a_leader_is_followed():
    bench = running()
    start = bench.q.copy()
    for i in range(100):
        goal = start + [0.0, 0.2 * min(i / 50, 1.0), 0.0]
        assert arm(bench).joints(bench.now, 'panel', goal) == ''
        bench.run(20)
    assert bench.q == pytest.approx(goal, abs=1e-3)


def test_nothing_that_was_planned_before_or_during_a_takeover_moves_the_arm_afterwards():
    bench = running()
    arm(bench).takeover(bench.now, 'panel')
    bench.run(400, chunks=True)
    arm(bench).release(bench.now, 'panel')
    before = bench.q.copy()
    for _ in range(5):
        assert bench.chunk(age_ms=50) in ('accepted', 'before_reset')
        tick = bench.run(10)
        assert not tick.chunk_stamps_ns
    assert tick.mode is Mode.HOLD
    assert bench.q == pytest.approx(before, abs=1e-6)
    bench.run(300, chunks=True)
    assert bench.ticks[-1].mode is Mode.AUTONOMOUS
    assert min(bench.ticks[-1].chunk_stamps_ns) > bench.now - 400 * MS


def test_a_long_takeover_is_no_reason_to_stop_but_a_long_wait_after_it_is():
    bench = running()  # stop_after 5 s
    arm(bench).takeover(bench.now, 'panel')
    assert bench.run(6000).level is Level.HOLD
    arm(bench).release(bench.now, 'panel')
    assert bench.run(4900).level is Level.HOLD
    assert bench.run(200).level is Level.STOPPED


ENDS = {'stop': lambda p: p.stop('test'), 'estop': lambda p: p.interlock.estop('test'),
        'disarm': lambda p: p.interlock.disarm('test')}


@pytest.mark.parametrize('end', ENDS)
def test_what_forbids_motion_ends_every_override_at_once_and_refuses_more(end):
    bench = running()
    arm(bench).twist(bench.now, 'panel', np.array([0, 0.1, 0, 0, 0, 0]), False)
    gripper(bench).command(bench.now, 'panel', 'close', 'latched')
    assert bench.run(10).intervention
    ENDS[end](bench.pipeline)
    tick = bench.run(10)
    assert tick.intervention == ''
    assert tick.mode is not Mode.INTERVENTION
    assert tick.gripper == 0.0, 'it keeps what it holds'
    speeds = [np.abs(tick.velocity).max()]
    for _ in range(30):
        assert 'stopped' in arm(bench).twist(bench.now, 'panel', np.full(6, 0.1), False)
        assert 'stopped' in gripper(bench).command(bench.now, 'panel', 'open', 'latched')
        tick = bench.run(10)
        speeds.append(0.0 if tick.velocity is None else np.abs(tick.velocity).max())
    assert speeds[0] > speeds[-1] == pytest.approx(0.0, abs=1e-9)
    assert tick.gripper in (0.0, None)


def test_after_the_start_overrides_are_possible_again():
    bench = running()
    bench.pipeline.stop('test')
    bench.run(100)
    bench.pipeline.start(bench.now)
    bench.run(10)
    assert arm(bench).takeover(bench.now, 'panel') == ''
    assert bench.run(10).mode is Mode.INTERVENTION


def test_a_hold_to_run_switch_holds_for_humans_too():
    bench = running()
    interlock = bench.pipeline.interlock
    interlock.hold_to_run_timeout = 0.2
    for held in (True, False):
        start = bench.q.copy()
        for _ in range(40):
            interlock.hold_to_run(held, bench.now)
            arm(bench).twist(bench.now, 'panel', np.array([0, 0.1, 0, 0, 0, 0]), False)
            bench.run(10)
        assert (bench.q[1] - start[1] > 0.02) == held
    assert bench.ticks[-1].mode is Mode.INTERVENTION
    assert np.abs(bench.ticks[-1].velocity).max() < 1e-9


def test_a_twist_does_not_move_an_arm_whose_joints_are_not_heard_of():
    bench = running()
    for _ in range(5):
        arm(bench).twist(bench.now, 'panel', np.array([0, 0.1, 0, 0, 0, 0]), False)
        bench.run(100, joints=False)
    assert np.abs(bench.ticks[-1].velocity).max() < 1e-9
    assert bench.ticks[-1].mode is Mode.INTERVENTION


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40), st.sampled_from(
    ['takeover', 'twist', 'joints', 'hold', 'release', 'stop', 'start', 'chunk']),
    st.tuples(*[st.floats(-2.0, 2.0)] * 3)), max_size=25))
def test_every_command_is_within_the_limits_whatever_humans_do(moves):
    bench = Bench()
    bench.run(200, chunks=True)
    for ticks, what, numbers in moves:
        o, p = arm(bench), bench.pipeline
        v = np.array(numbers)
        if what == 'twist':
            o.twist(bench.now, 'panel', np.concatenate([v, v]), False)
        elif what == 'joints':
            o.joints(bench.now, 'panel', bench.q + 0.2 * v)
        elif what == 'stop':
            p.stop('test')
        elif what == 'start':
            p.start(bench.now)
        elif what == 'chunk':
            bench.chunk(0.1 * v)
        else:
            getattr(o, what)(bench.now, 'panel')
        bench.run(10 * ticks)
    velocity = np.array([t.velocity for t in bench.ticks])
    q = np.array([t.q for t in bench.ticks])
    assert (np.abs(velocity) <= LIMITS.velocity + 1e-9).all()
    assert (np.abs(np.diff(velocity, axis=0)) <= LIMITS.acceleration * 0.01 + 1e-9).all()
    assert np.abs(np.diff(q, axis=0) / 0.01 - velocity[1:]).max() < 1e-9
