"""Listens to an arm for some seconds and keeps what the check of it needs. Sends nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import rclpy
from geometry_msgs.msg import Pose, PoseStamped
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.robots import RobotProfile
from vla_ros.robots.adapters import DRIVERS, Driver, load_driver
from vla_ros.robots.check import PoseSample, Recording, StateSample, TopicSeen
from vla_ros.ros import qos
from vla_ros.ros.adapters import make_adapter
from vla_ros.ros.adapters.arm_state import subscribe_arm_state
from vla_ros.ros.adapters.base import others_on
from vla_ros.ros.poses import pose_from_message
from vla_ros.ros.robot_description import TOPIC, described_profile, difference_text
from vla_ros.ros.stamps import to_ns

_FIND_S = 4.0  # s to find what there is; discovery takes a second or two on a busy machine
_RATE_HZ = 1000.0  # nothing is sent, so no rate is too slow


def listen(profile: RobotProfile, driver: Driver, seconds: float, *, use_sim_time: bool,
           args: Sequence[str] = ()) -> Recording:
    """Return what was heard of the arm in ``seconds``; ``args`` are ROS arguments.

    Raises
    ------
    ConfigError
        The ROS arguments are wrong.

    """
    context = Context()
    try:
        rclpy.init(args=list(args), context=context, signal_handler_options=SignalHandlerOptions.NO)
    except Exception as error:  # what rcl raises here differs between releases
        raise ConfigError(f'bad ROS arguments: {" ".join(str(error).split())}') from error
    try:
        listener = ArmListener(context, profile, driver, use_sim_time)
        executor = SingleThreadedExecutor(context=context)
        executor.add_node(listener)
        try:
            return listener.record(executor, seconds)
        finally:
            executor.shutdown(timeout_sec=1.0)
            listener.destroy_node()
    finally:
        rclpy.shutdown(context=context)


class ArmListener(Node):
    """Subscribes to everything that the driver says, with the adapter that would command it."""

    def __init__(self, context: Context, profile: RobotProfile, driver: Driver,
                 use_sim_time: bool) -> None:
        super().__init__('arm_check', context=context, parameter_overrides=[
            Parameter('use_sim_time', Parameter.Type.BOOL, use_sim_time)])
        self._profile = profile
        self._driver = driver
        self._heard = Recording(0.0)
        self._adapter = make_adapter(self, profile, driver, _RATE_HZ, listen_only=True)
        subscribe_arm_state(self, driver, self._on_state, self._on_error)
        self.create_subscription(JointState, driver.states, self._on_names,
                                 qos_profile_sensor_data)
        self.create_subscription(String, TOPIC, self._on_description, qos.LATCHED)
        self._end_pose: Any = None
        if driver.command and driver.gripper is not None:
            self.create_subscription(JointState, driver.command, self._on_command,
                                     qos_profile_sensor_data)

    def record(self, executor: SingleThreadedExecutor, seconds: float) -> Recording:
        """Listen for ``seconds``, counted from when all was found that there is."""
        self._spin(executor, _FIND_S, lambda: bool(self._heard.states))
        if self._heard.states:
            self._spin(executor, _FIND_S, self._complete)
            # What came while the rest was being looked for came by fits and starts.
            self._heard.states.clear()
            self._heard.poses.clear()
            self._spin(executor, seconds, lambda: False)
        heard = self._heard
        heard.seconds, heard.ready = seconds, self._adapter.ready
        heard.topics = self._topics()
        heard.elsewhere = () if heard.states else self._elsewhere()
        return heard

    def _spin(self, executor: SingleThreadedExecutor, seconds: float,
              enough: Callable[[], bool]) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not enough():
            self._hear_end_pose()
            executor.spin_once(timeout_sec=0.05)

    def _complete(self) -> bool:
        return not self._adapter.ready and (self._driver.end_pose is None
                                            or bool(self._heard.poses))

    def _hear_end_pose(self) -> None:
        pose = self._driver.end_pose
        if pose is None or self._end_pose is not None:
            return
        # Stamped or not: what the publisher says. Subscribing needs to know.
        types = self._types(pose.topic)
        for name, kind, handler in (('geometry_msgs/msg/PoseStamped', PoseStamped, self._on_pose),
                                    ('geometry_msgs/msg/Pose', Pose, self._on_bare_pose)):
            if name in types:
                self._end_pose = self.create_subscription(kind, pose.topic, handler,
                                                          qos_profile_sensor_data)
                return

    # What is heard

    def _now(self) -> int:
        return int(self.get_clock().now().nanoseconds)

    def _on_state(self, stamp_ns: int, q: Any, width: float | None) -> None:
        self._heard.states.append(StateSample(self._now(), stamp_ns, q, width))

    def _on_error(self, text: str) -> None:
        self._heard.errors[text] = self._heard.errors.get(text, 0) + 1

    def _on_names(self, msg: JointState) -> None:
        if set(msg.name) & set(self._driver.joints.names):
            self._heard.names = tuple(msg.name)

    def _on_pose(self, msg: PoseStamped) -> None:
        self._add_pose(msg.pose, to_ns(msg.header.stamp), msg.header.frame_id)

    def _on_bare_pose(self, msg: Pose) -> None:
        self._add_pose(msg, 0, '')

    def _add_pose(self, pose: Pose, stamp_ns: int, frame: str) -> None:
        assert self._driver.end_pose is not None
        try:
            T = pose_from_message(pose, self._driver.end_pose.topic)
        except InputError as error:
            self._on_error(str(error))
            return
        self._heard.poses.append(PoseSample(self._now(), stamp_ns, frame, T))

    def _on_command(self, msg: JointState) -> None:
        line = self._driver.gripper
        assert line is not None
        joint = line.mapping.joint
        if self._driver.type == 'piper_ros':
            place = 6 if len(msg.position) > 6 else None
        else:
            place = list(msg.name).index(joint) if joint in msg.name else None
        if place is not None and place < len(msg.position):
            position = msg.position[place] * self._driver.gripper_multiple
            self._heard.widths_commanded.append((self._now(), line.mapping.from_driver(position)))

    def _on_description(self, msg: String) -> None:
        try:
            _, difference = described_profile(self._profile, self._driver, msg.data)
        except ConfigError as error:
            self._heard.description = str(error)
        else:
            self._heard.description = difference_text(difference)

    # The graph

    def _topics(self) -> dict[str, TopicSeen]:
        driver = self._driver
        roles = {'states': driver.states}
        if driver.end_pose is not None:
            roles['end pose'] = driver.end_pose.topic
        if driver.command:
            roles['command'] = driver.command
        return {role: self._seen(topic) for role, topic in roles.items()}

    def _seen(self, topic: str) -> TopicSeen:
        name = str(self.resolve_topic_name(topic))
        return TopicSeen(
            name, tuple(self._types(topic)),
            tuple(others_on(self.get_publishers_info_by_topic(name), self)),
            tuple(others_on(self.get_subscriptions_info_by_topic(name), self)))

    def _types(self, topic: str) -> list[str]:
        name = self.resolve_topic_name(topic)
        return list(dict(self.get_topic_names_and_types()).get(name, []))

    def _elsewhere(self) -> tuple[str, ...]:
        """Return other drivers of this arm whose joint states somebody publishes."""
        found = []
        for kind in DRIVERS:
            try:
                other = load_driver(self._profile, kind)
            except ConfigError:
                continue  # not of this arm
            if other.states != self._driver.states and self._seen(other.states).publishers:
                found.append(kind)
        return tuple(found)
