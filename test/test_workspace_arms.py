"""The real arms at the faces of their workspace, under the whole control side."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip('pinocchio')

from vla_ros.assembly import build_pipeline
from vla_ros.core.types import GRIPPER_DIM, ActionChunk, ActionConvention, ActionSpace
from vla_ros.robots import load_profile
from vla_ros.ros.pipeline_config import guards, pipeline_config

MS = 1_000_000


class Arm:
    """An arm that follows at once."""

    def __init__(self, robot, **parameters):
        self.profile = load_profile(robot)
        self.pipeline = build_pipeline(self.profile, pipeline_config(), 'pinocchio',
                                       guards=guards({'auto_arm': True, **parameters}))
        self.q, self.now = np.array(self.profile.joints.home), 10**12
        self.said: set[str] = set()

    @property
    def tool(self):
        return self.pipeline.kinematics.forward(self.q)[:3, 3]

    def run(self, ms, chunk=None):
        """Run, with a new chunk every 0.1 s."""
        places = []
        for k in range(ms // 10):
            self.pipeline.add_joint_state(self.now, self.q, 0.03)
            if chunk is not None and k % 10 == 0:
                self.pipeline.add_chunk(chunk(self), self.now)
            tick = self.pipeline.step(self.now)
            self.said |= {a.split(':')[0] for a in tick.acted}
            if tick.q is not None:
                self.q = tick.q
            places.append(self.tool)
            self.now += 10 * MS
        return np.array(places)


def swing(arm):
    """Turn the first joint, as joint deltas: the tool leaves its box to the side."""
    actions = np.zeros((10, 7))
    actions[:, 0], actions[:, 6] = 0.05, 1.0
    dims = (*arm.profile.joints.names, GRIPPER_DIM)
    return ActionChunk(arm.now, 100 * MS, actions, dims, ActionConvention(ActionSpace.JOINT_DELTA))


def forward(step):
    def chunk(arm):
        actions = np.zeros((10, 7))
        actions[:, 0], actions[:, 6] = step, 1.0
        return ActionChunk(arm.now, 100 * MS, actions)
    return chunk


@pytest.mark.parametrize('clearance', [True, False])
@pytest.mark.parametrize('robot', ['piper', 'ur5e'])
def test_a_joint_alone_takes_the_tool_no_further_than_to_the_face_of_its_workspace(
        robot, clearance):
    arm = Arm(robot, check_clearance=clearance)
    places = arm.run(4000, swing)
    box = arm.profile.task_space.workspace
    assert (places <= box.upper + 1e-3).all() and (places >= box.lower - 1e-3).all()
    assert min(*(box.upper - places[-1]), *(places[-1] - box.lower)) < 5e-3, 'it got there'


@pytest.mark.parametrize('robot', ['piper', 'ur5e'])
def test_a_tool_that_was_put_outside_of_its_workspace_comes_back_and_goes_no_further_out(robot):
    arm = Arm(robot)
    face = arm.profile.task_space.workspace.lower[0]
    for _ in range(200):  # by hand, about the first joint
        if arm.tool[0] < face - 0.03:
            break
        arm.q = arm.q + 0.01 * np.eye(6)[0]
    outside = arm.tool[0]
    assert outside < face - 0.03
    arm.run(200)
    out = arm.run(500, forward(-0.01))
    assert (out[:, 0] >= outside - 1e-4).all()
    back = arm.run(2000, forward(0.01))
    assert (np.diff(back[:, 0]) >= -1e-4).all()
    assert back[-1][0] > face + 0.02
