"""What one control tick decided: the command, and all that is told of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.arbiter import Mode
from vla_ros.core.degradation import Level
from vla_ros.core.safety.estop import SafetyState

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Tick:
    """What one control tick decided.

    Attributes
    ----------
    stamp_ns : int
        Time of the tick [ns].
    level, mode, reason : Level, Mode, str
        The rung of the degradation ladder, who moves the arm, and why.
    q, velocity : np.ndarray | None
        (n,) joint positions [rad] and velocities [rad/s] to command; None: send nothing.
    gripper, effort : float | None
        Opening width [m] and largest force [N] to command; None when the gripper's state was never
        seen.
    acted : tuple[str, ...]
        What the limiters changed, in words.
    chunk_stamps_ns, weights : tuple
        The chunks behind the motion, by the time of their observation, and their weights.
    playhead_ns : int
        The time in the chunks that was followed [ns]; behind ``stamp_ns`` when slowed down.
    speed : float
        Part of the full speed at which the chunks were followed, 0 to 1.
    joint_state_stamp_ns : int | None
        Time of the newest joint state [ns].
    safety : SafetyState
        Whether the arm is armed.
    send : bool
        Whether the command goes to the driver; False in a dry-run.
    intervention : str
        What humans override at this tick, in words; empty: nothing.

    """

    stamp_ns: int
    level: Level
    mode: Mode
    reason: str
    q: Array | None = None
    velocity: Array | None = None
    gripper: float | None = None
    effort: float | None = None
    acted: tuple[str, ...] = ()
    chunk_stamps_ns: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()
    playhead_ns: int = 0
    speed: float = 0.0
    joint_state_stamp_ns: int | None = None
    safety: SafetyState = SafetyState.ARMED
    send: bool = True
    intervention: str = ''
