"""Who moves the arm, as it is published."""

from __future__ import annotations

from enum import Enum

from vla_ros.core.degradation import Level


class Mode(str, Enum):
    """Who moves the arm."""

    HOLD = 'HOLD'  # nobody: it keeps the measured joints and moves again by itself
    AUTONOMOUS = 'AUTONOMOUS'  # the policy
    INTERVENTION = 'INTERVENTION'  # a human
    STOPPED = 'STOPPED'  # nobody, until somebody starts it again


MODES: dict[Level, Mode] = {
    Level.RUNNING: Mode.AUTONOMOUS,
    Level.SLOW: Mode.AUTONOMOUS,
    Level.HOLD: Mode.HOLD,
    Level.STOPPED: Mode.STOPPED,
}
"""The mode that belongs to each rung of the degradation ladder."""
