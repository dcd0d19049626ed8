"""What a human wants of the arm, as the joint goal of a tick."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.commanded import Commanded
from vla_ros.core.follow import Follower
from vla_ros.core.footing import Footing
from vla_ros.core.fusion import Target
from vla_ros.core.measured_arm import MeasuredArm
from vla_ros.core.override_arm import ArmDecision, ArmState

Array = NDArray[np.float64]


class HumanMotion:
    """Follows a human's hand as it would follow the policy, and holds while nobody moves the arm.

    Parameters
    ----------
    arm : MeasuredArm
        What is known of the arm.
    commanded : Commanded
        The last command.
    footing : Footing
        Where it holds.
    follower : Follower
        Follows a target within the limits of the tool's motion.

    """

    def __init__(self, arm: MeasuredArm, commanded: Commanded, footing: Footing,
                 follower: Follower) -> None:
        self._arm = arm
        self._commanded = commanded
        self._footing = footing
        self._follower = follower

    def goal(self, human: ArmDecision, now_ns: int, dt: float, permitted: bool,
             ) -> tuple[Array, tuple[str, ...]]:
        """Return the joint goal (n,) [rad] of this tick of ``dt`` [s] and what acted, in words.

        ``permitted`` says whether motion is allowed at all; if not, the arm brakes and holds.
        """
        measured, commanded = self._arm.q, self._commanded.q
        assert measured is not None and commanded is not None
        can_move = permitted and human.held and not self._arm.problem(now_ns)
        target = self._target(human, commanded) if can_move else None
        if target is None:
            return self._footing.hold(now_ns, dt), ()
        self._footing.leave()
        return self._follower.goal(target, commanded, measured, dt, 1.0)

    def _target(self, human: ArmDecision, commanded: Array) -> Target | None:
        """Return where a human moves the arm, for the follower; None when nobody does."""
        if human.kind is ArmState.JOINTS:
            return Target(None, None, human.joints, human.joint_velocity, (), (), 0)
        if human.kind is not ArmState.TWIST:
            return None
        T_base_tool = self._follower.kinematics.forward(commanded)
        R = T_base_tool[:3, :3] if human.in_tool_frame else np.eye(3)
        twist = np.concatenate([R @ human.twist[:3], R @ human.twist[3:]])
        return Target(T_base_tool, twist, None, None, (), (), 0)
