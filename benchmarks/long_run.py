"""Long simulated work with disturbances: is a limit ever broken, is a motion refused for nothing?

Each arm picks the insulator and hangs it with the scripted policy, the live pipeline and its
defaults, in lockstep with the physics; then the scene is reset, with other places, the arm at home
in no time. Every few seconds it is disturbed (``control_check/disturbed.py``). Every command is
checked by ``control_check/watch.py``. An undisturbed run of the same length goes with ``--calm``.

A tick is *calm* when a task is being done, and no disturbance, reset or beginning of a task was in
the last two seconds. In a calm tick a refusal is *needless* when the place where the policy wants
the tool now can be reached (within the workspace and out of the boxes, solved from the last command
within the joint limits, no pair of links nearer than where it is slowed, not singular) and still

- the arm does not follow the policy (held, stopped, disarmed), or
- the goal was refused, or nothing sent, or the command sent back by IK, a position limit, the
  workspace, a keep-out box or for braking in time, or
- the arm is at rest, more than 5 mm from there, and does not wait for its gripper.

An arm at rest whose goal is held by the lead over the measured tool, and which presses against
something that cannot be moved with 5 N or more by the simulation's own contacts
(``control_check/contact.py``), is *blocked*. Those ticks are counted apart, with what it was; an
arm whose lead is used up and which presses against nothing is refused needlessly.

The scripted policy reads object poses: this is about the control side and the arms. Exit status 1
when a command was outside a limit, or a refusal was needless.
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
from pathlib import Path
from typing import Any

import numpy as np
from control_check.contact import pressed_against
from control_check.disturbed import Disturbed, S
from control_check.watch import REST, Watch

from vla_ros import __version__
from vla_ros.assembly import build_pipeline
from vla_ros.core.fusion import Target
from vla_ros.core.pipeline import Pipeline, Tick
from vla_ros.core.safety import LimiterCounts, limiter
from vla_ros.ik import load_ik
from vla_ros.policy import load_policy
from vla_ros.robots import RobotProfile, load_profile, robot_names
from vla_ros.ros.pipeline_config import guards, pipeline_config
from vla_ros.sim.world import SimWorld

TASKS = ('pick up the insulator', 'hang the insulator on the hook')
TIMEOUT = 60.0  # simulated s for a task
CALM_AFTER = 2 * S
REFUSING = ('refused', 'nothing sent', 'ik', 'position limit', 'workspace', 'keep-out', 'braking')
AWAY = 5e-3  # m


class Judge:
    """Counts what the commands of one arm were, by the words of the module's docstring."""

    def __init__(self, profile: RobotProfile, pipeline: Pipeline, world: SimWorld) -> None:
        self.watch = Watch(profile)
        self.acted = LimiterCounts()
        self.calm = self.refused = 0
        self.blocked: Counter[str] = Counter()
        self.hardest = 0.0  # N
        self._world = world
        self.needless: Counter[str] = Counter()
        self.quiet_since_ns = 0
        self._pipeline = pipeline
        self._kinematics = load_ik('pinocchio', profile)
        self._target: Target | None = None
        target = pipeline.fusion.target

        def noted(*args: Any) -> Target | None:
            self._target = target(*args)
            return self._target
        pipeline.fusion.target = noted  # type: ignore[method-assign]

    def see(self, tick: Tick) -> None:
        """Take in what a tick decided."""
        measured = self._pipeline.measured
        assert measured is not None
        self.watch.check(tick, measured)
        names = [limiter(text) for text in tick.acted]
        self.acted.add(tick.acted)
        self.refused += 'refused' in names or 'nothing sent' in names
        if tick.stamp_ns < self.quiet_since_ns + CALM_AFTER:
            return
        self.calm += 1
        why = self._refusal(tick, names)
        if why and self._reachable():
            self.needless[why] += 1

    def _refusal(self, tick: Tick, names: list[str]) -> str:
        """Return in which way the arm is kept from its target; empty when it is not."""
        if tick.mode.value != 'AUTONOMOUS':
            return f'{tick.mode.value}: {tick.reason}'
        if refusing := [text for text, name in zip(tick.acted, names) if name in REFUSING]:
            return refusing[0]
        assert tick.q is not None and tick.velocity is not None
        target = self._target
        if target is None or target.T_base_tool is None or np.abs(tick.velocity).max() > REST:
            return ''
        away = np.linalg.norm(target.T_base_tool[:3, 3]
                              - self._kinematics.forward(tick.q)[:3, 3])
        if away <= AWAY or 'gripper: the arm waits' in tick.acted:
            return ''
        if 'lead' in names and (pressed := pressed_against(self._world)):
            self.blocked[' and '.join(sorted(pressed))] += 1
            self.hardest = max(self.hardest, *pressed.values())
            return ''
        return f'at rest: {" ".join(tick.acted) or "no reason"}'

    def _reachable(self) -> bool:
        target, watch = self._target, self.watch
        if target is None or target.T_base_tool is None or watch.last_q is None:
            return False
        task, p = watch.profile.task_space, target.T_base_tool[:3, 3]
        if not ((p >= task.workspace.lower) & (p <= task.workspace.upper)).all():
            return False
        if any(((p > box.lower) & (p < box.upper)).all() for box in task.keep_out):
            return False
        result = self._kinematics.solve(target.T_base_tool, watch.last_q, watch.period)
        return (result.converged and not watch.clearance.near(result.q)
                and result.smallest_singular_value >= watch.profile.singularity.slow_below)


def run(robot: str, minutes: float, seed: int, calm: bool) -> dict[str, Any]:
    """Return what came of working for some simulated minutes."""
    started = time.perf_counter()
    profile = load_profile(robot)
    pipeline = build_pipeline(profile, pipeline_config(), 'pinocchio',
                              guards=guards({'auto_arm': True}))
    world = SimWorld(profile, seed=seed)
    judge = Judge(profile, pipeline, world)
    never = (1e9, 1e9)
    work = Disturbed(world, load_policy('scripted'), pipeline, load_ik('pinocchio', profile),
                     seed=seed, **({'every': never} if calm else {}))

    def see(tick: Tick) -> None:
        judge.quiet_since_ns = max(judge.quiet_since_ns, work.over_ns)
        judge.see(tick)
    work.on_tick = see
    done: Counter[str] = Counter()
    failed: list[str] = []
    scene = seed
    while world.time_ns < minutes * 60 * S:
        for task in TASKS:
            judge.quiet_since_ns = max(judge.quiet_since_ns, world.time_ns)
            outcome = work.run(task, TIMEOUT)
            if not outcome.success:
                failed.append(f'{task}: {outcome.detail}')
                break
            done[task] += 1
        scene += 1
        world.reset(scene)
    watch = judge.watch
    return {'robot': robot, 'simulated_s': world.time_ns / S, 'picked': done[TASKS[0]],
            'hung': done[TASKS[1]], 'failed': failed, 'disturbances': dict(work.happened),
            'commands': watch.commands, 'moving': watch.moving, 'outside': dict(watch.outside),
            'examples': watch.examples, 'refused': judge.refused, 'calm': judge.calm,
            'blocked': dict(judge.blocked), 'hardest': judge.hardest,
            'needless': dict(judge.needless), 'acted': dict(judge.acted),
            'closest_m': float(watch.closest), 'fastest': watch.fastest,
            'seconds': time.perf_counter() - started}


def main() -> int:
    """Print the table; exit 1 when a limit was broken or a refusal was needless."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--robots', nargs='+', default=list(robot_names()))
    parser.add_argument('--minutes', type=float, default=20.0, help='simulated, for each robot')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--calm', action='store_true', help='without disturbances')
    parser.add_argument('--json', metavar='FILE', help='write the figures there too')
    args = parser.parse_args()
    machine = (f'{platform.platform()}, {os.cpu_count()} cores, Python '
               f'{platform.python_version()}, mujoco {version("mujoco")}, pin {version("pin")}, '
               f'vla_ros {__version__}')
    print(machine)
    print(f'\n{"robot":<14}{"min":>6}{"picked":>8}{"hung":>6}{"failed":>8}{"disturbed":>11}'
          f'{"commands":>10}{"moving":>8}{"outside":>9}{"refused":>9}{"calm":>8}{"blocked":>9}'
          f'{"needless":>10}'
          f'{"closest mm":>12}{"speed %":>9}{"real time":>11}')
    results = []
    for robot in args.robots:
        r = run(robot, args.minutes, args.seed, args.calm)
        results.append(r)
        print(f'{robot:<14}{r["simulated_s"] / 60:>6.1f}{r["picked"]:>8}{r["hung"]:>6}'
              f'{len(r["failed"]):>8}{sum(r["disturbances"].values()):>11}{r["commands"]:>10}'
              f'{r["moving"]:>8}{sum(r["outside"].values()):>9}{r["refused"]:>9}{r["calm"]:>8}'
              f'{sum(r["blocked"].values()):>9}{sum(r["needless"].values()):>10}'
              f'{1e3 * r["closest_m"]:>+12.2f}'
              f'{100 * r["fastest"]:>9.0f}{r["simulated_s"] / r["seconds"]:>10.1f}x', flush=True)
        for line in [*(f'OUTSIDE {what}: {n}' for what, n in r['outside'].items()), *r['examples'],
                     *(f'NEEDLESS {n} times: {why}' for why, n in r['needless'].items()),
                     *(f'blocked by {what}: {n}, up to {r["hardest"]:.0f} N'
                       for what, n in r['blocked'].items()),
                     *(f'failed {n} times: {why}' for why, n in Counter(r['failed']).items())]:
            print(f'  {line}')
        print('  disturbances: ' + ', '.join(f'{k} {n}' for k, n in sorted(
            r['disturbances'].items())))
        print('  a limiter acted, ticks: ' + ', '.join(f'{k} {n}' for k, n in sorted(
            r['acted'].items(), key=lambda item: -item[1])), flush=True)
    if args.json:
        Path(args.json).write_text(json.dumps({'machine': machine, 'results': results}, indent=1),
                                   encoding='utf-8')
    return int(any(r['outside'] or r['needless'] for r in results))


if __name__ == '__main__':
    sys.exit(main())
