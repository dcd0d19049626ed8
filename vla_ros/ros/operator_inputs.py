"""What the panel listens to. Streams are counted as they come and read only when they are shown."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.clock import Clock, ClockType  # type: ignore[attr-defined]
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from vla_ros.core.errors import InputError
from vla_ros.core.observation_record import ObservationRecord
from vla_ros.panel.frames import CameraFrames
from vla_ros.panel.readings import Readings
from vla_ros.robots import RobotProfile
from vla_ros.robots.adapters import Driver
from vla_ros.ros import qos
from vla_ros.ros.adapters.arm_state import ArmStateReader
from vla_ros.ros.images import rgb_from_compressed, rgb_from_image

_JOINTS_S = 0.2  # how often the newest joint state is read

JOINTS, CHUNKS = 'joint states', 'action chunks'
"""Names of the streams beside the cameras."""


class OperatorInputs:
    """Subscribes, and fills readings and frames.

    Parameters
    ----------
    node : Node
        Subscribes.
    profile, driver :
        Of the arm: what its joints are called and where they are published.
    cameras : dict[str, str]
        Camera -> topic.
    compressed : bool
        Whether the topics have ``CompressedImage``.
    readings, frames :
        Where what came goes.

    """

    def __init__(self, node: Node, profile: RobotProfile, driver: Driver, cameras: dict[str, str],
                 compressed: bool, readings: Readings, frames: CameraFrames) -> None:
        self._profile = profile
        self._reader = ArmStateReader(driver)
        self._readings = readings
        self._frames = frames
        self._joints: bytes | None = None
        read = _compressed if compressed else _raw
        kind: Any = CompressedImage if compressed else Image
        for name, topic in cameras.items():
            # raw: 500 joint states or 60 pictures a second must not be unpacked to be counted.
            node.create_subscription(kind, topic, self._on_picture(name, topic, read), qos.CAMERA,
                                     raw=True)
        node.create_subscription(JointState, driver.states, self._on_joints,
                                 qos_profile_sensor_data, raw=True)
        node.create_subscription(JointTrajectory, 'action_chunk', lambda data: self._came(CHUNKS),
                                 qos.CHUNK, raw=True)
        node.create_subscription(DiagnosticStatus, 'mode', self._on_mode, qos.LATCHED)
        node.create_subscription(DiagnosticStatus, 'override', self._on_override, qos.LATCHED)
        node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics,
                                 qos.DIAGNOSTICS)
        node.create_subscription(String, 'instruction',
                                 lambda msg: readings.set_instruction(msg.data), qos.LATCHED)
        node.create_subscription(String, 'observation', self._on_observation, qos.CHUNK)
        self._timer = node.create_timer(_JOINTS_S, self._read_joints,
                                        clock=Clock(clock_type=ClockType.STEADY_TIME))

    @staticmethod
    def streams(cameras: dict[str, str], driver: Driver) -> dict[str, str]:
        """Return name -> topic of all whose rate and age are shown."""
        return {**{name.replace('_', ' '): topic for name, topic in cameras.items()},
                JOINTS: driver.states, CHUNKS: 'action_chunk'}

    def _came(self, stream: str) -> None:
        self._readings.came(time.monotonic(), stream)

    def _on_picture(self, name: str, topic: str,
                    read: Callable[[bytes, str], Any]) -> Callable[[bytes], None]:
        stream = name.replace('_', ' ')

        def take(data: bytes) -> None:
            self._came(stream)
            self._frames.offer(name, lambda: read(data, topic))

        return take

    def _on_joints(self, data: bytes) -> None:
        self._came(JOINTS)
        self._joints = data

    def _read_joints(self) -> None:
        data, self._joints = self._joints, None
        if data is None:
            return
        try:
            state = self._reader.read(deserialize_message(data, JointState))
        except InputError as error:
            self._readings.set_status(time.monotonic(), JOINTS, 2, str(error))
            return
        self._readings.set_status(time.monotonic(), JOINTS, 0, '')
        if state is not None:
            _, q, width = state
            names, positions = list(self._profile.joints.names), [float(value) for value in q]
            if width is not None:
                names.append('gripper')
                positions.append(width)
            self._readings.set_joints(names, positions)

    def _on_mode(self, msg: DiagnosticStatus) -> None:
        self._readings.set_mode(time.monotonic(), {**_values(msg), 'mode': msg.message})

    def _on_override(self, msg: DiagnosticStatus) -> None:
        self._readings.set_override(time.monotonic(), {**_values(msg), 'message': msg.message})

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        now = time.monotonic()
        for status in msg.status:
            self._readings.set_status(now, status.name, status.level[0], status.message)

    def _on_observation(self, msg: String) -> None:
        try:
            self._readings.set_instruction(ObservationRecord.from_json(msg.data).instruction)
        except InputError as error:
            self._readings.set_status(time.monotonic(), 'observation', 1, str(error))


def _values(msg: DiagnosticStatus) -> dict[str, str]:
    return {value.key: value.value for value in msg.values}


def _raw(data: bytes, topic: str) -> Any:
    return rgb_from_image(deserialize_message(data, Image), topic)


def _compressed(data: bytes, topic: str) -> Any:
    return rgb_from_compressed(deserialize_message(data, CompressedImage), topic)
