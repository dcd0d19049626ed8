"""Pausing, going on, and commands that stop coming: smooth, and from where the arm really is."""

import numpy as np
import pytest
from control_bench import LIMITS, Bench

from vla_ros.core.arbiter import Mode
from vla_ros.core.safety.estop import Interlock

A_DT = LIMITS.acceleration * 0.01


def moving(**options):
    bench = Bench(**options)
    bench.run(20)
    bench.run(500, chunks=True)
    assert bench.ticks[-1].velocity[0] > 0.08
    return bench


def assert_smooth_halt(ticks, v):
    """Every tick is slower than the one before, by no more than the deceleration, to rest."""
    for tick in ticks:
        assert tick.q is not None
        assert (tick.velocity <= v + 1e-9).all() and (tick.velocity >= -1e-9).all()
        assert (v - tick.velocity <= A_DT + 1e-9).all()
        v = tick.velocity
    assert (v == 0.0).all()


@pytest.mark.parametrize('how', ['stop', 'estop', 'disarm', 'takeover', 'policy gone'])
def test_whatever_ends_the_motion_ends_it_smoothly_at_once(how):
    bench = moving()
    v = bench.ticks[-1].velocity
    pipeline = bench.pipeline
    {'stop': lambda: pipeline.stop('pause'), 'estop': lambda: pipeline.interlock.estop('button'),
     'disarm': lambda: pipeline.interlock.disarm('test'),
     'takeover': lambda: pipeline.overrides.arm.takeover(bench.now, 'panel'),
     'policy gone': lambda: pipeline.set_policy_alive(False)}[how]()
    before = len(bench.ticks)
    bench.run(100, chunks=True)
    ticks = [t for t in bench.ticks[before:] if t.q is not None]
    assert_smooth_halt(ticks, v)
    assert (len(ticks) < 5) == (how == 'disarm'), 'disarmed it brakes, then is silent'


def test_commands_that_stop_coming_halt_the_arm_smoothly_within_their_time():
    bench = moving(ladder__slow_after=0.1, ladder__chunk_timeout=0.1)
    before = len(bench.ticks)
    bench.run(300)  # the newest chunk would last for 0.8 s
    late = next(i for i, t in enumerate(bench.ticks[before:]) if t.mode is Mode.HOLD)
    assert late <= 10
    halt = before + late
    assert_smooth_halt(bench.ticks[halt:halt + 10], bench.ticks[halt - 1].velocity)


def test_after_a_pause_the_arm_goes_on_from_where_it_is_measured():
    bench = moving()
    bench.pipeline.stop('pause')
    bench.run(200)
    kept = bench.ticks[-1].q
    bench.follows = False
    bench.q = kept + [0.0, 0.1, 0.0]  # somebody pushed it, by less than it would be lost for
    bench.run(200)
    assert np.allclose(bench.ticks[-1].q, kept), 'paused, it keeps its place'
    bench.pipeline.start(bench.now)
    tick = bench.run(10)
    assert np.allclose(tick.q, bench.q) and not tick.velocity.any()
    bench.follows = True
    bench.run(300, chunks=True)
    assert bench.ticks[-1].mode is Mode.AUTONOMOUS
    assert (np.abs(bench.ticks[-1].q[1] - bench.q[1]) < 1e-3) and bench.q[1] == pytest.approx(
        kept[1] + 0.1, abs=1e-3), 'and is not pulled back'


@pytest.mark.parametrize('how', ['start', 'arm'])
def test_going_on_while_it_still_brakes_there_is_no_jump_of_velocity(how):
    bench = moving()
    v = bench.ticks[-1].velocity
    if how == 'start':
        bench.pipeline.stop('pause')
    else:
        bench.pipeline.interlock.disarm('test')
    bench.run(10)
    braking = bench.ticks[-1].velocity
    assert 0.0 < braking[0] < v[0]
    getattr(bench.pipeline, how)(bench.now)
    tick = bench.run(10)
    assert (np.abs(tick.velocity - braking) <= A_DT + 1e-9).all()
    assert np.allclose(tick.q, bench.ticks[-2].q + tick.velocity * 0.01)


def test_an_arm_that_is_armed_while_nobody_knows_where_it_is_is_told_nothing_until_somebody_does():
    bench = Bench()
    bench.run(20)
    bench.pipeline.interlock.disarm('test')
    bench.run(20)
    bench.q = np.array([0.1, 0.0, 0.0])  # moved by hand, while nothing is heard of it
    bench.run(300, joints=False)
    assert bench.pipeline.arm(bench.now) == (True, 'armed')
    assert bench.run(50, joints=False).q is None
    tick = bench.run(10)
    assert np.allclose(tick.q, bench.q)


def test_disarmed_it_only_brakes_and_goes_nowhere():
    bench = moving()
    bench.follows = False  # it lags: where it is measured is behind
    bench.pipeline.interlock.disarm('test')
    v, before = bench.ticks[-1].velocity, len(bench.ticks)
    bench.run(200)
    assert_smooth_halt([t for t in bench.ticks[before:] if t.q is not None], v)
    assert bench.ticks[-1].q is None


def test_joint_states_that_are_stamped_ahead_are_no_news():
    bench = moving()
    bench.pipeline.add_joint_state(bench.now + 10**9, bench.q, 0.03)
    tick = bench.run(10, joints=False)
    assert tick.mode is Mode.HOLD and 'ahead by more than 0.1 s' in tick.reason


def test_where_a_lost_arm_is_must_stay_the_same_before_it_goes_on_from_there():
    bench = moving()
    start = bench.ticks[-1].q
    bench.follows = False
    for k in range(40):  # it falls
        bench.q = start + [0.5 + 0.03 * k, 0.0, 0.0]
        assert bench.run(10).q is None
    bench.run(90)
    assert bench.ticks[-1].q is None
    assert np.allclose(bench.run(20).q, bench.q)


def test_an_emergency_stop_that_is_reset_and_armed_while_braking_does_not_jump():
    bench = moving()
    interlock: Interlock = bench.pipeline.interlock
    interlock.estop('button')
    bench.run(10)
    braking = bench.ticks[-1].velocity
    interlock.reset('button')
    bench.pipeline.arm(bench.now)
    tick = bench.run(10)
    assert braking[0] > 0.0
    assert (np.abs(tick.velocity - braking) <= A_DT + 1e-9).all()
