"""Arms under ros2_control: a joint trajectory controller, or a forward position controller."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vla_ros.robots import RobotProfile
from vla_ros.robots.adapters import Driver, JointCommand
from vla_ros.robots.adapters.clock_offset import ClockOffset
from vla_ros.robots.adapters.controller import scales_time
from vla_ros.robots.adapters.trajectory import SPLICE_S, TrajectoryPoint, TrajectoryStream
from vla_ros.ros import qos
from vla_ros.ros.adapters.base import DriverAdapter
from vla_ros.ros.adapters.controllers import ControllerWatch
from vla_ros.ros.adapters.gripper_action import GripperAction
from vla_ros.ros.adapters.ur_watch import UrWatch
from vla_ros.ros.stamps import duration_message, time_message

Array = NDArray[np.float64]

_OLD_S = 0.05  # s; younger joint states than this come now and then, or the clocks differ
MESSAGES = {'trajectory': JointTrajectory, 'position': Float64MultiArray}


class ControllerAdapter(DriverAdapter):
    """Watches the controller, the robot and the gripper; the subclass knows the message."""

    def __init__(self, node: Node, profile: RobotProfile, driver: Driver, **options: Any) -> None:
        super().__init__(node, profile, driver, **options)
        self._controllers = ControllerWatch(node, driver)
        self._robot = UrWatch(driver, self._settle) if driver.robot_status else None
        line = driver.gripper
        self._gripper = (GripperAction(node, line) if line is not None and line.kind == 'action'
                         and not self.listen_only else None)
        self._publishers = {} if self.listen_only else {
            name: node.create_publisher(MESSAGES[driver.interface],
                                        self._controllers.topic(name), qos.COMMAND)
            for name in driver.controllers}

    def _listen(self) -> None:
        if self._robot is not None:
            self._robot.listen(self.node)

    def values(self) -> dict[str, object]:
        """Return what is worth a line on ``/diagnostics``."""
        return {**super().values(), 'controller': self._controllers.name or 'none',
                **(self._robot.values() if self._robot else {}),
                **(self._gripper.values() if self._gripper else {})}

    @property
    def speed_scale(self) -> float:
        """The robot's speed slider, 0 to 1; 1 where it is not known."""
        scaling = self._robot.state.speed_scaling if self._robot else None
        return 1.0 if scaling is None else min(max(scaling / 100.0, 0.0), 1.0)

    def _find_problem(self) -> str:
        # The robot first: when it stops, its driver takes the controllers away as well.
        robot = self._robot.state.problem() if self._robot else ''
        return robot or self._controllers.problem

    def _look_around(self) -> None:
        self._controllers.look()

    def _publish(self, command: JointCommand, stamp_ns: int) -> bool:
        if self._gripper is not None and command.width is not None:
            self._gripper.want(command.width, command.effort)
        return self._send(command.q, command.velocity, stamp_ns)

    def _hold_at(self, q: Array) -> None:
        self._send(q, np.zeros_like(q), None)

    def _send(self, q: Array, velocity: Array, stamp_ns: int | None) -> bool:
        """Send joints (n,) [rad], [rad/s]; ``stamp_ns`` None: whatever was sent before."""
        raise NotImplementedError


class TrajectoryAdapter(ControllerAdapter):
    """Short trajectories to ``~/joint_trajectory``, each of which ends at rest.

    They name all joints: a partial one is rejected. They have a stamp, so the controller must have
    our clock; the age of the joint states tells.
    """

    def __init__(self, node: Node, profile: RobotProfile, driver: Driver, **options: Any) -> None:
        super().__init__(node, profile, driver, **options)
        # A tick early is early enough: the control loop's ticks do not fall on our period.
        self._period_ns = round(0.9e9 / driver.send_hz)
        self._sent_ns: int | None = None
        self._clock_offset = ClockOffset()
        joints = profile.joints
        self._stream = TrajectoryStream(
            driver.lead_s, joints.acceleration, joints.lower, joints.upper,
            ends_at_rest=driver.last_velocity == 'zero')

    def _take_state(self, stamp_ns: int, q: Array, width: float | None) -> None:
        self._clock_offset.add(stamp_ns, self.node.get_clock().now().nanoseconds)
        super()._take_state(stamp_ns, q, width)

    def _find_problem(self) -> str:
        behind = self._clock_offset.seconds
        if behind is not None and not -0.5 * SPLICE_S <= behind <= _OLD_S:
            return (f'{self.driver.states} is stamped {behind:.3f} s ago at best: two machines '
                    'with different clocks? Trajectories have a time (chrony, or PTP)')
        return super()._find_problem()

    def _send(self, q: Array, velocity: Array, stamp_ns: int | None) -> bool:
        if stamp_ns is None:
            # To every one: the one that was used may be missing now. It begins on arrival.
            self._stream.reset()
            self._sent_ns = None
            rest = TrajectoryPoint(self.driver.lead_s, q, velocity)
            for each in self._publishers.values():
                each.publish(self._message([rest]))
            return True
        publisher = self._publishers.get(self._controllers.name)
        if publisher is None or self._measured is None:
            return False
        if self._sent_ns is not None and 0 <= stamp_ns - self._sent_ns < self._period_ns:
            return True  # the trajectory that is under way goes on until the next
        self._sent_ns = stamp_ns
        scale = self.speed_scale if scales_time(self._controllers.parameters) else 1.0
        begin_ns, points = self._stream.next(stamp_ns, q, velocity, self._measured, scale)
        msg = self._message(points)
        msg.header.stamp = time_message(begin_ns)
        publisher.publish(msg)
        return True

    def _message(self, points: list[TrajectoryPoint]) -> JointTrajectory:
        mapping = self.driver.joints
        return JointTrajectory(
            joint_names=list(mapping.names),
            points=[JointTrajectoryPoint(
                positions=mapping.to_driver(point.position).tolist(),
                velocities=mapping.velocity_to_driver(point.velocity).tolist(),
                time_from_start=duration_message(round(point.time * 1e9))) for point in points])


class PositionAdapter(ControllerAdapter):
    """Every command of the control loop to ``~/commands``, in the controller's own order.

    The controller has no stale timeout and ignores the robot's speed scaling; the control loop is
    the interpolator, and a slow one is refused.
    """

    def values(self) -> dict[str, object]:
        """Return what is worth a line on ``/diagnostics``."""
        return {**super().values(), 'speed scaling is': 'ignored by this controller'}

    def _look_around(self) -> None:
        super()._look_around()
        if self.speed_scale < 0.99 and self.ready == '':
            self.log.warning('scaling', f'the speed slider is at {100 * self.speed_scale:.0f} %, '
                                        f'which {self._controllers.name} ignores')

    def _send(self, q: Array, velocity: Array, stamp_ns: int | None) -> bool:
        order = self.driver.joints.order_in(self._controllers.parameters.get('joints') or ())
        if order is None:
            return False
        msg = Float64MultiArray(data=self.driver.joints.to_driver(q)[order].tolist())
        names = [self._controllers.name] if stamp_ns is not None else list(self._publishers)
        for name in names:
            if name in self._publishers:
                self._publishers[name].publish(msg)
        return self._controllers.name in self._publishers
