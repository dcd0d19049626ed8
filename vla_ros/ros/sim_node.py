"""``sim_node``: a simulated arm and two cameras, on the same topics that a real robot uses."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.context import Context
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from visualization_msgs.msg import MarkerArray

from vla_ros.core.errors import InputError
from vla_ros.robots import load_profile
from vla_ros.ros import qos
from vla_ros.ros.camera_streams import CameraStreams
from vla_ros.ros.context import run_node
from vla_ros.ros.diagnostics import Diagnostics, Level, ThrottledLog
from vla_ros.ros.joint_states import JointStateReader, joint_state_message
from vla_ros.ros.pacing import Schedule
from vla_ros.ros.parameters import NodeParameters
from vla_ros.ros.poses import FrameMarkers
from vla_ros.ros.sim_runner import Event, SimRunner
from vla_ros.ros.stamps import time_message

_SLOW = 0.95  # of the wanted real-time factor
_BRAKE_TIME = 1.5  # s at most that the simulation goes on after it was told to stop


class SimNode(Node):
    """Publishes the simulated robot, its cameras, ``/clock`` and the poses of the objects.

    Three threads: physics (paced, reads and writes the world, publishes the joints), cameras
    (render snapshots) and the executor's (commands, reset, diagnostics).

    Parameters
    ----------
    context : Context
        Where it lives.
    make_world, make_cameras : Callable
        ``(profile, seed) -> SimWorld`` and ``(world, width, height, backend) -> SimCameras``.

    """

    def __init__(self, context: Context, make_world: Callable[..., Any] | None = None,
                 make_cameras: Callable[..., Any] | None = None) -> None:
        super().__init__('sim_node', context=context)
        self.params = params = NodeParameters(self, 'sim_node')
        self._profile = profile = load_profile(params.robot)
        self._names = (*profile.joints.names, profile.gripper.joint)
        world = (make_world or _make_world)(profile, params.seed)
        self._world = world
        self._log = ThrottledLog(self.get_logger())
        self._error: BaseException | None = None
        self._now_ns = 0

        self._clock_publisher = self.create_publisher(Clock, '/clock', qos.CLOCK)
        self._joints = self.create_publisher(JointState, profile.topics.joint_states, qos.JOINTS)
        self._objects = self.create_publisher(MarkerArray, 'sim/objects', qos.OBJECTS)
        self._markers = FrameMarkers(profile.base_frame)
        self._cameras = CameraStreams(
            self, lambda: (make_cameras or _make_cameras)(
                world, params.image_width, params.image_height, params.render_backend),
            params.jpeg_quality)
        self._runner = SimRunner(world, [
            # The clock last: whoever wakes by it finds the state of that time already sent.
            Event(Schedule(params.joint_states_hz), self._publish_joints),
            Event(Schedule(params.objects_hz), self._publish_objects),
            Event(Schedule(params.camera_hz), self._offer_snapshot),
            Event(Schedule(params.clock_hz), self._publish_clock),
        ], lambda: self.params.real_time_factor, self._on_error)

        topic = profile.topics.joint_command
        self._arm_and_gripper = JointStateReader(self._names, topic, exact=True)
        self._arm = JointStateReader(profile.joints.names, topic, exact=True)
        self._width = profile.gripper.open
        self._force: float | None = None  # as the arm was told; None: only its own limit
        self.create_subscription(JointState, topic, self._on_command, qos.COMMAND)
        self.create_service(Trigger, '~/reset', self._on_reset,
                            callback_group=ReentrantCallbackGroup())
        # It makes the clock, so it cannot live by it.
        self._diagnostics = Diagnostics(self, f'{profile.name} (simulated)',
                                        lambda: time_message(self._now_ns))
        self._diagnostics.add_source(self._report)

        self._cameras.start()
        self._runner.start()
        self.get_logger().info(f'simulating {profile.name}, seed {params.seed}')

    def shutdown(self) -> None:
        """Stop the physics and the cameras, once nobody commands the arm any more.

        With one Ctrl-C for all (``ros2 launch``), the control node must be able to brake the arm,
        and without the simulation there would be no time for it to brake in.
        """
        deadline = time.monotonic() + _BRAKE_TIME
        while (self.count_publishers(self._profile.topics.joint_command) > 0
               and time.monotonic() < deadline):
            time.sleep(0.02)
        self._runner.stop()
        self._cameras.stop()

    def _publish_clock(self, now_ns: int) -> None:
        self._now_ns = now_ns
        self._clock_publisher.publish(Clock(clock=time_message(now_ns)))

    def _publish_joints(self, now_ns: int) -> None:
        world = self._world
        self._joints.publish(joint_state_message(
            self._names,
            np.append(world.joint_position, world.gripper_width),
            np.append(world.joint_velocity, 0.0),
            np.append(world.joint_effort, world.gripper_force), stamp_ns=now_ns))

    def _publish_objects(self, now_ns: int) -> None:
        self._objects.publish(self._markers.message(self._world.frames(), now_ns))

    def _offer_snapshot(self, now_ns: int) -> None:
        self._cameras.raise_error()
        self._cameras.offer(self._world.snapshot(), now_ns,
                            wait=self.params.real_time_factor == 0.0)

    def _on_command(self, msg: JointState) -> None:
        # A command without the gripper leaves it where it was told to be; one that lacks a joint of
        # the arm is refused whole.
        gripper = self._profile.gripper.joint in msg.name
        try:
            position = (self._arm_and_gripper if gripper else self._arm).position(msg)
        except InputError as error:
            self._log.error(self._arm.topic, f'command refused: {error}')
            return
        if gripper:
            self._width, self._force = float(position[-1]), self._gripper_effort(msg)
        self._runner.command(position[:len(self._arm.names)], self._width, self._force)

    def _gripper_effort(self, msg: JointState) -> float | None:
        """Return the force [N] that a command allows the gripper, None when it names none."""
        at = msg.name.index(self._profile.gripper.joint)
        given = len(msg.effort) == len(msg.name) and 0.0 <= msg.effort[at] < math.inf
        return float(msg.effort[at]) if given else None

    def _on_reset(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        seed = self.params.seed
        self._width = self._profile.gripper.open
        response.success = self._runner.reset(seed)
        response.message = (f'reset with seed {seed}' if response.success
                            else 'the simulation did not answer in time')
        return response

    def _report(self) -> None:
        if self._error is not None:  # raised in the callbacks' thread, where it ends the node
            raise self._error
        wanted, factor = self.params.real_time_factor, self._runner.real_time_factor()
        slow = factor is not None and factor < _SLOW * wanted
        shown = 'unknown' if factor is None else f'{factor:.2f}'
        self._diagnostics.set(
            'simulation', Level.WARN if slow else Level.OK,
            f'real-time factor {shown}' + (f', slower than the {wanted:g} wanted' if slow else ''),
            **{'real-time factor': shown, 'wanted': wanted})
        images = self._cameras.report()
        self._diagnostics.set('cameras', Level.OK, f'{images["image rate [Hz]"]:.1f} images/s each',
                              **images)

    def _on_error(self, error: BaseException) -> None:
        self._error = error


def main() -> int:
    """Run the node."""
    return run_node(SimNode, 'sim_node')


def _make_world(profile: Any, seed: int) -> Any:
    from vla_ros.sim.world import SimWorld

    return SimWorld(profile, seed=seed)


def _make_cameras(world: Any, width: int, height: int, backend: str) -> Any:
    if backend != 'auto':
        os.environ['MUJOCO_GL'] = backend  # read by MuJoCo, too
    from vla_ros.sim.camera import SimCameras

    cameras = SimCameras(world, width=width, height=height)
    cameras.render()  # open the context now, while an error can still stop the start
    return cameras


if __name__ == '__main__':
    raise SystemExit(main())
