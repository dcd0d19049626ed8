"""Inverse kinematics: one protocol (``core.kinematics.Kinematics``), backends in a typed dict."""

from __future__ import annotations

from collections.abc import Callable

from vla_ros.core.errors import unknown_choice
from vla_ros.core.kinematics import IkResult, Kinematics
from vla_ros.ik.arm import ArmProfile
from vla_ros.ik.pinocchio_ik import PinocchioIk

__all__ = ['IK_BACKENDS', 'ArmProfile', 'IkResult', 'Kinematics', 'load_ik']

IK_BACKENDS: dict[str, Callable[[ArmProfile], Kinematics]] = {
    'pinocchio': PinocchioIk,
}


def load_ik(backend: str, profile: ArmProfile) -> Kinematics:
    """Return the kinematics of a robot profile's arm and tool frame.

    Raises
    ------
    ConfigError
        When the backend is unknown, or the URDF lacks a joint or frame that the profile names.
    DependencyError
        When the backend's library is missing.

    """
    try:
        make = IK_BACKENDS[backend]
    except KeyError:
        raise unknown_choice('IK backend', backend, IK_BACKENDS) from None
    return make(profile)
