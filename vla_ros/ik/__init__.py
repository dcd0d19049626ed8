"""Inverse kinematics: one protocol (``core.kinematics.Kinematics``), backends in a typed dict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vla_ros.core.errors import ConfigError, DependencyError, unknown_choice
from vla_ros.core.kinematics import IkResult, IkStatus, Kinematics
from vla_ros.ik.analytic_ik import AnalyticIk
from vla_ros.ik.arm import ArmProfile
from vla_ros.ik.curobo_config import PlannedArm
from vla_ros.ik.curobo_ik import CuroboIk
from vla_ros.ik.pinocchio_ik import PinocchioIk

__all__ = ['FALLBACK', 'IK_BACKENDS', 'ArmProfile', 'ChosenIk', 'IkResult', 'IkStatus',
           'Kinematics', 'PlannedArm', 'choose_ik', 'load_ik']

IK_BACKENDS: dict[str, Callable[[PlannedArm], Kinematics]] = {
    'pinocchio': PinocchioIk,
    'analytic': AnalyticIk,
    'curobo': CuroboIk,
}

FALLBACK = 'pinocchio'  # needs nothing but Pinocchio and takes every arm


@dataclass(frozen=True)
class ChosenIk:
    """Kinematics that were loaded in answer to a wish.

    Attributes
    ----------
    kinematics : Kinematics
        To be used.
    backend : str
        What it is; one of ``IK_BACKENDS``.
    reason : str
        Why it is not what was asked for; empty when it is.

    """

    kinematics: Kinematics
    backend: str
    reason: str = ''


def load_ik(backend: str, profile: PlannedArm) -> Kinematics:
    """Return the kinematics of a robot profile's arm and tool frame.

    Raises
    ------
    ConfigError
        When the backend is unknown or cannot solve this arm, or the URDF lacks a joint or frame
        that the profile names.
    DependencyError
        When the backend's library, or the GPU that it needs, is missing.

    """
    try:
        make = IK_BACKENDS[backend]
    except KeyError:
        raise unknown_choice('IK backend', backend, IK_BACKENDS) from None
    return make(profile)


def choose_ik(backend: str, profile: PlannedArm, allow_fallback: bool = False) -> ChosenIk:
    """Return the kinematics that were asked for, or those of ``FALLBACK`` and why.

    Only a library, a GPU or a geometry that is missing is fallen back from; a backend that does
    not exist, or a robot that cannot be loaded at all, is an error either way.

    Raises
    ------
    ConfigError, DependencyError
        As :func:`load_ik`; those of the backend itself only without ``allow_fallback``.

    """
    if backend not in IK_BACKENDS:
        raise unknown_choice('IK backend', backend, IK_BACKENDS)
    try:
        return ChosenIk(load_ik(backend, profile), backend)
    except (ConfigError, DependencyError) as error:
        if not allow_fallback or backend == FALLBACK:
            raise
        return ChosenIk(load_ik(FALLBACK, profile), FALLBACK,
                        f'{backend!r} cannot be used, so {FALLBACK!r} is: {error}')
