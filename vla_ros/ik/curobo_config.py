"""A robot profile in the words of cuRobo's robot configuration (version 2.0, cuRobo >= 0.8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vla_ros.ik.arm import ArmJoints, ArmProfile
from vla_ros.ik.collision_config import CollisionConfig

MAX_JERK = 500.0  # rad/s^3, cuRobo's own default; not used for inverse kinematics


class PlannedJoints(ArmJoints, Protocol):
    """Joints of which it is also known where they rest and how fast they may get faster."""

    @property
    def home(self) -> NDArray[np.float64]:
        """(n,) rest positions [rad]."""

    @property
    def acceleration(self) -> NDArray[np.float64]:
        """(n,) largest accelerations [rad/s^2]."""


class Fingers(Protocol):
    """A gripper by its URDF joints."""

    @property
    def fingers(self) -> Mapping[str, float]:
        """URDF joint -> its position / opening width."""

    @property
    def open(self) -> float:
        """Largest opening width [m]."""


class PlannedArm(ArmProfile, Protocol):
    """What a cuRobo configuration is made from; a robot profile has it."""

    @property
    def joints(self) -> PlannedJoints:
        """The arm joints."""

    @property
    def gripper(self) -> Fingers:
        """The gripper, which is taken as open: so its fingers reach furthest out."""


def curobo_robot(profile: PlannedArm, collision: CollisionConfig) -> dict[str, Any]:
    """Return the dictionary that ``InverseKinematicsCfg.create(robot=...)`` takes.

    Position limits and velocities are those of the URDF, which a profile may narrow: what a
    solution is checked against afterwards are the profile's own.
    """
    arm, gripper = profile.joints, profile.gripper
    locked = {name: float(factor * gripper.open) for name, factor in gripper.fingers.items()}
    n = len(arm.names) + len(locked)
    return {'robot_cfg': {'kinematics': {
        'format_version': 2.0,
        'urdf_path': str(profile.urdf_path.resolve()),
        'asset_root_path': str(profile.urdf_path.resolve().parent),
        'base_link': profile.base_frame,
        'tool_frames': [profile.tool_frame],
        'lock_joints': locked,
        'collision_link_names': list(collision.spheres),
        'collision_spheres': {
            link: [{'center': row[:3].tolist(), 'radius': float(row[3])} for row in rows]
            for link, rows in collision.spheres.items()},
        'collision_sphere_buffer': 0.0,
        'self_collision_buffer': dict.fromkeys(collision.spheres, 0.0),
        'self_collision_ignore': {link: list(others) for link, others in collision.ignore.items()},
        'mesh_link_names': [],
        'cspace': {
            'joint_names': [*arm.names, *locked],
            'default_joint_position': [*map(float, arm.home), *locked.values()],
            'cspace_distance_weight': [1.0] * n,
            'null_space_weight': [1.0] * n,
            'max_acceleration': float(np.min(arm.acceleration)),
            'max_jerk': MAX_JERK,
            'position_limit_clip': float(arm.margin),
        },
    }}}
