"""Puts the parts together: profiles, kinematics and the pipeline. The only place that knows all."""

from __future__ import annotations

from vla_ros.core.kinematics import Kinematics
from vla_ros.core.limits import GripperRange, JointLimits, TaskSpaceLimits
from vla_ros.core.pipeline import Pipeline, PipelineConfig
from vla_ros.ik import load_ik
from vla_ros.robots import RobotProfile


def joint_limits(profile: RobotProfile) -> JointLimits:
    """Return the bounds of the profile's arm joints."""
    joints = profile.joints
    return JointLimits(tuple(joints.names), joints.lower, joints.upper, joints.velocity,
                       joints.acceleration, joints.margin)


def task_space_limits(profile: RobotProfile) -> TaskSpaceLimits:
    """Return the bounds of the profile's tool frame."""
    task = profile.task_space
    return TaskSpaceLimits(task.workspace.lower, task.workspace.upper, task.max_speed,
                           task.max_rotation_speed, task.max_lead_position,
                           task.max_lead_rotation)


def build_pipeline(profile: RobotProfile, config: PipelineConfig, ik_backend: str,
                   kinematics: Kinematics | None = None) -> Pipeline:
    """Return the control side for one arm.

    Parameters
    ----------
    profile : RobotProfile
        The arm.
    config : PipelineConfig
        Times and bounds.
    ik_backend : str
        One of ``vla_ros.ik.IK_BACKENDS``.
    kinematics : Kinematics | None
        Used instead of loading ``ik_backend``.

    """
    return Pipeline(kinematics or load_ik(ik_backend, profile), joint_limits(profile),
                    task_space_limits(profile),
                    GripperRange(profile.gripper.closed, profile.gripper.open), config)
