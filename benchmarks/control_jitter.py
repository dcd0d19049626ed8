"""How evenly commands leave the control node while a policy computes, against the ordinary way.

Three processes run: the real ``control_node``, the real ``policy_node`` and a world that plays the
robot and two cameras. The policy is a stand-in for a model: as many matrix products in torch as
take about 85 ms, ten times a second. The ordinary way is one process: control in an rclpy timer,
image subscriptions and the same inference in the same MultiThreadedExecutor (each with a callback
group of its own, which is more than many do), with the same pipeline and the same world.

The period error is the difference between the time from one command to the next and the period.
Both ways it is measured alike, inside the process that sends: the monotonic clock is read when the
publisher's ``publish`` has returned, that is when the command has left. An observer of the topic
would add its own delays, and the header's stamp says when a tick began, not when it was sent.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

# NumPy's threads wait for work in a loop, and would take the cores from what is measured.
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
os.environ.setdefault('OMP_NUM_THREADS', '1')

import numpy as np

from vla_ros import __version__
from vla_ros.core.types import ActionChunk, Observation
from vla_ros.policy import POLICIES, PolicySpec

ROBOT, TASK = 'piper', 'pick up the insulator'
CAMERAS = ('third_person', 'wrist')
WIDTH, HEIGHT, CAMERA_HZ, JOINTS_HZ, INFERENCE_HZ = 640, 480, 30.0, 125.0, 10.0
BUSY_S = 0.085  # of an inference, of which ten start in a second
_WIDTH = 512
ORDINARY_THREADS = 4
WARM_S = 3.0


class TorchPolicy:
    """Computes as a model does, and answers with a slow swing of the arm.

    Parameters
    ----------
    layers : int
        Feed-forward layers of a transformer that an inference goes through.

    """

    spec = PolicySpec('layers', 'layers of random weights: no model', CAMERAS, False,
                      100_000_000, 8)

    def __init__(self, layers: int) -> None:
        import torch

        torch.set_num_threads(1)
        self._torch = torch
        self._layers = layers
        self._tokens = torch.randn(128, _WIDTH)
        self._up = torch.randn(_WIDTH, 4 * _WIDTH) / _WIDTH ** 0.5
        self._down = torch.randn(4 * _WIDTH, _WIDTH) / (4 * _WIDTH) ** 0.5

    def warm_up(self) -> None:
        """Compute for the first time."""
        self.compute(self._layers)

    def check_instruction(self, instruction: str) -> None:
        """Understand anything."""

    def compute(self, layers: int) -> None:
        """Go through this many layers."""
        x, functional = self._tokens, self._torch.nn.functional
        with self._torch.inference_mode():
            for _ in range(layers):
                x = x + functional.gelu(functional.layer_norm(x, (_WIDTH,)) @ self._up) @ self._down

    def infer(self, observation: Observation) -> ActionChunk:
        """Return a chunk that moves to and fro along x."""
        self.compute(self._layers)
        steps = (observation.stamp_ns + np.arange(self.spec.horizon) * self.spec.dt_ns) * 1e-9
        actions = np.zeros((self.spec.horizon, 7))
        actions[:, 0] = 0.002 * np.cos(2.0 * np.pi * steps / 4.0)  # m a step, a swing of 4 s
        actions[:, 6] = 1.0
        return ActionChunk(observation.stamp_ns, self.spec.dt_ns, actions)


def layers_in(seconds: float) -> int:
    """Return how many layers take this long on this machine when nothing else runs."""
    policy = TorchPolicy(0)
    policy.compute(20)
    best = math.inf
    for _ in range(5):
        started = time.perf_counter()
        policy.compute(20)
        best = min(best, (time.perf_counter() - started) / 20)
    return max(1, round(seconds / best))


# The processes

class Recorder:
    """Notes when each joint command of this process has been published."""

    def __init__(self) -> None:
        from rclpy.publisher import Publisher
        from sensor_msgs.msg import JointState

        self.sent_ns: list[int] = []
        self.moving = 0
        publish, sent = Publisher.publish, self.sent_ns

        def recorded(publisher: Any, msg: Any) -> None:
            publish(publisher, msg)
            if publisher.msg_type is JointState:
                sent.append(time.monotonic_ns())
                self.moving += any(abs(v) > 1e-4 for v in msg.velocity)

        Publisher.publish = recorded

    def write(self, path: str, **values: object) -> None:
        """Write what was noted."""
        Path(path).write_text(json.dumps(
            {'sent_ns': self.sent_ns, 'moving': self.moving, **values}), encoding='utf-8')


def control(args: argparse.Namespace) -> int:
    """Run the real control node."""
    from vla_ros.ros.control_node import main as control_node

    recorder = Recorder()
    status = control_node(['control_node', '--ros-args', '-p', f'robot:={ROBOT}',
                           '-p', f'rate_hz:={args.rate}', *args.ros_args.split()])
    recorder.write(args.out)
    return status


def policy(args: argparse.Namespace) -> int:
    """Run the real policy node with the stand-in for a model."""
    from vla_ros.ros.policy_node import main as policy_node

    POLICIES['layers'] = lambda **options: TorchPolicy(args.layers)
    return policy_node(['policy_node', '--ros-args', '-p', f'robot:={ROBOT}', '-p',
                        'policy:=layers', '-p', f'inference_rate_hz:={INFERENCE_HZ}',
                        '-p', f"instruction:='{TASK}'"])


def ordinary(args: argparse.Namespace) -> int:
    """Run control, cameras and inference in one process, as a single node commonly does."""
    from rclpy.callback_groups import MutuallyExclusiveCallbackGroup as Group
    from rclpy.node import Node
    from sensor_msgs.msg import Image, JointState

    from vla_ros.assembly import build_pipeline
    from vla_ros.robots import load_profile
    from vla_ros.ros import qos
    from vla_ros.ros.context import run_node
    from vla_ros.ros.images import rgb_from_image
    from vla_ros.ros.joint_states import JointStateReader, joint_state_message
    from vla_ros.ros.parameter_spec import load_specs
    from vla_ros.ros.pipeline_config import pipeline_config
    from vla_ros.ros.stamps import to_ns

    profile = load_profile(ROBOT)
    names = [*profile.joints.names, profile.gripper.joint]
    values = {name: spec.default for name, spec in load_specs('control_node').items()}
    model = TorchPolicy(args.layers)
    recorder = Recorder()

    class Everything(Node):
        def __init__(self, context: Any) -> None:
            super().__init__('everything', context=context)
            self._pipeline = build_pipeline(
                profile, pipeline_config({**values, 'rate_hz': args.rate}), values['ik_backend'])
            self._lock = threading.Lock()  # the pipeline is not thread-safe
            self._reader = JointStateReader(names)
            self._images: dict[str, Any] = {}
            self._commands = self.create_publisher(JointState, 'joint_command', qos.COMMAND)
            for camera in CAMERAS:
                self.create_subscription(Image, f'camera/{camera}/image_raw', self._keep(camera),
                                         qos.CAMERA, callback_group=Group())
            self.create_subscription(JointState, 'joint_states', self._on_joints, qos.JOINTS,
                                     callback_group=Group())
            self.create_timer(1.0 / INFERENCE_HZ, self._infer, callback_group=Group())
            self.create_timer(1.0 / args.rate, self._tick, callback_group=Group())

        def _keep(self, camera: str) -> Any:
            def keep(msg: Image) -> None:
                self._images[camera] = msg
            return keep

        def _on_joints(self, msg: JointState) -> None:
            q = self._reader.position(msg)
            with self._lock:
                self._pipeline.add_joint_state(to_ns(msg.header.stamp), q[:-1], float(q[-1]))

        def _infer(self) -> None:
            images = {camera: rgb_from_image(msg, camera) for camera, msg in self._images.items()}
            if len(images) < len(CAMERAS):
                return
            stamp = to_ns(self._images['wrist'].header.stamp)
            chunk = model.infer(Observation(stamp, TASK, images, {}))
            with self._lock:
                self._pipeline.add_chunk(chunk, self.get_clock().now().nanoseconds)

        def _tick(self) -> None:
            with self._lock:
                tick = self._pipeline.step(self.get_clock().now().nanoseconds)
            if tick.q is not None:
                self._commands.publish(joint_state_message(
                    names, [*tick.q, tick.gripper], [*tick.velocity, 0.0], stamp_ns=tick.stamp_ns))

    status = run_node(Everything, 'everything', args=['everything'], threads=ORDINARY_THREADS)
    recorder.write(args.out)
    return status


def world(args: argparse.Namespace) -> int:
    """Play an arm that follows at once, and two cameras."""
    from rclpy.node import Node
    from sensor_msgs.msg import Image, JointState

    from vla_ros.robots import load_profile
    from vla_ros.ros import qos
    from vla_ros.ros.context import run_node
    from vla_ros.ros.images import image_from_rgb
    from vla_ros.ros.joint_states import joint_state_message

    profile = load_profile(ROBOT)
    names = [*profile.joints.names, profile.gripper.joint]
    random = np.random.default_rng(0)

    class World(Node):
        def __init__(self, context: Any) -> None:
            super().__init__('world', context=context)
            self._q = [*profile.joints.home, 0.05]
            self._state = self.create_publisher(JointState, 'joint_states', qos.JOINTS)
            self.create_subscription(JointState, 'joint_command', self._follow, qos.JOINTS)
            self._cameras = {name: self.create_publisher(
                Image, f'camera/{name}/image_raw', qos.CAMERA) for name in CAMERAS}
            # Several pictures, so that no two after each other are the same.
            self._pictures = [image_from_rgb(
                random.integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8), 0, 'camera')
                for _ in range(4)]
            self._shown = 0
            self.create_timer(1.0 / JOINTS_HZ, self._say)
            self.create_timer(1.0 / CAMERA_HZ, self._show)

        def _follow(self, msg: JointState) -> None:
            self._q = list(msg.position)

        def _say(self) -> None:
            self._state.publish(joint_state_message(
                names, self._q, stamp_ns=self.get_clock().now().nanoseconds))

        def _show(self) -> None:
            for camera in self._cameras.values():
                self._shown += 1
                picture = self._pictures[self._shown % len(self._pictures)]
                picture.header.stamp = self.get_clock().now().to_msg()
                camera.publish(picture)

    return run_node(World, 'world', args=['world'])


# The measurement

def measure(kind: str, rate: float, layers: int, seconds: float, ros_args: str = '') -> dict:
    """Return the period error of one kind of process at one rate."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, 'sent.json')
        started: list[subprocess.Popen] = []

        def start(role: str, *more: str) -> subprocess.Popen:
            log = open(Path(folder, f'{role}.log'), 'w')
            process = subprocess.Popen(
                [sys.executable, __file__, '--role', role, '--layers', str(layers), '--rate',
                 str(rate), '--out', str(out), *more], stdout=log, stderr=log)
            started.append(process)
            return process
        try:
            start('world')
            if kind == 'control':
                start('policy')
            sender = start(kind, f'--ros-args={ros_args}')
            time.sleep(8)
            begin = time.monotonic_ns()
            time.sleep(seconds)
            end = time.monotonic_ns()
            sender.send_signal(signal.SIGINT)
            sender.wait(20)
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait(20)
            for f in Path(folder).glob('*.log'):
                print(f.name, f.read_text()[-600:])
        noted = json.loads(out.read_text())
    sent = np.array([t for t in noted['sent_ns'] if begin <= t <= end])
    error = np.abs(np.diff(sent) * 1e-6 - 1e3 / rate)
    return {'kind': kind, 'rate': rate, 'n': len(sent), 'moving': noted['moving']/len(noted['sent_ns']),
            **{f'p{p}': round(float(np.percentile(error, p)),3) for p in (50, 90, 99, 99.9)}, 'max': float(error.max())}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seconds', type=float, default=20.0)
    parser.add_argument('--json', metavar='FILE')
    parser.add_argument('--role', help=argparse.SUPPRESS)
    parser.add_argument('--layers', type=int, help=argparse.SUPPRESS)
    parser.add_argument('--rate', type=float, help=argparse.SUPPRESS)
    parser.add_argument('--out', help=argparse.SUPPRESS)
    parser.add_argument('--ros-args', default='', help=argparse.SUPPRESS)
    parser.add_argument('--kinds', default='control,ordinary')
    parser.add_argument('--rates', default='100,250')
    args = parser.parse_args()
    if args.role:
        return globals()[args.role](args)
    os.environ.setdefault('ROS_DOMAIN_ID', str(os.getpid() % 100 + 1))
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    layers = layers_in(BUSY_S)
    print('layers', layers)
    for rate in args.rates.split(','):
        for kind in args.kinds.split(','):
            print(measure(kind, float(rate), layers, args.seconds, args.ros_args), flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
