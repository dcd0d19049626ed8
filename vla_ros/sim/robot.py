"""What the simulator needs to know of a robot profile; ``vla_ros.robots.RobotProfile`` has it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np


class SimJoints(Protocol):
    """Joints in command order, arrays (n,) [rad]."""

    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def home(self) -> np.ndarray: ...
    @property
    def lower(self) -> np.ndarray: ...
    @property
    def upper(self) -> np.ndarray: ...


class SimGripper(Protocol):
    """A parallel gripper: widths [m], speed of the width [m/s], force of a finger [N]."""

    @property
    def fingers(self) -> Mapping[str, float]: ...
    @property
    def closed(self) -> float: ...
    @property
    def open(self) -> float: ...
    @property
    def speed(self) -> float: ...
    @property
    def force(self) -> float: ...


class SimRobot(Protocol):
    """A robot profile, as far as the simulator reads it."""

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> Path: ...
    @property
    def urdf_path(self) -> Path: ...
    @property
    def base_frame(self) -> str: ...
    @property
    def tool_frame(self) -> str: ...
    @property
    def joints(self) -> SimJoints: ...
    @property
    def gripper(self) -> SimGripper: ...
    @property
    def scene(self) -> dict[str, Any]: ...
