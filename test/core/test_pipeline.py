"""The control side as a whole, on an arm whose kinematics are easy to see through."""

import dataclasses
import math

import numpy as np
import pytest
from control_bench import CONFIG, MS, TASK, Bench, Gantry, configured
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.core.arbiter import Mode
from vla_ros.core.degradation import Level
from vla_ros.core.errors import ConfigError, InputError
from vla_ros.core.fusion import FusionMode
from vla_ros.core.types import ActionConvention, ActionFrame, ActionSpace


def test_before_the_first_joint_state_nothing_is_sent_and_the_reason_says_so():
    tick = Bench().run(50, joints=False)
    assert tick.q is None and tick.gripper is None
    assert (tick.mode, tick.reason) == (Mode.HOLD, 'joint_states: none received yet')


def test_without_a_policy_the_measured_joints_are_held_and_never_zeros():
    bench = Bench()
    bench.q = np.array([0.3, -0.2, 0.1])
    tick = bench.run(100)
    assert tick.mode is Mode.HOLD
    assert np.array_equal(tick.q, [0.3, -0.2, 0.1])
    assert tick.gripper == pytest.approx(0.03)


def test_the_arm_moves_as_far_as_the_actions_say():
    bench = Bench()
    tick = bench.run(1000, chunks=True)
    assert tick.mode is Mode.AUTONOMOUS
    # 0.1 m/s for a second, less what was lost while it accelerated at 5 rad/s^2.
    assert bench.q[0] == pytest.approx(0.1, abs=0.0021)
    assert tick.gripper == pytest.approx(0.07)


def test_the_arm_holds_when_the_chunks_run_out():
    bench = Bench(ladder__slow_after=0.4)
    bench.run(20)
    bench.chunk(age_ms=500)  # 300 ms of it are left
    assert bench.run(290).mode is Mode.AUTONOMOUS
    tick = bench.run(30)
    assert (tick.mode, tick.reason) == (Mode.HOLD, 'action_chunk: no step is due')


def test_a_late_chunk_slows_the_arm_down_and_then_it_holds_even_if_old_ones_are_not_used_up():
    bench = Bench()
    bench.run(20)
    bench.chunk()
    assert bench.run(190).level is Level.RUNNING
    tick = bench.run(180)
    assert (tick.level, tick.mode) == (Level.SLOW, Mode.AUTONOMOUS)
    assert tick.reason == 'action_chunk: late, none for 0.2 s'
    assert tick.velocity[0] == pytest.approx(0.25 * 0.1, rel=0.3)
    assert tick.speed == 0.25
    tick = bench.run(50)
    assert (tick.level, tick.reason) == (Level.HOLD, 'action_chunk: none for 0.4 s')


def test_slowed_down_the_arm_stays_on_the_path_that_it_knows():
    corner = np.zeros((8, 7))
    corner[:3, 0], corner[3:, 1] = 0.01, 0.01  # 0.1 m/s along x, then along y
    paths = []
    for chunk_timeout in (0.4, 3.0):
        bench = Bench(ladder__chunk_timeout=chunk_timeout, fade=0.05)
        bench.run(20)
        bench.give(corner, 0, ActionConvention())
        bench.run(3000)
        paths.append(np.array([t.q[:2] for t in bench.ticks if t.level is not Level.HOLD]))
    knots = np.array([[0, 0], [0.03, 0], [0.03, 0.05]])
    slow = paths[1]
    assert slow[-1] == pytest.approx(knots[-1], abs=2e-3)
    along_x, along_y = np.abs(slow[:, 1] - 0.0), np.abs(slow[:, 0] - 0.03)
    assert np.minimum(along_x, along_y).max() < 3e-3


def test_a_chunk_that_comes_after_all_brings_the_arm_back_to_full_speed():
    bench = Bench()
    bench.run(20)
    bench.chunk()
    bench.run(300)
    assert bench.ticks[-1].level is Level.SLOW
    bench.chunk()
    tick = bench.run(200)
    assert (tick.level, tick.speed) == (Level.RUNNING, 1.0)
    assert tick.playhead_ns == tick.stamp_ns


def test_without_the_policys_process_the_arm_brakes_and_holds():
    bench = Bench()
    bench.run(300, chunks=True)
    bench.pipeline.set_policy_alive(False)
    tick = bench.run(10)
    assert (tick.mode, tick.reason) == (Mode.HOLD, 'policy process is gone')
    assert bench.run(50).velocity[0] == pytest.approx(0.0)


def test_a_policy_that_was_not_heard_of_for_a_moment_goes_on_where_it_was():
    bench = Bench()
    bench.run(300, chunks=True)
    bench.pipeline.set_policy_alive(False)
    bench.run(30)
    bench.pipeline.set_policy_alive(True)
    assert bench.run(10).mode is Mode.AUTONOMOUS


def test_what_a_policy_said_is_dropped_when_another_one_starts():
    bench = Bench()
    bench.run(300, chunks=True)
    bench.pipeline.set_policy_alive(False)
    bench.run(30)
    bench.pipeline.policy_started(bench.now)
    assert bench.run(10).mode is Mode.HOLD
    bench.chunk()
    assert bench.run(10).mode is Mode.AUTONOMOUS


def test_stale_joint_states_hold_the_last_command():
    bench = Bench()
    bench.run(300, chunks=True)
    tick = bench.run(200, joints=False, chunks=True)
    assert tick.mode is Mode.HOLD
    assert tick.reason == 'joint_states: older than 0.1 s'
    held = tick.q
    assert np.array_equal(bench.run(300, joints=False).q, held)
    assert (tick.velocity == 0.0).all()


def test_an_arm_that_was_moved_while_its_joints_were_silent_is_not_pulled_back():
    bench = Bench()
    bench.run(300, chunks=True)
    bench.run(300, joints=False)
    bench.q = bench.q + [0.0, 0.1, 0.0]  # less than max_joint_lead
    before = bench.q[1]
    tick = bench.run(10)
    assert abs(tick.q[1] - before) < 1e-9


def test_stop_brakes_and_needs_start_and_start_drops_what_was_predicted():
    bench = Bench()
    bench.run(300, chunks=True)
    bench.pipeline.stop('stopped by service')
    tick = bench.run(200, chunks=True)
    assert (tick.mode, tick.reason) == (Mode.STOPPED, 'stopped by service')
    assert (tick.velocity == 0.0).all() and bench.pipeline.at_rest
    bench.pipeline.start(bench.now)
    assert bench.run(10).mode is Mode.HOLD
    bench.chunk()
    assert bench.run(10).mode is Mode.AUTONOMOUS


def test_the_gripper_keeps_its_command_while_the_arm_holds():
    bench = Bench()
    bench.run(20)
    bench.chunk(gripper=0.0)
    assert bench.run(100).gripper == 0.0
    bench.width = 0.034  # the fingers have met an object
    tick = bench.run(1000)
    assert tick.mode is Mode.HOLD
    assert tick.gripper == 0.0


def test_the_measured_joints_jumping_away_sends_nothing_until_they_stay():
    bench = Bench()
    bench.run(100, chunks=True)
    bench.q = np.array([0.8, 0.8, 0.8])
    bench.follows = False
    first = bench.run(10, chunks=True)
    assert first.q is None
    bench.run(150)
    assert bench.ticks[-1].q is not None
    assert np.allclose(bench.ticks[-1].q, 0.8)
    assert all(t.q is None or (np.abs(t.q - 0.8) < 1e-9).all() for t in bench.ticks[-15:])


def test_after_the_clock_went_back_nothing_is_sent_until_the_joints_are_heard_of_again():
    bench = Bench()
    bench.run(300, chunks=True)
    bench.now -= 5000 * MS
    tick = bench.run(50, joints=False)
    assert tick.q is None
    bench.q = np.array([0.4, 0.4, 0.4])  # the new world's arm is elsewhere
    assert np.allclose(bench.run(10).q, 0.4)


def test_a_clock_that_is_set_back_a_little_does_not_stop_the_arm():
    bench = Bench()
    bench.run(300, chunks=True)
    bench.now -= 100 * MS
    before = bench.ticks[-1]
    tick = bench.run(10)
    assert tick.mode is Mode.AUTONOMOUS
    assert np.abs(tick.velocity - before.velocity).max() <= 5.0 * 0.01 + 1e-9


def test_a_blocked_arm_does_not_wind_up():
    bench = Bench(follows=False, noise=1e-6)
    bench.run(2000, chunks=True)
    lead = np.linalg.norm(bench.ticks[-1].q)
    assert lead <= TASK.max_lead_position + 1e-6 + 1e-9
    assert any('lead' in a for a in bench.ticks[-1].acted)


def test_an_unreachable_pose_stops_the_arm_and_says_why():
    bench = Bench()
    bench.run(200, chunks=True)
    bench.gantry.reachable = False
    tick = bench.run(100, chunks=True)
    assert 'ik: out of reach' in tick.acted
    assert (tick.velocity == 0.0).all()


def test_actions_in_the_tool_frame_move_along_the_tools_axes():
    class Turned(Gantry):
        R = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])

    bench = Bench(gantry=Turned())
    bench.run(20)
    bench.chunk(frame=ActionFrame.TOOL)
    bench.run(200)
    assert bench.q[1] > 0.01 and abs(bench.q[0]) < 1e-9


@pytest.mark.parametrize('q', [[0, 0], [0, 0, math.nan], [0, math.inf, 0]])
def test_joint_states_that_cannot_be_used_change_nothing(q):
    bench = Bench()
    bench.run(50)
    before = bench.ticks[-1].q
    with pytest.raises(InputError, match='expected 3 finite positions'):
        bench.pipeline.add_joint_state(bench.now, np.array(q), 0.03)
    assert np.array_equal(bench.run(10).q, before)


def test_a_chunk_for_other_joints_is_refused():
    bench = Bench()
    with pytest.raises(ConfigError, match='expected the joints slide_x slide_y slide_z in this '
                       'order, found z y x'):
        bench.give(np.zeros((2, 4)), 0, ActionConvention(space=ActionSpace.JOINT_POSITION),
                   ('z', 'y', 'x', 'gripper'))


def test_joint_positions_are_followed_without_inverse_kinematics():
    bench = Bench(ladder__slow_after=0.4)
    bench.gantry.reachable = False
    bench.run(20)
    ramp = np.linspace(0.01, 0.08, 8)[:, None] * [1.0, -1.0, 0.5]
    bench.joint_chunk(ramp)
    bench.run(400)
    bench.joint_chunk(ramp, age_ms=390)
    bench.run(370)
    assert bench.q == pytest.approx(ramp[-1], abs=5e-3)


def test_joint_deltas_add_up():
    bench = Bench(ladder__slow_after=0.4)
    bench.run(20)
    for _ in range(5):
        bench.joint_chunk(np.full((8, 3), [0.01, 0.0, -0.005]), space=ActionSpace.JOINT_DELTA)
        bench.run(100)
    assert bench.q == pytest.approx([0.05, 0.0, -0.025], abs=4e-3)


def test_joint_actions_keep_to_the_workspace_and_the_speed_of_the_tool():
    bench = Bench()
    bench.run(20)
    for _ in range(40):
        far = np.tile(bench.q + [0.2, 0.0, 0.0], (8, 1))
        bench.joint_chunk(far)
        bench.run(100)
    # At 0.3 m/s and 5 m/s^2 it comes to rest 9 mm after the wall has been seen.
    assert 0.85 < bench.q[0] <= TASK.upper[0] + 0.009 + 1e-9
    assert any('workspace x' in a for t in bench.ticks for a in t.acted)
    assert any(a.startswith('speed') for t in bench.ticks for a in t.acted)


def test_absolute_poses_are_followed():
    bench = Bench(ladder__slow_after=0.4, fusion__mode=FusionMode.LATEST)
    bench.run(20)
    for x in np.arange(0.01, 0.09, 0.01):
        actions = np.zeros((4, 7))
        actions[:, 0] = x + 0.01 * np.arange(4)
        bench.give(actions, 0, ActionConvention(space=ActionSpace.EE_POSE))
        bench.run(100)
    assert bench.q[0] == pytest.approx(0.08, abs=6e-3)


def test_motion_does_not_begin_toward_a_first_target_that_is_far():
    bench = Bench()
    bench.run(20)
    actions = np.zeros((8, 7))
    actions[:, 0] = 0.5
    bench.give(actions, 400, ActionConvention(space=ActionSpace.EE_POSE))
    tick = bench.run(100)
    assert tick.mode is Mode.HOLD
    assert 'the first target is away from the measured arm, 0.50 m > 0.1 m' in tick.reason
    assert np.abs(bench.q).max() == 0.0


def test_motion_blends_in():
    bench = Bench(start=dataclasses.replace(CONFIG.start, blend_in=0.5))
    bench.run(20)
    bench.run(500, chunks=True)
    speeds = np.array([t.velocity[0] for t in bench.ticks[2:]])
    assert speeds[:10].max() < 0.03
    assert (np.diff(speeds) < 0.02).all()
    assert speeds[-1] > 0.1


def test_a_chunk_that_disagrees_turns_the_motion_within_the_acceleration_limit():
    bench = Bench(fusion__mode=FusionMode.LATEST)
    bench.run(300, chunks=True)
    bench.chunk(velocity=(-0.2, 0.2, 0.0))
    bench.run(150)
    v = np.array([t.velocity for t in bench.ticks if t.velocity is not None])
    assert np.abs(np.diff(v, axis=0)).max() <= 5.0 * 0.01 + 1e-9
    assert v[-1][0] < -0.1


@pytest.mark.parametrize('latency_ms', [0, 200, 400])
def test_a_late_answer_is_used_from_where_it_is_due(latency_ms):
    bench = Bench(ladder__slow_after=0.4)
    bench.run(20)
    for _ in range(20):
        bench.chunk(age_ms=latency_ms)
        bench.run(100)
    # 0.1 m/s for 2 s whatever the latency, and at most what was missed at the start.
    assert 0.195 <= bench.q[0] <= 0.202 + 1e-4 * latency_ms


def test_a_policy_that_takes_its_words_back_holds_the_arm_at_once():
    bench = Bench()
    bench.run(300, chunks=True)
    bench.pipeline.withdraw(bench.now, 'no instruction')
    tick = bench.run(10)
    assert (tick.level, tick.reason) == (Level.HOLD, 'policy: no instruction')
    bench.chunk()
    assert bench.run(10).level is Level.RUNNING


def test_an_arm_that_held_for_too_long_waits_to_be_started():
    bench = Bench()
    bench.run(300, chunks=True)
    assert bench.run(6000).level is Level.STOPPED
    bench.run(100, chunks=True)
    assert bench.ticks[-1].level is Level.STOPPED
    bench.pipeline.start(bench.now)
    bench.run(100, chunks=True)
    assert bench.ticks[-1].level is Level.RUNNING


def test_joint_states_that_do_not_change_while_the_arm_moves_are_frozen():
    bench = Bench(follows=False)
    bench.run(1000, chunks=True)
    tick = bench.ticks[-1]
    assert tick.level is Level.HOLD
    assert tick.reason.startswith('joint_states: frozen')


def test_joint_states_that_do_not_change_while_the_arm_rests_are_not_frozen():
    bench = Bench()
    bench.run(3000)
    assert bench.run(100, chunks=True).level is Level.RUNNING


def test_every_tick_says_where_its_command_comes_from():
    bench = Bench()
    bench.run(20)
    for _ in range(3):
        bench.chunk()
        bench.run(100)
    tick = bench.ticks[-1]
    assert len(tick.chunk_stamps_ns) == len(tick.weights) == 3
    assert sum(tick.weights) == pytest.approx(1.0)
    assert tick.joint_state_stamp_ns == tick.stamp_ns
    assert tick.effort == 10.0


@pytest.mark.parametrize('name', ['period', 'joint_state_timeout', 'frozen_after', 'fade',
                                  'max_joint_step', 'max_joint_lead'])
@pytest.mark.parametrize('value', [0.0, -1.0, math.nan, math.inf])
def test_a_time_or_bound_that_bounds_nothing_is_refused(name, value):
    with pytest.raises(ConfigError, match=name):
        configured(**{name: value})


events = st.lists(st.one_of(
    st.tuples(st.just('joints'), st.integers(-300, 50), st.floats(-1, 1)),
    st.tuples(st.just('chunk'), st.integers(-1000, 100), st.floats(-20, 20)),
    st.tuples(st.just('clock'), st.integers(-3000, 3000), st.none()),
    st.tuples(st.just('alive'), st.booleans(), st.none()),
    st.tuples(st.just('stop'), st.none(), st.none()),
    st.tuples(st.just('start'), st.none(), st.none()),
), max_size=25)


def replay(sequence, mode=FusionMode.BLEND):
    bench = Bench(fusion__mode=mode)
    bench.run(20)
    for kind, a, b in sequence:
        if kind == 'joints':
            bench.pipeline.add_joint_state(bench.now + a * MS, bench.q + b * 0.05, 0.03)
        elif kind == 'chunk':
            bench.chunk(velocity=(b, -b, b / 2), age_ms=-a)
        elif kind == 'clock':
            bench.now = max(bench.now + a * MS, 1)
        elif kind == 'alive':
            bench.pipeline.set_policy_alive(a)
        elif kind == 'stop':
            bench.pipeline.stop('test')
        else:
            bench.pipeline.start(bench.now)
        bench.run(30, joints=kind != 'joints')
    return bench


@settings(max_examples=60, deadline=None)
@given(events, st.sampled_from(FusionMode))
def test_any_interleaving_gives_finite_commands_within_every_limit(sequence, mode):
    q = None
    bench = replay(sequence, mode)
    for tick, measured in zip(bench.ticks, bench.measured, strict=True):
        if tick.q is None:
            continue
        assert np.isfinite(tick.q).all() and np.isfinite(tick.velocity).all()
        assert (np.abs(tick.q) <= 1.0).all()
        assert (np.abs(tick.velocity) <= 0.5 + 1e-9).all()
        if q is not None:
            step = np.abs(tick.q - q)
            # The one other thing it may do: begin anew, at rest, from where the arm is.
            anew = np.abs(tick.q - measured).max() <= 5.0 * 0.05 ** 2 + 1e-9
            assert (step <= 0.5 * 0.05 + 1e-9).all() or anew
        q = tick.q


@settings(max_examples=15, deadline=None)
@given(events, st.sampled_from(FusionMode))
def test_the_same_inputs_give_the_same_commands_bit_for_bit(sequence, mode):
    first, second = replay(sequence, mode).ticks, replay(sequence, mode).ticks
    for a, b in zip(first, second):
        assert (a.mode, a.reason, a.acted) == (b.mode, b.reason, b.acted)
        assert (a.q is None) == (b.q is None)
        if a.q is not None:
            assert a.q.tobytes() == b.q.tobytes()


def test_the_arm_waits_for_the_gripper_and_then_goes_on():
    bench = Bench(gripper_settle=0.2, ladder__slow_after=0.4)
    bench.width = 0.07
    bench.run(300, chunks=True)
    for _ in range(4):
        bench.chunk(gripper=0.0)
        bench.run(100)
    waiting = [t for t in bench.ticks if 'gripper: the arm waits' in t.acted]
    assert len(waiting) == 20
    assert np.abs(waiting[-1].velocity).max() == 0.0
    assert bench.ticks[-1].velocity[0] > 0.05
