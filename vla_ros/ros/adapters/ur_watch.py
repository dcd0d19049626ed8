"""Listens to what the UR driver says of its robot: modes, program, speed scaling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from std_msgs.msg import Bool, Float64

from vla_ros.robots.adapters.driver import Driver
from vla_ros.robots.adapters.ur import UrState
from vla_ros.ros import qos
from vla_ros.ros.adapters.optional_messages import optional_type


class UrWatch:
    """Keeps a :class:`UrState`; ``on_change`` is called when something in it is new."""

    def __init__(self, driver: Driver, on_change: Callable[[], None]) -> None:
        self._driver = driver
        self._on_change = on_change
        self.state = UrState(watches_scaling=bool(driver.speed_scaling))

    def listen(self, node: Node) -> None:
        """Subscribe to all that can be heard here."""
        driver, status = self._driver, self._driver.robot_status
        node.create_subscription(Bool, f'{status}/robot_program_running', self._on_program,
                                 qos.LATCHED)
        if driver.speed_scaling:
            node.create_subscription(Float64, driver.speed_scaling, self._on_scaling,
                                     qos_profile_sensor_data)
        for name, kind, setter in (('robot_mode', 'RobotMode', self._on_robot_mode),
                                   ('safety_mode', 'SafetyMode', self._on_safety_mode)):
            found = optional_type('ur_dashboard_msgs', 'msg', kind)
            if found is None:
                self.state.watches_modes = False
            else:
                node.create_subscription(found, f'{status}/{name}', setter, qos.LATCHED)
        if not self.state.watches_modes:
            node.get_logger().warning(
                'ur_dashboard_msgs is not installed here: robot mode and safety mode are not '
                'watched, only robot_program_running and the speed scaling, which is 0 % in a '
                'protective stop')

    def values(self) -> dict[str, object]:
        """Return what is worth a line on ``/diagnostics``."""
        state = self.state
        return {'robot mode': state.robot_mode, 'safety mode': state.safety_mode,
                'program running': state.program_running,
                'speed scaling': (None if state.speed_scaling is None
                                  else f'{state.speed_scaling:.0f} %')}

    def _on_program(self, msg: Bool) -> None:
        self.state.program_running = bool(msg.data)
        self._on_change()

    def _on_scaling(self, msg: Float64) -> None:
        before, self.state.speed_scaling = self.state.speed_scaling, float(msg.data)
        if before != self.state.speed_scaling:  # it comes a hundred times a second
            self._on_change()

    def _on_robot_mode(self, msg: Any) -> None:
        self.state.robot_mode = int(msg.mode)
        self._on_change()

    def _on_safety_mode(self, msg: Any) -> None:
        self.state.safety_mode = int(msg.mode)
        self._on_change()
