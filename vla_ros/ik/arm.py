"""What an IK backend needs to know of an arm; a robot profile has it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class ArmJoints(Protocol):
    """Names and limits of the arm joints, in command order."""

    @property
    def names(self) -> Sequence[str]:
        """Joint names."""

    @property
    def lower(self) -> NDArray[np.float64]:
        """(n,) lower position limits [rad]."""

    @property
    def upper(self) -> NDArray[np.float64]:
        """(n,) upper position limits [rad]."""

    @property
    def margin(self) -> float:
        """Distance to keep from each limit [rad]."""


class ArmProfile(Protocol):
    """The part of a robot profile that kinematics are built from."""

    @property
    def name(self) -> str:
        """Name of the robot."""

    @property
    def urdf_path(self) -> Path:
        """File of the URDF."""

    @property
    def base_frame(self) -> str:
        """Link in which poses are given."""

    @property
    def tool_frame(self) -> str:
        """Link whose pose is solved for."""

    @property
    def joints(self) -> ArmJoints:
        """The arm joints."""
