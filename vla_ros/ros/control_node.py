"""The control node: action chunks in, joint commands out, at a fixed rate that nothing may stall.

The loop has a thread of its own and is the only one that touches the pipeline. Subscriptions run on
the executor's thread, check what came in, and leave it in an inbox that the loop empties at the
start of each tick.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.context import Context
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from vla_ros.assembly import build_pipeline
from vla_ros.core.arbiter import Mode
from vla_ros.core.errors import ConfigError, InputError
from vla_ros.core.pipeline import Tick
from vla_ros.robots import load_profile
from vla_ros.ros import qos
from vla_ros.ros.chunk_message import chunk_frame_id, chunk_from_message
from vla_ros.ros.context import run_node
from vla_ros.ros.diagnostics import Diagnostics, Level, ThrottledLog, status_message
from vla_ros.ros.joint_states import JointStateReader, joint_state_message
from vla_ros.ros.parameters import NodeParameters
from vla_ros.ros.pipeline_config import pipeline_config
from vla_ros.ros.policy_description import PolicyDescription
from vla_ros.ros.rate import Ticker
from vla_ros.ros.stamps import to_ns

_STILL_S = 0.5  # s of real time without a control tick: worth a report

# A process that ends may take its last messages with it, and the last one must be at rest.
_STILL_TICKS = 5
_LEVELS = {Mode.AUTONOMOUS: Level.OK, Mode.HOLD: Level.WARN, Mode.STOPPED: Level.WARN}


class ControlNode(Node):
    """Runs the pipeline of one arm; see the README for its topics, services and parameters."""

    def __init__(self, context: Context, **options: Any) -> None:
        super().__init__('control_node', context=context, **options)
        p = self.parameters = NodeParameters(self, 'control_node')
        self.profile = load_profile(p.robot)
        self._pipeline = build_pipeline(self.profile, pipeline_config(p.as_dict()), p.ik_backend)
        self._inbox: deque[Callable[[int], object]] = deque()
        self._log = ThrottledLog(self.get_logger())
        self._diagnostics = Diagnostics(self, hardware_id=self.profile.name)
        self._description: PolicyDescription | None = None
        self._acted: Counter[str] = Counter()
        self._tick: Tick | None = None
        self._announced: tuple[Mode, str] | None = None
        self._ticker = Ticker(self.get_clock(), round(1e9 / p.rate_hz))
        self._late_ns: deque[int] = deque(maxlen=round(p.rate_hz))  # about the last second
        self._thread = threading.Thread(target=self._loop, name='control_loop', daemon=True)
        self._shutting_down = False
        self._finished = threading.Event()
        self._ticked = time.monotonic()
        self._error: BaseException | None = None

        topics = self.profile.topics
        self._arm = JointStateReader(self.profile.joints.names, topics.joint_states)
        self._gripper = JointStateReader([self.profile.gripper.joint], topics.joint_states)
        self._command_names = [*self.profile.joints.names, self.profile.gripper.joint]
        self._command = self.create_publisher(JointState, topics.joint_command, qos.COMMAND)
        self._mode = self.create_publisher(DiagnosticStatus, 'mode', qos.LATCHED)
        self.create_subscription(JointState, topics.joint_states, self._on_joints, qos.JOINTS)
        self.create_subscription(JointTrajectory, 'action_chunk', self._on_chunk, qos.CHUNK)
        self.create_subscription(
            String, 'policy', self._on_policy, qos.policy_profile(p.policy_lease_s),
            event_callbacks=qos.SubscriptionEventCallbacks(liveliness=self._on_liveliness))
        self.create_service(Trigger, '~/stop', self._on_stop)
        self.create_service(Trigger, '~/start', self._on_start)
        self._diagnostics.add_source(self._report)
        self._thread.start()

    # Life

    def shutdown(self) -> None:
        """Brake, hold, and end the control loop; the executor must still be running."""
        self._inbox.append(self._brake_for_good)
        self._finished.wait(self.parameters.brake_timeout_s)
        self._ticker.stop()
        self._thread.join(timeout=1.0)

    def _brake_for_good(self, now_ns: int) -> None:
        self._pipeline.stop('shutting down')
        self._shutting_down = True

    def _loop(self) -> None:
        try:
            self._run()
        except BaseException as error:  # a control loop that ended must not look like one that runs
            self._error = error
        self._finished.set()

    def _run(self) -> None:
        still = 0
        while (turn := self._ticker.wait()) is not None:
            self._late_ns.append(turn.error_ns)
            while self._inbox:
                self._inbox.popleft()(turn.time_ns)
            tick = self._pipeline.step(turn.time_ns)
            self._send(tick)
            self._tick, self._ticked = tick, time.monotonic()
            self._acted.update(a.split(' ', 1)[0] for a in tick.acted)
            if self._shutting_down:
                still = still + 1 if self._pipeline.at_rest else 0
                if still >= _STILL_TICKS:
                    self._finished.set()

    def _send(self, tick: Tick) -> None:
        if tick.q is not None and tick.velocity is not None:
            position, velocity = tick.q.tolist(), tick.velocity.tolist()
            if tick.gripper is not None:
                position.append(tick.gripper)
                velocity.append(0.0)
            self._command.publish(joint_state_message(
                self._command_names[:len(position)], position, velocity, stamp_ns=tick.stamp_ns))
        # Not tick.changed: a stop or start comes between two ticks.
        if (tick.mode, tick.reason) != self._announced:
            self._announced = tick.mode, tick.reason
            self._announce(tick)

    def _announce(self, tick: Tick) -> None:
        self.get_logger().info(f'{tick.mode.value}' + (f': {tick.reason}' if tick.reason else ''))
        self._mode.publish(status_message(
            'mode', _LEVELS[tick.mode], tick.mode.value,
            {'reason': tick.reason, 'stamp_ns': tick.stamp_ns,
             'policy': self._description.label if self._description else ''},
            hardware_id=self.profile.name))

    # Inputs, on the executor's thread

    def _on_joints(self, msg: JointState) -> None:
        if msg.name and not set(msg.name) & set(self._arm.names):
            return  # somebody else's joints on a shared topic
        try:
            q = self._arm.position(msg)
            width = (float(self._gripper.position(msg)[0])
                     if self._gripper.names[0] in msg.name else None)
        except InputError as error:
            self._complain('joint_states', str(error))
            return
        stamp = to_ns(msg.header.stamp)
        self._inbox.append(lambda now_ns: self._take_joints(stamp, q, width, now_ns))

    def _take_joints(self, stamp_ns: int, q: Any, width: float | None, now_ns: int) -> None:
        ahead = (stamp_ns - now_ns) * 1e-9
        if ahead > self.parameters.joint_state_timeout_s:
            # Taken, it would count as fresh until that time comes, whatever happens to the arm.
            self._complain('joint_states', f'{self._arm.topic}: stamped {ahead:.2f} s in the '
                                           'future; is there one clock?')
            return
        self._diagnostics.set('joint_states', Level.OK, 'received')
        self._pipeline.add_joint_state(stamp_ns, q, width)

    def _on_policy(self, msg: String) -> None:
        try:
            self._description = PolicyDescription.from_json(msg.data)
        except InputError as error:
            self._complain('policy', str(error))
            return
        self._diagnostics.set('policy', Level.OK, self._description.label)
        self.get_logger().info(f'policy: {self._description.label}')
        self._inbox.append(self._pipeline.policy_started)

    def _on_liveliness(self, event: Any) -> None:
        if event.alive_count == 0:
            self._inbox.append(lambda now_ns: self._pipeline.set_policy_alive(False))
        elif event.not_alive_count_change < 0 and self._description is not None:
            # The same process is heard of again (it was frozen, or the machine was busy), so it
            # will not say again what it is. A new process says so first; that counts as its start.
            self._inbox.append(lambda now_ns: self._pipeline.set_policy_alive(True))

    def _on_chunk(self, msg: JointTrajectory) -> None:
        policy = self._description
        if policy is None:
            self._complain('action_chunk', 'action_chunk: received, but nobody has said on the '
                                           'topic policy how to read it')
            return
        frame = chunk_frame_id(policy.convention, self.profile.base_frame, self.profile.tool_frame)
        try:
            chunk = chunk_from_message(msg, policy, frame)
        except InputError as error:
            self._complain('action_chunk', str(error))
            return
        self._inbox.append(lambda now_ns: self._take_chunk(chunk, now_ns))

    def _take_chunk(self, chunk: Any, now_ns: int) -> None:
        try:
            verdict = self._pipeline.add_chunk(chunk, now_ns)
        except ConfigError as error:
            self._complain('action_chunk', f'action_chunk: {error}')
            return
        if verdict == 'before_reset' and chunk.end_ns <= now_ns:
            verdict = 'late'
        if verdict in ('late', 'future'):
            age = (now_ns - chunk.stamp_ns) * 1e-9
            self._complain('action_chunk', f'action_chunk: refused as {verdict}, its observation '
                                           f'is {age:.2f} s old')
        elif verdict != 'before_reset':  # that one was on its way when the arm was held: no news
            self._diagnostics.set('action_chunk', Level.OK, 'received')

    def _complain(self, key: str, message: str) -> None:
        self._log.error(key, message)
        self._diagnostics.set(key, Level.ERROR, message)

    # Services and reports

    def _on_stop(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._inbox.append(lambda now_ns: self._pipeline.stop('stopped by service'))
        response.success, response.message = True, 'the arm brakes and holds until ~/start'
        return response

    def _on_start(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._inbox.append(self._pipeline.start)
        response.success, response.message = True, 'the arm follows the policy when it is ready'
        return response

    def _report(self) -> None:
        if self._error is not None:  # raised on the executor's thread, where it ends the node
            raise self._error
        tick, silent = self._tick, time.monotonic() - self._ticked
        if silent > _STILL_S:
            self._diagnostics.set('mode', Level.ERROR,
                                  f'no control tick for {silent:.1f} s, nothing is sent (is /clock '
                                  'running?)')
            return
        if tick is None:
            return
        self._diagnostics.set(
            'mode', _LEVELS[tick.mode],
            tick.mode.value + (f': {tick.reason}' if tick.reason else ''),
            limiters=dict(self._acted) or 'none',
            chunks=dict(self._pipeline.chunks.counts) or 'none')
        late = sorted(self._late_ns)
        self._diagnostics.set(
            'loop', Level.OK, f'{self.parameters.rate_hz:g} Hz',
            late_median_ms=late[len(late) // 2] * 1e-6, late_max_ms=late[-1] * 1e-6,
            overruns=self._ticker.overruns)


def main(argv: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM; brake and hold, then end."""
    return run_node(ControlNode, 'control_node', args=argv)


if __name__ == '__main__':
    sys.exit(main())
