"""Measured joints and gripper width of an arm, whatever its driver calls them.

Whoever needs the arm's state (control, policy, check, a bag's replay) reads it here, so that names,
signs, order and units are converted in one place. The messages are ``sensor_msgs/JointState`` of
rclpy, or what a bag's reader makes of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import InputError
from vla_ros.core.joint_states import JointStateReader
from vla_ros.core.stamps import to_ns
from vla_ros.robots.adapters.driver import Driver

Array = NDArray[np.float64]

_WIDTH_NS = 1_000_000_000  # how long a width from a message of the gripper's own is good for


class ArmStateReader:
    """Reads one driver's ``JointState`` messages into the profile's words.

    A gripper may have its own messages on the topic; its width goes with the arm's next ones.
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._joints = JointStateReader(driver.joints.names, driver.states)
        self._gripper = driver.gripper.mapping if driver.gripper is not None else None
        self._width_alone: tuple[int, float] | None = None

    def read(self, msg: Any) -> tuple[int, Array, float | None] | None:
        """Return (stamp [ns], q (n,) [rad], width [m] or None); None for others' joints.

        Raises
        ------
        InputError
            A joint is missing, is not finite or is there twice, or the message has no stamp: some
            drivers send zeros without a stamp until they have heard of the arm.

        """
        stamp = to_ns(msg.header.stamp)
        width = self._width(msg)
        if msg.name and not set(msg.name) & set(self._joints.names):
            if width is not None:
                self._width_alone = stamp, width
            return None
        if stamp <= 0 and self._driver.type != 'sim':  # simulated time begins at 0
            raise InputError(f'{self._driver.states}: has no stamp; the driver has not heard of '
                             'the arm yet, or does not set it')
        q = self._driver.joints.from_driver(self._joints.position(msg))
        if width is None and self._width_alone is not None:
            since, alone = self._width_alone
            width = alone if abs(stamp - since) <= _WIDTH_NS else None
        return stamp, q, width

    def _width(self, msg: Any) -> float | None:
        gripper = self._gripper
        if gripper is None or gripper.joint not in msg.name:
            return None
        place = list(msg.name).index(gripper.joint)
        if place >= len(msg.position):
            return None  # the arm's own reading says what is wrong with the message
        width = gripper.from_driver(float(msg.position[place]))
        if not np.isfinite(width):
            raise InputError(f'{self._driver.states}: position is not finite: {gripper.joint} = '
                             f'{msg.position[place]}')
        return width
