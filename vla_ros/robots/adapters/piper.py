"""What the two Piper drivers must be sent, and what their status codes mean.

Facts: the sources of agilexrobotics/piper_ros (humble) and agilexrobotics/agx_arm_ros.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from vla_ros.core.errors import InvariantError
from vla_ros.robots.adapters.driver import PIPER_JOINTS, Driver
from vla_ros.robots.adapters.joint_command import JointCommand

CAN_CONTROL, STANDBY, TEACHING = 1, 0, 2
"""Values of ``ctrl_mode``; all others are controls other than ours."""

_CTRL_MODES = {3: 'ethernet', 4: 'WiFi', 5: 'remote', 6: 'coordinated teach input',
               7: 'offline trajectory', 8: 'TCP'}

# Not 2 (no IK solution), 3 (singularity) and 4 (target angle over its limit): they are about a
# target that the arm refused, and go with the next one.
_FAULTS = {
    1: 'emergency stop', 5: 'a joint does not answer', 6: 'a joint brake is not released',
    7: 'collision', 8: 'overspeed while teaching', 9: 'a joint reports a fault',
    10: 'a fault that the driver does not name', 11: 'teaching: recording',
    12: 'teaching: playing back', 13: 'teaching: paused', 14: 'the main controller is too hot',
    15: 'the release resistor is too hot',
}
_REFUSALS = {2: 'no IK solution', 3: 'singularity', 4: 'a target angle over its limit'}


def status_problem(ctrl_mode: int, arm_status: int) -> str:
    """Return why the arm may not be commanded in this state; empty when it may.

    Both drivers' status messages have these two numbers.
    """
    if ctrl_mode == TEACHING:
        return ('teach mode: leave it with the button or the driver\'s service (the arm may fall, '
                'hold it)')
    if ctrl_mode not in (CAN_CONTROL, STANDBY):
        return f'controlled by somebody else: {_CTRL_MODES.get(ctrl_mode, f"mode {ctrl_mode}")}'
    if arm_status in _REFUSALS or arm_status == 0:
        return ''
    return f'arm_status {arm_status}: {_FAULTS.get(arm_status, "not a code that is known")}'


def status_notice(arm_status: int) -> str:
    """Return what the arm says of the last target, when it is not a reason to stop."""
    refusal = _REFUSALS.get(arm_status)
    return f'arm_status {arm_status}: {refusal}' if refusal else ''


@dataclass(frozen=True)
class JointFields:
    """The fields of a ``sensor_msgs/JointState``; an empty one is left out."""

    name: list[str]
    position: list[float]
    velocity: list[float]
    effort: list[float]


def piper_ros_fields(driver: Driver, command: JointCommand, width: float) -> JointFields:
    """Return what ``piper_ros`` must be sent: always all seven, nothing left to its defaults.

    A joint that is not named is driven to 0 rad. The gripper is what stands at index 6, whatever it
    is called, and without it the gripper is closed. ``velocity[6]`` is the percentage of the arm's
    speed, read only when there are seven velocities that are not all zero; else it is 100 %.

    Parameters
    ----------
    driver : Driver
        Has the mappings, the percentage and the effort.
    command : JointCommand
        In the profile's order and units.
    width : float
        Opening of the gripper [m]: the commanded one, or the measured one to leave it.

    """
    line = driver.gripper
    if line is None:
        raise InvariantError('piper_ros always commands the gripper; its settings are missing')
    q = driver.joints.to_driver(command.q)
    place = {name: i for i, name in enumerate(driver.joints.names)}
    position = [float(q[place[name]]) for name in PIPER_JOINTS]
    position.append(line.mapping.to_driver(width) / driver.gripper_multiple)
    # piper_ros takes the magnitude: a negative number would open the gripper.
    position[6] = max(position[6], 0.0)
    effort, _ = line.clipped(command.effort)
    return JointFields([*PIPER_JOINTS, line.mapping.joint], position,
                       [0.0] * 6 + [float(driver.speed_percent)], [0.0] * 6 + [effort])


def agx_fields(driver: Driver, command: JointCommand) -> JointFields:
    """Return what ``agx_arm_ros`` must be sent on ``control/joint_states``.

    All six joints: older versions take a NaN or a missing one for 0 rad. No velocities, and no
    effort (NaN) for the joints: with ``fast_mode`` they would select torque control with soft
    gains, and the efforts would be feed-forward torques. The gripper may be left out.
    """
    q = driver.joints.to_driver(command.q)
    names, position = list(driver.joints.names), [float(value) for value in q]
    effort: list[float] = []
    if driver.gripper is not None and command.width is not None:
        names.append(driver.gripper.mapping.joint)
        position.append(max(driver.gripper.mapping.to_driver(command.width), 0.0))
        effort = [math.nan] * len(q) + [driver.gripper.clipped(command.effort)[0]]
    return JointFields(names, position, [], effort)
