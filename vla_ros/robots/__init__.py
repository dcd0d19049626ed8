"""Arms: their profiles (``config/robots``), checked against their URDF."""

from vla_ros.robots.profile import (
    Box,
    Gripper,
    Joints,
    RobotProfile,
    TaskSpace,
    Topics,
    load_profile,
    robot_names,
)

__all__ = [
    'Box',
    'Gripper',
    'Joints',
    'RobotProfile',
    'TaskSpace',
    'Topics',
    'load_profile',
    'robot_names',
]
