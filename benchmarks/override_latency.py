"""From a human's word on an override topic to the joint command that obeys it.

Three processes run: the real ``control_node``; an operator, which publishes one gripper override or
one twist at a time, at random moments; and this one, which plays the arm: it publishes joint states
at 100 Hz and notes when the first command that obeys has arrived. An override is timed from just
before ``publish`` in the operator to the callback here: two hops through DDS, the control node's
executor, and the wait for the next tick, which alone is 0 to 10 ms at 100 Hz. The command's stamp
is the tick at which it was due; it divides the time into before (the way there and the wait for the
tick) and after (late sending and the way back).

Against it, in the same run and between the same two processes, goes the plain round through DDS: a
message of the same type to a node that does nothing but publish it again. What an override takes
longer than that is the control node. ``--load N`` has N other processes compute all the time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from vla_ros import __version__

ROBOT, SOURCE, RATE_HZ = 'piper', 'joystick', 100.0
PATIENCE_S = 10.0  # for a command to obey
_LOST_S = 1.0  # a message that has done nothing by then was lost: twists are best effort
_PAUSES_S = (0.02, 0.05)  # before each override, at random: every phase of the period is met
_TWIST_MM = 40  # mm/s, and a stop after each


# The operator and the echo: processes of their own


def operator() -> None:
    """Publish what is asked for on stdin, one line each; answer with the time before it [ns]."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ends with its stdin
    rclpy, node = _node('operator')
    from geometry_msgs.msg import TwistStamped
    from std_msgs.msg import String

    from vla_ros.ros import qos

    words = {name: node.create_publisher(String, topic, qos.WORDS) for name, topic in (
        ('gripper', f'override/{SOURCE}/gripper'), ('arm', f'override/{SOURCE}/arm'),
        ('ping', 'ping'))}
    twists = node.create_publisher(TwistStamped, f'override/{SOURCE}/twist', qos.STREAM)
    for line in sys.stdin:
        kind, _, text = line.strip().partition(' ')
        message = String(data=text)
        if kind == 'twist':
            message = TwistStamped()
            message.twist.linear.y = float(text)
        publisher = twists if kind == 'twist' else words[kind]
        time.sleep(random.uniform(*_PAUSES_S))
        started = time.time_ns()
        publisher.publish(message)
        print(started, flush=True)
    rclpy.shutdown()


def echo() -> None:
    """Publish again what comes on ``ping``; nothing else."""
    rclpy, node = _node('echo')
    from std_msgs.msg import String

    from vla_ros.ros import qos

    publisher = node.create_publisher(String, 'pong', qos.WORDS)
    node.create_subscription(String, 'ping', publisher.publish, qos.WORDS)
    with suppress(KeyboardInterrupt):
        rclpy.spin(node)


def burn() -> None:
    """Compute for ever."""
    while True:
        sum(i * i for i in range(10_000))


def _node(name: str) -> tuple[Any, Any]:
    import rclpy
    from rclpy.node import Node

    rclpy.init()
    return rclpy, Node(name)


# The arm: this process


@dataclass
class Samples:
    """Times of one kind of override [ms]: in all, and before and after the tick."""

    total: list[float] = field(default_factory=list)
    before: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    lost: int = 0

    def add(self, sent_ns: int, due_ns: int, arrived_ns: int) -> None:
        self.total.append((arrived_ns - sent_ns) * 1e-6)
        self.before.append((due_ns - sent_ns) * 1e-6)
        self.after.append((arrived_ns - due_ns) * 1e-6)


class Arm:
    """A perfect arm: it is where the newest command says, and says so at 100 Hz."""

    def __init__(self) -> None:
        from sensor_msgs.msg import JointState
        from std_msgs.msg import String

        from vla_ros.robots import load_profile
        from vla_ros.ros import qos
        from vla_ros.ros.joint_states import joint_state_message

        self.rclpy, self.node = _node('arm')
        self._message = joint_state_message
        profile = load_profile(ROBOT)
        self._names = [*profile.joints.names, profile.gripper.joint]
        self._state = [*profile.joints.home.tolist(), profile.gripper.open]
        self.commands: list[tuple[int, int, float, float]] = []  # arrived, due, speed, width
        self.pongs: list[int] = []
        self._states = self.node.create_publisher(JointState, profile.topics.joint_states,
                                                  qos.JOINTS)
        self.node.create_subscription(JointState, profile.topics.joint_command, self._on_command,
                                      qos.COMMAND)
        self.node.create_subscription(String, 'pong',
                                      lambda _: self.pongs.append(time.time_ns()), qos.WORDS)
        self.node.create_timer(1.0 / RATE_HZ, self._publish)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self.rclpy.shutdown()
        self._thread.join()

    def _spin(self) -> None:
        with suppress(Exception):  # ends with the context
            self.rclpy.spin(self.node)

    def _publish(self) -> None:
        self._states.publish(self._message(self._names, self._state, stamp_ns=time.time_ns()))

    def _on_command(self, msg: Any) -> None:
        arrived = time.time_ns()
        stamp = msg.header.stamp
        self._state[:len(msg.position)] = msg.position
        self.commands.append((arrived, stamp.sec * 1_000_000_000 + stamp.nanosec,
                              max(map(abs, msg.velocity)), self._state[-1]))

    def wait(self, what: str, condition: Any, since: int = 0,
             patience_s: float = PATIENCE_S) -> tuple[int, int, float, float]:
        """Return the first command from index ``since`` on that fulfils a condition."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            while since < len(self.commands):
                if condition(self.commands[since]):
                    return self.commands[since]
                since += 1
            time.sleep(0.0005)
        raise TimeoutError(f'{what}: no such command within {patience_s:g} s')


class Operator:
    """The operator's process, asked for one thing at a time."""

    def __init__(self) -> None:
        self.process = _process('operator', stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def say(self, kind: str, text: str) -> int:
        """Have it published; return when [ns]."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f'{kind} {text}\n'.encode())
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


def gripper_once(arm: Arm, operator: Operator, samples: Samples, i: int) -> None:
    """Close or open the gripper; the first command with the other width obeys."""
    since = len(arm.commands)
    width = 0.03 + 0.03 * (i % 2)
    sent = operator.say('gripper', f'{width} latched')
    found = arm.wait('gripper override', lambda c: abs(c[3] - width) < 1e-9, since)
    samples.add(sent, found[1], found[0])


def twist_once(arm: Arm, operator: Operator, samples: Samples, i: int) -> None:
    """Move an arm at rest; the first command that is not at rest obeys."""
    since = len(arm.commands)
    sent = operator.say('twist', str((_TWIST_MM if i % 2 else -_TWIST_MM) * 1e-3))
    try:
        found = arm.wait('twist', lambda c: c[2] > 1e-9, since, _LOST_S)
    except TimeoutError:
        samples.lost += 1
        twist_once(arm, operator, samples, i)
        return
    samples.add(sent, found[1], found[0])
    since = len(arm.commands)
    operator.say('twist', '0.0')  # and if that is lost, the deadman
    arm.wait('standstill', lambda c: c[2] < 1e-9, since)


def ping_once(arm: Arm, operator: Operator, samples: Samples, i: int) -> None:
    """Send a message there and back."""
    count = len(arm.pongs)
    sent = operator.say('ping', '0.03 latched')
    deadline = time.monotonic() + PATIENCE_S
    while len(arm.pongs) == count:
        if time.monotonic() > deadline:
            raise TimeoutError(f'ping: no answer within {PATIENCE_S:g} s')
        time.sleep(0.0002)
    samples.add(sent, sent, arm.pongs[-1])


KINDS = {'gripper override': gripper_once, 'twist': twist_once, 'plain DDS round': ping_once}


def measure(n: int) -> dict[str, Samples]:
    """Return ``n`` samples of each kind, taken in turns."""
    parameters = [f'-p{name}:={value}' for name, value in (
        ('robot', ROBOT), ('driver', 'sim'), ('auto_arm', 'true'), ('rate_hz', RATE_HZ))]
    command = [sys.executable, '-m', 'vla_ros.ros.control_node', '--ros-args',
               *(part for p in parameters for part in ('-p', p[2:]))]
    processes = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)]
    samples = {kind: Samples() for kind in KINDS}
    try:
        processes.append(_process('echo'))
        operator = Operator()
        processes.append(operator.process)
        arm = Arm()
        arm.wait('control_node', lambda c: True)
        operator.say('arm', 'takeover')
        for i in range(10):  # all are connected now, and everything has been done once
            for once in KINDS.values():
                with suppress(TimeoutError):
                    once(arm, operator, Samples(), i)
        for i in range(n):
            for kind, once in KINDS.items():
                once(arm, operator, samples[kind], i)
    finally:
        for process in processes:
            _end(process)
    arm.close()
    return samples


def _process(role: str, **options: Any) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, __file__, '--role', role], **options)


def _end(process: subprocess.Popen) -> None:
    if process.stdin is not None and not process.stdin.closed:
        process.stdin.close()
    process.send_signal(signal.SIGINT)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def quantiles(values: list[float]) -> dict[str, float]:
    """Return p50, p99 and max."""
    return {'p50': float(np.percentile(values, 50)), 'p99': float(np.percentile(values, 99)),
            'max': float(max(values))}


ROLES = {'operator': operator, 'echo': echo, 'burn': burn}


def main() -> int:
    """Print the table; 1 when the p99 of an override is two control periods or more."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--samples', type=int, default=500, help='of each kind')
    parser.add_argument('--load', type=int, default=0, help='processes that compute meanwhile')
    parser.add_argument('--json', metavar='FILE')
    parser.add_argument('--role', choices=ROLES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.role:
        ROLES[args.role]()
        return 0
    os.environ.setdefault('ROS_DOMAIN_ID', str(os.getpid() % 100 + 1))
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    burners = [_process('burn') for _ in range(args.load)]
    before = os.getloadavg()
    try:
        samples = measure(args.samples)
    finally:
        for process in burners:
            process.kill()
    after = os.getloadavg()
    machine = (f'{platform.platform()}, {os.cpu_count()} cores, Python '
               f'{platform.python_version()}, {_ros_versions()}, vla_ros {__version__}')
    load = (f'load average {before[0]:.1f} before, {after[0]:.1f} after, {args.load} processes of '
            'load beside')
    rows = {kind: {part: quantiles(getattr(s, part)) for part in ('total', 'before', 'after')}
            for kind, s in samples.items()}
    print(f'{machine}\n{load}\n{args.samples} samples of each kind, {RATE_HZ:g} Hz\n')
    _print(rows, sum(s.lost for s in samples.values()))
    if args.json:
        Path(args.json).write_text(json.dumps({
            'machine': machine, 'load': load, 'samples': args.samples, 'rate_hz': RATE_HZ,
            'rows_ms': rows}, indent=1), encoding='utf-8')
    limit = 2e3 / RATE_HZ
    return int(any(rows[kind]['total']['p99'] >= limit for kind in ('gripper override', 'twist')))


def _print(rows: dict[str, dict[str, dict[str, float]]], lost: int) -> None:
    period = 1e3 / RATE_HZ
    print(f'{"topic to command":<20}{"p50 ms":>9}{"p99 ms":>9}{"max ms":>9}'
          f'{"p50":>8}{"p99":>7}{"max":>7} periods   before the tick p99, after it p99 [ms]')
    for kind, row in rows.items():
        total = row['total']
        line = ''.join(f'{total[q]:>9.2f}' for q in ('p50', 'p99', 'max'))
        line += f'{total["p50"] / period:>8.2f}' + ''.join(
            f'{total[q] / period:>7.2f}' for q in ('p99', 'max'))
        parts = '' if kind == 'plain DDS round' else (
            f'{"":11}{row["before"]["p99"]:.2f}, {row["after"]["p99"]:.2f}')
        print(f'{kind:<20}{line}{parts}')
    print(f'lost, and sent again: {lost} messages')


def _ros_versions() -> str:
    found = []
    for name, distribution in (('rclpy', 'ros-rclpy'), ('Fast DDS', 'ros-fastdds')):
        with suppress(PackageNotFoundError):
            found.append(f'{name} {version(distribution)}')
    return ', '.join(found) or f'ROS {os.environ.get("ROS_DISTRO", "unknown")}'


if __name__ == '__main__':
    sys.exit(main())
