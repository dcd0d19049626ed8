"""What a policy sees: subscriptions to cameras and joints, by stamp, checked, decoded when used."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image, JointState
from visualization_msgs.msg import MarkerArray

from vla_ros.core.errors import InputError
from vla_ros.core.frozen import FrozenDetector, MotionDetector
from vla_ros.core.kinematics import Kinematics
from vla_ros.core.observation import ACCEPTED, Moment, ObservationBuffer, StreamSpec
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

STATE = 'joint_states'
OBJECTS = 'sim/objects'

_MOTION_NS = 200_000_000  # within this time the arm must have got further than the threshold
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
        self._cameras = dict(cameras)
        self._kinematics = kinematics
        self._diagnostics = diagnostics
        self._log = log
        self._lock = threading.Lock()  # guards all that both threads touch
        p = parameters
        self._compressed = p.image_transport == 'compressed'
        self._buffer = ObservationBuffer(_streams(spec, self._cameras, p), _ns(p.max_future_s))
        self._frozen = {topic: FrozenDetector(_ns(p.frozen_image_s))
                        for topic in self._cameras.values()}
        self._frozen_state = FrozenDetector(_ns(p.frozen_joint_state_s))
        self._commanded = MotionDetector(p.motion_threshold_rad, _MOTION_NS)
        self._measured = MotionDetector(p.motion_threshold_rad, _MOTION_NS)
        self._rates = {name: RateWindow(_RATE_WINDOW_S) for name in self._buffer.streams}
        self._reported_ns = 0
        self._dropped_before: dict[str, int] = {}
        self._driver = driver
        self._command = JointStateReader(profile.joints.names, profile.topics.joint_command)
        self._topics = profile.topics
        self._privileged = spec.privileged
        self._subscriptions: list[Any] = []

    def listen(self) -> None:
        """Subscribe; what fails half-way is undone by :meth:`close`."""
        for topic in self._frozen:  # each once, also when two cameras share one
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
        """Say that nothing is asked for now.

        What the cameras show afterwards is not held against what they showed before.
        """
        with self._lock:
            for detector in self._frozen.values():
                detector.reset()

    def moment(self, now_ns: int) -> Moment:
        """Return the newest moment at which every input is known, none of them frozen.

        Raises
        ------
        InputError
            When there is none; it names what is missing, stale, too far from the rest or frozen.

        """
        with self._lock:
            moment = self._buffer.at(now_ns)
        # The only images that are read at all: those that are used. Outside the lock, since a
        # large one takes a millisecond.
        prints = {topic: zlib.crc32(moment.values[topic].data) for topic in self._frozen}
        with self._lock:
            for topic, fingerprint in prints.items():
                self._frozen[topic].update(moment.stamps_ns[topic], fingerprint)
            found = [p for name in self._buffer.streams if (p := self._frozen_problem(name))]
        if found:
            raise InputError('; '.join(found))
        return moment

    def observation(self, moment: Moment, instruction: str) -> Observation:
        """Return what the policy sees at a moment, images decoded.

        Raises
        ------
        InputError
            When an image or a marker cannot be read; it names the topic.

        """
        decode = rgb_from_compressed if self._compressed else rgb_from_image
        images = {camera: decode(moment.values[topic], topic)
                  for camera, topic in self._cameras.items()}
        vector = moment.values[STATE]
        q = vector[:-1]
        state = {'joint_position': q, 'gripper': vector[-1],
                 'tool_pose': self._kinematics.forward(q)}
        if OBJECTS in moment.values:
            frames = frames_from_markers(moment.values[OBJECTS], OBJECTS)
            state.update({f'object/{name}': np.asarray(T) for name, T in frames.items()})
        return Observation(moment.stamp_ns, instruction, images, state)

    def report(self) -> None:
        """Set one status for each stream: rate, age, what was dropped, whether it is frozen."""
        now_ns = self._clock.now().nanoseconds
        if now_ns < self._reported_ns:
            for rate in self._rates.values():
                rate.clear()
        self._reported_ns = now_ns
        for name in self._buffer.streams:
            self._report_stream(name, now_ns)

    def _report_stream(self, name: str, now_ns: int) -> None:
        with self._lock:
            counts = dict(self._buffer.counts[name])
            newest, jumps = self._buffer.newest_ns(name), self._buffer.clock_jumps
            problem = self._buffer.problem(name, now_ns) or self._frozen_problem(name)
            frozen_ns = self._detector_ns(name)
        accepted = counts.pop(ACCEPTED, 0)
        window = self._rates[name]
        window.add(now_ns * 1e-9, accepted)
        rate = window.rate()
        values: dict[str, object] = {'received': accepted, **counts, 'clock set back': jumps,
                                     'latency_ms': self._buffer.streams[name].latency_ns * 1e-6,
                                     'frozen_s': frozen_ns * 1e-9}
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

    def _keep(self, topic: str) -> Callable[[Any], None]:
        def keep(msg: Any) -> None:
            # Decoded when it is used: most images of a fast camera never are.
            self._add(topic, to_ns(msg.header.stamp), msg)
        return keep

    def _add(self, stream: str, stamp_ns: int, value: Any) -> int | None:
        """Give a sample to the buffer; return its corrected stamp [ns], or None when dropped."""
        now_ns = self._clock.now().nanoseconds
        if now_ns == 0:
            return None  # simulated time, and no /clock yet: there is nothing to judge it by
        with self._lock:
            verdict = self._buffer.add(stream, stamp_ns, value, now_ns)
            return self._buffer.newest_ns(stream) if verdict == ACCEPTED else None

    def _on_bad_joints(self, why: str) -> None:
        self._log.error(STATE, why)
        self._diagnostics.set(STATE, Level.ERROR, why)

    def _on_joints(self, header_ns: int, q: np.ndarray, width: float | None) -> None:
        if width is None:
            self._on_bad_joints(f'{self._driver.states}: no opening width of the gripper')
            return
        vector = np.append(q, width)
        stamp_ns = self._add(STATE, header_ns, vector)
        if stamp_ns is not None:
            with self._lock:
                self._frozen_state.update(stamp_ns, vector[:-1].tobytes())
            self._note_motion(self._measured, vector[:-1])
        if self._diagnostics.level(STATE) is not Level.OK:
            self._diagnostics.set(STATE, Level.OK, 'received')

    def _on_command(self, msg: JointState) -> None:
        try:
            q = self._command.position(msg)
        except InputError:
            return  # the arm's driver says what is wrong with it
        self._note_motion(self._commanded, q)

    def _note_motion(self, detector: MotionDetector, q: np.ndarray) -> None:
        now_ns = self._clock.now().nanoseconds
        if now_ns == 0:
            return
        with self._lock:
            detector.update(now_ns, q)
            commanded = self._commanded.moving(now_ns)
            self._frozen_state.moving(now_ns, commanded)
            # Where no commands are seen, and when a hand moves the arm, the joints tell.
            moving = commanded or self._measured.moving(now_ns)
            for frozen in self._frozen.values():
                frozen.moving(now_ns, moving)

    def _on_objects(self, msg: MarkerArray) -> None:
        if msg.markers:
            self._add(OBJECTS, to_ns(msg.markers[0].header.stamp), msg)

    def _detector(self, name: str) -> FrozenDetector | None:
        return self._frozen_state if name == STATE else self._frozen.get(name)

    def _detector_ns(self, name: str) -> int:
        detector = self._detector(name)
        return detector.frozen_for_ns if detector else 0

    def _frozen_problem(self, name: str) -> str:
        detector = self._detector(name)
        if detector is None or not detector.frozen_for_ns:
            return ''
        what = 'joint positions' if name == STATE else 'picture'
        return (f'{name}: frozen, the same {what} for {detector.frozen_for_ns * 1e-9:.2f} s, while '
                f'the arm moved for {detector.moved_for_ns * 1e-9:.2f} s')


def _streams(spec: PolicySpec, cameras: Mapping[str, str],
             p: NodeParameters) -> dict[str, StreamSpec]:
    """Return the streams that a policy needs, with the tolerances of the parameters."""
    age, offset = _ns(p.joint_state_timeout_s), _ns(p.joint_state_tolerance_s)
    streams = {topic: StreamSpec(_ns(p.image_timeout_s), _ns(p.max_camera_skew_s),
                                 _ns(p[f'{camera}_latency_s']), reference=True)
               for camera, topic in cameras.items()}
    streams[STATE] = StreamSpec(age, offset, _ns(p.joint_state_latency_s), interpolate=True,
                                keep=2000)
    if spec.privileged:
        streams[OBJECTS] = StreamSpec(age, offset, keep=500)
    return streams


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
