"""One tick of following a target: from where the arm was commanded to where it shall be next."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import ConfigError
from vla_ros.core.fusion import Target
from vla_ros.core.kinematics import Kinematics
from vla_ros.core.limits import TaskSpaceLimits
from vla_ros.core.safety import limit_pose, limit_twist
from vla_ros.core.se3 import moved, vector_from_rotation

Array = NDArray[np.float64]


class Follower:
    """Follows a target's motion and lets the distance to it fade.

    The velocity is that of the target plus (target - commanded) / fade. New chunks that disagree
    with the old ones move the target at once, but the arm only with the time constant ``fade``, and
    what a limiter took away is made up for in the same way, never at once. The commanded pose is
    always that of the last command that was sent, so nothing winds up.

    Parameters
    ----------
    kinematics : Kinematics
        Of the arm and the tool frame.
    limits : TaskSpaceLimits
        Bounds of the tool's motion; they hold for joint actions as well.
    fade : float
        Time constant [s].

    """

    def __init__(self, kinematics: Kinematics, limits: TaskSpaceLimits, fade: float) -> None:
        if not 0.0 < fade < np.inf:
            raise ConfigError(f'fade must be positive, found {fade}')
        self.kinematics = kinematics
        self.limits = limits
        self.fade = fade

    def goal(self, target: Target, commanded: Array, measured: Array, dt: float, speed: float,
             ) -> tuple[Array, tuple[str, ...]]:
        """Return the joint goal (n,) [rad] of this tick and what acted, in words.

        Parameters
        ----------
        target : Target
            Where the arm shall be now, and how it shall move.
        commanded, measured : np.ndarray
            (n,) joints of the last command and of the newest joint state [rad].
        dt : float
            Duration of the tick [s].
        speed : float
            Part of the full speed, 0 to 1.

        """
        gain = (1.0 - math.exp(-dt / self.fade)) / dt
        T_base_commanded = self.kinematics.forward(commanded)
        T_base_measured = self.kinematics.forward(measured)
        if target.q is not None and target.velocity is not None:
            velocity = speed * (target.velocity + gain * (target.q - commanded))
            return self._joint_goal(commanded, velocity * dt, T_base_commanded, T_base_measured,
                                    dt)
        assert target.T_base_tool is not None and target.twist is not None
        error = np.empty(6)
        error[:3] = target.T_base_tool[:3, 3] - T_base_commanded[:3, 3]
        error[3:] = vector_from_rotation(target.T_base_tool[:3, :3] @ T_base_commanded[:3, :3].T)
        twist, slowed = limit_twist(speed * (target.twist + gain * error), self.limits)
        T_base_goal, bounded = limit_pose(moved(T_base_commanded, twist, dt), T_base_commanded,
                                          T_base_measured, self.limits)
        return self._solved(T_base_goal, commanded, dt, slowed + bounded)

    def _joint_goal(self, commanded: Array, step: Array, T_base_commanded: Array,
                    T_base_measured: Array, dt: float) -> tuple[Array, tuple[str, ...]]:
        goal = commanded + step
        T_base_goal = self.kinematics.forward(goal)
        twist = np.empty(6)
        twist[:3] = T_base_goal[:3, 3] - T_base_commanded[:3, 3]
        twist[3:] = vector_from_rotation(T_base_goal[:3, :3] @ T_base_commanded[:3, :3].T)
        twist /= dt
        bounded, slowed = limit_twist(twist, self.limits)
        if slowed:
            size = math.hypot(*twist.tolist())
            factor = math.hypot(*bounded.tolist()) / size if math.isfinite(size) else 0.0
            goal = commanded + factor * step
            T_base_goal = self.kinematics.forward(goal)
        T_base_bounded, acted = limit_pose(T_base_goal, T_base_commanded, T_base_measured,
                                           self.limits)
        if not acted:
            return goal, slowed
        # Joints alone cannot say which pose is the nearest one that is allowed.
        return self._solved(T_base_bounded, commanded, dt, slowed + acted)

    def _solved(self, T_base_goal: Array, commanded: Array, dt: float, acted: tuple[str, ...],
                ) -> tuple[Array, tuple[str, ...]]:
        result = self.kinematics.solve(T_base_goal, commanded, dt)
        if result.converged:
            return result.q, acted
        # The nearest pose slides along what stops the tool; the rest stays the target's.
        return (result.q if result.nearest else commanded), (*acted, f'ik: {result.reason}')


def distance(target: Target, measured: Array, T_base_measured: Array) -> tuple[float, float, float]:
    """Return how far a target is from the measured arm: [m], [rad] of the tool, [rad] of a joint.

    What the target does not speak of is zero.
    """
    if target.q is not None:
        return 0.0, 0.0, float(np.abs(target.q - measured).max())
    assert target.T_base_tool is not None
    T = target.T_base_tool
    return (float(np.linalg.norm(T[:3, 3] - T_base_measured[:3, 3])),
            float(np.linalg.norm(vector_from_rotation(T[:3, :3] @ T_base_measured[:3, :3].T))),
            0.0)
