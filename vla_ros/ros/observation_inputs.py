"""Subscriptions of a policy to cameras and joints; :mod:`vla_ros.core.ingest` does the rest."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image, JointState
from visualization_msgs.msg import MarkerArray

from vla_ros.core.errors import InputError
from vla_ros.core.ingest import (
    OBJECTS,
    STATE,
    IngestConfig,
    ObservationIngest,
    Readers,
    arm_state,
)
from vla_ros.core.kinematics import Kinematics
from vla_ros.core.observation import ACCEPTED, Moment
from vla_ros.core.types import Observation
from vla_ros.policy import PolicySpec
from vla_ros.robots import RobotProfile
from vla_ros.robots.adapters import Driver
from vla_ros.ros import qos
from vla_ros.ros.adapters.arm_state import subscribe_arm_state
from vla_ros.ros.diagnostics import Diagnostics, Level, ThrottledLog
from vla_ros.ros.images import rgb_from_compressed, rgb_from_image
from vla_ros.ros.joint_states import JointStateReader
from vla_ros.ros.pacing import RateWindow
from vla_ros.ros.parameters import NodeParameters
from vla_ros.ros.poses import frames_from_markers
from vla_ros.ros.stamps import to_ns

_RATE_WINDOW_S = 3.0

# Best effort, although the command is sent reliably: the control node must never wait for the
# acknowledgement of a process that may stall.
_WATCHED_COMMAND = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1,
                              reliability=ReliabilityPolicy.BEST_EFFORT)


class ObservationInputs:
    """Listens to what one policy needs, from :meth:`listen` on, and assembles its observations.

    Messages come on the executor's thread; :meth:`moment` and :meth:`observation` are called by
    the thread that infers.

    Parameters
    ----------
    node : Node
        Subscribes, and has the clock.
    spec : PolicySpec
        What the policy needs.
    cameras : Mapping[str, str]
        Camera -> topic, for each of the policy's cameras.
    profile : RobotProfile
        Of the arm.
    driver : Driver
        What its driver calls the joints, and where it publishes them.
    kinematics : Kinematics
        For the tool's pose.
    parameters : NodeParameters
        Of the policy node: tolerances and latencies.
    diagnostics, log :
        Where it says what is wrong with an input.

    """

    def __init__(self, node: Node, spec: PolicySpec, cameras: Mapping[str, str],
                 profile: RobotProfile, driver: Driver, kinematics: Kinematics,
                 parameters: NodeParameters, diagnostics: Diagnostics, log: ThrottledLog) -> None:
        self._node = node
        self._clock = node.get_clock()
        self._diagnostics = diagnostics
        self._log = log
        self._compressed = parameters.image_transport == 'compressed'
        decode: Any = rgb_from_compressed if self._compressed else rgb_from_image
        self._ingest = ObservationIngest(
            cameras, spec.privileged, IngestConfig.of_parameters(parameters.as_dict()),
            Readers(decode, arm_state(kinematics.forward), frames_from_markers), threading.Lock())
        self._rates = {name: RateWindow(_RATE_WINDOW_S) for name in self._ingest.streams}
        self._reported_ns = 0
        self._dropped_before: dict[str, int] = {}
        self._driver = driver
        self._command = JointStateReader(profile.joints.names, profile.topics.joint_command)
        self._topics = profile.topics
        self._privileged = spec.privileged
        self._subscriptions: list[Any] = []

    def listen(self) -> None:
        """Subscribe; what fails half-way is undone by :meth:`close`."""
        for topic in self._ingest.image_topics:  # each once, also when two cameras share one
            self._subscribe(CompressedImage if self._compressed else Image, topic,
                            self._keep(topic), qos.CAMERA)
        self._subscriptions.append(subscribe_arm_state(
            self._node, self._driver, self._on_joints, self._on_bad_joints, qos.JOINTS))
        self._subscribe(JointState, self._topics.joint_command, self._on_command, _WATCHED_COMMAND)
        if self._privileged:
            self._subscribe(MarkerArray, OBJECTS, self._on_objects, qos.OBJECTS)

    def close(self) -> None:
        """Listen no more."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()

    def pause(self) -> None:
        """Say that nothing is asked for now; see :meth:`ObservationIngest.pause`."""
        self._ingest.pause()

    def moment(self, now_ns: int) -> Moment:
        """Return the newest moment at which every input is known, or raise InputError."""
        return self._ingest.moment(now_ns)

    def observation(self, moment: Moment, instruction: str) -> Observation:
        """Return what the policy sees at a moment, images decoded, or raise InputError."""
        return self._ingest.observation(moment, instruction)

    def report(self) -> None:
        """Set one status for each stream: rate, age, what was dropped, whether it is frozen."""
        now_ns = self._clock.now().nanoseconds
        if now_ns < self._reported_ns:
            for rate in self._rates.values():
                rate.clear()
        self._reported_ns = now_ns
        for name in self._ingest.streams:
            self._report_stream(name, now_ns)

    def _report_stream(self, name: str, now_ns: int) -> None:
        status = self._ingest.status(name, now_ns)
        counts, newest, problem = dict(status.counts), status.newest_ns, status.problem
        accepted = counts.pop(ACCEPTED, 0)
        window = self._rates[name]
        window.add(now_ns * 1e-9, accepted)
        rate = window.rate()
        values: dict[str, object] = {'received': accepted, **counts,
                                     'clock set back': status.clock_jumps,
                                     'latency_ms': status.latency_ns * 1e-6,
                                     'frozen_s': status.frozen_ns * 1e-9}
        shown = []
        if rate is not None:
            values['rate_hz'] = rate
            shown.append(f'{rate:.1f} Hz')
        if newest is not None:
            values['age_ms'] = (now_ns - newest) * 1e-6
            shown.append(f'{(now_ns - newest) * 1e-9:.3f} s old')
        # Never an error: whether a chunk can be made without it is for `inference` to say.
        dropped = sum(counts.values())
        new = dropped - self._dropped_before.get(name, 0)
        self._dropped_before[name] = dropped
        if not problem and new:
            problem = f'{name}: {new} irregular since the last report'
        self._diagnostics.set(f'input {name}', Level.WARN if problem else Level.OK,
                              problem or ', '.join(shown), **values)

    # Messages, on the executor's thread

    def _subscribe(self, kind: Any, topic: str, callback: Callable[[Any], None],
                   profile: Any) -> None:
        self._subscriptions.append(self._node.create_subscription(kind, topic, callback, profile))

    def _now_ns(self) -> int:
        return int(self._clock.now().nanoseconds)

    def _keep(self, topic: str) -> Callable[[Any], None]:
        def keep(msg: Any) -> None:
            self._ingest.add_image(topic, to_ns(msg.header.stamp), msg, self._now_ns())
        return keep

    def _on_bad_joints(self, why: str) -> None:
        self._log.error(STATE, why)
        self._diagnostics.set(STATE, Level.ERROR, why)

    def _on_joints(self, header_ns: int, q: np.ndarray, width: float | None) -> None:
        if width is None:
            self._on_bad_joints(f'{self._driver.states}: no opening width of the gripper')
            return
        self._ingest.add_state(header_ns, q, width, self._now_ns())
        if self._diagnostics.level(STATE) is not Level.OK:
            self._diagnostics.set(STATE, Level.OK, 'received')

    def _on_command(self, msg: JointState) -> None:
        try:
            q = self._command.position(msg)
        except InputError:
            return  # the arm's driver says what is wrong with it
        self._ingest.add_command(q, self._now_ns())

    def _on_objects(self, msg: MarkerArray) -> None:
        if msg.markers:
            self._ingest.add_objects(to_ns(msg.markers[0].header.stamp), msg, self._now_ns())
