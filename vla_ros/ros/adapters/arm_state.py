"""Subscribes to the measured state of an arm; :mod:`vla_ros.robots.adapters.arm_state` reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import JointState

from vla_ros.core.errors import InputError
from vla_ros.robots.adapters import Driver
from vla_ros.robots.adapters.arm_state import ArmStateReader

__all__ = ['ArmStateReader', 'OnState', 'subscribe_arm_state']

Array = NDArray[np.float64]

OnState = Callable[[int, Array, 'float | None'], None]
"""``(stamp_ns, q (n,) [rad], gripper width [m] or None)``, in the profile's order."""


def subscribe_arm_state(node: Node, driver: Driver, on_state: OnState,
                        on_error: Callable[[str], None],
                        profile: QoSProfile = qos_profile_sensor_data) -> Any:
    """Subscribe to the arm's measured state; return the subscription.

    ``on_error`` is told what is wrong with a message that cannot be used. The default quality of
    service, best effort, matches every publisher.
    """
    reader = ArmStateReader(driver)

    def on_message(msg: JointState) -> None:
        try:
            state = reader.read(msg)
        except InputError as error:
            on_error(str(error))
            return
        if state is not None:
            on_state(*state)

    return node.create_subscription(JointState, driver.states, on_message, profile)
