"""What a human's input wants done: said on override topics, asked of services, told the human."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Say:
    """A word on ``override/<source>/arm`` or ``…/gripper``."""

    channel: str  # 'arm' or 'gripper'
    text: str


@dataclass(frozen=True, eq=False)
class Move:
    """A velocity of the tool (6,) [m/s, rad/s], in the axes of the base or of the tool frame."""

    twist: Array
    in_tool_frame: bool


@dataclass(frozen=True, eq=False)
class Follow:
    """Joints of a leader arm (n,) [rad], perhaps their velocity [rad/s] and a gripper width [m]."""

    q: Array
    velocity: Array | None
    width: float | None


@dataclass(frozen=True)
class Call:
    """A service to call: one of ``SERVICES``."""

    service: str


@dataclass(frozen=True)
class Tell:
    """Something that the human should know."""

    text: str


Command = Say | Move | Follow | Call | Tell

SERVICES: dict[str, str] = {
    'estop': 'control_node/estop', 'reset_estop': 'control_node/reset_estop',
    'arm': 'control_node/arm', 'disarm': 'control_node/disarm', 'stop': 'control_node/stop',
    'start': 'control_node/start', 'save_last': 'record_node/save_last',
}
"""Services (``std_srvs/Trigger``) that a human's input may call, by their short names."""
