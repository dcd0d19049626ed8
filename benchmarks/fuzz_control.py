"""Throws hostile inputs at the control side and counts the commands that are outside any limit.

What is thrown is in ``control_check/hostile.py``. Every command is checked anew by
``control_check/watch.py``, from the profile's numbers, with kinematics and distances of its own:
finite, position, velocity, acceleration, workspace, keep-out boxes, clearance, speed of the tool,
gripper; and that an arm which shall stop does not speed up. Exit status 1 when one command was
outside, or one input raised anything but an InputError or ConfigError.
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
from typing import Any

import numpy as np
from control_check.hostile import Fuzz

from vla_ros import __version__
from vla_ros.robots import robot_names


def run(robot: str, inputs: int, seed: int) -> dict[str, Any]:
    """Return what was thrown at one arm and what came out."""
    started = time.perf_counter()
    fuzz = Fuzz(robot, seed)
    fuzz.run(inputs)
    watch = fuzz.watch
    return {'robot': robot, 'seed': seed, 'inputs': dict(fuzz.inputs),
            'refused': dict(fuzz.refused), 'commands': watch.commands, 'moving': watch.moving,
            'outside': dict(watch.outside), 'examples': watch.examples, 'raised': fuzz.raised,
            'acted': dict(fuzz.acted), 'closest_m': float(watch.closest),
            'fastest': watch.fastest, 'seconds': time.perf_counter() - started}


def table(results: list[dict[str, Any]], key: str, title: str, robots: list[str],
          beside: str = '') -> None:
    """Print sums over the seeds, one column a robot; ``beside`` another sum in parentheses."""
    sums: dict[str, dict[str, Counter[str]]] = {
        name: {robot: sum((Counter(r[name]) for r in results if r['robot'] == robot), Counter())
               for robot in robots} for name in (key, beside) if name}
    print(f'\n{title:<24}' + ''.join(f'{robot:>16}' for robot in robots))
    kinds = sorted({kind for counts in sums[key].values() for kind in counts})
    for kind in kinds:
        cells = [str(sums[key][robot][kind]) + (f' ({sums[beside][robot][kind]})' if beside else '')
                 for robot in robots]
        print(f'{kind:<24}' + ''.join(f'{cell:>16}' for cell in cells))


def main() -> int:
    """Print the tables; exit 1 when a command was outside a limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--robots', nargs='+', default=list(robot_names()))
    parser.add_argument('--inputs', type=int, default=10_000, help='for each robot and seed')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0])
    parser.add_argument('--json', metavar='FILE', help='write the figures there too')
    args = parser.parse_args()
    machine = (f'{platform.platform()}, {os.cpu_count()} cores, Python '
               f'{platform.python_version()}, numpy {np.__version__}, pin {version("pin")}, '
               f'vla_ros {__version__}')
    print(machine)
    print(f'\n{"robot":<14}{"seed":>6}{"inputs":>9}{"refused":>9}{"commands":>10}{"moving":>9}'
          f'{"outside":>9}{"raised":>8}{"closest mm":>12}{"speed %":>9}{"s":>6}')
    results = []
    for robot in args.robots:
        for seed in args.seeds:
            r = run(robot, args.inputs, seed)
            results.append(r)
            print(f'{robot:<14}{seed:>6}{sum(r["inputs"].values()):>9}'
                  f'{sum(r["refused"].values()):>9}{r["commands"]:>10}{r["moving"]:>9}'
                  f'{sum(r["outside"].values()):>9}{len(r["raised"]):>8}'
                  f'{1e3 * r["closest_m"]:>+12.2f}{100 * r["fastest"]:>9.0f}{r["seconds"]:>6.0f}',
                  flush=True)
            for line in [*(f'{what}: {n}' for what, n in r['outside'].items()), *r['examples'],
                         *r['raised'][:10]]:
                print(f'  OUTSIDE {line}')
    print('\nmoving: commands with a velocity; closest: least clearance over the stop distance; '
          "speed: the tool's\nlargest, of what it may have")
    table(results, 'inputs', 'inputs (refused)', args.robots, beside='refused')
    table(results, 'acted', 'a limiter acted, ticks', args.robots)
    if args.json:
        with open(args.json, 'w', encoding='utf-8') as file:
            json.dump({'machine': machine, 'results': results}, file, indent=1)
    return int(any(r['outside'] or r['raised'] for r in results))


if __name__ == '__main__':
    sys.exit(main())
