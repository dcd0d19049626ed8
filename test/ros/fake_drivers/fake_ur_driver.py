"""A Universal Robot under its ROS 2 driver, as far as a client sees it.

Nodes: joint trajectory controllers, the forward position controller, the io and status controller,
the speed scaling and TCP pose broadcasters, all in one process. A protective stop pauses the
program: the speed scaling goes to 0 and the trajectory's time stands still; when it is released the
robot goes on toward its old target. Partial trajectories, and those that do not end at rest, are
rejected. A new trajectory begins at the measured joints, which lag behind.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from fake_arm import announce, flange_chain, run, set_pose
from geometry_msgs.msg import PoseStamped
from rclpy.context import Context
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Float64, Float64MultiArray, String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from vla_ros.core import se3
from vla_ros.ros.adapters.optional_messages import optional_type
from vla_ros.ros.stamps import time_message, to_ns

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
LAG = 0.03  # s
HOME = [-0.4494, -1.9824, 2.3769, -2.5279, -1.319, 1.1945]


class Trajectory:
    """What the controller makes of a message, in the time of the points' stamps.

    Before the first point it goes there from where the arm was *measured* when the message came;
    after the last one it holds it. With speed scaling, its time goes more slowly.
    """

    def __init__(self, now: float, q: np.ndarray, velocity: np.ndarray,
                 points: list[tuple[float, np.ndarray, np.ndarray]]) -> None:
        self.points = points if now >= points[0][0] else [(now, q, velocity), *points]
        self.time = now

    def at(self, t: float) -> np.ndarray:
        for (t0, q0, v0), (t1, q1, v1) in pairwise(self.points):
            if t < t1:
                T, s = t1 - t0, (t - t0) / (t1 - t0)
                return ((2 * s**3 - 3 * s**2 + 1) * q0 + (s**3 - 2 * s**2 + s) * T * v0
                        + (3 * s**2 - 2 * s**3) * q1 + (s**3 - s**2) * T * v1)
        return self.points[-1][1]


class FakeUr(Node):
    """The robot with its joint states and TCP pose, and the test's handles."""

    def __init__(self, context: Context) -> None:
        super().__init__('ur_ros2_control_node', context=context)
        p = self.declare_parameter
        robot = p('robot', 'ur5e').value
        self.chain, self.plain = flange_chain(robot)
        self.prefix = p('tf_prefix', '').value
        self.names = [self.prefix + name for name in self.plain]
        self.q = np.array(p('start', HOME).value)
        self.velocity = np.zeros(6)
        self.command = self.q.copy()
        self.trajectory: Trajectory | None = None
        self.scales_time = True
        self.stopped = False
        self.epoch = self.get_clock().now().nanoseconds
        self.scaling = 100.0
        self.running = p('program_running', True).value
        self.mode, self.safety = 7, 1
        self.dt = 1.0 / p('rate_hz', 125.0).value
        tcp = p('tcp', [0.0, 0.0, 0.0]).value
        self.T_flange_tcp = se3.pose(np.eye(3), np.array(tcp))
        self.states = self.create_publisher(JointState, 'joint_states', 10)
        self.tcp = self.create_publisher(PoseStamped, 'tcp_pose_broadcaster/pose', 10)
        self.moved = self.create_publisher(JointState, 'fake/position', 50)
        self.create_subscription(Float64, 'fake/speed_slider', self.on_slider, 10)
        for name in ('protective_stop', 'release', 'stop_program', 'start_program'):
            self.create_service(Trigger, f'fake/{name}', getattr(self, name))
        self.status: FakeStatus | None = None
        self.create_timer(self.dt, self.tick)

    def follow(self) -> None:
        """Go after the command as a real arm does: smoothly, and late by about ``LAG`` s."""
        w = 2.0 / LAG
        for _ in range(4):
            dt = self.dt / 4
            self.velocity += dt * (w * w * (self.command - self.q) - 2 * w * self.velocity)
            self.q = self.q + dt * self.velocity

    def protective_stop(self, _request: Any, response: Any) -> Any:
        self.stopped, self.safety, self.scaling = True, 3, 0.0
        return self._done(response)

    def release(self, _request: Any, response: Any) -> Any:
        self.stopped, self.safety, self.scaling = False, 1, 100.0
        return self._done(response)

    def stop_program(self, _request: Any, response: Any) -> Any:
        self.running = False
        return self._done(response)

    def start_program(self, _request: Any, response: Any) -> Any:
        self.running = True
        return self._done(response)

    def on_slider(self, msg: Float64) -> None:
        self.scaling = msg.data

    def _done(self, response: Any) -> Any:
        if self.status is not None:
            self.status.say()
        response.success = True
        return response

    def tick(self) -> None:
        moves = not self.stopped and self.running
        if self.trajectory is not None and moves:
            self.trajectory.time += self.dt * (self.scaling / 100.0 if self.scales_time else 1.0)
            self.command = self.trajectory.at(self.trajectory.time)
        if moves:
            self.follow()
        else:
            self.velocity[:] = 0.0
        stamp = time_message(self.get_clock().now().nanoseconds)
        # The order of a joint state is not defined, and entries may be NaN.
        shuffled = [2, 1, 0, 3, 4, 5]
        msg = JointState(
            name=['somebody_elses_joint', *(self.names[i] for i in shuffled)],
            position=[float('nan'), *(float(self.q[i]) for i in shuffled)],
            velocity=[float('nan'), *(float(self.velocity[i]) for i in shuffled)])
        msg.header.stamp = stamp
        self.states.publish(msg)
        self.moved.publish(JointState(name=self.names, position=self.q.tolist(),
                                      velocity=self.command.tolist()))
        pose = PoseStamped()
        pose.header.stamp, pose.header.frame_id = stamp, self.prefix + 'base'
        T_base_link_base = se3.pose(se3.rotation_from_rpy(0.0, 0.0, np.pi), np.zeros(3))
        T = self.chain.forward(dict(zip(self.plain, self.q, strict=True)))
        set_pose(pose.pose, se3.inverse(T_base_link_base) @ T @ self.T_flange_tcp)
        self.tcp.publish(pose)


class FakeStatus(Node):
    """``io_and_status_controller`` and the speed scaling."""

    def __init__(self, context: Context, robot: FakeUr) -> None:
        super().__init__('io_and_status_controller', context=context)
        self.robot = robot
        self.program = self.create_publisher(Bool, '~/robot_program_running', LATCHED)
        self.scaling = self.create_publisher(
            Float64, 'speed_scaling_state_broadcaster/speed_scaling', 10)
        self.modes: dict[str, Any] = {}
        for key, name, topic in (('mode', 'RobotMode', '~/robot_mode'),
                                 ('safety', 'SafetyMode', '~/safety_mode')):
            kind = optional_type('ur_dashboard_msgs', 'msg', name)
            if kind is not None:
                self.modes[key] = kind, self.create_publisher(kind, topic, LATCHED)
        robot.status = self
        self.say()
        self.create_timer(0.02, lambda: self.scaling.publish(Float64(data=robot.scaling)))

    def say(self) -> None:
        self.program.publish(Bool(data=self.robot.running))
        for name, (kind, publisher) in self.modes.items():
            publisher.publish(kind(mode=getattr(self.robot, name)))


class FakeTrajectoryController(Node):
    def __init__(self, context: Context, robot: FakeUr, name: str) -> None:
        super().__init__(name, context=context)
        self.robot = robot
        self.declare_parameter('joints', robot.names)
        self.declare_parameter('command_interfaces', ['position'])
        self.scales_time = name.startswith('scaled')
        if self.scales_time:
            self.declare_parameter('speed_scaling_interface_name',
                                   'speed_scaling/speed_scaling_factor')
        self.declare_parameter('allow_nonzero_velocity_at_trajectory_end', False)
        self.create_subscription(JointTrajectory, '~/joint_trajectory', self.on_trajectory, 10)

    def on_trajectory(self, msg: JointTrajectory) -> None:
        problem = self.problem(msg)
        if problem:
            announce(self.robot, f'rejected: {problem}')
            return
        robot = self.robot
        order = [list(msg.joint_names).index(name) for name in robot.names]
        now = robot.get_clock().now().nanoseconds
        begin = to_ns(msg.header.stamp) or now
        points = [((begin - robot.epoch + to_ns(p.time_from_start)) * 1e-9,
                   np.array(p.positions)[order],
                   np.array(p.velocities)[order] if p.velocities else np.zeros(6))
                  for p in msg.points]
        robot.scales_time = self.scales_time
        robot.trajectory = Trajectory((now - robot.epoch) * 1e-9, robot.q.copy(),
                                      robot.velocity.copy(), points)

    def problem(self, msg: JointTrajectory) -> str:
        if set(msg.joint_names) != set(self.robot.names):
            return "joints don't match the controller's"
        if not msg.points:
            return 'empty trajectory'
        allowed = self.get_parameter('allow_nonzero_velocity_at_trajectory_end').value
        if not allowed and any(abs(v) > 1.2e-7 for v in msg.points[-1].velocities):
            return 'velocity of the last point is not zero'
        before = -1
        for point in msg.points:
            if len(point.positions) != 6 or not np.isfinite(point.positions).all():
                return 'positions'
            if to_ns(point.time_from_start) <= before:
                return 'time is not increasing'
            before = to_ns(point.time_from_start)
        return ''


class FakePositionController(Node):
    def __init__(self, context: Context, robot: FakeUr) -> None:
        super().__init__('forward_position_controller', context=context)
        self.robot = robot
        # An order of its own: the message has no names.
        self.order = [3, 4, 5, 0, 1, 2] if self.declare_parameter('odd_order', False).value else [
            0, 1, 2, 3, 4, 5]
        self.declare_parameter('joints', [robot.names[i] for i in self.order])
        self.declare_parameter('interface_name', 'position')
        self.create_subscription(Float64MultiArray, '~/commands', self.on_command, 10)

    def on_command(self, msg: Float64MultiArray) -> None:
        if len(msg.data) != 6 or not np.isfinite(msg.data).all():
            announce(self.robot, 'rejected: command size or value')
            return
        command = np.empty(6)
        command[self.order] = msg.data
        self.robot.trajectory, self.robot.command = None, command


class FakeControllerManager(Node):
    """Says which controllers are active, where the type of its service is installed."""

    def __init__(self, context: Context, robot: FakeUr, controllers: list[str]) -> None:
        super().__init__('controller_manager', context=context)
        self.controllers = controllers
        self.active = self.declare_parameter('active', controllers[0]).value
        self.claims = [f'{name}/position' for name in robot.names]
        self.state = optional_type('controller_manager_msgs', 'msg', 'ControllerState')
        service = optional_type('controller_manager_msgs', 'srv', 'ListControllers')
        if self.state is None or service is None:
            return
        self.create_service(service, '~/list_controllers', self.on_list)
        self.create_subscription(String, 'fake/activate', self.on_activate, 10)

    def on_activate(self, msg: String) -> None:
        self.active = msg.data

    def on_list(self, _request: Any, response: Any) -> Any:
        names = [*self.controllers, 'freedrive_mode_controller']
        response.controller = [
            self.state(name=name, state='active' if name == self.active else 'inactive',
                       claimed_interfaces=self.claims if name == self.active else [])
            for name in names]
        response.controller.append(self.state(name='joint_state_broadcaster', state='active'))
        return response


def make(context: Context) -> list[Node]:
    robot = FakeUr(context)
    controllers = robot.declare_parameter(
        'controllers', ['scaled_joint_trajectory_controller']).value
    nodes: list[Node] = [robot, FakeStatus(context, robot),
                         FakeControllerManager(context, robot, controllers)]
    for name in controllers:
        nodes.append(FakePositionController(context, robot) if name.startswith('forward')
                     else FakeTrajectoryController(context, robot, name))
    description = robot.declare_parameter('robot_description', '').value
    if description:
        robot.description = robot.create_publisher(String, 'robot_description', LATCHED)
        robot.description.publish(String(data=description))
    return nodes


if __name__ == '__main__':
    raise SystemExit(run(make))
