"""On which topics an arm's driver speaks and is spoken to, to listen to all of them."""

from __future__ import annotations

from vla_ros.core.errors import ConfigError
from vla_ros.core.ingest import OBJECTS
from vla_ros.robots import RobotProfile, load_profile, robot_names
from vla_ros.robots.adapters import DRIVERS, Driver, load_driver
from vla_ros.robots.adapters.controller import TOPICS
from vla_ros.ros.adapters.ros2_control import MESSAGES

_JOINTS = 'sensor_msgs/msg/JointState'


def command_topics(profile: RobotProfile, driver: Driver) -> dict[str, str]:
    """Return the topics by which an arm is moved, with their types."""
    found = {profile.topics.joint_command: _JOINTS}
    if driver.command:
        found[driver.command] = _JOINTS
    for controller in driver.controllers:
        kind = MESSAGES[driver.interface]
        found[f'{controller}/{TOPICS[driver.interface]}'] = (
            f'{kind.__module__.partition(".")[0]}/msg/{kind.__name__}')
    return found


def all_command_topics() -> frozenset[str]:
    """Return the absolute names of all topics by which any known arm is moved."""
    found: set[str] = set()
    for robot in robot_names():
        profile = load_profile(robot)
        for kind in DRIVERS:
            try:
                found.update(command_topics(profile, load_driver(profile, kind)))
            except ConfigError:
                continue  # a driver of other arms
    return frozenset(f'/{name}' for name in found)


def driver_topics(profile: RobotProfile, driver: Driver) -> tuple[list[str], dict[str, str]]:
    """Return the topics of joint states, and those of commands and status with their types.

    A type is empty where it is a package's that need not be installed.
    """
    others = command_topics(profile, driver)
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
