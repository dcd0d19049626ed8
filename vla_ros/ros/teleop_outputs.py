"""Where a hand's commands go: override topics of one source, and services."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from geometry_msgs.msg import TwistStamped
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger

from vla_ros.robots import RobotProfile
from vla_ros.ros import qos
from vla_ros.ros.joint_states import joint_state_message
from vla_ros.ros.stamps import time_message
from vla_ros.teleop.commands import SERVICES, Call, Command, Follow, Move, Say, Tell

_AGAIN_S = 0.5  # an emergency stop that was not answered is asked for again
_GIVE_UP_S = 5.0


class TeleopOutputs:
    """Publishes and calls as one override source.

    Parameters
    ----------
    node : Node
        Publishes and calls.
    profile : RobotProfile
        Its frames, joints and gripper.
    source : str
        As which it overrides.
    stamp : bool
        Whether motions are stamped with the node's clock.
    tell : Callable[[str, bool], object]
        Gets what the human should know, and whether it is a problem.

    """

    def __init__(self, node: Node, profile: RobotProfile, source: str, stamp: bool,
                 tell: Callable[[str, bool], object]) -> None:
        self._node = node
        self._profile = profile
        self._stamp = stamp
        self._tell = tell
        topic = f'override/{source}'
        self._words = {channel: node.create_publisher(String, f'{topic}/{channel}', qos.WORDS)
                       for channel in ('arm', 'gripper')}
        self._twist = node.create_publisher(TwistStamped, f'{topic}/twist', qos.STREAM)
        self._joints = node.create_publisher(JointState, f'{topic}/joints', qos.STREAM)
        self._clients = {name: node.create_client(Trigger, service)
                         for name, service in SERVICES.items()}
        self._estop_since: float | None = None  # asked for, and not answered yet
        self._estop_asked = 0.0

    def do(self, commands: Iterable[Command]) -> None:
        """Publish, call and tell."""
        for command in commands:
            if isinstance(command, Say):
                self._say(command)
            elif isinstance(command, Move):
                self._twist.publish(self._twist_message(command))
            elif isinstance(command, Follow):
                self._joints.publish(self._joints_message(command))
            elif isinstance(command, Call):
                self._call(command.service)
            elif isinstance(command, Tell):
                self._tell(command.text, False)

    def _say(self, command: Say) -> None:
        publisher = self._words[command.channel]
        publisher.publish(String(data=command.text))
        if command.text != 'alive' and not publisher.get_subscription_count():
            self._tell(f'{command.text}: nobody listens to {publisher.topic_name} (is the control '
                       'node running, and is this source among its override_sources?)', True)

    def step(self) -> None:
        """Ask again for an emergency stop that nobody has answered."""
        since, now = self._estop_since, time.monotonic()
        if since is None or now - self._estop_asked < _AGAIN_S:
            return
        if now - since > _GIVE_UP_S:
            self._estop_since = None
            self._tell('EMERGENCY STOP WAS NOT ANSWERED: use another one', True)
            return
        self._ask('estop')

    def _stamp_message(self) -> Any:
        return time_message(self._node.get_clock().now().nanoseconds if self._stamp else 0)

    def _twist_message(self, move: Move) -> TwistStamped:
        msg = TwistStamped()
        profile = self._profile
        msg.header.frame_id = profile.tool_frame if move.in_tool_frame else profile.base_frame
        msg.header.stamp = self._stamp_message()
        linear, angular = msg.twist.linear, msg.twist.angular
        linear.x, linear.y, linear.z, angular.x, angular.y, angular.z = move.twist.tolist()
        return msg

    def _joints_message(self, follow: Follow) -> JointState:
        names = list(self._profile.joints.names)
        q = follow.q.tolist()
        velocity = [] if follow.velocity is None else follow.velocity.tolist()
        if follow.width is not None:
            names.append(self._profile.gripper.joint)
            q.append(follow.width)
            velocity += [0.0] if velocity else []
        msg = joint_state_message(names, q, velocity, stamp_ns=0)
        msg.header.stamp = self._stamp_message()
        return msg

    def _call(self, name: str) -> None:
        if name == 'estop':
            self._estop_since = time.monotonic()
        elif not self._clients[name].service_is_ready():
            self._tell(f'{name}: nobody serves {self._clients[name].srv_name}'
                       + (' (nothing records)' if name == 'save_last' else ''), True)
            return
        self._ask(name)

    def _ask(self, name: str) -> None:
        client = self._clients[name]
        self._estop_asked = time.monotonic() if name == 'estop' else self._estop_asked
        if not client.service_is_ready():
            self._tell(f'{name}: nobody serves {client.srv_name} yet, trying again', True)
            return
        client.call_async(Trigger.Request()).add_done_callback(
            lambda future: self._answered(name, future))

    def _answered(self, name: str, future: Any) -> None:
        if future.cancelled() or future.exception() is not None:
            self._tell(f'{name}: {future.exception() or "was not answered"}', True)
            return
        response = future.result()
        if name == 'estop' and response.success:
            self._estop_since = None
        self._tell(f'{name}: {response.message}', not response.success)
