"""Says on the topic ``override`` who has the gripper and the arm, whenever that changes."""

from __future__ import annotations

from collections.abc import Callable

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node

from vla_ros.core.override import OverrideStatus
from vla_ros.ros import qos
from vla_ros.ros.diagnostics import Level, status_message


class OverridePublisher:
    """Publishes what changed, from the executor's thread.

    Parameters
    ----------
    node : Node
        Publishes.
    tell : Callable[[Callable[[], object]], object]
        Has something called in the executor's thread.
    hardware_id : str
        Which robot this is about.

    """

    def __init__(self, node: Node, tell: Callable[[Callable[[], object]], object],
                 hardware_id: str = '') -> None:
        self._tell = tell
        self._hardware_id = hardware_id
        self._node = node
        self._publisher = node.create_publisher(DiagnosticStatus, 'override', qos.LATCHED)
        self._last: OverrideStatus | None = None

    def update(self, status: OverrideStatus, stamp_ns: int) -> None:
        """Take in who has what at a tick [ns]; from the loop's thread."""
        if status == self._last:
            return
        self._last = status
        self._tell(lambda: self._publish(status, stamp_ns))

    def _publish(self, status: OverrideStatus, stamp_ns: int) -> None:
        self._node.get_logger().info(f'override: {status.message}')
        self._publisher.publish(status_message(
            'override', Level.WARN if status.labels else Level.OK, status.message, {
                'gripper': status.gripper, 'gripper_source': status.gripper_source,
                'gripper_mode': status.gripper_mode, 'gripper_since_ns': status.gripper_since_ns,
                'arm': status.arm, 'arm_source': status.arm_source,
                'arm_since_ns': status.arm_since_ns, 'stamp_ns': stamp_ns},
            hardware_id=self._hardware_id))
