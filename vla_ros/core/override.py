"""What humans override: the gripper and the arm, two channels that know nothing of each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.limits import GripperRange
from vla_ros.core.override_arm import ArmOverride, ArmOverrideConfig
from vla_ros.core.override_gripper import GripperOverride, GripperOverrideConfig
from vla_ros.core.override_sources import Sources

Array = NDArray[np.float64]


@dataclass(frozen=True)
class OverrideConfig:
    """Who may override, highest priority first, and how each channel behaves."""

    sources: tuple[str, ...]
    gripper: GripperOverrideConfig
    arm: ArmOverrideConfig


@dataclass(frozen=True)
class OverrideStatus:
    """Who has what, as it is published; two are equal when there is nothing new to tell.

    Attributes
    ----------
    gripper, gripper_source, gripper_mode : str
        State of the gripper's channel, who has it and in which mode (empty: the policy).
    gripper_since_ns, arm_since_ns : int
        Since when each channel is in its state [ns].
    arm, arm_source : str
        State of the arm's channel and who has it.
    labels : tuple[str, ...]
        What is overridden, in words.

    """

    gripper: str
    gripper_source: str
    gripper_mode: str
    gripper_since_ns: int
    arm: str
    arm_source: str
    arm_since_ns: int
    labels: tuple[str, ...]

    @property
    def message(self) -> str:
        """All of it in words; ``none`` when nothing is overridden."""
        return '; '.join(self.labels) or 'none'


class Overrides:
    """Both channels, and what they have in common.

    Parameters
    ----------
    config : OverrideConfig
        Everything that can be set.
    gripper : GripperRange
        Widths of the gripper.
    n : int
        Number of joints.

    Attributes
    ----------
    stopped : bool
        Whether new overrides are refused.

    """

    def __init__(self, config: OverrideConfig, gripper: GripperRange, n: int) -> None:
        self.sources = Sources(config.sources)
        self.gripper = GripperOverride(config.gripper, self.sources, gripper)
        self.arm = ArmOverride(config.arm, self.sources, n)
        self.stopped = False

    def alive(self, now_ns: int, source: str) -> str:
        """Take in a source's heartbeat, which keeps what it holds; never refused."""
        self.gripper.alive(now_ns, source)
        self.arm.alive(now_ns, source)
        return ''

    def stop(self, now_ns: int) -> None:
        """End every override; refuse new ones until :meth:`start`."""
        self.gripper.stop(now_ns)
        self.arm.stop(now_ns)
        self.stopped = True

    def start(self, now_ns: int) -> None:
        """Allow overrides again."""
        self.gripper.start(now_ns)
        self.arm.start(now_ns)
        self.stopped = False

    @property
    def status(self) -> OverrideStatus:
        """Who has what now."""
        gripper, arm = self.gripper, self.arm
        return OverrideStatus(
            gripper.state.value, gripper.source, gripper.mode, gripper.since_ns,
            arm.state.value, arm.source, arm.since_ns,
            tuple(label for label in (arm.label, gripper.label) if label))
