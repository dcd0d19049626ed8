"""Slowing down toward singularities, by the smallest singular value of the Jacobian."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.limits import SingularityLimits

Array = NDArray[np.float64]

_PROBE = 1e-3  # rad; how far ahead the singular value is looked at for its slope
_FLAT = 1e-3  # change per rad of motion below which it counts as unchanged


def smallest_singular_value(jacobian: Array) -> float:
    """Return the smallest singular value of a (6, n) Jacobian, from the eigenvalues of J J^T."""
    return math.sqrt(max(float(np.linalg.eigvalsh(jacobian @ jacobian.T)[0]), 0.0))


class SingularityGuard:
    """Scales motion toward a singularity; motion away from it is free.

    Below ``slow_below`` the factor falls in proportion, to zero at ``halt_below``. Once it was zero
    it stays so until the singular value is above ``resume_above``: at the threshold the arm would
    otherwise start and stop with every tick.

    Parameters
    ----------
    jacobian : Callable
        Gives the (6, n) Jacobian [m/rad, rad/rad] at joints (n,) [rad].
    limits : SingularityLimits
        The thresholds.

    """

    def __init__(self, jacobian: Callable[[Array], Array], limits: SingularityLimits) -> None:
        self.jacobian = jacobian
        self.limits = limits
        self.halted = False

    def factor(self, q: Array, wanted: Array) -> tuple[float, str]:
        """Return the factor for a velocity (n,) [rad/s] at joints (n,) [rad], and what acted."""
        limits = self.limits
        value = smallest_singular_value(self.jacobian(q))
        if value >= limits.resume_above:
            self.halted = False
        if value >= limits.slow_below:
            return 1.0, ''
        size = float(np.abs(wanted).max())
        if not size > 0.0:
            return 1.0, ''
        ahead = smallest_singular_value(self.jacobian(q + wanted * (_PROBE / size)))
        if ahead - value >= -_FLAT * _PROBE:
            return 1.0, ''
        if value <= limits.halt_below:
            self.halted = True
        if self.halted:
            return 0.0, f'singularity: halted at {value:.4f}'
        factor = (value - limits.halt_below) / (limits.slow_below - limits.halt_below)
        return factor, f'singularity: slowed at {value:.4f}'
