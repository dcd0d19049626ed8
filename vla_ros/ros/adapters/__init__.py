"""One small class for each driver: the only places that publish commands to an arm."""

from __future__ import annotations

from typing import Any

from rclpy.node import Node

from vla_ros.core.errors import ConfigError
from vla_ros.robots import RobotProfile
from vla_ros.robots.adapters import Driver
from vla_ros.ros.adapters.arm_state import ArmStateReader, subscribe_arm_state
from vla_ros.ros.adapters.base import ArmAdapter, DriverAdapter
from vla_ros.ros.adapters.piper import AgxArmAdapter, PiperRosAdapter
from vla_ros.ros.adapters.ros2_control import PositionAdapter, TrajectoryAdapter
from vla_ros.ros.adapters.sim import SimAdapter

__all__ = ['ADAPTERS', 'ArmAdapter', 'ArmStateReader', 'make_adapter', 'subscribe_arm_state']

ADAPTERS: dict[str, type[DriverAdapter]] = {
    'sim': SimAdapter,
    'piper_ros': PiperRosAdapter,
    'agx_arm_ros': AgxArmAdapter,
    'ur_trajectory': TrajectoryAdapter,
    'ur_forward_position': PositionAdapter,
    'ros2_control': TrajectoryAdapter,  # or PositionAdapter, by its interface
}


def make_adapter(node: Node, profile: RobotProfile, driver: Driver, rate_hz: float,
                 **options: Any) -> DriverAdapter:
    """Return the adapter of an arm's driver, listening.

    Parameters
    ----------
    node : Node
        Publishes and subscribes.
    profile : RobotProfile
        The arm, bounded by ``driver.bounded``.
    driver : Driver
        From ``vla_ros.robots.adapters.load_driver``.
    rate_hz : float
        Commands a second that will come [Hz].
    options
        ``listen_only``: nothing is published.

    Raises
    ------
    ConfigError
        The commands would come too slowly for a driver that is streamed to.
    DependencyError
        The driver's gripper needs messages that are not installed here.

    """
    kind = ADAPTERS[driver.type]
    if driver.interface == 'position':
        kind = PositionAdapter
        if not rate_hz >= driver.least_hz:
            raise ConfigError(f'driver {driver.type} is streamed to and needs rate_hz >= '
                              f'{driver.least_hz:g}, found {rate_hz:g}: the arm would shake')
    adapter = kind(node, profile, driver, **options)
    adapter.start()
    return adapter
