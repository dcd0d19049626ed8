"""Throws hostile inputs at the control side and counts the commands that are outside any limit.

Chunks with NaN, infinity, huge numbers, wrong sizes, wrong frames, jumps; stale, early, reordered;
aimed out of the workspace, through the arm's own base, into the table. Joint states that are not
finite, of the wrong size, old, frozen, or of an arm that somebody has moved to a random posture,
limits and collisions not excepted. Clocks that stand still, jump forth and back. Stops, faults and
policies that come and go. In between the arm is given what it can do, so that it is moving.

Every command is checked here anew, from the profile's numbers, with kinematics and distances of its
own: finite, position, velocity, acceleration, workspace, keep-out boxes, clearance, speed of the
tool, gripper, and silence while not armed. Where an arm was put outside of a bound, no command may
take it further out. Exit status 1 when one command was outside, or one input raised anything but an
InputError or ConfigError.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable
from importlib.metadata import version

import numpy as np

from vla_ros import __version__
from vla_ros.assembly import build_pipeline
from vla_ros.core.errors import ConfigError, InputError
from vla_ros.core.se3 import rotation_angle, vector_from_rotation
from vla_ros.core.types import (
    EE_DIMS,
    GRIPPER_DIM,
    ActionChunk,
    ActionConvention,
    ActionFrame,
    ActionSpace,
    Rotation,
)
from vla_ros.ik.arm_model import ArmModel
from vla_ros.ik.collision import PinocchioClearance
from vla_ros.ik.collision_config import load_collision_config
from vla_ros.robots import RobotProfile, load_profile
from vla_ros.ros.pipeline_config import guards, pipeline_config

MS = 1_000_000
PERIOD = 10 * MS
DIMS = (*EE_DIMS, GRIPPER_DIM)
TOUCH = 2e-4  # m; what a straight line of joints differs from the way of a link in one tick
BEYOND = 1e-3  # m past a face of the workspace: half a millimetre, and the same again
SPEED = 1.05  # of the tool's speed: one tick's change of the Jacobian


class Watch:
    """Checks every command against the profile's bounds.

    Attributes
    ----------
    commands : int
        How many were checked.
    outside : Counter[str]
        How many were outside which bound.
    examples : list[str]
        The first few of them.
    closest : float
        Smallest clearance over its bound of an arm that nobody had put nearer [m].

    """

    def __init__(self, profile: RobotProfile) -> None:
        self.profile = profile
        self.arm = ArmModel(profile)
        self.clearance = PinocchioClearance(
            profile, profile.clearance, profile.task_space.keep_out,
            load_collision_config(profile.collision))
        self.commands = self.moving = 0
        self.outside: Counter[str] = Counter()
        self.examples: list[str] = []
        self.fastest = 0.0
        self.closest = np.inf
        self._last: tuple[int, np.ndarray, np.ndarray] | None = None  # time, q, velocity

    def forget(self) -> None:
        """Expect the next command to begin anew (the world that was commanded is gone)."""
        self._last = None

    def check(self, now_ns: int, tick: object, measured: np.ndarray) -> None:
        """Check what a tick has decided; ``measured`` (n,) [rad] is where the arm is."""
        q, velocity = tick.q, tick.velocity  # type: ignore[attr-defined]
        if q is None:
            # Whoever moves the arm while nothing is sent, it goes on from there.
            return
        self.commands += 1
        problems = self._problems(now_ns, tick, measured)
        for problem in problems:
            self.outside[problem.split(' ', 1)[0]] += 1
            if len(self.examples) < 10:
                self.examples.append(f'command {self.commands}: {problem}')
        self._last = now_ns, q.copy(), velocity.copy()

    def _problems(self, now_ns: int, tick: object, measured: np.ndarray) -> list[str]:
        q, velocity = tick.q, tick.velocity  # type: ignore[attr-defined]
        joints = self.profile.joints
        n = len(joints.names)
        if q.shape != (n,) or velocity.shape != (n,) or not (
                np.isfinite(q).all() and np.isfinite(velocity).all()):
            return [f'finite {q} {velocity}']
        found = []
        dt, before, v_before = self._before(now_ns, q, measured)
        if not (np.abs(velocity) <= joints.velocity + 1e-9).all():
            found.append(f'velocity {velocity}')
        if not (np.abs(velocity - v_before) <= joints.acceleration * dt + 1e-6).all():
            found.append(f'acceleration {(velocity - v_before) / dt}')
        if not (np.abs(q - before) <= joints.velocity * dt + 1e-9).all():
            found.append(f'step {q - before}')
        low, high = joints.lower + joints.margin, joints.upper - joints.margin
        out, was_out = (np.maximum(np.maximum(low - p, p - high), 0.0) for p in (q, before))
        # Where it begins anew the measured joints may be newer ones, with other noise.
        if not (out <= was_out + 1e-5).all():
            found.append(f'position {out}')
        found += self._tool(q, before, dt, tick)
        found += self._near(q, before)
        found += self._gripper(tick)
        if not tick.send or tick.safety == 'DISARMED':  # type: ignore[attr-defined]
            speed, was = np.abs(velocity).max(), np.abs(v_before).max()
            if speed > 1e-6 and not speed <= was + 1e-9:
                found.append(f'disarmed and speeding up {was} {speed}')
        return found

    def _before(self, now_ns: int, q: np.ndarray, measured: np.ndarray,
                ) -> tuple[float, np.ndarray, np.ndarray]:
        """Return the time since the last command [s], its joints and velocity.

        A command that begins anew begins at rest, at the measured joints.
        """
        period = PERIOD * 1e-9
        rest = np.zeros_like(q)
        reach = self.profile.joints.acceleration * period**2 + 1e-9
        if self._last is None:
            return period, measured, rest
        then, before, velocity = self._last
        dt = (now_ns - then) * 1e-9
        usual = 0.1 * period <= dt <= 5.0 * period
        anew = (np.abs(q - measured) <= reach).all()
        expected = before + velocity * (dt if usual else period)
        if anew and not (np.abs(q - expected) <= reach * 25.0).all():
            return period, measured, rest
        if dt > 5.0 * period:
            return period, before, rest
        return (dt if usual else period), before, velocity

    def _tool(self, q: np.ndarray, before: np.ndarray, dt: float, tick: object) -> list[str]:
        task, found = self.profile.task_space, []
        T, T_before = self.arm.forward(q), self.arm.forward(before)
        p, p_before = T[:3, 3], T_before[:3, 3]
        low, high = task.workspace.lower, task.workspace.upper
        out, was_out = (np.maximum(np.maximum(low - x, x - high), 0.0) for x in (p, p_before))
        if not (out <= np.maximum(BEYOND, was_out + 1e-4)).all():
            found.append(f'workspace {1e3 * out} mm')
        for box in task.keep_out:
            deep, was_deep = (float(np.minimum(x - box.lower, box.upper - x).min())
                              for x in (p, p_before))
            if not deep <= max(BEYOND, was_deep + 1e-4):
                found.append(f'keep-out {box.name} {1e3 * deep:.2f} mm')
        if tick.mode == 'AUTONOMOUS':  # type: ignore[attr-defined]
            self.moving += 1
            speed = float(np.linalg.norm(p - p_before)) / dt
            turn = rotation_angle(T[:3, :3], T_before[:3, :3]) / dt
            self.fastest = max(self.fastest, speed / task.max_speed)
            if not speed <= SPEED * task.max_speed + 1e-6:
                found.append(f'speed {speed:.3f} m/s')
            if not turn <= SPEED * task.max_rotation_speed + 1e-6:
                found.append(f'rotation speed {turn:.3f} rad/s')
        return found

    def _near(self, q: np.ndarray, before: np.ndarray) -> list[str]:
        now = self.clearance.near(q)
        if not now:
            return []
        was = {p.pair: p.distance for p in self.clearance.near(before)}
        found = []
        for p in now:
            allowed = p.stop - TOUCH
            if was.get(p.pair, p.slow) >= allowed:
                self.closest = min(self.closest, p.distance - p.stop)
            elif p.distance >= was[p.pair] - TOUCH:
                continue
            if not p.distance >= allowed:
                found.append(f'clearance {" ".join(p.names)} {1e3 * p.distance:.2f} mm, was '
                             f'{1e3 * was.get(p.pair, p.slow):.2f} mm')
        return found

    def _gripper(self, tick: object) -> list[str]:
        width, effort = tick.gripper, tick.effort  # type: ignore[attr-defined]
        gripper = self.profile.gripper
        if width is not None and not gripper.closed <= width <= gripper.open:
            return [f'gripper {width}']
        if effort is not None and not 0.0 <= effort < np.inf:
            return [f'effort {effort}']
        return []


class Fuzz:
    """An arm, a clock and a control side, at the mercy of a random generator."""

    def __init__(self, robot: str, seed: int) -> None:
        self.profile = load_profile(robot)
        self.rng = np.random.default_rng(seed)
        self.pipeline = build_pipeline(
            self.profile, pipeline_config(), 'pinocchio', guards=guards({'auto_arm': True}))
        self.watch = Watch(self.profile)
        self.now = 10**12
        self.q = np.array(self.profile.joints.home)  # where the arm is
        self.width = self.profile.gripper.open
        self.silent_ticks = 0
        self.frozen = False
        self.inputs: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.raised: list[str] = []
        self.acted: Counter[str] = Counter()
        self._old: list[ActionChunk] = []
        self._kinds: list[tuple[str, Callable[[], None], float]] = [
            ('chunk', self.chunk, 10.0), ('bad chunk', self.bad_chunk, 4.0),
            ('old chunk', self.old_chunk, 1.0), ('joints', self.joints, 3.0),
            ('clock', self.clock, 1.0), ('life', self.life, 2.0)]

    def run(self, inputs: int) -> None:
        """Throw this many inputs, with one to six ticks after each."""
        weights = np.array([w for _, _, w in self._kinds])
        choices = self.rng.choice(len(self._kinds), size=inputs, p=weights / weights.sum())
        for choice in choices:
            self._throw(self._kinds[choice][1])
            for _ in range(self.rng.integers(1, 7)):
                self.tick()

    def _throw(self, action: Callable[[], None]) -> None:
        try:
            action()
        except (InputError, ConfigError) as error:
            self.refused[str(error).split(':', 1)[0]] += 1
        except Exception as error:  # noqa: BLE001 -- what is looked for
            self.raised.append(f'{type(error).__name__}: {error}')

    def tick(self) -> None:
        """Let the arm report, the pipeline decide, and the arm follow with a lag."""
        if self.silent_ticks > 0:
            self.silent_ticks -= 1
        else:
            noise = 0.0 if self.frozen else 1e-6 * self.rng.normal(size=len(self.q))
            self._throw(lambda: self.pipeline.add_joint_state(self.now, self.q + noise,
                                                              self.width))
        measured = self.pipeline._measured
        try:
            tick = self.pipeline.step(self.now)
            self.pipeline.look_ahead()
        except Exception as error:  # noqa: BLE001 -- what is looked for
            self.raised.append(f'step: {type(error).__name__}: {error}')
            self.now += PERIOD
            return
        self.watch.check(self.now, tick, self.q if measured is None else measured)
        self.acted.update(a.split(' ', 1)[0].rstrip(':') for a in tick.acted)
        if tick.q is not None and not self.frozen:
            self.q = self.q + 0.5 * (tick.q - self.q)
            if tick.gripper is not None:
                self.width += 0.1 * (tick.gripper - self.width)
        self.now += PERIOD

    # Chunks

    def chunk(self) -> None:
        """A chunk that can be followed, toward something that may not."""
        aim = self.rng.choice(['near', 'anywhere', 'outside', 'table', 'base', 'fold', 'far'])
        self.inputs[f'chunk: {aim}'] += 1
        steps, dt = int(self.rng.integers(2, 17)), int(self.rng.choice([20, 50, 100, 200])) * MS
        age = int(self.rng.integers(0, 150)) * MS
        if aim == 'fold' or self.rng.random() < 0.25:
            chunk = self._joint_chunk(aim, steps, dt, self.now - age)
        else:
            chunk = self._tool_chunk(aim, steps, dt, self.now - age)
        self._old = [*self._old[-20:], chunk]
        self._add(chunk)

    def _tool_chunk(self, aim: str, steps: int, dt: int, stamp: int) -> ActionChunk:
        T = self.pipeline.kinematics.forward(self.q)
        box = self.profile.task_space.workspace
        goal = {
            'near': T[:3, 3] + self.rng.normal(size=3) * 0.05,
            'anywhere': self.rng.uniform(box.lower, box.upper),
            'outside': self.rng.uniform(box.lower - 0.5, box.upper + 0.5),
            'table': T[:3, 3] * [1, 1, 0] - [0, 0, self.rng.uniform(0.0, 0.5)],
            'base': np.array([0.0, 0.0, self.rng.uniform(-0.1, 0.4)]),
            'far': T[:3, 3] + self.rng.normal(size=3) * 3.0,
        }[aim]
        turn = self.rng.normal(size=3) * self.rng.choice([0.0, 0.3, 2.0])
        share = np.linspace(0.0, 1.0, steps)[:, None]
        actions = np.empty((steps, 7))
        actions[:, 6] = self.rng.choice([0.0, 1.0, 0.5])
        frame = list(ActionFrame)[self.rng.integers(2)]
        if self.rng.random() < 0.5:
            actions[:, :3] = (goal - T[:3, 3]) / steps
            actions[:, 3:6] = turn / steps
            return ActionChunk(stamp, dt, actions, DIMS, ActionConvention(
                ActionSpace.EE_DELTA, frame, Rotation.AXIS_ANGLE))
        actions[:, :3] = T[:3, 3] + share * (goal - T[:3, 3])
        actions[:, 3:6] = vector_from_rotation(T[:3, :3]) + share * turn
        return ActionChunk(stamp, dt, actions, DIMS, ActionConvention(
            ActionSpace.EE_POSE, ActionFrame.BASE, Rotation.AXIS_ANGLE))

    def _joint_chunk(self, aim: str, steps: int, dt: int, stamp: int) -> ActionChunk:
        joints = self.profile.joints
        reach = {'near': 0.1, 'far': 10.0}.get(aim, 1.0)
        goal = self.q + self.rng.normal(size=len(self.q)) * reach
        if aim == 'fold':
            goal = self.rng.choice([joints.lower, joints.upper])
        delta = self.rng.random() < 0.5
        actions = np.empty((steps, len(self.q) + 1))
        actions[:, -1] = self.rng.random()
        share = np.linspace(0.0, 1.0, steps)[:, None]
        actions[:, :-1] = (goal - self.q) / steps if delta else self.q + share * (goal - self.q)
        space = ActionSpace.JOINT_DELTA if delta else ActionSpace.JOINT_POSITION
        return ActionChunk(stamp, dt, actions, (*joints.names, GRIPPER_DIM),
                           ActionConvention(space))

    def bad_chunk(self) -> None:
        """A chunk that is wrong in itself, or a good one at a wrong time."""
        kind = str(self.rng.choice([
            'nan', 'inf', 'huge', 'wrong size', 'wrong names', 'no steps', 'no time', 'tiny dt',
            'huge dt', 'stale', 'future', 'jump', 'scale', 'rpy', 'long']))
        self.inputs[f'bad chunk: {kind}'] += 1
        now, rng = self.now, self.rng
        actions = rng.normal(size=(8, 7)) * 0.02
        stamp, dt, dims, convention = now - 50 * MS, 100 * MS, DIMS, ActionConvention()
        if kind in ('nan', 'inf'):
            actions[rng.integers(8), rng.integers(7)] = np.nan if kind == 'nan' else -np.inf
        elif kind == 'huge':
            actions *= 10.0 ** rng.integers(2, 308)
        elif kind == 'wrong size':
            actions = rng.normal(size=[(8, 5), (8,), (2, 8, 7), (7, 8)][rng.integers(4)])
        elif kind == 'wrong names':
            dims = tuple(rng.permutation(DIMS))
        elif kind == 'no steps':
            actions = np.zeros((0, 7))
        elif kind in ('no time', 'tiny dt', 'huge dt'):
            dt = {'no time': int(rng.integers(-5, 1)), 'tiny dt': int(rng.integers(1, 1000)),
                  'huge dt': 10 ** int(rng.integers(11, 18))}[kind]
        elif kind == 'stale':
            stamp = now - int(rng.integers(1, 10**5)) * MS
        elif kind == 'future':
            stamp = now + int(rng.integers(1, 10**5)) * MS
        elif kind == 'jump':
            actions[rng.integers(8), :6] += rng.normal(size=6) * 2.0
        elif kind == 'scale':
            convention = ActionConvention(translation_scale=1e3, rotation_scale=-1e3)
        elif kind == 'rpy':
            convention = ActionConvention(rotation=Rotation.RPY, frame=ActionFrame.TOOL)
            actions[:, 3:6] = rng.normal(size=(8, 3)) * 4.0
        else:
            actions = rng.normal(size=(500, 7)) * 0.01
        self._add(ActionChunk(stamp, dt, actions, dims, convention))

    def old_chunk(self) -> None:
        """A chunk once more, or after one that was computed later."""
        self.inputs['old chunk'] += 1
        if self._old:
            self._add(self._old[self.rng.integers(len(self._old))])

    def _add(self, chunk: ActionChunk) -> None:
        self.acted[f'(chunk {self.pipeline.add_chunk(chunk, self.now)})'] += 1

    # Everything else

    def joints(self) -> None:
        """Joint states that are wrong, missing, or of an arm that was moved."""
        kind = str(self.rng.choice(['nan', 'inf', 'size', 'huge', 'old', 'future', 'silent',
                                    'frozen', 'nudged', 'moved', 'width']))
        self.inputs[f'joints: {kind}'] += 1
        q, stamp, width = self.q.copy(), self.now, self.width
        n, rng = len(q), self.rng
        if kind in ('nan', 'inf'):
            q[rng.integers(n)] = np.nan if kind == 'nan' else np.inf
        elif kind == 'size':
            q = rng.normal(size=[(0,), (n - 1,), (n + 1,), (1, n)][rng.integers(4)])
        elif kind == 'huge':
            q = q * 10.0 ** rng.integers(2, 300)
        elif kind in ('old', 'future'):
            stamp += int(rng.integers(1, 5000)) * (MS if kind == 'future' else -MS)
            q = q + rng.normal(size=n) * 0.1
        elif kind == 'silent':
            self.silent_ticks = int(rng.integers(2, 60))
            return
        elif kind == 'frozen':
            self.frozen = not self.frozen
            return
        elif kind == 'nudged':
            self.q = q = q + rng.normal(size=n) * 0.05
        elif kind == 'moved':
            joints = self.profile.joints
            room = 0.1 * (joints.upper - joints.lower)
            self.q = q = (np.array(joints.home) if rng.random() < 0.7
                          else rng.uniform(joints.lower - room, joints.upper + room))
        else:
            width = float(rng.choice([np.nan, -1.0, 1e9]))
        self.pipeline.add_joint_state(stamp, q, width)

    def clock(self) -> None:
        """A clock that stands still, or jumps."""
        kind = str(self.rng.choice(['repeat', 'gap', 'pause', 'back', 'long ago']))
        self.inputs[f'clock: {kind}'] += 1
        milliseconds = {'repeat': -10, 'gap': self.rng.integers(11, 45), 'pause': 3000,
                        'back': -self.rng.integers(11, 450), 'long ago': -60_000}[kind]
        self.now += int(milliseconds) * MS
        if kind == 'long ago':
            self.watch.forget()

    def life(self) -> None:
        """Stops, faults and policies that come and go; more often than not they end again."""
        pipeline, now = self.pipeline, self.now
        kind = str(self.rng.choice(['stop', 'start', 'gone', 'alive', 'new policy', 'withdraw',
                                    'estop', 'reset', 'arm', 'fault', 'disarm'],
                                   p=[.04, .16, .04, .16, .04, .04, .04, .18, .18, .06, .06]))
        self.inputs[f'life: {kind}'] += 1
        if kind == 'stop':
            pipeline.stop('fuzz')
        elif kind == 'start':
            pipeline.start(now)
        elif kind in ('gone', 'alive'):
            pipeline.set_policy_alive(kind == 'alive')
        elif kind == 'new policy':
            pipeline.policy_started(now)
        elif kind == 'withdraw':
            pipeline.withdraw(now, 'fuzz')
        elif kind == 'estop':
            pipeline.interlock.estop('fuzz')
        elif kind == 'reset':
            pipeline.interlock.reset('fuzz')
            pipeline.arm(now)
        elif kind == 'arm':
            pipeline.arm(now)
        elif kind == 'fault':
            pipeline.fault(now, 'fuzz')
        else:
            pipeline.interlock.disarm('fuzz')


def main() -> int:
    """Print what was thrown and what came out; exit 1 when a command was outside a limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--robots', nargs='+', default=['piper', 'ur5e'])
    parser.add_argument('--inputs', type=int, default=10_000, help='for each robot')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--json', metavar='FILE', help='write the figures there too')
    args = parser.parse_args()
    machine = (f'{platform.platform()}, {os.cpu_count()} cores, Python '
               f'{platform.python_version()}, numpy {np.__version__}, pin {version("pin")}, '
               f'vla_ros {__version__}')
    print(machine)
    results, failed = [], False
    for robot in args.robots:
        started = time.perf_counter()
        fuzz = Fuzz(robot, args.seed)
        fuzz.run(args.inputs)
        watch = fuzz.watch
        failed |= bool(watch.outside or fuzz.raised)
        print(f'\n{robot}: {args.inputs} inputs, {sum(fuzz.refused.values())} refused, '
              f'{watch.commands} commands ({watch.moving} of a moving arm), '
              f'{sum(watch.outside.values())} outside a limit, {len(fuzz.raised)} unexpected '
              f'exceptions, {time.perf_counter() - started:.0f} s')
        print(f'  closest approach {1e3 * watch.closest:+.2f} mm to the stop distance; fastest '
              f'{100 * watch.fastest:.0f} % of the tool\'s speed limit')
        print('  inputs: ' + ', '.join(f'{kind} {n}' for kind, n in sorted(fuzz.inputs.items())))
        print('  acted: ' + ', '.join(f'{what} {n}' for what, n in fuzz.acted.most_common()))
        for line in [*(f'{what}: {n}' for what, n in watch.outside.items()), *watch.examples,
                     *fuzz.raised[:10]]:
            print(f'  OUTSIDE {line}')
        results.append({'robot': robot, 'inputs': dict(fuzz.inputs),
                        'refused': dict(fuzz.refused), 'commands': watch.commands,
                        'moving': watch.moving, 'outside': dict(watch.outside),
                        'raised': fuzz.raised, 'acted': dict(fuzz.acted),
                        'closest_m': watch.closest, 'fastest': watch.fastest})
    if args.json:
        with open(args.json, 'w', encoding='utf-8') as file:
            json.dump({'machine': machine, 'robots': results}, file, indent=1)
    return int(failed)


if __name__ == '__main__':
    sys.exit(main())
