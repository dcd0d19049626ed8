"""The control node: action chunks in, joint commands out, at a fixed rate that nothing may stall.

The loop has a thread of its own and is the only one that touches the pipeline. Subscriptions run on
the executor's thread, check what came in, compute of it what they can, and post it to the loop.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.context import Context
from rclpy.node import Node
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from vla_ros.assembly import build_pipeline
from vla_ros.core.arbiter import Mode
from vla_ros.core.degradation import Level as Rung
from vla_ros.core.errors import ConfigError, InputError
from vla_ros.core.intervention import Tally
from vla_ros.core.override_gripper import GripperOverrideMode
from vla_ros.core.pipeline import Tick
from vla_ros.core.policy_description import PolicyDescription
from vla_ros.core.safety import LimiterCounts
from vla_ros.ik import choose_ik
from vla_ros.robots import load_profile
from vla_ros.robots.adapters import load_driver
from vla_ros.ros import qos
from vla_ros.ros.adapters import make_adapter
from vla_ros.ros.arming_gate import ArmingGate
from vla_ros.ros.chunk_message import chunk_frame_id, chunk_from_message
from vla_ros.ros.context import run_node
from vla_ros.ros.control_loop import ControlLoop
from vla_ros.ros.diagnostics import Diagnostics, Level, ThrottledLog, status_message
from vla_ros.ros.outbox import Outbox
from vla_ros.ros.override_inputs import OverrideInputs
from vla_ros.ros.override_publisher import OverridePublisher
from vla_ros.ros.parameters import NodeParameters
from vla_ros.ros.pipeline_config import guards, pipeline_config
from vla_ros.ros.provenance_publisher import ProvenancePublisher
from vla_ros.ros.realtime import RealtimeSettings
from vla_ros.ros.robot_description import follow_if_described
from vla_ros.ros.safety_inputs import SafetyInputs

_STILL_S = 0.5  # s of real time without a control tick: worth a report

# A process that ends may take its last messages with it, and the last one must be at rest.
_STILL_TICKS = 5
_STALL_S = 1.0  # that the arm stands still, told to go on: worth a warning


class ControlNode(Node):
    """Runs the pipeline of one arm; see docs/nodes.md for its topics, services and parameters."""

    def __init__(self, context: Context, **options: Any) -> None:
        super().__init__('control_node', context=context, **options)
        p = self.parameters = NodeParameters(self, 'control_node')
        shipped = load_profile(p.robot)
        self.driver = load_driver(shipped, p.driver)
        described = follow_if_described(
            context, shipped, self.driver, p.robot_description_wait_s, self.get_logger().info,
            self.get_namespace())
        self.profile = self.driver.bounded(described)
        ik = choose_ik(p.ik_backend, self.profile, p.ik_allow_fallback)
        self._pipeline = build_pipeline(self.profile, pipeline_config(p.as_dict()), ik.backend,
                                        ik.kinematics, guards({
                                            **p.as_dict(),
                                            'auto_arm': p.auto_arm and not p.arming_report}))
        self._gate = ArmingGate(p.arming_report)
        self._auto_arm = p.auto_arm and bool(p.arming_report)  # once the gate lets it
        self._auto_arm_now = False
        self._log = ThrottledLog(self.get_logger())
        self._diagnostics = Diagnostics(self, hardware_id=self.profile.name)
        if ik.reason:
            self.get_logger().warning(f'ik: {ik.reason}')
        self._diagnostics.set('ik', Level.WARN if ik.reason else Level.OK,
                              ik.reason or ik.backend, backend=ik.backend)
        self._outbox = Outbox(self)
        self._description: PolicyDescription | None = None
        self._acted = LimiterCounts()
        self._interventions = Tally()
        self._tick: Tick | None = None
        self._announced: tuple[Mode, Rung, str] | None = None
        self._loop = ControlLoop(
            self.get_clock(), p.rate_hz, self._decide, self._send,
            RealtimeSettings(p.thread_priority, p.cpu_affinity, p.lock_memory),
            self._pipeline.look_ahead)
        self._shutting_down = False
        self._at_rest = threading.Event()
        self._still = 0  # ticks at rest since the shutdown began

        self._adapter = make_adapter(self, self.profile, self.driver, p.rate_hz)
        self._adapter.on_state(self._on_joints)
        self._adapter.on_error(lambda text: self._complain('joint_states', text))
        self._adapter.on_rearm(
            lambda why: self._loop.post(lambda now_ns: self._pipeline.fault(now_ns, why)))
        self._mode = self.create_publisher(DiagnosticStatus, 'mode', qos.LATCHED)
        self._provenance = ProvenancePublisher(self, self.profile.joints.names, self._complain)
        self.create_subscription(JointTrajectory, 'action_chunk', self._on_chunk, qos.CHUNK)
        self.create_subscription(
            String, 'policy', self._on_policy, qos.policy_profile(p.policy_lease_s),
            event_callbacks=qos.SubscriptionEventCallbacks(liveliness=self._on_liveliness))
        self._override = OverridePublisher(self, self._outbox.add, self.profile.name)
        self._override_inputs = OverrideInputs(
            self, self.profile, self._pipeline.overrides, self._loop.post, self._outbox.add,
            self._on_override, GripperOverrideMode(p.gripper_override_mode),
            round(p.override_deadman_s * 1e9))
        self._safety = SafetyInputs(self, self._pipeline, self._loop.post,
                                    lambda: self._adapter.ready, self._gate.objection)
        self._diagnostics.add_source(self._report)
        self._loop.start()
        self._tell_answers()

    # Life

    def shutdown(self) -> None:
        """Brake, hold, and end the control loop; the executor must still be running."""
        self._loop.post(self._brake_for_good)
        if not self._loop.ended:
            self._at_rest.wait(self.parameters.brake_timeout_s)
        self._loop.stop()
        self._outbox.empty()
        self._provenance.flush()
        self.get_logger().info(f'interventions: {self._intervened()}')

    def _brake_for_good(self, now_ns: int) -> None:
        self._pipeline.stop('shutting down')
        self._shutting_down = True

    def _intervened(self) -> str:
        tally = self._interventions
        return (f'{"; ".join(tally.lines()) or "none"} '
                f'({tally.human_ticks} of {tally.ticks} ticks)')

    def _tell_answers(self) -> None:
        for answer in self._loop.answers:
            text = f'{answer.wish}: {answer.text}'
            if answer.granted:
                self.get_logger().info(text)
            else:
                self.get_logger().warning(text)
        refused = [a.wish for a in self._loop.answers if not a.granted]
        self._diagnostics.set(
            'realtime', Level.WARN if refused else Level.OK,
            f'without {", ".join(refused)}' if refused else 'as asked for',
            **{a.wish: a.text for a in self._loop.answers})

    # On the loop's thread, which publishes the command and leaves everything else to others

    def _decide(self, now_ns: int) -> Tick:
        self._pipeline.arm_problem = self._adapter.ready
        if self._auto_arm_now and not self._pipeline.arm_problem:
            self._auto_arm_now = False
            self._pipeline.arm(now_ns, '')
        return self._pipeline.step(now_ns)

    def _send(self, tick: Tick) -> None:
        sent = (tick.q is not None and tick.velocity is not None and tick.send
                and self._adapter.send(tick.q, tick.velocity, tick.gripper,
                                       tick.effort if self.driver.type == 'sim' else None,
                                       tick.stamp_ns))
        if tick.q is not None and tick.send and not sent:
            self._pipeline.rest_at_measured()  # what the driver does not know was not commanded
        # Not tick.changed: a stop or start comes between two ticks.
        if (tick.mode, tick.level, tick.reason) != self._announced:
            self._announced = tick.mode, tick.level, tick.reason
            self._outbox.add(lambda: self._announce(tick))
        self._override.update(self._pipeline.overrides.status, tick.stamp_ns)
        self._tick = tick
        self._provenance.add(tick)
        self._acted.add(tick.acted)
        self._interventions.add(tick.stamp_ns, tick.intervention)
        if self._shutting_down:
            self._still = self._still + 1 if self._pipeline.at_rest else 0
            if self._still >= _STILL_TICKS:
                self._at_rest.set()

    def _take_chunk(self, steps: Any, now_ns: int) -> None:
        chunk, verdict = steps.chunk, self._pipeline.add_chunk(steps, now_ns)
        if verdict == 'before_reset' and chunk.end_ns <= now_ns:
            verdict = 'late'
        self._outbox.add(lambda: self._tell_verdict(verdict, (now_ns - chunk.stamp_ns) * 1e-9))

    # Inputs and reports, on the executor's thread

    def _announce(self, tick: Tick) -> None:
        self.get_logger().info(_in_words(tick))
        self._mode.publish(status_message(
            'mode', _severity(tick), tick.mode.value,
            {'level': tick.level.value, 'reason': tick.reason, 'safety': tick.safety.value,
             'stamp_ns': tick.stamp_ns,
             'policy': self._description.label if self._description else ''},
            hardware_id=self.profile.name))

    def _on_joints(self, stamp: int, q: Any, width: float | None) -> None:
        now = self.get_clock().now().nanoseconds
        if now == 0:
            return  # simulated time has not begun
        ahead = (stamp - now) * 1e-9
        if ahead > self.parameters.joint_state_timeout_s:
            # Taken, it would count as fresh until that time comes, whatever happens to the arm.
            self._complain('joint_states', f'{self.driver.states}: stamped {ahead:.2f} s in the '
                                           'future; is there one clock?')
            return
        if self._diagnostics.level('joint_states') is not Level.OK:
            self._diagnostics.set('joint_states', Level.OK, 'received')
        self._loop.post(lambda now_ns: self._pipeline.add_joint_state(stamp, q, width))

    def _on_policy(self, msg: String) -> None:
        try:
            self._description = PolicyDescription.from_json(msg.data)
        except InputError as error:
            self._complain('policy', str(error))
            return
        self._diagnostics.set('policy', Level.OK, self._description.label)
        self.get_logger().info(f'policy: {self._description.label}')
        self._ask_gate(self._description)
        self._loop.post(self._pipeline.policy_started)

    def _ask_gate(self, description: PolicyDescription) -> None:
        """Disarm when another policy than the one of the arming report is there."""
        self._gate.announced = description.identity
        if not self.parameters.arming_report:
            return
        if why := self._gate.objection():
            self._complain('arming_report', why)
            self._loop.post(lambda now_ns: self._pipeline.interlock.disarm(why))
            return
        self._diagnostics.set('arming_report', Level.OK, 'the policy kept its limits')
        if self._auto_arm:
            self._auto_arm = False
            self._auto_arm_now = True

    def _on_liveliness(self, event: Any) -> None:
        if event.alive_count == 0:
            self._loop.post(lambda now_ns: self._pipeline.set_policy_alive(False))
        elif event.not_alive_count_change < 0 and self._description is not None:
            # The same process is heard of again (it was frozen, or the machine was busy), so it
            # will not say again what it is. A new process says so first; that counts as its start.
            self._loop.post(lambda now_ns: self._pipeline.set_policy_alive(True))

    def _on_chunk(self, msg: JointTrajectory) -> None:
        policy = self._description
        if policy is None:
            self._complain('action_chunk', 'action_chunk: received, but nobody has said on the '
                                           'topic policy how to read it')
            return
        if not msg.points:
            self._loop.post(lambda now_ns: self._pipeline.withdraw(
                now_ns, f'{policy.name} has nothing to do'))
            return
        frame = chunk_frame_id(policy.convention, self.profile.base_frame, self.profile.tool_frame)
        try:
            steps = self._pipeline.prepare(chunk_from_message(msg, policy, frame))
        except InputError as error:
            self._complain('action_chunk', str(error))
            return
        except ConfigError as error:
            self._complain('action_chunk', f'action_chunk: {error}')
            return
        self._provenance.add_chunk(steps.chunk.stamp_ns, self.get_clock().now().nanoseconds,
                                   policy.name)
        self._loop.post(lambda now_ns: self._take_chunk(steps, now_ns))

    def _tell_verdict(self, verdict: str, age_s: float) -> None:
        if verdict in ('late', 'future'):
            self._complain('action_chunk', f'action_chunk: refused as {verdict}, its observation '
                                           f'is {age_s:.2f} s old')
        elif verdict != 'before_reset':  # that one was on its way when the arm was held: no news
            self._diagnostics.set('action_chunk', Level.OK, 'received')

    def _complain(self, key: str, message: str) -> None:
        self._log.error(key, message)
        self._diagnostics.set(key, Level.ERROR, message)

    def _on_override(self, topic: str, problem: str) -> None:
        if problem:
            self._log.warning(topic, problem)
            self._diagnostics.set(topic, Level.WARN, problem)
        else:
            self._diagnostics.set(topic, Level.OK, 'received')

    def _report(self) -> None:
        # An error of the loop is raised here, on the executor's thread, where it ends the node.
        not_ready = self._adapter.ready
        self._diagnostics.set('driver', Level.ERROR if not_ready else Level.OK,
                              not_ready or 'ready', **self._adapter.values())
        tick, silent = self._tick, self._loop.silent_s()
        if silent > _STILL_S:
            self._diagnostics.set('mode', Level.ERROR,
                                  f'no control tick for {silent:.1f} s, nothing is sent (is /clock '
                                  'running?)')
            return
        if tick is None:
            return
        self._diagnostics.set(
            'mode', _severity(tick), _in_words(tick), ladder=tick.level.value,
            safety=tick.safety.value,
            limiters=dict(self._acted) or 'none',
            chunks=dict(self._pipeline.chunks.counts) or 'none')
        self._diagnostics.set('interventions', Level.OK, self._intervened())
        stall = self._pipeline.stall
        stalled = stall.text if stall.seconds >= _STALL_S else ''
        self._diagnostics.set('arm', Level.WARN if stalled else Level.OK, stalled or 'follows')
        if stalled:
            self._log.warning('arm', stalled)
        missed, values = self._loop.report()
        self._diagnostics.set(
            'loop', Level.WARN if missed else Level.OK,
            f'{self.parameters.rate_hz:g} Hz' + (f', {missed} deadlines missed' if missed else ''),
            **values)


def _severity(tick: Tick) -> Level:
    return Level.OK if tick.level is Rung.RUNNING else Level.WARN


def _in_words(tick: Tick) -> str:
    return tick.mode.value + (f': {tick.reason}' if tick.reason else '')


def main(argv: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM; brake and hold, then end."""
    return run_node(ControlNode, 'control_node', args=argv)


if __name__ == '__main__':
    sys.exit(main())
