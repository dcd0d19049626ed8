"""Damped least squares on the CPU, with the joint limits inside the solve; on Pinocchio."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.kinematics import IkResult, IkStatus, solve_in_turn
from vla_ros.ik.arm import ArmProfile
from vla_ros.ik.arm_model import ArmModel
from vla_ros.ik.descent import Descender, Descent
from vla_ros.ik.settings import PinocchioIkSettings

Array = NDArray[np.float64]


class PinocchioIk:
    """Follows a pose from a nearby seed; never jumps to another branch.

    Goes downhill from the seed (:class:`Descender`) within the joint limits and no joint further
    than ``max_joint_change``. A joint on its limit drops out and the others carry on, so the tool
    slides to the nearest pose instead of stopping; the result says so. The weighted distance of
    the result from the goal is never larger than that of the seed.

    Parameters
    ----------
    profile : ArmProfile
        Arm, limits and tool frame. Joints of the URDF that the profile does not name (the fingers)
        stay at zero.
    settings : PinocchioIkSettings | None
        Tolerances and bounds.

    Raises
    ------
    DependencyError
        When Pinocchio is not installed.
    ConfigError
        When the URDF cannot be read or lacks a joint or frame that the profile names.

    """

    def __init__(self, profile: ArmProfile,
                 settings: PinocchioIkSettings | None = None) -> None:
        self.settings = settings or PinocchioIkSettings()
        self.arm = ArmModel(profile)
        self._descender = Descender(self.arm, self.settings)
        self._lower: list[float] = self.arm.lower.tolist()
        self._upper: list[float] = self.arm.upper.tolist()

    def forward(self, q: Array) -> Array:
        """Return T_base_tool (4, 4) [m] for joint positions (n,) [rad]."""
        return self.arm.forward(q)

    def jacobian(self, q: Array) -> Array:
        """Return the Jacobian (6, n) of the tool frame in its own axes [m/rad, rad/rad]."""
        return self.arm.jacobian(q)

    def solve_batch(self, T_base_tool: Array, seed: Array, dt: float) -> list[IkResult]:
        """Return a result for each pose of a path (B, 4, 4), seeds carried on."""
        return solve_in_turn(self.solve, T_base_tool, seed, dt)

    def solve(self, T_base_tool: Array, seed: Array, dt: float) -> IkResult:
        """Return joint positions near ``seed`` (n,) [rad] that reach T_base_tool (4, 4) [m].

        ``dt`` is not used by this backend: it starts at the seed and stays on its branch.
        """
        start = np.array(seed, dtype=np.float64)
        if not (math.isfinite(np.vdot(T_base_tool, T_base_tool))
                and math.isfinite(start.dot(start))):
            return _not_finite(start)
        goal = self.arm.goal_in_world(T_base_tool)
        change, here = self.settings.max_joint_change, start.tolist()
        # A joint that the seed already has outside may come back, but goes no further out.
        low = [v - change if a < v - change else a if a < v else v
               for v, a in zip(here, self._lower)]
        high = [v + change if b > v + change else b if b > v else v
                for v, b in zip(here, self._upper)]
        near = self._descender.run(goal, start, low, high)
        if near is None:
            return _not_finite(start)
        if near.held and any(self._lower[i] < near.q[i] < self._upper[i] for i in near.held):
            return self._beyond(near, goal, start)
        return self._result(near, goal)

    def _result(self, end: Descent, goal: Any) -> IkResult:
        """Say in words what came of it."""
        q, position, rotation, smallest, iterations, held = end
        s = self.settings
        if position <= s.position_tolerance and rotation <= s.rotation_tolerance:
            return IkResult(q, True, position, rotation, smallest, iterations, '',
                            IkStatus.CONVERGED)
        if held:
            status = IkStatus.LIMITED
            names = ', '.join(self.arm.names[i] for i in held)
            reason = f'on the limit of {names}: {_away(end)}'
        elif smallest < s.damping_below and self.arm.within_reach(goal):
            status = IkStatus.SINGULAR
            reason = f'{_away(end)} near a singularity (smallest singular value {smallest:.4f})'
        else:
            status = IkStatus.UNREACHABLE
            reason = f'out of reach: {_away(end)} after {iterations} steps'
        return IkResult(q, False, position, rotation, smallest, iterations, reason, status, held)

    def _beyond(self, near: Descent, goal: Any, start: Array) -> IkResult:
        """Return what was reached within the allowed change, and say what lies further on."""
        further = self._descender.run(goal, near.q, np.minimum(self._lower, start).tolist(),
                                      np.maximum(self._upper, start).tolist())
        assert further is not None
        result = self._result(further, goal)
        status, limited, reason = result.status, result.limited, result.reason
        if result.converged:
            change = np.abs(result.q - start)
            joint = int(change.argmax())
            status, limited = IkStatus.BRANCH, near.held
            reason = f'branch change: {self.arm.names[joint]} would move {change[joint]:.2f} rad'
        return IkResult(near.q, False, near.position, near.rotation, near.smallest,
                        near.iterations + further.iterations, f'{reason}; within '
                        f'{self.settings.max_joint_change:g} rad it is {_away(near)}',
                        status, limited)


def _not_finite(start: Array) -> IkResult:
    return IkResult(start, False, math.inf, math.inf, 0.0, 0, 'goal or seed is not finite',
                    IkStatus.NOT_FINITE)


def _away(end: Descent) -> str:
    return f'{end.position * 1e3:.1f} mm and {end.rotation:.3f} rad away'
