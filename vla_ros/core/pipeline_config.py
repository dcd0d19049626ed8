"""What can be set of the control side; the defaults are in ``config/nodes``, nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from vla_ros.core.degradation import LadderConfig
from vla_ros.core.errors import ConfigError
from vla_ros.core.fusion import FusionConfig
from vla_ros.core.gripper import GripperConfig
from vla_ros.core.override import OverrideConfig


class DeltaAnchor(str, Enum):
    """From which pose, at the time of its observation, a chunk's deltas are counted."""

    COMMANDED = 'commanded'  # smooth: what the arm was told, without its tracking error
    MEASURED = 'measured'  # where the policy saw it; each chunk takes the tracking error back


@dataclass(frozen=True)
class StartLimits:
    """How far the first target may be from the measured arm, and how gently it begins.

    ``position`` [m] and ``rotation`` [rad] of the tool, ``joint`` [rad] for joint actions;
    ``blend_in`` is the time [s] in which the speed rises from nothing to full.
    """

    position: float
    rotation: float
    joint: float
    blend_in: float

    def __post_init__(self) -> None:
        for name in ('position', 'rotation', 'joint'):
            if not 0.0 < getattr(self, name) < np.inf:
                raise ConfigError(f'start: {name} must be positive, found {getattr(self, name)}')
        if not 0.0 <= self.blend_in < np.inf:
            raise ConfigError(f'start: blend_in must not be negative, found {self.blend_in}')


@dataclass(frozen=True)
class PipelineConfig:
    """Settings of the control side.

    Attributes
    ----------
    period : float
        Nominal time between two ticks [s].
    joint_state_timeout : float
        Joint states older than this are stale [s].
    frozen_after : float
        Joint states that stay the same to the last bit for this long while the arm is commanded
        to move are frozen [s].
    max_joint_step, max_joint_lead : float
        Of the joint gate and of the measured joints over the last command [rad].
    fade : float
        Time constant with which the distance to the target fades [s].
    anchor : DeltaAnchor
        Where a chunk's deltas begin.
    start : StartLimits
        How motion may begin.
    ladder : LadderConfig
        When it slows down, holds and stops.
    fusion : FusionConfig
        How overlapping chunks become one target.
    gripper : GripperConfig
        How the gripper's predictions become a command.
    gripper_settle : float
        Longest time that the arm waits for the gripper after a change [s]; 0 never waits.
    lookahead_steps : int
        Most steps of a chunk that are judged before they run.
    overrides : OverrideConfig
        What humans may override.
    stall_stop : float
        An arm that follows the policy and has stood still at its full lead for this long is stopped
        [s]; 0 never.

    """

    period: float
    joint_state_timeout: float
    frozen_after: float
    max_joint_step: float
    max_joint_lead: float
    fade: float
    anchor: DeltaAnchor
    start: StartLimits
    ladder: LadderConfig
    fusion: FusionConfig
    gripper: GripperConfig
    gripper_settle: float
    lookahead_steps: int
    overrides: OverrideConfig
    stall_stop: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.stall_stop < np.inf:
            raise ConfigError(f'stall_stop must not be negative, found {self.stall_stop}')
        for name in ('period', 'joint_state_timeout', 'frozen_after', 'max_joint_step',
                     'max_joint_lead', 'fade'):
            if not 0.0 < getattr(self, name) < np.inf:
                raise ConfigError(f'{name} must be positive, found {getattr(self, name)}')
