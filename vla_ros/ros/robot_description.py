"""The driver's own URDF, from ``/robot_description``: it is right where ours is nominal."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_msgs.msg import String

from vla_ros.core.errors import ConfigError
from vla_ros.robots import RobotProfile
from vla_ros.robots.adapters import Driver
from vla_ros.robots.urdf_difference import UrdfDifference, follow_description
from vla_ros.ros import qos

TOPIC = 'robot_description'

_TURN_S = 0.05


def receive_description(context: Context, wait_s: float, namespace: str = '') -> str | None:
    """Return the URDF on ``robot_description``, or None when none comes within ``wait_s`` [s].

    It is for the time before a node is made: it has a node and an executor of its own.
    """
    node = Node('robot_description_listener', context=context, namespace=namespace,
                use_global_arguments=False)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    received: list[str] = []
    node.create_subscription(String, TOPIC, lambda msg: received.append(msg.data), qos.LATCHED)
    end = time.monotonic() + wait_s
    try:
        while not received and time.monotonic() < end:
            executor.spin_once(timeout_sec=_TURN_S)
    finally:
        executor.shutdown(timeout_sec=1.0)
        node.destroy_node()
    return received[0] if received else None


def described_profile(profile: RobotProfile, driver: Driver, text: str, topic: str = f'/{TOPIC}',
                      ) -> tuple[RobotProfile, UrdfDifference]:
    """Return the profile with the arm of a driver's URDF, in a file of its own.

    Raises
    ------
    ConfigError
        It is the URDF of another arm.

    """
    folder = Path(tempfile.mkdtemp(prefix='vla_ros_'))
    try:
        return follow_description(profile, driver.joints, text, folder, topic)
    except ConfigError as error:
        raise ConfigError(f'{error}. Is robot:={profile.name} the arm that runs?') from error


def difference_text(difference: UrdfDifference) -> str:
    """Return the difference in one line for a log."""
    if not difference.notes:
        return 'the driver\'s model of the arm is the same as ours'
    return (f'the driver\'s model of the arm is used; its flange is up to '
            f'{difference.position * 1e3:.2f} mm from ours: {"; ".join(difference.notes)}')


def follow_if_described(context: Context, profile: RobotProfile, driver: Driver, wait_s: float,
                        log: Callable[[str], Any], namespace: str = '') -> RobotProfile:
    """Return the profile to use: with the driver's model where one is published, else ours.

    The simulated arm has ours; ``wait_s`` 0 does not look.

    Raises
    ------
    ConfigError
        A URDF is published, but of another arm.

    """
    if driver.type == 'sim' or wait_s <= 0.0:
        return profile
    text = receive_description(context, wait_s, namespace)
    if text is None:
        log(f'nothing on {TOPIC} within {wait_s:g} s: the shipped model of {profile.name} is used')
        return profile
    followed, difference = described_profile(profile, driver, text)
    log(difference_text(difference))
    return followed
