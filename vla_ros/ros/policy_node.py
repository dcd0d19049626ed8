"""The policy node: cameras, joint states and an instruction in, action chunks out.

A lifecycle node. Inference has a thread of its own, so that a model that takes its time does not
keep the subscriptions waiting; each inference sees the newest observation. What is missing or stale
names itself, and no chunk is sent. Loading has a thread of its own too: a model of 7B weights takes
minutes, in which the node says so and can be stopped.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.context import Context
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from vla_ros.core.errors import InputError, VlaRosError, unknown_choice
from vla_ros.core.observation_record import ObservationRecord
from vla_ros.core.policy_description import PolicyDescription
from vla_ros.ik import load_ik
from vla_ros.policy import Policy, load_policy
from vla_ros.policy.identity import identity_of
from vla_ros.robots import RobotProfile, load_profile
from vla_ros.robots.adapters import Driver, load_driver
from vla_ros.ros import qos
from vla_ros.ros.chunk_message import chunk_frame_id, chunk_message, withdrawal_message
from vla_ros.ros.context import run_node
from vla_ros.ros.diagnostics import Diagnostics, Level, ThrottledLog
from vla_ros.ros.observation_inputs import ObservationInputs
from vla_ros.ros.parameters import NodeParameters
from vla_ros.ros.policy_loading import Loading, unfinished
from vla_ros.ros.python_log import log_to, stop_logging
from vla_ros.ros.rate import Tick, Ticker

_POLICY_OPTIONS = ('model_path', 'unnorm_key', 'quantization', 'device', 'dtype')
# Parameters that are given to the policy, which knows its own; empty ones are not given.


@dataclass(frozen=True)
class _Loaded:
    """What configuring needs and takes long: everything that is not ROS."""

    profile: RobotProfile
    driver: Driver
    kinematics: Any
    policy: Policy
    topics: dict[str, str]
    load_s: float
    warm_up_s: float


class PolicyNode(LifecycleNode):
    """Runs one policy; see the README for its topics, states and parameters."""

    def __init__(self, context: Context, **options: Any) -> None:
        super().__init__('policy_node', context=context, **options)
        # How a model is fed and read is said there. First of all: the end undoes it.
        self._python_log = log_to(self.get_logger())
        p = self.parameters = NodeParameters(self, 'policy_node')
        self._log = ThrottledLog(self.get_logger())
        self._diagnostics = Diagnostics(self)
        self._instruction: str | None = p.instruction or None
        self._policy: Policy | None = None
        self._inputs: ObservationInputs | None = None
        self._listening: Any = None  # to the instruction
        self._chunks: Any = None
        self._records: Any = None
        self._description: Any = None
        self._waiting_since: float | None = None  # monotonic [s]; None: inferring, or not active
        self._diagnostics.add_source(self._report)
        self._ticker: Ticker | None = None
        self._thread: threading.Thread | None = None
        self._loading: Loading[_Loaded] | None = None
        if p.autostart:
            # Not here in the constructor: one that cannot configure must still be a node that
            # lives, says why, and can be configured again.
            # On the steady clock: loading a model need not wait for the first /clock.
            self._autostart = self.create_timer(
                0.01, self._load_by_itself, clock=Clock(clock_type=ClockType.STEADY_TIME))
            self._loaded = self.create_guard_condition(self._start_by_itself)

    def _load_by_itself(self) -> None:
        self._autostart.cancel()
        if self._loading is None:  # nobody asked for the transition before
            self._loading = self._begin_loading(self._loaded.trigger)

    def _start_by_itself(self) -> None:
        if self._loading is None:
            return  # somebody asked for the transition meanwhile, which took what was loaded
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    # Lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load and warm up the policy, then listen to what it needs."""
        try:
            if self._loading is None:
                self._loading = self._begin_loading()
            # A transition keeps its caller waiting, and this thread with it, which is the only one
            # that has callbacks: so it reports from here.
            loaded = self._loading.result(self._report_loading)
            self._profile, self._kinematics = loaded.profile, loaded.kinematics
            self._diagnostics.hardware_id = self._profile.name
            policy, topics = loaded.policy, loaded.topics
            self._policy = policy
            self._chunks = self.create_publisher(JointTrajectory, 'action_chunk', qos.CHUNK)
            self._frame = chunk_frame_id(policy.spec.convention, self._profile.base_frame,
                                         self._profile.tool_frame)
            self._records = self.create_publisher(String, 'observation', qos.CHUNK)
            self._listening = self.create_subscription(String, 'instruction',
                                                       self._on_instruction, qos.LATCHED)
            self._inputs = ObservationInputs(
                self, policy.spec, topics, self._profile, loaded.driver, self._kinematics,
                self.parameters, self._diagnostics, self._log)
            self._inputs.listen()
        except Exception as error:  # noqa: BLE001, rclpy would swallow it without a word
            why = (str(error) if isinstance(error, VlaRosError)
                   else f'{type(error).__name__}: {" ".join(str(error).split())}')
            self.get_logger().error(f'cannot configure: {why}')
            self.get_logger().debug(traceback.format_exc())
            self._diagnostics.set('policy', Level.ERROR, why)
            self._release()
            return TransitionCallbackReturn.FAILURE
        finally:
            self._loading = None
        self.get_logger().info(f'policy: {policy.spec.label}')
        self._diagnostics.set('policy', Level.OK, policy.spec.label, load_s=loaded.load_s,
                              warm_up_s=loaded.warm_up_s)
        return super().on_configure(state)

    def _begin_loading(self, then: Callable[[], None] = lambda: None) -> Loading[_Loaded]:
        policy = self.parameters.policy
        self._diagnostics.set('policy', Level.WARN, f'loading {policy}')
        self.get_logger().info(f'loading {policy}')
        return Loading(self._load, then)

    def _load(self) -> _Loaded:
        p = self.parameters
        profile = load_profile(p.robot)
        driver = load_driver(profile, p.driver)
        kinematics = load_ik('pinocchio', profile)
        started = time.monotonic()
        policy = load_policy(p.policy, **self._policy_options())
        topics = self._camera_topics(policy)
        loaded = time.monotonic()
        policy.warm_up()
        identity_of(policy)  # reads files; the policy keeps it
        return _Loaded(profile, driver, kinematics, policy, topics, loaded - started,
                       time.monotonic() - loaded)

    def _report_loading(self) -> None:
        self._say_loading()
        self._diagnostics.publish()

    def _say_loading(self) -> None:
        loading = self._loading
        if loading is not None:
            self._diagnostics.set('policy', Level.WARN, f'loading {self.parameters.policy}',
                                  elapsed_s=loading.elapsed_s)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Say which policy this is, and begin to infer."""
        assert self._policy is not None
        spec = self._policy.spec
        # This publisher lives while the policy is active; the control node watches its liveliness.
        self._description = self.create_publisher(
            String, 'policy', qos.policy_profile(self.parameters.policy_lease_s))
        self._description.publish(String(data=PolicyDescription(
            spec.name, spec.label, spec.convention, spec.dt_ns, spec.horizon, spec.dims,
            identity_of(self._policy)).to_json()))
        self._ticker = Ticker(self.get_clock(), round(1e9 / self.parameters.inference_rate_hz))
        self._thread = threading.Thread(target=self._loop,
                                        args=(self._ticker, self._policy, self._inputs),
                                        name='inference', daemon=True)
        self._thread.start()
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop inferring; the control node notices at once and holds."""
        self._stop_inference()
        self._diagnostics.set('inference', Level.WARN, 'not active')
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let go of the policy and of what it listened to."""
        self._release()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop whatever runs."""
        self.shutdown()
        return super().on_shutdown(state)

    def destroy_node(self) -> None:
        """Log no more for the rest of the package, then end."""
        stop_logging(self._python_log)
        super().destroy_node()

    def shutdown(self) -> None:
        """Stop loading and inferring, from any state."""
        if self._loading is not None:
            self._loading.give_up()
            self._loading = None
            self._diagnostics.set('policy', Level.WARN, 'not loaded')
        self._stop_inference()

    def _stop_inference(self) -> None:
        if self._description is not None:
            self.destroy_publisher(self._description)
            self._description = None
        if self._ticker is not None and self._thread is not None:
            self._ticker.stop()
            # A model in the middle of an inference is not waited for for ever: the thread is a
            # daemon, and without its publisher what it says is not heard.
            self._thread.join(timeout=2.0)
            self._ticker = self._thread = None

    def _release(self) -> None:
        if self._inputs is not None:
            self._inputs.close()
        if self._listening is not None:
            self.destroy_subscription(self._listening)
        for publisher in (self._chunks, self._records):
            if publisher is not None:
                self.destroy_publisher(publisher)
        self._inputs = self._listening = self._chunks = self._records = self._policy = None

    def _policy_options(self) -> dict[str, str]:
        """Return what the parameters say to the policy; one that it does not know is an error."""
        values = {name: self.parameters[name] for name in _POLICY_OPTIONS}
        values['config'] = self.parameters.policy_config
        return {name: value for name, value in values.items() if value}

    # Inputs

    def _camera_topics(self, policy: Policy) -> dict[str, str]:
        topics = {'third_person': self.parameters.third_person_topic,
                  'wrist': self.parameters.wrist_topic}
        for camera in policy.spec.cameras:
            if camera not in topics:
                raise unknown_choice(f'camera of policy {policy.spec.name!r}', camera, topics)
        suffix = '/compressed' if self.parameters.image_transport == 'compressed' else ''
        return {camera: topics[camera] + suffix for camera in policy.spec.cameras}

    def _on_instruction(self, msg: String) -> None:
        self._instruction = msg.data
        if msg.data.strip():
            self.get_logger().info(f'instruction: {msg.data}')
        elif self._chunks is not None and self._description is not None:
            # What was said under the old instruction would be followed to its end otherwise.
            self._chunks.publish(withdrawal_message(self.get_clock().now().nanoseconds))

    # Inference

    def _loop(self, ticker: Ticker, policy: Policy, inputs: ObservationInputs) -> None:
        inputs.pause()
        while (turn := self._wait(ticker)) is not None:
            try:
                self._infer(policy, inputs, turn.time_ns)
            except InputError as error:
                self._no_chunk(str(error))
            except Exception as error:  # noqa: BLE001, a policy is somebody's code; the node lives
                self._no_chunk(f'{policy.spec.name} failed: {type(error).__name__}: {error}')
                self.get_logger().debug(traceback.format_exc())

    def _wait(self, ticker: Ticker) -> Tick | None:
        self._waiting_since = time.monotonic()
        try:
            return ticker.wait()
        finally:
            self._waiting_since = None

    def _report(self) -> None:
        self._say_loading()
        if self._inputs is not None:
            self._inputs.report()
        since = self._waiting_since
        waited = 0.0 if since is None else time.monotonic() - since
        if waited > 1.0 + 1.0 / self.parameters.inference_rate_hz:
            self._no_chunk(f'clock: time stands still for {waited:.1f} s (is /clock running?)')

    def _infer(self, policy: Policy, inputs: ObservationInputs, now_ns: int) -> None:
        instruction = self._instruction
        if instruction is None or not instruction.strip():
            inputs.pause()
        if instruction is None:
            self._log.info('instruction', 'waiting for an instruction (topic instruction)')
            self._diagnostics.set('inference', Level.WARN, 'waiting for an instruction')
            return
        if not instruction.strip():
            raise InputError('instruction: empty; no chunk is sent until another one comes')
        policy.check_instruction(instruction)
        moment = inputs.moment(now_ns)
        started = time.monotonic()
        observation = inputs.observation(moment, instruction)
        observed = time.monotonic()
        chunk = policy.infer(observation)
        infer_ms = (time.monotonic() - observed) * 1e3
        chunks, records = self._chunks, self._records
        if self._description is None or chunks is None or records is None:
            return  # deactivated in the meantime
        if self._instruction != instruction:
            return  # an answer to what is not asked any more
        # Before the chunk, so that whoever joins the two by their stamp has it in time.
        records.publish(String(data=ObservationRecord(
            chunk.stamp_ns, moment.stamps_ns, moment.skew_ns, instruction, infer_ms).to_json()))
        chunks.publish(chunk_message(chunk, self._frame))
        self._diagnostics.set(
            'inference', Level.OK, policy.spec.label, instruction=instruction,
            observe_ms=(observed - started) * 1e3, infer_ms=infer_ms,
            observation_age_ms=(now_ns - moment.stamp_ns) * 1e-6,
            camera_skew_ms=moment.skew_ns * 1e-6,
            **{f'{stage}_ms': ms for stage, ms in getattr(policy, 'timings', {}).items()},
            **{f'age_ms {name}': age * 1e-6 for name, age in moment.ages_ns.items()})

    def _no_chunk(self, why: str) -> None:
        # Each input has its own line in the throttled log, or one would hide another.
        self._log.error(why.split(':', 1)[0], f'no chunk: {why}')
        self._diagnostics.set('inference', Level.ERROR, f'no chunk: {why}')


def main(argv: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM."""
    status = run_node(PolicyNode, 'policy_node', args=argv)
    if unfinished():
        # The interpreter's own end would wait for it, or tear down what it still uses.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


if __name__ == '__main__':
    sys.exit(main())
