"""An arm whose kinematics are easy to see through, under the real pipeline."""

import dataclasses
import math

import numpy as np

from vla_ros.core.degradation import LadderConfig
from vla_ros.core.fusion import FusionConfig, FusionMode
from vla_ros.core.gripper import GripperConfig, GripperMode
from vla_ros.core.kinematics import IkResult
from vla_ros.core.limits import GripperRange, JointLimits, TaskSpaceLimits
from vla_ros.core.override import OverrideConfig
from vla_ros.core.override_arm import ArmOverrideConfig
from vla_ros.core.override_gripper import GripperOverrideConfig
from vla_ros.core.pipeline import Pipeline
from vla_ros.core.pipeline_config import DeltaAnchor, PipelineConfig, StartLimits
from vla_ros.core.se3 import pose
from vla_ros.core.types import ActionChunk, ActionConvention, ActionSpace

MS = 1_000_000
NAMES = ('slide_x', 'slide_y', 'slide_z')
LIMITS = JointLimits(NAMES, [-1, -1, -1], [1, 1, 1], [0.5] * 3, [5.0] * 3, 0.01)
TASK = TaskSpaceLimits([-0.9] * 3, [0.9] * 3, 0.3, 1.0, 0.05, 0.3)
CONFIG = PipelineConfig(
    period=0.01, joint_state_timeout=0.1, frozen_after=0.5, max_joint_step=0.3, max_joint_lead=0.2,
    fade=0.2, anchor=DeltaAnchor.COMMANDED,
    start=StartLimits(position=0.1, rotation=0.5, joint=0.3, blend_in=0.0),
    ladder=LadderConfig(slow_after=0.2, chunk_timeout=0.4, stop_after=5.0, slow_factor=0.25),
    fusion=FusionConfig(FusionMode.ENSEMBLE, 0.01, 'oldest', 0.3, 0.2, 4),
    gripper=GripperConfig(GripperMode.NEWEST, True, 0.4, 0.6, 0.0, 0.0, math.inf, 10.0, 0.3),
    gripper_settle=0.0, lookahead_steps=16,
    overrides=OverrideConfig(
        ('panel', 'topic'), GripperOverrideConfig(0.3, 0.5, 0.5, 10.0, True, 0.4, 0.6, 0.1),
        ArmOverrideConfig(0.3, 0.3, 0.8)), stall_stop=0.0)


def configured(**changes):
    """CONFIG with changes; ``ladder__slow_after=1.0`` changes a part of a part."""
    config = CONFIG
    for name, value in changes.items():
        part, _, field = name.partition('__')
        if field:
            value = dataclasses.replace(getattr(config, part), **{field: value})
        config = dataclasses.replace(config, **{part: value})
    return config


class Gantry:
    """Three sliding axes: joint positions are the tool's position, rotations are not solved."""

    reachable = True
    R = np.eye(3)

    def forward(self, q):
        return pose(self.R, q)

    def solve(self, T_base_tool, seed, dt):
        if not self.reachable:
            return IkResult(seed, False, 1.0, 0.0, 0.0, 0, 'out of reach')
        return IkResult(T_base_tool[:3, 3].copy(), True, 0.0, 0.0, 1.0)


class Bench:
    """A pipeline with an arm that follows perfectly, stepped every 10 ms."""

    def __init__(self, follows=True, gantry=None, noise=0.0, **changes):
        self.gantry = gantry or Gantry()
        self.pipeline = Pipeline(self.gantry, LIMITS, TASK, GripperRange(0.0, 0.07),
                                 configured(**changes))
        self.now = 10_000 * MS
        self.q = np.zeros(3)
        self.width = 0.03
        self.follows = follows
        self.noise = noise
        self.ticks = []
        self.measured = []

    def chunk(self, velocity=(0.1, 0.0, 0.0), gripper=1.0, age_ms=0, steps=8, **convention):
        actions = np.zeros((steps, 7))
        actions[:, :3] = np.array(velocity) * 0.1
        actions[:, 6] = gripper
        return self.give(actions, age_ms, ActionConvention(**convention))

    def joint_chunk(self, targets, gripper=1.0, age_ms=0, space=ActionSpace.JOINT_POSITION):
        actions = np.column_stack([targets, np.full(len(targets), gripper)])
        return self.give(actions, age_ms, ActionConvention(space=space), (*NAMES, 'gripper'))

    def give(self, actions, age_ms, convention, dims=None):
        options = {'dims': dims} if dims else {}
        chunk = ActionChunk(self.now - age_ms * MS, 100 * MS, actions, convention=convention,
                            **options)
        return self.pipeline.add_chunk(chunk, self.now)

    def run(self, ms, joints=True, chunks=False):
        for i in range(ms // 10):
            if joints:
                q = self.q + self.noise * (len(self.ticks) % 2)
                self.pipeline.add_joint_state(self.now, q, self.width)
            if chunks and i % 10 == 0:
                self.chunk()
            tick = self.pipeline.step(self.now)
            self.ticks.append(tick)
            self.measured.append(self.pipeline.measured)
            if self.follows and tick.q is not None:
                self.q = tick.q
            self.now += 10 * MS
        return self.ticks[-1]
