"""The two Piper drivers: ``piper_ros`` and ``agx_arm_ros``."""

from __future__ import annotations

from typing import Any

from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import JointState

from vla_ros.robots import RobotProfile
from vla_ros.robots.adapters import Driver, JointCommand
from vla_ros.robots.adapters.piper import (
    JointFields,
    agx_fields,
    piper_ros_fields,
    status_notice,
    status_problem,
)
from vla_ros.ros import qos
from vla_ros.ros.adapters.base import DriverAdapter, others_on
from vla_ros.ros.adapters.optional_messages import optional_type
from vla_ros.ros.stamps import time_message

_STATUS = {'piper_ros': ('piper_msgs', 'PiperStatusMsg'),
           'agx_arm_ros': ('agx_arm_msgs', 'AgxArmStatus')}


_UNKNOWN = '_NODE_NAME_UNKNOWN_'  # of an end point that was discovered before its node


class PiperAdapter(DriverAdapter):
    """What both have in common: where commands go, and the arm's status.

    It does not enable the arm: enabling closes the gripper, and people should see it happen.
    """

    def __init__(self, node: Node, profile: RobotProfile, driver: Driver, **options: Any) -> None:
        super().__init__(node, profile, driver, **options)
        self._absent = f'nobody subscribes to {driver.command}; is {driver.type} running?'
        self._status = ''
        self._commands = None if self.listen_only else node.create_publisher(
            JointState, driver.command, qos.COMMAND)
        self._watched = False

    def _listen(self) -> None:
        package, name = _STATUS[self.driver.type]
        kind = optional_type(package, 'msg', name)
        self._watched = kind is not None
        if kind is None:
            self.node.get_logger().warning(
                f'{package} is not installed here: {self.driver.status} is not watched, an '
                'emergency stop or collision of the arm is seen only by its not following')
        else:
            self.node.create_subscription(kind, self.driver.status, self._on_status,
                                          qos_profile_sensor_data)

    def values(self) -> dict[str, object]:
        """Return what is worth a line on ``/diagnostics``."""
        return {**super().values(), 'command topic': self.driver.command,
                'speed': f'{self.driver.speed_percent} %',
                'arm_status': 'watched' if self._watched else 'not watched'}

    def _on_status(self, msg: Any) -> None:
        self._status = status_problem(int(msg.ctrl_mode), int(msg.arm_status))
        if notice := status_notice(int(msg.arm_status)):
            self.log.warning('arm_status', f'{self.driver.status}: {notice}')
        self._settle()

    def _find_problem(self) -> str:
        return self._status or self._absent

    def _look_around(self) -> None:
        topic = self.driver.command
        found = others_on(self.node.get_subscriptions_info_by_topic(self._resolved(topic)),
                          self.node)
        self._absent = '' if found else self._why_absent()
        rivals = others_on(self.node.get_publishers_info_by_topic(self._resolved(topic)), self.node)
        if rivals and not self.listen_only:
            self.log.warning('rivals', f'{topic}: {", ".join(rivals)} also publish commands there')

    def _why_absent(self) -> str:
        topic = self.driver.command
        publishers = others_on(
            self.node.get_publishers_info_by_topic(self._resolved(self.driver.states)), self.node)
        # Its launch file remaps its commands to /joint_states.
        takers = others_on(self.node.get_subscriptions_info_by_topic('/joint_states'), self.node)
        remapped = sorted(name for name in set(publishers) & set(takers)
                          if not name.startswith(_UNKNOWN))
        if self.driver.type == 'piper_ros' and remapped:
            return (f'nobody subscribes to {topic}: {remapped[0]} takes its commands on '
                    '/joint_states (its launch file remaps them). Set driver.command: '
                    '/joint_states, or start it without that remapping')
        return f'nobody subscribes to {topic}; is {self.driver.type} running?'

    def _resolved(self, topic: str) -> str:
        return str(self.node.resolve_topic_name(topic))

    def _send_fields(self, fields: JointFields, stamp_ns: int) -> None:
        assert self._commands is not None
        msg = JointState(name=fields.name, position=fields.position, velocity=fields.velocity,
                         effort=fields.effort)
        msg.header.stamp = time_message(stamp_ns)
        self._commands.publish(msg)


class PiperRosAdapter(PiperAdapter):
    """``piper_ros``: always seven joints, an explicit speed, and the gripper at index 6."""

    def _publish(self, command: JointCommand, stamp_ns: int) -> bool:
        width = command.width if command.width is not None else self._width
        if width is None:
            self.log.warning('gripper', f'nothing is sent: {self.driver.states} has no gripper '
                                        'yet, and without it the driver would close it')
            return False
        if command.width is None:
            width = min(max(width, self.profile.gripper.closed), self.profile.gripper.open)
        _notice_effort(self, command)
        self._send_fields(piper_ros_fields(self.driver, command, width), stamp_ns)
        return True


class AgxArmAdapter(PiperAdapter):
    """``agx_arm_ros``: by name, no velocities and no efforts for the joints."""

    def _publish(self, command: JointCommand, stamp_ns: int) -> bool:
        _notice_effort(self, command)
        self._send_fields(agx_fields(self.driver, command), stamp_ns)
        return True


def _notice_effort(adapter: DriverAdapter, command: JointCommand) -> None:
    line = adapter.driver.gripper
    if line is None or command.effort is None:
        return
    effort, clipped = line.clipped(command.effort)
    if clipped:
        low, high = line.effort_range
        adapter.log.warning('effort', f'gripper effort {command.effort:g} is outside '
                                      f'[{low:g}, {high:g}]; {effort:g} is sent')
