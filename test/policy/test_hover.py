"""The hover policy: it never closes the gripper by itself, and carries on when somebody has."""

import numpy as np
import pytest

from vla_ros.assembly import build_pipeline
from vla_ros.core.errors import ConfigError, InputError
from vla_ros.core.se3 import pose
from vla_ros.core.types import Observation
from vla_ros.ik import load_ik
from vla_ros.policy import load_policy
from vla_ros.policy.expert import approach_rotation
from vla_ros.robots import load_profile

CUBE = pose(np.eye(3), np.array([0.40, 0.10, 0.0175]))
INSTRUCTION = 'pick up the red cube'


def observation(width=0.07, tool=None, off=0.0, stamp_ns=123):
    T = pose(approach_rotation(0.0, 1.0), np.array([0.35, 0.1, 0.2])) if tool is None else tool
    T = T.copy()
    T[:3, 3] += off * T[:3, 2]
    return Observation(stamp_ns, INSTRUCTION, {}, {
        'tool_pose': T, 'gripper': width, 'object/cube_red': CUBE})


def grasp():
    return load_policy('scripted')._expert._grasp_pose(CUBE)


def test_far_away_it_does_what_the_expert_does():
    ours, expert = (load_policy(name).infer(observation()) for name in ('hover', 'scripted'))
    assert (ours.actions[0] == expert.actions[0]).all()
    assert (ours.actions[:, 6] == 1.0).all()


def test_it_says_what_it_is():
    spec = load_policy('hover').spec
    assert spec.name == 'hover'
    assert 'never closes the gripper' in spec.label
    assert spec.privileged
    assert load_policy('hover').infer(observation()).source == 'hover'


@pytest.mark.parametrize('width', [0.07, 0.06, 0.045, 0.01])
@pytest.mark.parametrize('off', [-0.05, -0.002, 0.0, 0.002])
def test_around_nothing_it_never_closes_at_any_step_of_a_chunk(width, off):
    here = observation(width, grasp(), off)
    assert (load_policy('hover').infer(here).actions[:, 6] == 1.0).all()


def test_where_the_expert_would_close_it_strokes_and_stays():
    policy = load_policy('hover', stroke=0.003, stroke_period=2.0)
    assert load_policy('scripted').infer(observation(tool=grasp())).actions[0, 6] == 0.0
    moved = []
    for i in range(20):  # one period
        chunk = policy.infer(observation(tool=grasp(), stamp_ns=i * 100_000_000))
        moved.append(float(chunk.actions[0, :3] @ grasp()[:3, 2]))
        path = np.cumsum(chunk.actions[:, :3], axis=0)
        assert np.linalg.norm(path, axis=1).max() <= 0.006 + 1e-9
    assert sum(moved) == pytest.approx(0.0, abs=1e-9)
    assert np.ptp(np.cumsum(moved)) == pytest.approx(0.006, rel=0.02)


def test_it_leaves_the_fingers_in_peace_that_somebody_closes():
    chunk = load_policy('hover').infer(observation(0.05, grasp()))
    assert np.abs(chunk.actions[0, :6]).max() < 1e-9


def test_once_gripped_it_does_what_the_expert_does():
    here = observation(0.035, grasp())
    ours, expert = (load_policy(name).infer(here) for name in ('hover', 'scripted'))
    assert (ours.actions == expert.actions).all()
    assert (ours.actions[:, 6] == 0.0).all()
    assert ours.actions[:, 2].sum() > 0.02


def test_it_takes_its_own_options_and_the_experts_and_lists_both():
    slow = load_policy('hover', max_speed=0.05, stroke=0.001)
    assert np.linalg.norm(slow.infer(observation()).actions[0, :3]) <= 0.005 + 1e-9
    with pytest.raises(ConfigError, match='option of policy hover.*max_speed.*stroke'):
        load_policy('hover', speed=3)
    with pytest.raises(ConfigError, match='stroke'):
        load_policy('hover', stroke=-1.0)


def test_an_instruction_that_it_does_not_know_is_refused():
    with pytest.raises(InputError, match='Choices: pick up the insulator'):
        load_policy('hover').check_instruction('dance')


# Whole tasks, in lockstep with the simulation


class Press:
    """A human's hand on the gripper's channel: closed for a while from a moment on."""

    def __init__(self, pipeline):
        self._step, pipeline.gripper.step = pipeline.gripper.step, self.step
        self.from_ns = self.until_ns = 0

    def press(self, now_ns, seconds):
        self.from_ns, self.until_ns = now_ns, now_ns + round(seconds * 1e9)

    def step(self, now_ns, fraction):
        pressed = self.from_ns <= now_ns < self.until_ns
        return self._step(now_ns, 0.0 if pressed else fraction)


@pytest.fixture(params=['piper', 'ur5e'])
def hovering(request):
    """Return a run in which the policy has hovered for a while, and a hand on its gripper."""
    pytest.importorskip('mujoco')
    from vla_ros.lockstep import Lockstep
    from vla_ros.ros.pipeline_config import pipeline_config
    from vla_ros.sim.world import SimWorld

    profile = load_profile(request.param)
    pipeline = build_pipeline(profile, pipeline_config(), 'pinocchio')
    widths = []
    run = Lockstep(SimWorld(profile, seed=1), load_policy('hover'), pipeline,
                   load_ik('pinocchio', profile), on_tick=lambda tick: widths.append(tick.gripper))
    hand = Press(pipeline)
    outcome = run.run('pick up the insulator', timeout=12.0)
    assert not outcome.success
    assert outcome.detail.startswith('lifted 0.0 cm')
    assert min(widths) > 0.06, 'it never closes'
    return run, hand


@pytest.mark.sim
def test_without_help_it_hovers_where_it_should_grasp(hovering):
    run, _ = hovering
    distances = []
    for _ in range(200):
        run.tick('pick up the insulator')
        frames = run.world.frames()
        distances.append(np.linalg.norm(frames['tcp'][:3, 3] - frames['insulator_grasp'][:3, 3]))
    assert max(distances) < 0.01
    assert np.ptp(distances) > 0.001, 'it strokes'


@pytest.mark.sim
def test_closed_once_by_somebody_it_lifts_and_hangs_by_itself(hovering):
    run, hand = hovering
    hand.press(run.world.time_ns, 0.8)
    for task in ('pick up the insulator', 'hang the insulator on the hook'):
        outcome = run.run(task, timeout=30.0)
        assert outcome.success, outcome
