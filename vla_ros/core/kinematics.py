"""What the core needs of an arm's kinematics; ``vla_ros.ik`` has the implementations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class IkResult:
    """Joint positions for a pose, and how good they are.

    Attributes
    ----------
    q : np.ndarray
        (n,) joint positions [rad], always finite and within the limits that the solver knows.
    converged : bool
        Whether both errors are within the solver's tolerance.
    position_error, rotation_error : float
        Distance of FK(q) from the goal [m], [rad].
    smallest_singular_value : float
        Of the 6xn Jacobian at ``q`` (metres and radians mixed); near zero is singular.
    iterations : int
        Solver steps taken.
    reason : str
        Why it did not converge; empty when it did.

    """

    q: Array
    converged: bool
    position_error: float
    rotation_error: float
    smallest_singular_value: float
    iterations: int = 0
    reason: str = ''


class Kinematics(Protocol):
    """Forward and inverse kinematics of one arm and one tool frame.

    Not safe for use from several threads at once: give each thread its own.
    """

    def forward(self, q: Array) -> Array:
        """Return T_base_tool (4, 4) for joint positions (n,) [rad]."""

    def solve(self, T_base_tool: Array, seed: Array, dt: float) -> IkResult:
        """Return joint positions near ``seed`` (n,) [rad] that reach the pose, ``dt`` s later."""
