"""Inverse kinematics: ours against pin-pink, mink and ikpy, on the same poses in one run.

``global``: poses of random joint positions, solved without a seed; every solver may start up to 60
times. ``step``: poses 0.2 to 2 cm and 0.5 to 5 degrees away from a working pose, solved from there,
once, with no limit on how far a joint moves. The closed form says how many there are solutions for.

Every solver stops at the same errors, and is then judged alike: within 1 mm, 0.1 degree and the
joint limits. The stepwise peers stop like ours when steps no longer help. A pose is solved several
times and the fastest time counts, because other processes come in between.

Peers that are not installed are left out: pip install pin-pink mink daqp ikpy. Where there is a GPU
with cuRobo, its times for chunks of 1, 8 and 50 poses follow.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import os
import sys
import tempfile
import time
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vla_ros.core.errors import DependencyError
from vla_ros.core.se3 import moved, rotation_angle
from vla_ros.demo.machine import machine, versions
from vla_ros.ik.analytic_ik import AnalyticIk
from vla_ros.ik.curobo_ik import CuroboIk
from vla_ros.ik.global_search import GlobalSearch
from vla_ros.ik.pinocchio_ik import PinocchioIk
from vla_ros.ik.settings import PinocchioIkSettings
from vla_ros.robots import RobotProfile, load_profile

STARTS = 60
STOP_POSITION, STOP_ROTATION = 1e-4, math.radians(0.01)  # m, rad; where solvers stop
GOOD_POSITION, GOOD_ROTATION = 1e-3, math.radians(0.1)
ROTATION_LENGTH = 0.2  # m/rad, in every solver's metric
PACKAGES = ('numpy', 'pin', 'eigenpy', 'pin-pink', 'mink', 'mujoco', 'daqp', 'qpsolvers', 'ikpy',
            'scipy')

Attempt = Callable[[np.ndarray, np.ndarray], np.ndarray]  # T_base_tool, seed -> q


@dataclass(frozen=True)
class Solver:
    """``attempt`` solves once from a seed; ``search``, where it has one, without any."""

    name: str
    attempt: Attempt | None
    search: Callable[[np.ndarray], np.ndarray] | None = None


@dataclass(frozen=True)
class Poses:
    """What is solved for: poses alone, and pairs of joint positions and a pose near by."""

    anywhere: list[np.ndarray]
    steps: list[tuple[np.ndarray, np.ndarray]]


class Judge:
    """Forward kinematics and limits of the arm, apart from all solvers."""

    def __init__(self, profile: RobotProfile) -> None:
        self.arm = PinocchioIk(profile).arm
        # A joint that turns further than once has every pose within one turn.
        self.low = np.maximum(self.arm.lower, -math.pi)
        self.high = np.minimum(self.arm.upper, math.pi)

    def good(self, q: np.ndarray, T: np.ndarray) -> bool:
        """Return whether joint positions reach a pose within the limits."""
        inside = (q >= self.arm.lower - 1e-9) & (q <= self.arm.upper + 1e-9)
        return bool(inside.all() and self.close(q, T, GOOD_POSITION, GOOD_ROTATION))

    def close(self, q: np.ndarray, T: np.ndarray, position: float, rotation: float) -> bool:
        """Return whether joint positions are within these errors [m], [rad] of a pose."""
        F = self.arm.forward(q)
        return bool(np.linalg.norm(F[:3, 3] - T[:3, 3]) <= position
                    and rotation_angle(F[:3, :3], T[:3, :3]) <= rotation)


def make_poses(profile: RobotProfile, judge: Judge, count: int) -> Poses:
    """Draw the poses; always the same."""
    rng = np.random.default_rng(2026)
    anywhere = [judge.arm.forward(rng.uniform(judge.low, judge.high)) for _ in range(count)]
    box = profile.task_space.workspace
    steps: list[tuple[np.ndarray, np.ndarray]] = []
    while len(steps) < count:
        q = profile.joints.home + rng.uniform(-0.8, 0.8, judge.arm.n)
        T = judge.arm.forward(q)
        clear = (q >= judge.arm.lower + 0.1) & (q <= judge.arm.upper - 0.1)
        inside = (T[:3, 3] >= box.lower) & (T[:3, 3] <= box.upper)
        if clear.all() and inside.all():
            twist = np.concatenate((_vector(rng, 0.002, 0.02),
                                    _vector(rng, math.radians(0.5), math.radians(5.0))))
            steps.append((q, moved(T, twist, 1.0)))
    return Poses(anywhere, steps)


def _vector(rng: np.random.Generator, least: float, most: float) -> np.ndarray:
    v = rng.normal(size=3)
    return v / np.linalg.norm(v) * rng.uniform(least, most)


# Ours


def ours(profile: RobotProfile, judge: Judge) -> list[Solver]:
    """Return the solvers of this package."""
    settings = PinocchioIkSettings(
        position_tolerance=STOP_POSITION, rotation_tolerance=STOP_ROTATION,
        rotation_length=ROTATION_LENGTH, max_joint_change=math.inf)
    ik = PinocchioIk(profile, settings)
    bounded = PinocchioIk(profile)  # no joint further than max_joint_change, finer tolerances
    search = GlobalSearch(profile, settings)
    exact = AnalyticIk(profile, settings)
    home = np.asarray(profile.joints.home)
    return [
        Solver('vla_ros pinocchio', lambda T, q: ik.solve(T, q, 0.01).q,
               lambda T: search.solve(T, STARTS).q),
        Solver('vla_ros pinocchio, as the node has it', lambda T, q: bounded.solve(T, q, 0.01).q),
        Solver('vla_ros pinocchio, random starts', None, random_starts(
            lambda T, q: ik.solve(T, q, 0.01).q, judge)),
        Solver('vla_ros analytic', lambda T, q: exact.solve(T, q, 0.01).q,
               lambda T: exact.solve(T, home, 0.01).q),
    ]


def random_starts(attempt: Attempt, judge: Judge) -> Callable[[np.ndarray], np.ndarray]:
    """Return a search from one random start after the other."""
    def search(T: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng(7)  # the same for every solver and pose
        q = np.empty(judge.arm.n)
        for _ in range(STARTS):
            q = attempt(T, rng.uniform(judge.low, judge.high))
            if judge.close(q, T, GOOD_POSITION, GOOD_ROTATION):
                break
        return q
    return search


# Peers


class Progress:
    """Ends a stepwise solver: at the goal, or when ``patience`` steps did not help."""

    def __init__(self, patience: int = 5) -> None:
        self._patience = self._left = patience
        self._best = math.inf

    def ended(self, position: float, rotation: float) -> bool:
        """Return whether to stop at these errors [m], [rad]."""
        if position <= STOP_POSITION and rotation <= STOP_ROTATION:
            return True
        error = math.hypot(position, ROTATION_LENGTH * rotation)
        if error < 0.99 * self._best:
            self._best, self._left = error, self._patience
        else:
            self._left -= 1
        return self._left == 0


def pink(profile: RobotProfile, judge: Judge, urdf: Path, steps: int) -> Solver:
    """Return pin-pink with daqp: a quadratic program a step, full steps, limits as constraints."""
    import pink
    import pinocchio as pin
    from pink.limits import ConfigurationLimit

    model = pin.buildModelFromUrdf(str(urdf))
    model.lowerPositionLimit[:] = judge.arm.lower
    model.upperPositionLimit[:] = judge.arm.upper
    data = model.createData()
    task = pink.FrameTask(profile.tool_frame, position_cost=1.0, orientation_cost=ROTATION_LENGTH,
                          lm_damping=1e-6)
    limits = [ConfigurationLimit(model, config_limit_gain=1.0)]

    def attempt(T: np.ndarray, seed: np.ndarray) -> np.ndarray:
        configuration = pink.Configuration(model, data, seed, copy_data=False)
        task.set_target(pin.SE3(T))
        progress = Progress()
        for _ in range(steps):
            error = task.compute_error(configuration)
            if progress.ended(_norm(error[:3]), _norm(error[3:])):
                break
            velocity = pink.solve_ik(configuration, [task], 1.0, solver='daqp', damping=1e-9,
                                     limits=limits, safety_break=False)
            configuration.integrate_inplace(velocity, 1.0)
        return np.clip(configuration.q, judge.arm.lower, judge.arm.upper)
    return Solver('pin-pink + daqp', attempt)


def mink(profile: RobotProfile, judge: Judge, urdf: Path, steps: int) -> Solver:
    """Return mink with daqp, likewise."""
    import mink
    import mujoco

    model = mujoco.MjSpec.from_file(str(urdf)).compile()
    model.jnt_range[:] = np.stack((judge.arm.lower, judge.arm.upper), axis=1)
    configuration = mink.Configuration(model)
    task = mink.FrameTask(profile.tool_frame, 'body', position_cost=1.0,
                          orientation_cost=ROTATION_LENGTH, lm_damping=1e-6)
    limits = [mink.ConfigurationLimit(model, gain=1.0)]

    def attempt(T: np.ndarray, seed: np.ndarray) -> np.ndarray:
        configuration.update(seed)
        task.set_target(mink.SE3.from_matrix(T))
        progress = Progress()
        for _ in range(steps):
            error = task.compute_error(configuration)
            if progress.ended(_norm(error[:3]), _norm(error[3:])):
                break
            velocity = mink.solve_ik(configuration, [task], 1.0, 'daqp', damping=1e-9,
                                     limits=limits)
            configuration.integrate_inplace(velocity, 1.0)
        return np.clip(configuration.q, judge.arm.lower, judge.arm.upper)
    return Solver('mink + daqp', attempt)


def ikpy(profile: RobotProfile, judge: Judge, urdf: Path, steps: int) -> Solver:
    """Return ikpy: SciPy's bounded least squares with differences for derivatives."""
    from ikpy.chain import Chain

    chain = Chain.from_urdf_file(str(urdf), base_elements=_elements(urdf, profile))
    names = list(profile.joints.names)
    at = [[link.name for link in chain.links].index(name) for name in names]
    chain.active_links_mask = np.array([link.name in names for link in chain.links])
    for name, low, high in zip(names, judge.arm.lower, judge.arm.upper, strict=True):
        chain.links[[link.name for link in chain.links].index(name)].bounds = (low, high)

    def attempt(T: np.ndarray, seed: np.ndarray) -> np.ndarray:
        full = np.zeros(len(chain.links))
        full[at] = np.clip(seed, judge.arm.lower + 1e-9, judge.arm.upper - 1e-9)
        return chain.inverse_kinematics_frame(T, initial_position=full,
                                              orientation_mode='all')[at]
    return Solver('ikpy', attempt)


def peers(profile: RobotProfile, judge: Judge, urdf: Path, steps: int) -> list[Solver]:
    """Return the peers that are installed and reach a pose of their own kinematics."""
    found = []
    for make in (pink, mink, ikpy):
        try:
            with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
                warnings.simplefilter('ignore')
                solver = make(profile, judge, urdf, steps)
        except ImportError as error:
            print(f'{make.__name__}: left out ({error})')
            continue
        home = np.asarray(profile.joints.home)
        assert solver.attempt is not None
        if not judge.good(solver.attempt(judge.arm.forward(home + 0.01), home), judge.arm.forward(
                home + 0.01)):
            raise SystemExit(f'{solver.name}: does not see the same arm')
        found.append(Solver(solver.name, solver.attempt, random_starts(solver.attempt, judge)))
    return found


def _elements(urdf: Path, profile: RobotProfile) -> list[str]:
    """Return links and joints in turn from the base frame to the tool frame, as ikpy wants."""
    joints = {joint.find('child').get('link'): joint  # type: ignore[union-attr]
              for joint in ElementTree.parse(urdf).getroot().findall('joint')}
    chain = [profile.tool_frame]
    while chain[0] != profile.base_frame:
        joint = joints[chain[0]]
        chain[:0] = [joint.find('parent').get('link'), joint.get('name')]  # type: ignore
    return chain


def write_urdf(profile: RobotProfile, folder: str) -> Path:
    """Write the arm's URDF with its fingers fixed, so that every peer has the same joints."""
    tree = ElementTree.parse(profile.urdf_path)
    for joint in tree.getroot().findall('joint'):
        if joint.get('type') != 'fixed' and joint.get('name') not in profile.joints.names:
            joint.set('type', 'fixed')
    path = Path(folder, f'{profile.name}.urdf')
    tree.write(path)
    return path


# Measuring


def measure(solve: Callable[[], np.ndarray], repeats: int) -> tuple[np.ndarray, float]:
    """Return the answer and the fastest time [s]."""
    fastest = math.inf
    for _ in range(repeats):
        start = time.perf_counter()
        q = solve()
        fastest = min(fastest, time.perf_counter() - start)
    return q, fastest


def summary(good: list[bool], seconds: list[float], change: list[float]) -> dict:
    """Return what one row of the table says."""
    return {'success': float(np.mean(good)), 'median_ms': float(np.median(seconds)) * 1e3,
            'p99_ms': float(np.percentile(seconds, 99)) * 1e3,
            'largest_joint_step_rad': max(change, default=math.nan)}


def run(solver: Solver, poses: Poses, judge: Judge, repeats: int) -> dict:
    """Return global and step results of one solver."""
    out = {}
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        if solver.search is not None:
            answers = [measure(lambda T=T: solver.search(T), 1 if repeats == 1 else 2)
                       for T in poses.anywhere]
            out['global'] = summary([judge.good(q, T) for (q, _), T in
                                     zip(answers, poses.anywhere, strict=True)],
                                    [seconds for _, seconds in answers], [])
        if solver.attempt is not None:
            answers = [measure(lambda T=T, q=q: solver.attempt(T, q), repeats)
                       for q, T in poses.steps]
            good = [judge.good(q, T) for (q, _), (_, T) in zip(answers, poses.steps, strict=True)]
            change = [float(np.abs(q - seed).max()) for ok, (q, _), (seed, _) in
                      zip(good, answers, poses.steps, strict=True) if ok]
            out['step'] = summary(good, [seconds for _, seconds in answers], change)
    return out


def reachable(profile: RobotProfile, poses: Poses) -> float:
    """Return the share of the step poses that any joint positions within the limits reach."""
    exact = AnalyticIk(profile, PinocchioIkSettings(max_joint_change=math.inf))
    return float(np.mean([exact.solve(T, q, 0.01).converged for q, T in poses.steps]))


def curobo(profile: RobotProfile) -> dict[str, dict]:
    """Return time and rejected answers of cuRobo for chunks of several lengths; {} without it."""
    home = np.asarray(profile.joints.home)
    found = {}
    for batch in (1, 8, 50):
        try:
            ik = CuroboIk(profile, max_batch=batch)
        except DependencyError as error:
            print(f'curobo: left out ({error})')
            return {}
        twist = np.array([0.002, -0.002, 0.001, 0.005, 0.005, -0.005])
        path = np.array([moved(ik.forward(home), twist, float(i + 1)) for i in range(batch)])
        seconds = []
        for _ in range(50):
            start = time.perf_counter()
            results = ik.solve_batch(path, home, 0.1)
            seconds.append(time.perf_counter() - start)
        found[f'batch {batch}'] = {
            'median_ms': float(np.median(seconds)) * 1e3,
            'p99_ms': float(np.percentile(seconds, 99)) * 1e3,
            'converged': sum(r.converged for r in results),
            'rejected_share': sum(ik.rejected.values()) / (50 * batch)}
        print(f'curobo, batch {batch}: ' + ', '.join(
            f'{key} {value:.3g}' for key, value in found[f'batch {batch}'].items()))
    return found


def table(results: dict[str, dict]) -> str:
    """Return the results of one arm as text."""
    lines = [f'{"solver":<39}{"global ok":>10}{"median":>9}{"p99 ms":>9}'
             f'{"step ok":>10}{"median":>9}{"p99 ms":>9}{"largest step":>14}']
    for name, result in results.items():
        cells = [f'{name:<39}']
        for kind in ('global', 'step'):
            r = result.get(kind)
            cells.append(f'{r["success"]:>10.1%}{r["median_ms"]:>9.3f}{r["p99_ms"]:>9.3f}' if r
                         else f'{"-":>10}{"-":>9}{"-":>9}')
        if 'step' in result:
            cells.append(f'{result["step"]["largest_joint_step_rad"]:>10.2f} rad')
        lines.append(''.join(cells))
    return '\n'.join(lines)


def _norm(v: np.ndarray) -> float:
    return math.sqrt(float(v @ v))


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--robots', nargs='+', default=['piper', 'ur5e'])
    parser.add_argument('--poses', type=int, default=500)
    parser.add_argument('--repeats', type=int, default=5, help='of each step; the fastest counts')
    parser.add_argument('--steps', type=int, default=50, help="a peer's steps from one start")
    parser.add_argument('--json', metavar='FILE')
    args = parser.parse_args()
    about = {**machine(), 'versions': versions(PACKAGES),
             'load': os.getloadavg(), 'poses': args.poses, 'repeats': args.repeats}
    print(f'{about["processor"]}, {about["cores"]} cores, load {about["load"][0]:.1f}; '
          + ', '.join(f'{k} {v}' for k, v in about['versions'].items()))
    report = {'machine': about, 'robots': {}}
    for name in args.robots:
        profile = load_profile(name)
        judge = Judge(profile)
        poses = make_poses(profile, judge, args.poses)
        with tempfile.TemporaryDirectory() as folder:
            solvers = ours(profile, judge) + peers(profile, judge, write_urdf(profile, folder),
                                                   args.steps)
            results = {solver.name: run(solver, poses, judge, args.repeats) for solver in solvers}
        share = reachable(profile, poses)
        print(f'\n{name}: {args.poses} poses each; {share:.1%} of the steps can be reached')
        print(table(results))
        report['robots'][name] = {'step_reachable': share, 'solvers': results,
                                  'curobo': curobo(profile)}
    print(f'load at the end {os.getloadavg()[0]:.1f}')
    if args.json:
        Path(args.json).write_text(json.dumps(report, indent=1), encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main())
