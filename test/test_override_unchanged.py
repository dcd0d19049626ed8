"""A gripper override does not touch the arm's commands: the hover case, simulated, tick for tick.

What can be claimed, and is held here bit for bit on the real policy, pipeline and physics:

- until a chunk is executed that the policy made after the press, the arm is commanded the same with
  and without the override, though the gripper is not;
- with the same chunks the arm is commanded the same all the way through, while the fingers close on
  the insulator and hold it: an override reaches the arm only through what the policy sees.

What cannot be claimed: that the arm goes on the same for ever. The policy sees the closed gripper
and is meant to carry on differently, which the first test sees, too.
"""

import numpy as np
import pytest

pytest.importorskip('mujoco')

from vla_ros.assembly import build_pipeline
from vla_ros.core.override_gripper import GripperOverrideMode
from vla_ros.core.types import Observation
from vla_ros.ik import load_ik
from vla_ros.lockstep import Lockstep
from vla_ros.policy import load_policy
from vla_ros.robots import load_profile
from vla_ros.ros.pipeline_config import guards, pipeline_config
from vla_ros.sim.world import SimWorld

pytestmark = pytest.mark.sim

TASK = 'pick up the insulator'
PRESS, TICKS = 300, 550  # it hovers from tick 200 on
MODES = list(GripperOverrideMode)


class Recorder:
    """The hover policy, its chunks kept; or, given such chunks, the same ones again."""

    def __init__(self, chunks=None):
        self._policy = load_policy('hover')
        self.spec = self._policy.spec
        self.chunks = [] if chunks is None else chunks
        self._again = iter(chunks) if chunks is not None else None

    def infer(self, observation: Observation):
        if self._again is not None:
            chunk = next(self._again)
            assert chunk.stamp_ns == observation.stamp_ns
            return chunk
        self.chunks.append(self._policy.infer(observation))
        return self.chunks[-1]


class Run:
    def __init__(self, mode=None, chunks=None):
        profile = load_profile('piper')
        pipeline = build_pipeline(profile, pipeline_config(), 'pinocchio',
                                  guards=guards({'auto_arm': True}))
        self.policy = Recorder(chunks)
        world = SimWorld(profile, seed=1)
        lockstep = Lockstep(world, self.policy, pipeline, load_ik('pinocchio', profile))
        self.ticks, self.widths = [], []
        for i in range(TICKS):
            pressed = i == PRESS or (mode is GripperOverrideMode.MOMENTARY and i > PRESS
                                     and i % 10 == 0)  # a button that is held
            if mode is not None and pressed:
                assert pipeline.overrides.gripper.command(world.time_ns, 'panel', 'close',
                                                          mode) == ''
            self.ticks.append(lockstep.tick(TASK))
            self.widths.append(world.gripper_width)
        self.lifted = float(world.frames()['insulator_grasp'][2, 3])

    def arm(self):
        """Return everything that is commanded of the arm, and why, a tick each, exactly."""
        return [(t.stamp_ns, t.q.tobytes(), t.velocity.tobytes(), t.mode, t.level, t.reason,
                 t.speed, t.chunk_stamps_ns, t.weights, t.playhead_ns) for t in self.ticks]


@pytest.fixture(scope='module')
def without():
    run = Run()
    assert max(t.gripper for t in run.ticks) == min(t.gripper for t in run.ticks), 'never closes'
    return run


@pytest.mark.parametrize('mode', MODES)
def test_until_the_policy_has_seen_it_the_arm_is_commanded_the_same_and_then_it_carries_on(
        without, mode):
    run = Run(mode)
    pressed_ns = run.ticks[PRESS].stamp_ns
    first = next(i for i, t in enumerate(run.ticks)
                 if t.chunk_stamps_ns and max(t.chunk_stamps_ns) > pressed_ns)
    assert first >= PRESS + 5
    assert run.arm()[:first] == without.arm()[:first]
    assert [t.gripper for t in run.ticks[:PRESS]] == [t.gripper for t in without.ticks[:PRESS]]
    assert all(t.gripper == 0.0 for t in run.ticks[PRESS:first]), 'from the very tick of the press'
    assert all('panel' in t.intervention for t in run.ticks[PRESS:first])
    assert run.arm() != without.arm(), 'and then the policy carries on'
    assert run.lifted > without.lifted + 0.03


@pytest.mark.parametrize('mode', MODES)
def test_with_the_same_chunks_the_arm_is_commanded_the_same_through_closing_and_holding(
        without, mode):
    run = Run(mode, without.policy.chunks)
    assert run.arm() == without.arm()
    assert min(run.widths) < 0.04 < min(without.widths), 'the fingers did close on something'
    moved = np.ptp([t.q for t in without.ticks[PRESS:]], axis=0).max()
    assert moved > 0.005, 'the arm moves all the while'
