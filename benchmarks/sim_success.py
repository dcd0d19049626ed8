"""How often the scripted policy succeeds in simulation, and how fast the simulation is.

Runs the live policy and pipeline in lockstep with the physics, without ROS and without cameras, on
many seeds. The scripted policy reads object poses: this measures the control side, the arms and the
simulated tasks, not a learned policy.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections import Counter
from importlib.metadata import version

from vla_ros import __version__
from vla_ros.assembly import build_pipeline
from vla_ros.ik import load_ik
from vla_ros.lockstep import Lockstep
from vla_ros.policy import load_policy
from vla_ros.robots import load_profile
from vla_ros.ros.pipeline_config import guards, pipeline_config
from vla_ros.sim.world import SimWorld

PICK, HANG = 'pick up the insulator', 'hang the insulator on the hook'


def run(robot: str, seeds: range, latency: float) -> dict:
    """Return successes and durations of picking and then hanging, one world a seed."""
    profile = load_profile(robot)
    kinematics = load_ik('pinocchio', profile)
    done: dict[str, list[float]] = {PICK: [], HANG: []}
    failures, acted = [], Counter()
    simulated, started = 0.0, time.perf_counter()
    for seed in seeds:
        world = SimWorld(profile, seed=seed)
        runner = Lockstep(world, load_policy('scripted'),
                          build_pipeline(profile, pipeline_config(), 'pinocchio',
                                         guards=guards({'auto_arm': True})), kinematics,
                          latency=latency)
        for task in (PICK, HANG):
            outcome = runner.run(task, timeout=40.0)
            acted.update(outcome.acted)
            simulated += outcome.duration
            if not outcome.success:
                failures.append(f'seed {seed}: {task}: {outcome.detail}')
                break
            done[task].append(outcome.duration)
    wall = time.perf_counter() - started
    return {'robot': robot, 'seeds': len(seeds),
            'picks': len(done[PICK]), 'hangs': len(done[HANG]),
            'pick_s': _median(done[PICK]), 'hang_s': _median(done[HANG]),
            'real_time_factor': simulated / wall, 'limiters': dict(acted), 'failures': failures}


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2] if values else float('nan')


def main() -> int:
    """Print the table; exit 1 when fewer than 18 of 20 picks, or 15 of 20 hangs, succeed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--robots', nargs='+', default=['piper', 'ur5e'])
    parser.add_argument('--seeds', type=int, default=20)
    parser.add_argument('--latency', type=float, default=0.05, help='of the inference [s]')
    parser.add_argument('--json', metavar='FILE', help='write the figures there too')
    args = parser.parse_args()
    machine = (f'{platform.platform()}, {os.cpu_count()} cores, Python '
               f'{platform.python_version()}, mujoco {version("mujoco")}, pin {version("pin")}, '
               f'vla_ros {__version__}')
    print(machine)
    print(f'{"robot":<14}{"picks":>8}{"hangs":>8}{"pick s":>9}{"hang s":>9}{"real time":>11}')
    results = []
    for robot in args.robots:
        r = run(robot, range(args.seeds), args.latency)
        results.append(r)
        print(f'{robot:<14}{r["picks"]:>5}/{args.seeds:<2}{r["hangs"]:>5}/{args.seeds:<2}'
              f'{r["pick_s"]:>9.1f}{r["hang_s"]:>9.1f}{r["real_time_factor"]:>10.1f}x', flush=True)
        for failure in r['failures']:
            print(f'  {failure}')
    if args.json:
        with open(args.json, 'w', encoding='utf-8') as file:
            json.dump({'machine': machine, 'latency_s': args.latency, 'results': results}, file,
                      indent=1)
    enough = all(r['picks'] >= 0.9 * args.seeds and r['hangs'] >= 0.75 * args.seeds
                 for r in results)
    return 0 if enough else 1


if __name__ == '__main__':
    sys.exit(main())
