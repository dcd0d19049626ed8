"""How motion begins: toward a target that is near, and with a speed that rises from nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.follow import distance
from vla_ros.core.fusion import Target
from vla_ros.core.kinematics import Kinematics
from vla_ros.core.pipeline_config import StartLimits

Array = NDArray[np.float64]


class MotionStart:
    """Judges the first target, and blends in what follows.

    Parameters
    ----------
    limits : StartLimits
        How far the first target may be, and how gently motion begins.
    kinematics : Kinematics
        Of the arm and the tool frame.

    """

    def __init__(self, limits: StartLimits, kinematics: Kinematics) -> None:
        self.limits = limits
        self.kinematics = kinematics
        self._moving_s = 0.0  # since motion began

    def too_far(self, target: Target, measured: Array) -> str:
        """Return why motion may not begin with this target; empty when it may.

        ``measured`` (n,) [rad] is where the arm is.
        """
        limits = self.limits
        position, rotation, joint = distance(target, measured, self.kinematics.forward(measured))
        found = [f'{value:.2f} {unit} > {limit:g} {unit}' for value, limit, unit in
                 ((position, limits.position, 'm'), (rotation, limits.rotation, 'rad'),
                  (joint, limits.joint, 'rad')) if not value <= limit]
        return f'start: the first target is away from the measured arm, {found[0]}' if found else ''

    def update(self, moving: bool, dt: float) -> None:
        """Take in whether the policy moves the arm in this tick of ``dt`` [s]."""
        self._moving_s = self._moving_s + dt if moving else 0.0

    @property
    def speed(self) -> float:
        """Part of the full speed, 0 to 1, that motion has come to since it began."""
        blend_in = self.limits.blend_in
        return min(1.0, self._moving_s / blend_in) if blend_in > 0.0 else 1.0
