"""What the operator's panel costs: CPU of operator_node with 0, 1, 3 pages, and the control period.

Two 640x480 cameras at 10 Hz and joint states at 100 Hz come from a process that plays the robot;
control_node and operator_node are the real ones; pages are sockets that take in every picture and
answer every state, as the page in a browser does. The control period's error is the control node's
own count (``/diagnostics``); "no panel" is the same without operator_node, first and last.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Image, JointState
from websockets.sync.client import connect

from vla_ros.demo.isolation import isolate
from vla_ros.demo.machine import cpu_seconds, machine, versions
from vla_ros.robots import load_profile
from vla_ros.ros import qos
from vla_ros.ros.images import image_from_rgb
from vla_ros.ros.joint_states import joint_state_message

PROFILE = load_profile('piper')
NAMES = [*PROFILE.joints.names, PROFILE.gripper.joint]
PAGES = (None, 0, 1, 3, None)  # None: no panel at all


class Robot(Node):
    """An arm that is at once where it is told to be, two cameras, and who reads the diagnostics."""

    def __init__(self, context: Context) -> None:
        super().__init__('robot', context=context)
        self.q = [*PROFILE.joints.home, 0.05]
        self.loop: dict[str, str] = {}
        rng = np.random.default_rng(0)
        # Smooth, as real pictures are: noise would cost more to encode.
        coarse = rng.integers(0, 255, (12, 16, 3), np.uint8)
        self._picture = np.repeat(np.repeat(coarse, 40, 0), 40, 1)
        self._states = self.create_publisher(JointState, 'joint_states', qos.JOINTS)
        self._cameras = [self.create_publisher(Image, f'camera/{name}/image_raw', qos.CAMERA)
                         for name in ('third_person', 'wrist')]
        self.create_subscription(JointState, 'joint_command', self._follow, qos.COMMAND)
        self.create_subscription(DiagnosticArray, '/diagnostics', self._read, qos.DIAGNOSTICS)
        self.create_timer(0.01, self._say)
        self.create_timer(0.1, self._show)

    def _follow(self, msg: JointState) -> None:
        self.q = list(msg.position)

    def _say(self) -> None:
        now = self.get_clock().now().nanoseconds
        self._states.publish(joint_state_message(NAMES, self.q, stamp_ns=now))

    def _show(self) -> None:
        now = self.get_clock().now().nanoseconds
        for camera in self._cameras:
            camera.publish(image_from_rgb(self._picture, now, 'camera'))

    def _read(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            if status.name == 'control_node: loop':
                self.loop = {value.key: value.value for value in status.values}


class Page(threading.Thread):
    """Takes in pictures and answers states, as a browser does."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.pictures = self.states = self.size = 0
        self._socket = connect(url.replace('http', 'ws') + 'socket', max_size=None)
        self._context = self._socket.__enter__()
        self._context.send('{"do":"hello","token":""}')
        self.start()

    def run(self) -> None:
        try:
            for data in self._context:
                self.size += len(data)
                if isinstance(data, bytes):
                    self.pictures += 1
                    self._context.send(json.dumps({'do': 'seen', 'camera': data[0]}))
                elif (message := json.loads(data))['type'] == 'state':
                    self.states += 1
                    self._context.send(json.dumps({'do': 'beat', 'seq': message['seq']}))
        except Exception as error:
            print(f'a page ended: {error}', file=sys.stderr)

    def close(self) -> None:
        self._socket.__exit__(None, None, None)


def play(context: Context, robot: Robot) -> None:
    """Run the robot's callbacks until the context ends."""
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(robot)
    try:
        while context.ok():
            executor.spin_once(timeout_sec=0.2)
    except ExternalShutdownException:
        pass


def node(name: str, log: Path, *parameters: str) -> subprocess.Popen[bytes]:
    """Start a node of the package."""
    options = [word for text in parameters for word in ('-p', text)]
    with log.open('wb') as out:
        return subprocess.Popen([sys.executable, '-m', f'vla_ros.ros.{name}', '--ros-args',
                                 *options], stdout=out, stderr=subprocess.STDOUT)


def measure(pages: int | None, seconds: float, robot: Robot, folder: Path) -> dict[str, Any]:
    """Return what one round measured; both nodes are started anew for it."""
    robot.loop = {}
    control = node('control_node', folder / 'control.log', 'driver:=sim', 'auto_arm:=true')
    operator, opened = None, []
    try:
        if pages is not None:
            log = folder / 'operator.log'
            operator = node('operator_node', log, 'driver:=sim', 'port:=0')
            deadline = time.monotonic() + 60.0
            while not (found := re.search(r'panel: (http\S+)', log.read_text())):
                if time.monotonic() > deadline:
                    raise SystemExit(f'operator_node did not start:\n{log.read_text()}')
                time.sleep(0.1)
            opened = [Page(found[1]) for _ in range(pages)]
        deadline = time.monotonic() + 60.0
        while not robot.loop and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(3.0)
        before = cpu_seconds(operator.pid) if operator else 0.0
        counts = [(page.pictures, page.states, page.size) for page in opened]
        time.sleep(seconds)
        row: dict[str, Any] = {'pages': pages}
        if operator:
            row['cpu_percent'] = 100.0 * (cpu_seconds(operator.pid) - before) / seconds
        for name, at in (('pictures_hz', 0), ('states_hz', 1), ('kbytes_s', 2)):
            if opened:
                each = [((page.pictures, page.states, page.size)[at] - count[at]) / seconds
                        for page, count in zip(opened, counts)]
                row[name] = float(np.mean(each)) / (1000.0 if at == 2 else 1.0)
        for part in ('p50', 'p99', 'max'):
            row[f'period_error_{part}_ms'] = float(robot.loop[f'period_error_{part}_ms'])
        row['overruns'] = int(robot.loop['overruns'])
        return row
    finally:
        for page in opened:
            page.close()
        for process in (operator, control):
            if process is not None:
                process.send_signal(signal.SIGINT)
                process.wait(20.0)


def main() -> int:
    """Measure, print a table, and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seconds', type=float, default=20.0)
    parser.add_argument('--json', type=Path)
    args = parser.parse_args()
    isolate()
    context = Context()
    rclpy.init(args=[], context=context)
    robot = Robot(context)
    player = threading.Thread(target=play, args=(context, robot))
    player.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            rows = [measure(pages, args.seconds, robot, Path(folder)) for pages in PAGES]
    finally:
        rclpy.shutdown(context=context)
        player.join()
    load = os.getloadavg()[0]
    print(f'{machine()}\n{versions()}\nload average {load:.1f} (quiet: below 2)\n')
    print(f'{"pages":>9} {"CPU of operator_node":>21} {"pictures":>9} {"states":>7} {"kB/s":>6}  '
          'period error p50, p99, max; overruns')
    for row in rows:
        name = 'no panel' if row['pages'] is None else str(row['pages'])
        cpu = f'{row["cpu_percent"]:.1f} %' if 'cpu_percent' in row else ''
        print(f'{name:>9} {cpu:>21} {row.get("pictures_hz", 0.0):>7.1f}/s '
              f'{row.get("states_hz", 0.0):>5.1f}/s {row.get("kbytes_s", 0.0):>6.0f}  '
              f'{row["period_error_p50_ms"]:.2f}, {row["period_error_p99_ms"]:.2f}, '
              f'{row["period_error_max_ms"]:.2f} ms; {row["overruns"]}')
    if args.json:
        args.json.write_text(json.dumps({'machine': machine(), 'versions': versions(),
                                         'load': load, 'rows': rows}, indent=1))
    return 0


if __name__ == '__main__':
    sys.exit(main())
