"""What can be set of a closed-timing replay; the defaults are in ``config/replay``."""

from __future__ import annotations

from dataclasses import dataclass

from vla_ros.resources import share_file
from vla_ros.section import Positive, Section, build


@dataclass(frozen=True)
class ClosedTimingSettings:
    """As in ``config/replay/closed_timing.yaml``; times in s, shares from 0 to 1."""

    arm_lag: float
    arm_delay: float
    joint_rate: Positive
    tail: float
    worth_saying: float
    limited_above: float


def closed_timing_settings() -> ClosedTimingSettings:
    """Return the settings of the shipped file."""
    path = share_file('config', 'replay', 'closed_timing.yaml')
    return build(ClosedTimingSettings, Section.open(path))
