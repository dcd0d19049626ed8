"""What the fake drivers share: an arm that goes where it is told at a bounded speed, and its FK."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import rclpy
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import String

from vla_ros.core import se3
from vla_ros.robots import load_profile
from vla_ros.robots.urdf_chain import Chain, parse_urdf, read_chain


class FakeArm:
    """Joints [rad] that go toward their targets, each at most at ``speed`` [rad/s]."""

    def __init__(self, q: Sequence[float], speed: float) -> None:
        self.q = np.array(q, dtype=float)
        self.target = self.q.copy()
        self.speed = speed
        self.velocity = np.zeros_like(self.q)

    def step(self, dt: float) -> None:
        step = np.clip(self.target - self.q, -self.speed * dt, self.speed * dt)
        self.q = self.q + step
        self.velocity = step / dt


def flange_chain(robot: str) -> tuple[Chain, tuple[str, ...]]:
    """Return the chain to the flange of a robot of the package, and its joint names."""
    profile = load_profile(robot)
    root = parse_urdf(profile.urdf_path.read_text(encoding='utf-8'), robot)
    return (read_chain(root, profile.base_frame, profile.flange_frame, robot),
            profile.joints.names)


def set_pose(pose: Any, T: np.ndarray) -> None:
    """Write a 4x4 into a ``Pose``."""
    pose.position.x, pose.position.y, pose.position.z = (float(v) for v in T[:3, 3])
    q = se3.quaternion_from_rotation(T[:3, :3])
    (pose.orientation.x, pose.orientation.y, pose.orientation.z,
     pose.orientation.w) = (float(v) for v in q)


def announce(node: Node, text: str) -> None:
    """Say something to the tests on ``fake/said``."""
    if not hasattr(node, 'said'):
        node.said = node.create_publisher(String, 'fake/said', 50)  # type: ignore[attr-defined]
    node.said.publish(String(data=text))  # type: ignore[attr-defined]


def run(make: Callable[[Context], Sequence[Node]]) -> int:
    """Make the nodes and spin them until a signal."""
    context = Context()
    rclpy.init(args=sys.argv, context=context, signal_handler_options=SignalHandlerOptions.NO)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    executor = SingleThreadedExecutor(context=context)
    for node in make(context):
        executor.add_node(node)

    def spin() -> None:
        try:
            while not stop.is_set():
                executor.spin_once(timeout_sec=0.1)
        except ExternalShutdownException:
            pass

    thread = threading.Thread(target=spin)
    thread.start()
    print('fake driver up', flush=True)  # noqa: T201
    stop.wait()
    thread.join()
    rclpy.shutdown(context=context)
    return 0
