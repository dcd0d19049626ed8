"""The panel's hands on the graph: publishers and service clients, used from the panel's thread.

Nothing here waits: publishing and asking are done at once, answers come as futures.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from geometry_msgs.msg import TwistStamped
from rclpy.node import Node
from std_msgs.msg import Bool, String
from std_srvs.srv import Trigger

from vla_ros.panel.desk import SOURCE
from vla_ros.panel.port import ESTOP, SERVICES, Answer
from vla_ros.ros import qos

_RECORDER = ('save_last',)  # the services that are not the control node's


class OperatorPort:
    """Implements :class:`vla_ros.panel.port.RobotPort` on a node.

    Parameters
    ----------
    node : Node
        Publishes and asks; its executor must be running.
    control_node, record_node : str
        Names of the nodes whose services are asked.
    frames : tuple[str, str]
        Base and tool frame.
    snapshot : Callable[[], dict[str, Any]]
        Everything that is shown.

    """

    def __init__(self, node: Node, control_node: str, record_node: str, frames: tuple[str, str],
                 snapshot: Callable[[], dict[str, Any]]) -> None:
        self.snapshot = snapshot
        self._node = node
        self._frames = frames
        topic = f'override/{SOURCE}'
        self._gripper = node.create_publisher(String, f'{topic}/gripper', qos.SAFETY)
        self._arm = node.create_publisher(String, f'{topic}/arm', qos.SAFETY)
        self._twist = node.create_publisher(TwistStamped, f'{topic}/twist', qos.COMMAND)
        self._instruction = node.create_publisher(String, 'instruction', qos.LATCHED)
        self._estop = node.create_publisher(Bool, 'estop', qos.SAFETY)
        self._clients = {
            name: node.create_client(
                Trigger, f'{record_node if name in _RECORDER else control_node}/{name}')
            for name in (*SERVICES, ESTOP)}

    def gripper(self, text: str) -> None:
        """Say this on the panel's gripper topic."""
        self._gripper.publish(String(data=text))

    def arm(self, word: str) -> None:
        """Say this on the panel's arm topic."""
        self._arm.publish(String(data=word))

    def twist(self, velocity: tuple[float, ...], in_tool_frame: bool) -> None:
        """Move the tool at (6,) [m/s, rad/s]; unstamped, which the control node takes as now."""
        msg = TwistStamped()
        msg.header.frame_id = self._frames[1 if in_tool_frame else 0]
        linear, angular = msg.twist.linear, msg.twist.angular
        linear.x, linear.y, linear.z, angular.x, angular.y, angular.z = velocity
        self._twist.publish(msg)

    def instruction(self, text: str) -> None:
        """Give the policy its task."""
        self._instruction.publish(String(data=text))

    def say_estop(self, pressed: bool) -> None:
        """Say on the topic ``estop`` whether it is pressed."""
        self._estop.publish(Bool(data=pressed))

    def others_say_estop(self) -> bool:
        """Return whether somebody else publishes ``estop``."""
        return self._node.count_publishers('estop') > 1

    def call(self, service: str) -> Future[Answer]:
        """Ask for a service; one that is not there is answered at once."""
        future: Future[Answer] = Future()
        client = self._clients[service]
        if not client.service_is_ready():
            future.set_result(Answer(False, f'{client.srv_name}: there is no such service now'))
            return future

        def answered(response: Any) -> None:
            if not future.set_running_or_notify_cancel():
                return  # whoever asked has given up
            try:
                result = response.result()
                future.set_result(Answer(bool(result.success), str(result.message)))
            except Exception as error:  # noqa: BLE001, whoever asked gets it
                future.set_exception(error)

        client.call_async(Trigger.Request()).add_done_callback(answered)
        return future

    def services(self) -> dict[str, bool]:
        """Return which services there are."""
        return {name: client.service_is_ready() for name, client in self._clients.items()}
