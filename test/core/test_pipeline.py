"""The control side as a whole, on an arm whose kinematics are easy to see through."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.core.arbiter import Mode
from vla_ros.core.errors import ConfigError, InputError
from vla_ros.core.kinematics import IkResult
from vla_ros.core.limits import GripperRange, JointLimits, TaskSpaceLimits
from vla_ros.core.pipeline import Pipeline, PipelineConfig
from vla_ros.core.se3 import pose
from vla_ros.core.types import ActionChunk, ActionConvention, ActionFrame, ActionSpace

MS = 1_000_000
NAMES = ('x', 'y', 'z')
LIMITS = JointLimits(NAMES, [-1, -1, -1], [1, 1, 1], [0.5] * 3, [5.0] * 3, 0.01)
TASK = TaskSpaceLimits([-0.9] * 3, [0.9] * 3, 0.3, 1.0, 0.05, 0.3)
CONFIG = PipelineConfig(period=0.01, joint_state_timeout=0.1, chunk_timeout=0.4,
                        ensemble_coefficient=0.01, max_joint_step=0.3, max_joint_lead=0.2)


class Gantry:
    """Three sliding axes: joint positions are the tool's position, rotations are not solved."""

    reachable = True

    def forward(self, q):
        return pose(np.eye(3), q)

    def solve(self, T_base_tool, seed, dt):
        if not self.reachable:
            return IkResult(seed, False, 1.0, 0.0, 0.0, 0, 'out of reach')
        return IkResult(T_base_tool[:3, 3].copy(), True, 0.0, 0.0, 1.0)


class Bench:
    """A pipeline with an arm that follows perfectly, stepped every 10 ms."""

    def __init__(self, follows=True):
        self.gantry = Gantry()
        self.pipeline = Pipeline(self.gantry, LIMITS, TASK, GripperRange(0.0, 0.07), CONFIG)
        self.now = 10_000 * MS
        self.q = np.zeros(3)
        self.width = 0.03
        self.follows = follows
        self.ticks = []
        self.measured = []

    def chunk(self, velocity=(0.1, 0.0, 0.0), gripper=1.0, age_ms=0, steps=8, **convention):
        actions = np.zeros((steps, 7))
        actions[:, :3] = np.array(velocity) * 0.1
        actions[:, 6] = gripper
        chunk = ActionChunk(self.now - age_ms * MS, 100 * MS, actions,
                            convention=ActionConvention(**convention))
        return self.pipeline.add_chunk(chunk, self.now)

    def run(self, ms, joints=True, chunks=False):
        for i in range(ms // 10):
            if joints:
                self.pipeline.add_joint_state(self.now, self.q.copy(), self.width)
            if chunks and i % 10 == 0:
                self.chunk()
            tick = self.pipeline.step(self.now)
            self.ticks.append(tick)
            self.measured.append(self.pipeline._measured)
            if self.follows and tick.q is not None:
                self.q = tick.q
            self.now += 10 * MS
        return self.ticks[-1]


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
    bench = Bench()
    bench.run(20)
    bench.chunk(age_ms=500)  # 300 ms of it are left
    assert bench.run(290).mode is Mode.AUTONOMOUS
    tick = bench.run(30)
    assert (tick.mode, tick.reason) == (Mode.HOLD, 'action_chunk: no step is due')


def test_the_arm_holds_when_no_new_chunk_comes_even_if_old_ones_are_not_used_up():
    bench = Bench()
    bench.run(20)
    bench.chunk()
    assert bench.run(390).mode is Mode.AUTONOMOUS
    assert bench.run(40).reason == 'action_chunk: none for 0.4 s'


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
    bench = Bench(follows=False)
    bench.run(2000, chunks=True)
    lead = np.linalg.norm(bench.ticks[-1].q)
    assert lead <= TASK.max_lead_position + 1e-9
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

        def forward(self, q):
            return pose(self.R, q)

    bench = Bench()
    bench.pipeline.kinematics = Turned()
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


def test_a_chunk_that_cannot_be_executed_is_refused():
    bench = Bench()
    with pytest.raises(ConfigError, match='joint_delta'):
        bench.chunk(space=ActionSpace.JOINT_DELTA)


@pytest.mark.parametrize('name', ['period', 'joint_state_timeout', 'chunk_timeout',
                                  'max_joint_step', 'max_joint_lead'])
@pytest.mark.parametrize('value', [0.0, -1.0, math.nan, math.inf])
def test_a_time_or_bound_that_bounds_nothing_is_refused(name, value):
    with pytest.raises(ConfigError, match=name):
        PipelineConfig(**{**CONFIG.__dict__, name: value})


events = st.lists(st.one_of(
    st.tuples(st.just('joints'), st.integers(-300, 50), st.floats(-1, 1)),
    st.tuples(st.just('chunk'), st.integers(-1000, 100), st.floats(-20, 20)),
    st.tuples(st.just('clock'), st.integers(-3000, 3000), st.none()),
    st.tuples(st.just('alive'), st.booleans(), st.none()),
    st.tuples(st.just('stop'), st.none(), st.none()),
    st.tuples(st.just('start'), st.none(), st.none()),
), max_size=25)


def replay(sequence):
    bench = Bench()
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
@given(events)
def test_any_interleaving_gives_finite_commands_within_every_limit(sequence):
    q = None
    bench = replay(sequence)
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
@given(events)
def test_the_same_inputs_give_the_same_commands_bit_for_bit(sequence):
    first, second = replay(sequence).ticks, replay(sequence).ticks
    for a, b in zip(first, second):
        assert (a.mode, a.reason, a.acted) == (b.mode, b.reason, b.acted)
        assert (a.q is None) == (b.q is None)
        if a.q is not None:
            assert a.q.tobytes() == b.q.tobytes()
