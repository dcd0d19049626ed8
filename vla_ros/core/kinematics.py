"""What the core needs of an arm's kinematics; ``vla_ros.ik`` has the implementations."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class IkStatus(enum.Enum):
    """How a solve ended.

    Attributes
    ----------
    CONVERGED
        The pose is reached.
    LIMITED
        One or more joints are on their limit; the others were moved along it, to the nearest pose
        that can be reached from here.
    SINGULAR
        No joint is on its limit, but near a singularity no motion brings the tool nearer.
    UNREACHABLE
        Neither, but the tool came no nearer: the goal is beyond the arm's length, or the solver's
        iterations ended.
    BRANCH
        The pose would take a joint further than one solve may move it: another branch.
    NOT_FINITE
        The goal or the seed has NaN or infinity; the joints are the seed's.

    """

    CONVERGED = 'converged'
    LIMITED = 'limited'
    SINGULAR = 'singular'
    UNREACHABLE = 'unreachable'
    BRANCH = 'branch'
    NOT_FINITE = 'not_finite'


@dataclass(frozen=True, eq=False)
class IkResult:
    """Joint positions for a pose, and how good they are.

    Attributes
    ----------
    q : np.ndarray
        (n,) joint positions [rad], within the limits that the solver knows; a joint that the seed
        has outside of them is no further out. Finite, unless the seed is not.
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
    status : IkStatus
        How it ended; when it is not given, what ``converged`` says.
    limited : tuple[int, ...]
        The joints on a limit that keeps the tool from the goal (BRANCH: on the largest change that
        one solve may make).

    """

    q: Array
    converged: bool
    position_error: float
    rotation_error: float
    smallest_singular_value: float
    iterations: int = 0
    reason: str = ''
    status: IkStatus | None = None
    limited: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.status is None:
            status = IkStatus.CONVERGED if self.converged else IkStatus.UNREACHABLE
            object.__setattr__(self, 'status', status)

    @property
    def nearest(self) -> bool:
        """Whether ``q`` is the nearest pose that was found from the seed, though not the goal.

        Going there takes the tool no further away: it slides along what stops it. Where this and
        ``converged`` are both false, the arm should stay where it is.
        """
        return self.status in (IkStatus.LIMITED, IkStatus.SINGULAR, IkStatus.UNREACHABLE)


class Kinematics(Protocol):
    """Forward and inverse kinematics of one arm and one tool frame.

    Not safe for use from several threads at once: give each thread its own.
    """

    def forward(self, q: Array) -> Array:
        """Return T_base_tool (4, 4) for joint positions (n,) [rad]."""

    def solve(self, T_base_tool: Array, seed: Array, dt: float) -> IkResult:
        """Return joint positions near ``seed`` (n,) [rad] that reach the pose, ``dt`` s later."""

    def solve_batch(self, T_base_tool: Array, seed: Array, dt: float) -> list[IkResult]:
        """Return a result for each pose of a path (B, 4, 4), ``dt`` s apart, seeds carried on."""


Solve = Callable[[Array, Array, float], IkResult]


def solve_in_turn(solve: Solve, T_base_tool: Array, seed: Array, dt: float) -> list[IkResult]:
    """Return a result for each pose of a path, one after the other.

    Parameters
    ----------
    solve : callable
        A backend's ``solve``.
    T_base_tool : np.ndarray
        (B, 4, 4) poses in order.
    seed : np.ndarray
        (n,) joints before the first pose [rad]. A pose that was reached, or come near to, is the
        next one's seed; after one that is on another branch or not finite, the seed stays.
    dt : float
        Time from one pose to the next [s].

    """
    results: list[IkResult] = []
    for T in T_base_tool:
        result = solve(T, seed, dt)
        results.append(result)
        if result.status not in (IkStatus.BRANCH, IkStatus.NOT_FINITE):
            seed = result.q
    return results
