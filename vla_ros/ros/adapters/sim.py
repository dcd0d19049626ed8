"""The simulated arm: ``JointState`` in and out, in the profile's own words."""

from __future__ import annotations

from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import JointState

from vla_ros.robots import RobotProfile
from vla_ros.robots.adapters import Driver, JointCommand
from vla_ros.ros import qos
from vla_ros.ros.adapters.base import DriverAdapter
from vla_ros.ros.joint_states import joint_state_message


class SimAdapter(DriverAdapter):
    """Commands ``sim_node``; a command without the gripper leaves it where it is."""

    def __init__(self, node: Node, profile: RobotProfile, driver: Driver, **options: Any) -> None:
        super().__init__(node, profile, driver, **options)
        self._names = [*driver.joints.names, profile.gripper.joint]
        self._commands = None if self.listen_only else node.create_publisher(
            JointState, driver.command, qos.COMMAND)

    def _publish(self, command: JointCommand, stamp_ns: int) -> bool:
        assert self._commands is not None
        mapping = self.driver.joints
        position = mapping.to_driver(command.q).tolist()
        velocity = mapping.velocity_to_driver(command.velocity).tolist()
        if command.width is not None:
            position.append(command.width)
            velocity.append(0.0)
        effort = ([0.0] * (len(position) - 1) + [command.effort]
                  if command.width is not None and command.effort is not None else [])
        self._commands.publish(joint_state_message(
            self._names[:len(position)], position, velocity, effort, stamp_ns=stamp_ns))
        return True
