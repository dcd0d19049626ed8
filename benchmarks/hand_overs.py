"""A thousand random hand-overs between a policy and a human: how hard the arm is moved.

The real pipeline of a real arm (its kinematics, limits, look-ahead, clearance, gate) runs on
simulated time, with an arm that lags its commands by 50 ms. A policy that wanders sends chunks ten
times a second. Humans of every source take the arm at random moments, by a takeover, a hold, a
twist or a leader's joints, ask for motions that are far too fast and change all the time, and let
go by a release, by silence, or because a higher source takes it, while the policy goes on wanting
to move. The gripper is overridden beside it.

Looked at are the commands, all of them, and apart from that those within 100 ms of a hand-over: the
largest change of a joint's velocity in a tick and the largest velocity, as parts of their limits.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from vla_ros import __version__
from vla_ros.assembly import build_pipeline
from vla_ros.core.arbiter import Mode
from vla_ros.core.override_gripper import GripperOverrideMode
from vla_ros.core.types import ActionChunk
from vla_ros.robots import load_profile, robot_names
from vla_ros.ros.pipeline_config import guards, pipeline_config

TICK_NS = 10_000_000
LAG = 0.05  # s, of the arm
AROUND = 10  # ticks after a hand-over that count as of it
WAYS = ('takeover', 'hold', 'twist', 'joints')
ENDS = ('release', 'silence', 'higher source')


class HandOvers:
    """One arm, one policy, and humans who take it and give it back.

    Parameters
    ----------
    robot : str
        Its profile.
    seed : int
        Of everything that is random.

    """

    def __init__(self, robot: str, seed: int) -> None:
        self.random = random.Random(seed)
        self.profile = load_profile(robot)
        config = pipeline_config()
        self.pipeline = build_pipeline(self.profile, config, 'pinocchio',
                                       guards=guards({'auto_arm': True}))
        self.arm, self.gripper = self.pipeline.overrides.arm, self.pipeline.overrides.gripper
        self.sources = self.pipeline.overrides.sources.names
        self.now = 10_000_000_000
        self.q = np.array(self.profile.joints.home)
        self.done: Counter[str] = Counter()
        self.ticks: list[Any] = []
        self.marks: list[int] = []  # ticks at which the arm changed hands
        self._had = False
        self._goal = np.zeros(3)

    def run(self, hand_overs: int) -> None:
        """Take the arm and give it back so often."""
        self._wait(1.0)
        while len(self.marks) < 2 * hand_overs:
            self._intervene()
            self._wait(self.random.uniform(0.02, 1.0))

    def _intervene(self) -> None:
        way, end = self.random.choice(WAYS), self.random.choice(ENDS)
        source = self.random.choice(self.sources[1:])
        before = len(self.marks)
        if way in ('takeover', 'hold'):
            getattr(self.arm, way)(self.now, source)
        self._drive(source, way, self.random.uniform(0.03, 0.7))
        if end == 'higher source':
            higher = self.sources[0]
            self._drive(higher, self.random.choice(('twist', 'joints')), 0.3)
            source = higher
        if end == 'silence' and way in ('takeover', 'hold'):
            self.arm.alive(self.now, source)
        if end != 'silence':
            self.arm.release(self.now, source)
        self._wait(0.4 if end == 'silence' else 0.02)
        self.arm.release(self.now, self.sources[0])
        self._step()
        if len(self.marks) > before:
            self.done[f'{way}, {end}'] += 1

    def _drive(self, source: str, way: str, seconds: float) -> None:
        """Have a human move the arm, hectically."""
        twist = np.zeros(6)
        leader = self.q.copy()
        tool = False
        for i in range(round(seconds * 100)):
            if i % self.random.randint(2, 12) == 0:
                size = self.random.choice((0.02, 0.2, 2.0))
                twist = np.array([self.random.uniform(-size, size) for _ in range(6)])
                tool = self.random.random() < 0.5
                jump = self.random.choice((0.0, 0.05, 0.25))
                leader = self.q + [self.random.uniform(-jump, jump) for _ in self.q]
            if way == 'joints':
                self.arm.joints(self.now, source, leader)
            elif way != 'hold':
                self.arm.twist(self.now, source, twist, tool)
            if self.random.random() < 0.05:
                self.gripper.command(self.now, source, self.random.choice(('close', 'open')),
                                     self.random.choice(list(GripperOverrideMode)))
            self._step()

    def _wait(self, seconds: float) -> None:
        for _ in range(max(1, round(seconds * 100))):
            self._step()

    def _step(self) -> None:
        self.pipeline.add_joint_state(self.now, self.q, 0.05)
        if len(self.ticks) % 10 == 0:
            self.pipeline.add_chunk(self._chunk(), self.now)
        tick = self.pipeline.step(self.now)
        self.pipeline.look_ahead()
        if tick.q is not None:
            self.q = self.q + (tick.q - self.q) * (1.0 - np.exp(-0.01 / LAG))
        has = tick.mode is Mode.INTERVENTION
        if has != self._had:
            self.marks.append(len(self.ticks))
            self._had = has
        self.ticks.append(tick)
        self.now += TICK_NS

    def _chunk(self) -> ActionChunk:
        """Return what a policy wants that wanders about the workspace."""
        box = self.profile.task_space.workspace
        if self.random.random() < 0.1 or not self._goal.any():
            self._goal = np.array([self.random.uniform(a + 0.05, b - 0.05)
                                   for a, b in zip(box.lower, box.upper, strict=True)])
        here = self.pipeline.kinematics.forward(self.q)[:3, 3]
        way = self._goal - here
        step = way * min(1.0, 0.02 / max(1e-9, float(np.linalg.norm(way))))
        actions = np.zeros((8, 7))
        actions[:, :3] = step
        actions[:, 6] = self.random.random() < 0.5
        return ActionChunk(self.now - 50_000_000, 100_000_000, actions)

    # What came of it

    def result(self) -> dict[str, Any]:
        """Return the largest values, as parts of the limits, and in their units."""
        joints = self.profile.joints
        sent = [i for i, t in enumerate(self.ticks) if t.q is not None]
        v = np.array([self.ticks[i].velocity for i in sent])
        q = np.array([self.ticks[i].q for i in sent])
        dv = np.abs(np.diff(v, axis=0))
        step = dv / (joints.acceleration * 0.01)
        speed = np.abs(v) / joints.velocity
        jump = np.abs(np.diff(q, axis=0)) / (joints.velocity * 0.01)
        near = np.zeros(len(v), dtype=bool)
        for mark in self.marks:
            near[max(0, mark - 1):mark + AROUND] = True
        over = np.maximum(joints.lower - q, q - joints.upper).max()
        return {
            'ticks': len(v), 'hand_overs': len(self.marks) // 2, 'ways': dict(self.done),
            'velocity_step_rad_s': float(dv.max()), 'velocity_step_part': float(step.max()),
            'velocity_step_part_at_hand_overs': float(step[near[1:]].max()),
            'acceleration_rad_s2': float(dv.max() / 0.01),
            'velocity_part': float(speed.max()),
            'velocity_part_at_hand_overs': float(speed[near].max()),
            'position_step_part': float(jump.max()), 'position_beyond_limits_rad': float(over),
            'moving_part': float((np.abs(v).max(axis=1) > 0.01).mean())}


def main() -> int:
    """Print the table; 1 when a limit was passed."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--hand-overs', type=int, default=1000, metavar='N')
    parser.add_argument('--robots', nargs='+', default=['piper', 'ur5e'], choices=robot_names())
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--json', metavar='FILE')
    args = parser.parse_args()
    machine = (f'{platform.platform()}, {os.cpu_count()} cores, Python '
               f'{platform.python_version()}, numpy {np.__version__}, vla_ros {__version__}')
    print(machine)
    rows = {}
    for robot in args.robots:
        run = HandOvers(robot, args.seed)
        run.run(args.hand_overs)
        rows[robot] = run.result()
    _print(rows)
    if args.json:
        Path(args.json).write_text(json.dumps({'machine': machine, 'seed': args.seed,
                                               'rows': rows}, indent=1), encoding='utf-8')
    return int(not all(within(row) for row in rows.values()))


def within(row: dict[str, Any]) -> bool:
    """Return whether nothing has passed a limit, but for rounding."""
    parts = [row[key] for key in ('velocity_step_part', 'velocity_part', 'position_step_part')]
    return max(parts) <= 1.0 + 1e-6 and row['position_beyond_limits_rad'] <= 1e-9


def _print(rows: dict[str, dict[str, Any]]) -> None:
    print(f'{"robot":<8}{"hand-overs":>11}{"ticks":>8}{"moving":>8}   largest joint velocity step, '
          'at hand-overs   acceleration   velocity, at hand-overs')
    for robot, r in rows.items():
        print(f'{robot:<8}{r["hand_overs"]:>11}{r["ticks"]:>8}{r["moving_part"]:>8.0%}   '
              f'{r["velocity_step_rad_s"]:.4f} rad/s = {r["velocity_step_part"]:.1%} of the limit, '
              f'{r["velocity_step_part_at_hand_overs"]:.1%}   {r["acceleration_rad_s2"]:.2f} '
              f'rad/s^2   {r["velocity_part"]:.1%}, {r["velocity_part_at_hand_overs"]:.1%}')
        print('        ' + ', '.join(f'{n} {way}' for way, n in sorted(r['ways'].items())))


if __name__ == '__main__':
    sys.exit(main())
