"""How fast the real sim_node is with two cameras: simulated seconds in a real second.

Starts the node as a process, once paced to real time and once as fast as it can with every image
rendered, and counts ``/clock`` and the images as a subscriber sees them. Above 1 unpaced means that
there is room for the other nodes on the same machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image

from vla_ros import __version__
from vla_ros.ros import qos
from vla_ros.ros.stamps import to_ns


def measure(robot: str, factor: float, size: int, seconds: float) -> dict:
    """Return the real-time factor and the images a simulated second, as received."""
    process = subprocess.Popen(
        [sys.executable, '-m', 'vla_ros.ros.sim_node', '--ros-args', '-p', f'robot:={robot}',
         '-p', f'real_time_factor:={factor}', '-p', f'image_width:={size}',
         '-p', f'image_height:={size}'], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node('sim_real_time', context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    clock: list[tuple[float, int]] = []
    images = {'third_person': 0, 'wrist': 0}

    def on_clock(msg: Clock) -> None:
        clock.append((time.monotonic(), to_ns(msg.clock)))

    def counter(camera: str):
        def count(msg: Image) -> None:
            images[camera] += 1
        return count

    node.create_subscription(Clock, '/clock', on_clock, qos.CLOCK)
    for camera in images:
        node.create_subscription(Image, f'camera/{camera}/image_raw', counter(camera), qos.CAMERA)
    try:
        deadline = time.monotonic() + 60.0
        while not (clock and all(images.values())):
            executor.spin_once(timeout_sec=0.1)
            if time.monotonic() > deadline:
                raise SystemExit('sim_node: no /clock or no images within 60 s')
        clock.clear()
        images.update(dict.fromkeys(images, 0))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            executor.spin_once(timeout_sec=0.1)
    finally:
        process.terminate()
        process.wait(10)
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown(context=context)
    wall = clock[-1][0] - clock[0][0]
    simulated = (clock[-1][1] - clock[0][1]) * 1e-9
    return {'paced_to': factor or None, 'real_time_factor': simulated / wall,
            'images_per_simulated_s': {k: n / simulated for k, n in images.items()}}


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--robot', default='piper')
    parser.add_argument('--size', type=int, default=256, help='width and height of images [px]')
    parser.add_argument('--seconds', type=float, default=10.0)
    parser.add_argument('--json', metavar='FILE')
    args = parser.parse_args()
    os.environ.setdefault('ROS_DOMAIN_ID', str(os.getpid() % 100 + 1))
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    machine = (f'{platform.platform()}, {os.cpu_count()} cores, Python '
               f'{platform.python_version()}, mujoco {version("mujoco")}, vla_ros {__version__}')
    print(machine)
    print(f'two cameras {args.size}x{args.size} at 10 Hz, robot {args.robot}')
    results = [measure(args.robot, factor, args.size, args.seconds) for factor in (1.0, 0.0)]
    print(f'{"paced to":<10}{"real-time factor":>18}{"images / simulated s":>24}')
    for r in results:
        per = ', '.join(f'{v:.1f}' for v in r['images_per_simulated_s'].values())
        print(f'{r["paced_to"] or "no":<10}{r["real_time_factor"]:>18.2f}{per:>24}')
    if args.json:
        with open(args.json, 'w', encoding='utf-8') as file:
            json.dump({'machine': machine, 'robot': args.robot, 'size': args.size,
                       'results': results}, file, indent=1)
    return 0


if __name__ == '__main__':
    sys.exit(main())
