"""Puts the parts together: profiles, kinematics and the pipeline. The only place that knows all."""

from __future__ import annotations

from dataclasses import dataclass

from vla_ros.core.kinematics import Kinematics
from vla_ros.core.limits import GripperRange, JointLimits, TaskSpaceLimits
from vla_ros.core.lookahead import Lookahead, LookaheadConfig
from vla_ros.core.pipeline import Pipeline
from vla_ros.core.pipeline_config import PipelineConfig
from vla_ros.core.safety import Clearances, JointGate, SingularityGuard, ToolBounds, ToolSpeed
from vla_ros.core.safety.estop import Interlock
from vla_ros.ik import load_ik
from vla_ros.ik.arm_model import ArmModel
from vla_ros.ik.collision import PinocchioClearance
from vla_ros.ik.collision_config import load_collision_config
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
                           task.max_lead_rotation, task.keep_out)


@dataclass(frozen=True)
class Guards:
    """What watches over the motion besides the limits of every single tick.

    Attributes
    ----------
    clearance : bool
        Whether links are kept apart from each other and from keep-out boxes.
    lookahead : LookaheadConfig | None
        How chunks are judged before they run; None: they are not.
    interlock : Interlock | None
        Emergency stop and arming; None: armed for good.

    """

    clearance: bool = True
    lookahead: LookaheadConfig | None = None
    interlock: Interlock | None = None


def build_pipeline(profile: RobotProfile, config: PipelineConfig, ik_backend: str,
                   kinematics: Kinematics | None = None, guards: Guards | None = None) -> Pipeline:
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
    guards : Guards | None
        What else watches over the motion; None: the defaults.

    """
    guards = guards or Guards()
    joints, task_space = joint_limits(profile), task_space_limits(profile)
    links = None
    if guards.clearance:
        links = PinocchioClearance(profile, profile.clearance, profile.task_space.keep_out,
                                   load_collision_config(profile.collision))
    kinematics = kinematics or load_ik(ik_backend, profile)
    arm = ArmModel(profile)
    tool = ToolBounds(arm.forward, arm.jacobian, task_space)
    gate = JointGate(joints, config.max_joint_step, Clearances([links, tool] if links else [tool]),
                     profile.clearance.approach_speed,
                     SingularityGuard(arm.jacobian, profile.singularity),
                     ToolSpeed(arm.jacobian, task_space))
    # A goal beyond the workspace is brought back into it: no trouble ahead.
    lookahead = (Lookahead(kinematics, joints, guards.lookahead, profile.singularity, links)
                 if guards.lookahead is not None else None)
    return Pipeline(kinematics, joints, task_space,
                    GripperRange(profile.gripper.closed, profile.gripper.open), config, gate,
                    guards.interlock, lookahead)
