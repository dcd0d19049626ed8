"""Which driver an arm has, and how it is spoken to."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vla_ros.robots.adapters.mapping import GripperMapping, JointMapping

if TYPE_CHECKING:
    from vla_ros.robots.profile import RobotProfile

PIPER_JOINTS = ('joint1', 'joint2', 'joint3', 'joint4', 'joint5', 'joint6')
"""The joints that both Piper drivers speak of, in this order."""

UR_JOINTS = ('shoulder_pan_joint', 'shoulder_lift_joint', 'elbow_joint', 'wrist_1_joint',
             'wrist_2_joint', 'wrist_3_joint')
"""The joints of the UR driver, each perhaps with a prefix."""


@dataclass(frozen=True)
class EndPose:
    """The driver's own pose of the arm's end.

    ``claims`` is the frame that its name speaks of, ``flange`` or ``tool``. Where a TCP has to be
    set in the driver and was not, the pose is that of the flange all the same.
    """

    topic: str
    claims: str


@dataclass(frozen=True)
class GripperLine:
    """How the gripper is commanded.

    Attributes
    ----------
    kind : str
        ``joint`` in the arm's own messages, or ``action``.
    mapping : GripperMapping
        Width to the driver's position.
    effort : float
        Sent when none is asked for, in the driver's unit.
    effort_range : tuple[float, float]
        What the driver takes.
    action, interface : str
        Name of the action, and ``auto``, ``gripper_command`` (Humble) or ``parallel`` (Jazzy on).
    hz, resolution : float
        Goals a second at most [Hz], and the change of width that is worth a new one [m].

    """

    kind: str
    mapping: GripperMapping
    effort: float
    effort_range: tuple[float, float]
    action: str = ''
    interface: str = ''
    hz: float = 0.0
    resolution: float = 0.0

    def clipped(self, effort: float | None) -> tuple[float, bool]:
        """Return the effort to send, and whether the one asked for had to be changed."""
        wanted = self.effort if effort is None else effort
        low, high = self.effort_range
        sent = min(max(wanted, low), high)
        return sent, sent != wanted


@dataclass(frozen=True)
class Driver:
    """One driver of one arm; the fields that a driver does not have stay at their neutral value.

    Attributes
    ----------
    type : str
        One of ``vla_ros.robots.adapters.DRIVERS``.
    states, command, status : str
        Topics of joint states, joint commands and the driver's status; empty: none.
    hz : float
        Joint states a second that the driver promises [Hz].
    joints, gripper, end_pose
        The driver's words for the arm.
    resume_tolerance : float
        After a stop, how near to the measured joints the first command has to be [rad].
    speed_percent : int
        Share of the arm's joint speeds that the driver is told or set to.
    gripper_multiple : float
        What ``piper_ros`` multiplies the commanded width by.
    interface : str
        ``trajectory`` or ``position`` for ros2_control, else empty.
    controllers : tuple[str, ...]
        Controllers of ros2_control, the first that is there is used.
    send_hz, lead_s, least_hz : float
        Trajectories a second [Hz], time to reach the commanded joints [s], slowest control loop
        for streaming [Hz].
    last_velocity : str
        ``zero`` or ``commanded``: how a trajectory ends.
    robot_status, speed_scaling : str
        The UR driver's namespace of status topics, and its topic of the speed scaling.

    """

    type: str
    description: str
    states: str
    hz: float
    joints: JointMapping
    gripper: GripperLine | None
    end_pose: EndPose | None
    resume_tolerance: float
    command: str = ''
    status: str = ''
    speed_percent: int = 100
    gripper_multiple: float = 1.0
    interface: str = ''
    controllers: tuple[str, ...] = ()
    send_hz: float = 0.0
    lead_s: float = 0.0
    least_hz: float = 0.0
    last_velocity: str = 'zero'
    robot_status: str = ''
    speed_scaling: str = ''

    def bounded(self, profile: RobotProfile) -> RobotProfile:
        """Return the profile with the joint speeds that are left of it under this driver."""
        if self.speed_percent == 100:
            return profile
        velocity = profile.joints.velocity * (self.speed_percent / 100.0)
        velocity.flags.writeable = False
        return dataclasses.replace(
            profile, joints=dataclasses.replace(profile.joints, velocity=velocity))
