"""On which topics an arm's driver speaks and is spoken to, to listen to all of them."""

from __future__ import annotations

from vla_ros.robots import RobotProfile
from vla_ros.robots.adapters import Driver
from vla_ros.robots.adapters.controller import TOPICS
from vla_ros.ros.adapters.ros2_control import MESSAGES
from vla_ros.ros.observation_inputs import OBJECTS

_JOINTS = 'sensor_msgs/msg/JointState'


def driver_topics(profile: RobotProfile, driver: Driver) -> tuple[list[str], dict[str, str]]:
    """Return the topics of joint states, and those of commands and status with their types.

    A type is empty where it is a package's that need not be installed.
    """
    others = {profile.topics.joint_command: _JOINTS}
    if driver.command:
        others[driver.command] = _JOINTS
    for controller in driver.controllers:
        kind = MESSAGES[driver.interface]
        others[f'{controller}/{TOPICS[driver.interface]}'] = (
            f'{kind.__module__.partition(".")[0]}/msg/{kind.__name__}')
    if driver.gripper is not None and driver.gripper.kind == 'action':
        for part in ('feedback', 'status'):
            others[f'{driver.gripper.action}/_action/{part}'] = ''
    for topic in (driver.status, driver.end_pose.topic if driver.end_pose else '',
                  driver.speed_scaling):
        if topic:
            others[topic] = ''
    if driver.robot_status:
        others |= {f'{driver.robot_status}/{name}': '' for name in
                   ('robot_program_running', 'robot_mode', 'safety_mode')}
    if driver.type == 'sim':
        others[OBJECTS] = 'visualization_msgs/msg/MarkerArray'
    return [driver.states], others
