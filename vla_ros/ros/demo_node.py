"""The demo's own node: gives the instructions, watches every topic and keeps what it sees.

No process of the bring-up: it lives in the one that runs the demo.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import MarkerArray

from vla_ros.core.errors import InputError
from vla_ros.core.policy_description import PolicyDescription
from vla_ros.demo.operator import ScriptedOperator
from vla_ros.demo.recording import CAMERAS, HEIGHTS, Recording, Status, Stream
from vla_ros.demo.sequence import TaskSequence
from vla_ros.demo.simulated_time import SimulatedTime
from vla_ros.demo.table import LiveView, StreamView
from vla_ros.demo.video import Caption, FramePairing, VideoWriter
from vla_ros.robots import RobotProfile
from vla_ros.ros import qos
from vla_ros.ros.images import rgb_from_image
from vla_ros.ros.joint_states import JointStateReader
from vla_ros.ros.pacing import RateWindow
from vla_ros.ros.poses import frames_from_markers
from vla_ros.ros.stamps import to_ns

OBJECTS = 'sim/objects'
CHUNKS = 'action_chunk'
OPERATOR = 'override/topic/gripper'

_LIVE_WINDOW_S = 2.0


@contextmanager
def open_demo_node(profile: RobotProfile, sequence: TaskSequence,
                   video: VideoWriter, operator: ScriptedOperator | None = None,
                   ) -> Iterator[DemoNode]:
    """Run the node's callbacks in a thread as long as the context lasts; its data stay readable."""
    context = Context()
    # Signals are the session's: it stops the arm before anything else.
    rclpy.init(args=[], context=context, signal_handler_options=SignalHandlerOptions.NO)
    node = DemoNode(context, profile, sequence, video, operator)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    finished = threading.Event()
    failed: list[BaseException] = []

    def spin() -> None:
        try:
            while not finished.is_set():
                executor.spin_once(timeout_sec=0.2)
        except ExternalShutdownException:
            pass
        except BaseException as error:  # noqa: BLE001, raised again in the session's thread
            failed.append(error)

    thread = threading.Thread(target=spin, name='callbacks', daemon=True)
    thread.start()
    try:
        yield node
    finally:
        finished.set()
        thread.join()
        executor.shutdown(timeout_sec=1.0)
        node.destroy_node()
        rclpy.shutdown(context=context)
    if failed:
        raise failed[0]


class DemoNode(Node):
    """Records into a :class:`Recording` and a :class:`VideoWriter`, and leads the tasks.

    All callbacks run in one thread; :meth:`view` and the other methods may be called from another.

    Parameters
    ----------
    context : Context
        Where it lives.
    profile : RobotProfile
        The robot.
    sequence : TaskSequence
        The tasks.
    video : VideoWriter
        Gets the pictures, from the first instruction on.
    operator : ScriptedOperator | None
        Helps the policy.

    """

    def __init__(self, context: Context, profile: RobotProfile, sequence: TaskSequence,
                 video: VideoWriter, operator: ScriptedOperator | None = None) -> None:
        super().__init__('demo', context=context)
        self.sequence = sequence
        self.recording = Recording(profile.joints.names, profile.gripper.joint, HEIGHTS)
        self._profile = profile
        self._video = video
        self._operator = operator
        self._pairing = FramePairing(CAMERAS)
        self._lock = threading.RLock()
        self._time = SimulatedTime()
        self._started_ns = time.monotonic_ns()
        self._begun_ns: int | None = None

        topics = profile.topics
        self._measured = JointStateReader(
            [*profile.joints.names, profile.gripper.joint], topics.joint_states)
        self._commanded = JointStateReader(profile.joints.names, topics.joint_command)
        self._camera_topics = {name: f'camera/{name}/image_raw' for name in CAMERAS}
        self._sources = {**dict.fromkeys(self._camera_topics.values(), 'sim_node'),
                         topics.joint_states: 'sim_node', OBJECTS: 'sim_node',
                         CHUNKS: 'policy_node', topics.joint_command: 'control_node'}
        self.recording.streams.update((name, Stream()) for name in self._sources)
        self._rates = {name: RateWindow(_LIVE_WINDOW_S) for name in self._sources}
        self._factor = RateWindow(_LIVE_WINDOW_S)

        self._instruction = self.create_publisher(String, 'instruction', qos.LATCHED)
        self._help = (self.create_publisher(String, OPERATOR, qos.CHUNK)
                      if operator is not None else None)
        for name, topic in self._camera_topics.items():
            self._listen(Image, topic, self._on_image(name, topic), qos.CAMERA)
        self._listen(JointState, topics.joint_states, self._on_joints, qos.JOINTS)
        self._listen(JointState, topics.joint_command, self._on_command, qos.JOINTS)
        self._listen(JointTrajectory, CHUNKS, self._on_chunk, qos.CHUNK)
        self._listen(MarkerArray, OBJECTS, self._on_objects, qos.OBJECTS)
        self._listen(DiagnosticStatus, 'mode', self._on_mode, qos.LATCHED)
        self._listen(DiagnosticStatus, 'override', self._on_override, qos.LATCHED)
        # Without a lease of its own: that somebody else watches the policy is enough.
        self._listen(String, 'policy', self._on_policy, qos.LATCHED)
        self._listen(DiagnosticArray, '/diagnostics', self._on_diagnostics, qos.DIAGNOSTICS)

    # From the session's thread

    def missing(self) -> list[str]:
        """Return what has not been seen yet, with the node that it should come from."""
        with self._lock:
            found = [f'{topic} (from {source})' for topic, source in self._sources.items()
                     if topic != CHUNKS and not self.recording.streams[topic].count]
            if not self.recording.modes:
                found.append('mode (from control_node)')
            if not self.recording.policy_label:
                found.append('policy (from policy_node)')
            return found

    def begin(self) -> None:
        """Give the first instruction; forget the rates of the time before."""
        with self._lock:
            now_ns = self.now_ns() or 0
            self._begun_ns = time.monotonic_ns()
            for name in self._sources:
                self.recording.streams[name] = Stream()
                self._rates[name].clear()
            self._factor.clear()
            self._instruct(self.sequence.begin(now_ns), now_ns)

    def now_ns(self) -> int | None:
        """Return the simulated time [ns], None before the first joint state."""
        with self._lock:
            return self._time.now_ns(time.monotonic_ns())

    def silence_s(self) -> float:
        """Return for how long the simulation has said nothing [s], by the real clock."""
        with self._lock:
            since = self._time.last_wall_ns or self._started_ns
        return (time.monotonic_ns() - since) * 1e-9

    def view(self) -> LiveView:
        """Return what the live table shows."""
        with self._lock:
            wall_ns, now_ns = time.monotonic_ns(), self.now_ns()
            recording, sequence, mode = self.recording, self.sequence, self.recording.mode
            self._factor.add(wall_ns * 1e-9, (now_ns or 0) * 1e-9)
            streams = []
            for name in self._sources:
                stream = recording.streams[name]
                self._rates[name].add(wall_ns * 1e-9, stream.count)
                age = (None if stream.last_ns is None or now_ns is None
                       else max(now_ns - stream.last_ns, 0) * 1e-9)
                streams.append(StreamView(name, self._rates[name].rate(), age))
            since = self._begun_ns or self._started_ns
            return LiveView(
                robot=self._profile.name, policy=recording.policy_label,
                instruction=sequence.instruction, task=sequence.index + 1,
                tasks=len(sequence.tasks), detail=sequence.detail,
                mode=mode.mode if mode else '', reason=mode.reason if mode else '',
                override=recording.overrides[-1][1] if recording.overrides else '',
                sim_s=((now_ns or 0) - recording.start_ns) * 1e-9, wall_s=(wall_ns - since) * 1e-9,
                real_time_factor=self._factor.rate(), streams=streams,
                gripper_commanded=recording.commanded.last(recording.gripper),
                gripper_measured=recording.measured.last(recording.gripper),
                waiting=() if sequence.begun else self.missing(),
                warnings=[f'{name}: {s.message}' for name, s in recording.statuses.items()
                          if s.level > 0][:3])

    # Callbacks, all in the executor's thread

    def _listen(self, kind: Any, topic: str, callback: Callable[[Any], None], profile: Any) -> None:
        def receive(msg: Any) -> None:
            with self._lock:
                try:
                    callback(msg)
                except InputError as error:
                    self.recording.add_status(f'demo: {topic}', Status(2, str(error), {}))
        self.create_subscription(kind, topic, receive, profile)

    def _note(self, topic: str, stamp_ns: int) -> None:
        now_ns = self.now_ns()
        age_ns = 0 if now_ns is None else now_ns - stamp_ns
        self.recording.streams[topic].add(stamp_ns, age_ns)

    def _on_image(self, camera: str, topic: str) -> Callable[[Image], None]:
        def receive(msg: Image) -> None:
            stamp_ns = to_ns(msg.header.stamp)
            self._note(topic, stamp_ns)
            if not self.sequence.begun:
                return
            for at_ns, images in self._pairing.add(camera, stamp_ns, rgb_from_image(msg, topic)):
                self._video.add(at_ns, images, self._caption(at_ns))
        return receive

    def _caption(self, at_ns: int) -> Caption:
        sequence, mode = self.sequence, self.recording.mode
        detail = sequence.detail
        if sequence.ended:
            outcome = sequence.results()[sequence.index].outcome.value
            detail = f'{outcome}: {detail}'
        return Caption(sequence.instruction, detail, mode.mode if mode else '',
                       (at_ns - self.recording.start_ns) * 1e-9, self.recording.policy_label)

    def _on_joints(self, msg: JointState) -> None:
        stamp_ns = to_ns(msg.header.stamp)
        wall_ns = time.monotonic_ns()
        self._time.add(stamp_ns, wall_ns)
        self._note(self._measured.topic, stamp_ns)
        self.recording.measured.add(stamp_ns, self._measured.position(msg).tolist())
        if self.recording.streams[self._measured.topic].count % 5 == 0:
            self.recording.add_pace(stamp_ns, wall_ns)

    def _on_command(self, msg: JointState) -> None:
        stamp_ns = to_ns(msg.header.stamp)
        self._note(self._commanded.topic, stamp_ns)
        gripper = self.recording.gripper
        width = (msg.position[list(msg.name).index(gripper)] if gripper in msg.name
                 else float('nan'))
        self.recording.commanded.add(stamp_ns, [*self._commanded.position(msg).tolist(), width])

    def _on_chunk(self, msg: JointTrajectory) -> None:
        self._note(CHUNKS, to_ns(msg.header.stamp))

    def _on_objects(self, msg: MarkerArray) -> None:
        if not msg.markers:
            return
        stamp_ns = to_ns(msg.markers[0].header.stamp)
        self._note(OBJECTS, stamp_ns)
        frames = frames_from_markers(msg, OBJECTS)
        self.recording.heights.add(stamp_ns, [
            frames[name][2, 3] if name in frames else float('nan') for name in HEIGHTS])
        width = self.recording.measured.last(self.recording.gripper)
        if width is not None:
            instruction = self.sequence.update(stamp_ns, frames, width)
            if instruction is not None:
                self._instruct(instruction, stamp_ns)
            if self._operator is not None and self._help is not None and self.sequence.begun:
                said = self._operator.update(stamp_ns, frames, width)
                if said is not None:
                    self._help.publish(String(data=said))

    def _instruct(self, instruction: str, now_ns: int) -> None:
        self.recording.instructions.append((now_ns, instruction))
        if self._operator is not None:
            self._operator.begin()
        self._instruction.publish(String(data=instruction))

    def _on_mode(self, msg: DiagnosticStatus) -> None:
        values = {item.key: item.value for item in msg.values}
        stamp = values.get('stamp_ns', '')
        time_ns = int(stamp) if stamp.isdigit() else (self.now_ns() or 0)
        self.recording.add_mode(time_ns, msg.message, values.get('reason', ''))

    def _on_override(self, msg: DiagnosticStatus) -> None:
        stamp = next((v.value for v in msg.values if v.key == 'stamp_ns'), '')
        time_ns = int(stamp) if stamp.isdigit() else (self.now_ns() or 0)
        self.recording.add_override(time_ns, '' if msg.message == 'none' else msg.message)

    def _on_policy(self, msg: String) -> None:
        description = PolicyDescription.from_json(msg.data)
        self.recording.policy_name = description.name
        self.recording.policy_label = description.label

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            self.recording.add_status(status.name, Status(
                status.level[0], status.message, {v.key: v.value for v in status.values}))
