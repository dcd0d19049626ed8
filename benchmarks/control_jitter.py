"""How evenly commands leave the control node while a policy computes, against the ordinary way.

Three processes run: the real ``control_node``, the real ``policy_node``, and a world that plays the
arm and two cameras. In the policy node a stand-in for a model goes through as many layers of random
weights in torch as take 85 ms, ten times a second, in one thread: one core is busy. The ordinary
way is one process: control in an rclpy timer, image subscriptions and the same inference in the
same ``MultiThreadedExecutor``, each with a callback group of its own (which is more than many do),
with the same pipeline, the same world and the same load.

The period error is the difference between the time from one command to the next and the period.
For all it is measured alike, in the process that sends: the monotonic clock is read when the
publisher's ``publish`` has returned, that is when the command has left. An observer of the topic
would add its own delays, and the header's stamp tells for when a command was decided, not when it
was sent. Kinds take turns. ``control_node`` runs as it is installed, with real-time priority where
the user may have one, and again without.
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
from contextlib import ExitStack, suppress
from dataclasses import dataclass
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
START_S = 8.0
# Images of this size do not fit in the shared memory that Fast DDS takes by default, and half of
# them would be lost on the way: less load than is meant.
TRANSPORT = '''<?xml version="1.0" encoding="UTF-8"?>
<profiles xmlns="http://www.eprosima.com">
  <transport_descriptors>
    <transport_descriptor>
      <transport_id>large</transport_id> <type>SHM</type>
      <segment_size>16777216</segment_size> <maxMessageSize>2097152</maxMessageSize>
    </transport_descriptor>
    <transport_descriptor> <transport_id>udp</transport_id> <type>UDPv4</type>
    </transport_descriptor>
  </transport_descriptors>
  <participant profile_name="large" is_default_profile="true"> <rtps>
    <userTransports> <transport_id>large</transport_id> <transport_id>udp</transport_id>
    </userTransports>
    <useBuiltinTransports>false</useBuiltinTransports>
  </rtps> </participant>
</profiles>'''


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
    """Return how many layers take this long on a core of this machine."""
    policy = TorchPolicy(0)
    policy.compute(20)
    best = math.inf
    for _ in range(5):
        started = time.thread_time()  # of the core, whatever else runs on it
        policy.compute(20)
        best = min(best, (time.thread_time() - started) / 20)
    return max(1, round(seconds / best))


# The processes

class Recorder:
    """Notes when this process has published a joint command, and what images it has received."""

    def __init__(self, out: str) -> None:
        from rclpy.node import Node
        from rclpy.publisher import Publisher
        from sensor_msgs.msg import Image, JointState

        self._out = Path(out)
        self.sent: list[tuple[int, bool]] = []  # monotonic time [ns], whether the arm moves
        self.seen_ns: list[int] = []
        publish, subscribe = Publisher.publish, Node.create_subscription

        def recorded(publisher: Any, msg: Any) -> None:
            publish(publisher, msg)
            if publisher.msg_type is JointState:
                self.sent.append((time.monotonic_ns(), any(abs(v) > 1e-4 for v in msg.velocity)))

        def counted(node: Any, kind: Any, topic: str, callback: Any, *args: Any,
                    **options: Any) -> Any:
            def count(msg: Any) -> Any:
                self.seen_ns.append(time.monotonic_ns())
                return callback(msg)
            return subscribe(node, kind, topic, count if kind is Image else callback, *args,
                             **options)

        Publisher.publish, Node.create_subscription = recorded, counted

    def write(self) -> None:
        """Write what was noted."""
        self._out.write_text(json.dumps({'sent': self.sent, 'seen_ns': self.seen_ns}),
                             encoding='utf-8')


def control(args: argparse.Namespace) -> None:
    """Run the real control node."""
    from vla_ros.ros.control_node import main as control_node

    recorder = Recorder(args.out)
    priority = {} if args.priority is None else {'thread_priority': args.priority}
    control_node(_arguments('control_node', auto_arm='true', rate_hz=args.rate, **priority))
    recorder.write()


def policy(args: argparse.Namespace) -> None:
    """Run the real policy node with the stand-in for a model."""
    from vla_ros.ros.policy_node import main as policy_node

    POLICIES['layers'] = lambda **options: TorchPolicy(args.layers)
    recorder = Recorder(args.out)
    policy_node(_arguments('policy_node', policy='layers', inference_rate_hz=INFERENCE_HZ,
                           instruction=f"'{TASK}'"))
    recorder.write()


def _arguments(node: str, **parameters: object) -> list[str]:
    values = {'robot': ROBOT, 'driver': 'sim', **parameters}
    return [node, '--ros-args', *(word for name, value in values.items()
                                  for word in ('-p', f'{name}:={value}'))]


def ordinary(args: argparse.Namespace) -> None:
    """Run control, cameras and inference in one process, as a single node commonly does."""
    import rclpy
    from rclpy.callback_groups import MutuallyExclusiveCallbackGroup as Group
    from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
    from rclpy.node import Node
    from sensor_msgs.msg import Image, JointState

    from vla_ros.assembly import build_pipeline
    from vla_ros.robots import load_profile
    from vla_ros.ros import qos
    from vla_ros.ros.images import rgb_from_image
    from vla_ros.ros.joint_states import JointStateReader, joint_state_message
    from vla_ros.ros.parameter_spec import load_specs
    from vla_ros.ros.pipeline_config import pipeline_config
    from vla_ros.ros.stamps import to_ns

    profile = load_profile(ROBOT)
    names = [*profile.joints.names, profile.gripper.joint]
    values = {name: spec.default for name, spec in load_specs('control_node').items()}
    model = TorchPolicy(args.layers)
    recorder = Recorder(args.out)

    class Everything(Node):
        def __init__(self) -> None:
            super().__init__('everything')
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

    rclpy.init(args=[])
    executor = MultiThreadedExecutor(ORDINARY_THREADS)
    executor.add_node(Everything())
    with suppress(KeyboardInterrupt, ExternalShutdownException):
        executor.spin()
    recorder.write()
    os._exit(0)  # threads of the executor may still compute


def world(args: argparse.Namespace) -> None:
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
            self._cameras = [self.create_publisher(
                Image, f'camera/{name}/image_raw', qos.CAMERA) for name in CAMERAS]
            # Several pictures, so that no two after each other are the same.
            self._pictures = [image_from_rgb(
                random.integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8), 0, 'camera')
                for _ in range(4)]
            self._shown = 0
            self.create_timer(1.0 / JOINTS_HZ, self._say)
            # By turns: two cameras without a common trigger.
            self.create_timer(1.0 / (args.camera_hz or CAMERA_HZ) / len(CAMERAS), self._show)

        def _follow(self, msg: JointState) -> None:
            self._q = list(msg.position)

        def _say(self) -> None:
            self._state.publish(joint_state_message(
                names, self._q, stamp_ns=self.get_clock().now().nanoseconds))

        def _show(self) -> None:
            self._shown += 1
            picture = self._pictures[self._shown % len(self._pictures)]
            picture.header.stamp = self.get_clock().now().to_msg()
            self._cameras[self._shown % len(self._cameras)].publish(picture)

    run_node(World, 'world', args=['world'])


ROLES = {'world': world, 'control': control, 'policy': policy, 'ordinary': ordinary}


# The measurement

@dataclass(frozen=True)
class Kind:
    """What is compared: its name in the table, the processes, and the control node's priority."""

    label: str
    roles: tuple[str, ...]
    priority: int | None = None


KINDS = (Kind('ordinary way', ('ordinary',)),
         Kind('control_node', ('control', 'policy')),
         Kind('control_node, no priority', ('control', 'policy'), 0))


def measure(kind: Kind, rate: float, layers: int, seconds: float) -> dict:
    """Run the processes of one kind and return what was noted in the time measured."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        processes = {}
        profile = Path(folder, 'transport.xml')
        profile.write_text(TRANSPORT, encoding='utf-8')
        env = {**os.environ, 'FASTDDS_DEFAULT_PROFILES_FILE': str(profile),
               'FASTRTPS_DEFAULT_PROFILES_FILE': str(profile)}  # its name up to Jazzy
        for role in ('world', *kind.roles):
            log = stack.enter_context(Path(folder, f'{role}.log').open('w'))
            command = [sys.executable, __file__, '--role', role, '--layers', str(layers), '--rate',
                       str(rate), '--out', str(Path(folder, f'{role}.json'))]
            if kind.priority is not None:
                command += ['--priority', str(kind.priority)]
            processes[role] = subprocess.Popen(command, stdout=log, stderr=log, env=env)
            stack.callback(_end, processes[role])
        time.sleep(START_S)
        begin, busy = time.monotonic_ns(), _times()
        cpu = {role: _cpu_s(process.pid) for role, process in processes.items()}
        time.sleep(seconds)
        end, busy = time.monotonic_ns(), [b - a for a, b in zip(busy, _times(), strict=True)]
        cpu = {role: _cpu_s(process.pid) - cpu[role] for role, process in processes.items()}
        for role in kind.roles:
            _end(processes[role])
        logs = {role: Path(folder, f'{role}.log').read_text() for role in processes}
        noted = {}
        for role in kind.roles:
            try:
                noted[role] = json.loads(Path(folder, f'{role}.json').read_text())
            except FileNotFoundError:
                raise SystemExit(f'{role} failed:\n{logs[role]}') from None

    sent = [(t, moves) for t, moves in noted[kind.roles[0]]['sent'] if begin <= t <= end]
    seen = sum(begin <= t <= end for t in noted[kind.roles[-1]]['seen_ns'])
    if not noted[kind.roles[0]]['sent']:
        raise SystemExit(f'{kind.label}: no command at all:\n{logs[kind.roles[0]]}')
    # Hardly any: then the silence from the beginning to the end is what there is to count.
    times = [t for t, _ in sent]
    error = np.abs(np.diff(times if len(sent) > 2 else [begin, *times, end]) * 1e-6 - 1e3 / rate)
    total, stolen = busy
    granted = [line.split('thread_priority: ')[1] for line in logs[kind.roles[0]].splitlines()
               if 'thread_priority: ' in line]
    return {'kind': kind.label, 'rate_hz': rate, 'sent_part': len(sent) / (seconds * rate),
            'moving_part': sum(moves for _, moves in sent) / max(1, len(sent)),
            'images_hz': seen / seconds, **_quantiles(error), 'error_ms': error.tolist(),
            'cpu_s': cpu, 'others_cores': (total - sum(cpu.values())) / seconds,
            'stolen_cores': stolen / seconds, 'thread_priority': granted[0] if granted else None}


def _quantiles(error_ms: Any) -> dict[str, float]:
    return {'p50_ms': float(np.percentile(error_ms, 50)),
            'p99_ms': float(np.percentile(error_ms, 99)), 'max_ms': float(np.max(error_ms))}


def _end(process: subprocess.Popen) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _times() -> list[float]:
    """Return the time that all cores were busy, and that another machine had them [s]."""
    first = Path('/proc/stat').read_text().split('\n', 1)[0].split()[1:]
    user, nice, system, _idle, _wait, interrupt, soft, stolen = (
        int(x) / os.sysconf('SC_CLK_TCK') for x in first[:8])
    return [user + nice + system + interrupt + soft, stolen]


def _cpu_s(pid: int) -> float:
    fields = Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def summary(runs: list[dict], rate: float) -> list[dict]:
    """Return a row for each kind at one rate: all rounds together."""
    rows = []
    for kind in KINDS:
        rounds = [r for r in runs if r['kind'] == kind.label and r['rate_hz'] == rate]
        row = {'kind': kind.label, 'rate_hz': rate, 'rounds_p99_ms': [r['p99_ms'] for r in rounds],
               **_quantiles(np.concatenate([r['error_ms'] for r in rounds]))}
        for key in ('sent_part', 'moving_part', 'images_hz', 'others_cores', 'stolen_cores'):
            row[key] = float(np.mean([r[key] for r in rounds]))
        rows.append(row)
    # Against its best round: the executor of the ordinary way has good and very bad ones.
    for row in rows:
        row['times_better'] = min(rows[0]['rounds_p99_ms']) / row['p99_ms']
    return rows


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seconds', type=float, default=20.0, help='of each round')
    parser.add_argument('--rounds', type=int, default=2)
    parser.add_argument('--rates', type=float, nargs='+', default=[100.0, 250.0], metavar='HZ')
    parser.add_argument('--json', metavar='FILE')
    parser.add_argument('--role', choices=ROLES,
                        help=argparse.SUPPRESS)
    for name, kind in (('layers', int), ('rate', float), ('priority', int), ('out', str),
                       ('camera-hz', float)):
        parser.add_argument(f'--{name}', type=kind, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.role:
        ROLES[args.role](args)
        return 0
    os.environ.setdefault('ROS_DOMAIN_ID', str(os.getpid() % 100 + 1))
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    machine = (f'{platform.platform()}, {os.cpu_count()} cores, Python '
               f'{platform.python_version()}, torch {version("torch")}, {_ros_versions()}, vla_ros '
               f'{__version__}')
    print(machine)
    layers = layers_in(BUSY_S)
    print(f'two cameras {WIDTH}x{HEIGHT} at {CAMERA_HZ:g} Hz, joint states at {JOINTS_HZ:g} Hz, '
          f'chunks at {INFERENCE_HZ:g} Hz ({layers} layers, {BUSY_S * 1e3:g} ms in a thread)')
    print(f'ordinary way: rclpy timer, images and inference in one MultiThreadedExecutor of '
          f'{ORDINARY_THREADS} threads', flush=True)
    print(f'{args.rounds} rounds of {args.seconds:g} s each', flush=True)
    runs: list[dict] = []
    rows: list[dict] = []
    for rate in args.rates:
        runs += [measure(kind, rate, layers, args.seconds)
                 for _ in range(args.rounds) for kind in KINDS]
        rows += summary(runs, rate)
    _print(rows)
    print('thread_priority:', '; '.join(sorted({r['thread_priority'] for r in runs
                                                if r['thread_priority']})))
    if args.json:
        Path(args.json).write_text(json.dumps({
            'machine': machine, 'layers': layers, 'seconds': args.seconds, 'rows': rows,
            'runs': [{k: v for k, v in r.items() if k != 'error_ms'} for r in runs]}, indent=1),
            encoding='utf-8')
    return 0


def _print(rows: list[dict]) -> None:
    print(f'{"period error":<14}{"":<27}{"p50 ms":>9}{"p99 ms":>9}{"max ms":>9}{"better":>9}'
          f'{"sent":>7}{"moving":>8}{"images/s":>10}')
    for r in rows:
        better = f'{r["times_better"]:.1f}x' if r['kind'] != KINDS[0].label else ''
        print(f'{r["rate_hz"]:>7g} Hz    {r["kind"]:<27}{r["p50_ms"]:>9.3f}{r["p99_ms"]:>9.3f}'
              f'{r["max_ms"]:>9.2f}{better:>9}{r["sent_part"]:>7.0%}{r["moving_part"]:>8.0%}'
              f'{r["images_hz"]:>10.0f}')
    others, stolen = (max(r[key] for r in rows) for key in ('others_cores', 'stolen_cores'))
    print('better: p99 against that of the best round of the ordinary way. sent: of the commands '
          'that were due.')
    print(f'Meanwhile other processes used up to {others:.2f} cores, and the hypervisor took '
          f'{stolen:.2f}.')


def _ros_versions() -> str:
    found = []
    for name, distribution in (('rclpy', 'ros-rclpy'), ('Fast DDS', 'ros-fastdds')):
        with suppress(PackageNotFoundError):
            found.append(f'{name} {version(distribution)}')
    return ', '.join(found) or f'ROS {os.environ.get("ROS_DISTRO", "unknown")}'


if __name__ == '__main__':
    sys.exit(main())
