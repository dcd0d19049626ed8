"""The chain of a robot profile's arm as a Pinocchio model, and its forward kinematics."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import ConfigError, DependencyError
from vla_ros.ik.arm import ArmProfile

Array = NDArray[np.float64]


class ArmModel:
    """Pinocchio's model of the arm joints alone, from the base frame to the tool frame.

    Parameters
    ----------
    profile : ArmProfile
        Arm, limits and frames. Joints of the URDF that the profile does not name (the fingers)
        stay at zero.

    Attributes
    ----------
    pin : module
        ``pinocchio``.
    model, data : pinocchio.Model, pinocchio.Data
        Of the arm joints; not to be shared between threads.
    frame : int
        Index of the tool frame.
    world_base : pinocchio.SE3
        Pose of the base frame in the URDF's root.
    shoulder, reach : np.ndarray, float
        (3,) origin of the first joint in the URDF's root [m], and a distance from it beyond which
        the tool cannot be [m].
    lower, upper : np.ndarray
        (n,) position limits with the profile's margin taken off [rad].

    Raises
    ------
    DependencyError
        When Pinocchio is not installed.
    ConfigError
        When the URDF cannot be read or lacks a joint or frame that the profile names.

    """

    def __init__(self, profile: ArmProfile) -> None:
        pin = _pinocchio()
        self.pin: Any = pin
        try:
            full = pin.buildModelFromUrdf(str(profile.urdf_path))
        except Exception as error:  # pinocchio raises ValueError or RuntimeError by version
            raise ConfigError(f'{profile.urdf_path}: not a URDF that can be read: {error}',
                              file=str(profile.urdf_path)) from error
        missing = [name for name in profile.joints.names if not full.existJointName(name)]
        if missing:
            raise ConfigError(
                f'{profile.urdf_path}: no joint {", ".join(missing)}; the URDF has '
                f'{", ".join(list(full.names)[1:])}', file=str(profile.urdf_path))
        locked = [i for i in range(1, full.njoints)
                  if full.names[i] not in set(profile.joints.names)]
        self.model: Any = pin.buildReducedModel(full, locked, pin.neutral(full))
        self.data: Any = self.model.createData()
        if list(self.model.names)[1:] != list(profile.joints.names):
            raise ConfigError(
                f'robot {profile.name!r}: joints.names must be in the order of the chain, '
                f'{", ".join(list(self.model.names)[1:])}')
        self.n = len(profile.joints.names)
        self.names = tuple(profile.joints.names)
        self.frame = self._frame_id(profile.tool_frame, profile)
        base = self._frame_id(profile.base_frame, profile)
        pin.framesForwardKinematics(self.model, self.data, pin.neutral(self.model))
        self.world_base: Any = self.data.oMf[base].copy()
        self._base_world = self.world_base.inverse()
        self.shoulder, self.reach = self._reach()
        self.lower = np.asarray(profile.joints.lower, dtype=np.float64) + profile.joints.margin
        self.upper = np.asarray(profile.joints.upper, dtype=np.float64) - profile.joints.margin

    def _frame_id(self, name: str, profile: ArmProfile) -> int:
        if not self.model.existFrame(name):
            raise ConfigError(
                f'{profile.urdf_path}: no link {name!r} that robot {profile.name!r} names; the '
                f'URDF has {", ".join(f.name for f in self.model.frames)}')
        return int(self.model.getFrameId(name))

    def _reach(self) -> tuple[Array, float]:
        """Return the first joint's origin in the URDF's root, and how far the tool can be off it.

        The sum of the distances from joint to joint; no pose gets there, but none is beyond.
        """
        placements = list(self.model.jointPlacements)[1:]
        tool = self.model.frames[self.frame].placement
        links = [np.linalg.norm(M.translation) for M in [*placements[1:], tool]]
        return np.array(placements[0].translation), float(sum(links))

    def forward(self, q: Array) -> Array:
        """Return T_base_tool (4, 4) [m] for joint positions (n,) [rad]."""
        self.pin.forwardKinematics(self.model, self.data, q)
        placement = self.pin.updateFramePlacement(self.model, self.data, self.frame)
        return np.array((self._base_world * placement).homogeneous)

    def jacobian(self, q: Array) -> Array:
        """Return the Jacobian (6, n) of the tool frame in its own axes [m/rad, rad/rad]."""
        return np.array(self.pin.computeFrameJacobian(
            self.model, self.data, q, self.frame, self.pin.LOCAL))

    def smallest_singular_value(self, q: Array) -> float:
        """Return that of the Jacobian (metres and radians mixed) at joint positions (n,) [rad]."""
        return float(np.linalg.svd(self.jacobian(q), compute_uv=False)[-1])

    def within_reach(self, goal: Any) -> bool:
        """Return whether the tool may get to a position (pinocchio.SE3, URDF's root) at all."""
        return bool(np.linalg.norm(goal.translation - self.shoulder) <= self.reach)

    def goal_in_world(self, T_base_tool: Array) -> Any:
        """Return a pose (4, 4) of the base frame as pinocchio.SE3 in the URDF's root."""
        return self.world_base * self.pin.SE3(T_base_tool)


def _pinocchio() -> Any:
    try:
        import pinocchio
    except ImportError as error:
        raise DependencyError(
            "the IK backend 'pinocchio' needs Pinocchio: apt install ros-$ROS_DISTRO-pinocchio, "
            f'or pip install "vla_ros[ik]" (import failed: {error})') from error
    return pinocchio
