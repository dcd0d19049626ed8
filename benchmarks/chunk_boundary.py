"""What happens where one action chunk meets the next: every fusion mode under latency.

A policy that looks at the measured tool answers with chunks of deltas that bring it back to a
path, late, sometimes not at all, and not always of the same opinion. The real pipeline executes
them on an arm that lags its commands. Scored on the commands: the largest step of the velocity
between two ticks, acceleration and jerk, the distance to the path, and the time not RUNNING
(starvation). Two common ways are run as well: a chunk that begins when it arrives, whenever it was
due ("as it arrives"), and one that asks for the next chunk when half of the last is used up ("stop
and go").

The paths are made up (sines) and, with ``--episode``, a recorded hand-held gripper.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vla_ros import __version__
from vla_ros.core.degradation import Level
from vla_ros.core.fusion import FusionMode
from vla_ros.core.kinematics import IkResult
from vla_ros.core.limits import GripperRange, JointLimits, TaskSpaceLimits
from vla_ros.core.pipeline import Pipeline
from vla_ros.core.se3 import pose, rotation_from_vector, vector_from_rotation
from vla_ros.core.types import EE_DIMS, ActionChunk
from vla_ros.ros.pipeline_config import pipeline_config

TICK = 0.01  # s
DT = 0.1  # s between the steps of a chunk
LAG = 0.05  # s, time constant with which the arm follows its commands
RECOVERY = 0.3  # s, time constant with which the policy wants to be back on the path
SETTLE = 2.0  # s at the beginning that do not count
Path3 = Callable[[float], np.ndarray]

LIMITS = JointLimits(EE_DIMS, [-2.0] * 6, [2.0] * 6, [0.5] * 3 + [2.0] * 3, [2.0] * 3 + [6.0] * 3)
TASK = TaskSpaceLimits([-1.9] * 3, [1.9] * 3, 0.5, 2.0, 0.1, 0.5)


@dataclass(frozen=True)
class Stream:
    """How chunks come.

    ``latency`` and ``jitter`` [s], ``drops`` the part that never arrives, ``opinion`` the size [m]
    of what each chunk as a whole has against the others, ``growth`` the error at a chunk's end [m].
    """

    latency: float
    jitter: float = 0.03
    drops: float = 0.0
    opinion: float = 0.0
    growth: float = 0.01
    horizon: int = 16


class FreeArm:
    """A tool that flies: the six joints are its position [m] and rotation vector [rad]."""

    def forward(self, q: np.ndarray) -> np.ndarray:
        return pose(rotation_from_vector(q[3:]), q[:3])

    def solve(self, T_base_tool: np.ndarray, seed: np.ndarray, dt: float) -> IkResult:
        q = np.concatenate([T_base_tool[:3, 3], vector_from_rotation(T_base_tool[:3, :3])])
        return IkResult(q, True, 0.0, 0.0, 1.0)


def sines(t: float) -> np.ndarray:
    """Position [m] and rotation vector [rad] of a smooth path; at most 0.16 m/s, 0.5 rad/s."""
    return np.array([0.12 * math.sin(0.9 * t), 0.08 * math.sin(1.7 * t + 0.5),
                     0.05 * math.sin(1.1 * t + 1.0), 0.3 * math.sin(0.7 * t),
                     0.2 * math.sin(1.3 * t + 0.2), 0.25 * math.sin(0.5 * t + 2.0)])


def recorded(file: Path) -> tuple[Path3, float]:
    """Return the path of an episode with ``state`` (N, 7) at 10 Hz, and its duration [s]."""
    state = np.load(file)['state'][:, :6]
    R0 = rotation_from_vector(state[0, 3:])
    path = np.column_stack([
        state[:, :3] - state[0, :3],
        [vector_from_rotation(R0.T @ rotation_from_vector(r)) for r in state[:, 3:]]])
    times = np.arange(len(path)) * 0.1
    return lambda t: np.array([np.interp(t, times, column) for column in path.T]), times[-1]


class Answer:
    """A policy: from the measured tool back to the path, with the errors of a learned one."""

    def __init__(self, path: Path3, stream: Stream, rng: np.random.Generator) -> None:
        self.path, self.stream, self.rng = path, stream, rng

    def __call__(self, now: float, measured: np.ndarray) -> np.ndarray:
        """Return deltas (H, 6) for an observation at this time."""
        h = self.stream.horizon
        bias, drift = self.rng.normal(size=(2, 3)) / math.sqrt(3.0)
        error = measured - self.path(now)
        targets = np.array([self.path(now + k * DT) + error * math.exp(-k * DT / RECOVERY)
                            for k in range(1, h + 1)])
        along = np.arange(1, h + 1)[:, None] / h
        ramp = np.minimum(1.0, np.arange(1, h + 1) * DT / RECOVERY)[:, None]
        targets[:, :3] += self.stream.opinion * bias * ramp + self.stream.growth * drift * along
        knots = np.vstack([measured, targets])
        deltas = np.diff(knots, axis=0)
        for i in range(h):  # of rotations, in axes of the base
            deltas[i, 3:] = vector_from_rotation(rotation_from_vector(knots[i + 1, 3:])
                                                 @ rotation_from_vector(knots[i, 3:]).T)
        return deltas


def run(mode: str, path: Path3, duration: float, stream: Stream, seed: int) -> dict[str, float]:
    """Return the scores of one run; ``mode`` is a fusion mode, 'as it arrives' or 'stop and go'."""
    rng = np.random.default_rng(seed)
    common = mode in COMMON
    config = pipeline_config({'rate_hz': 1.0 / TICK, 'max_joint_lead': 1.0})
    fusion = dataclasses.replace(config.fusion, mode=FusionMode('latest' if common else mode))
    # A common executor sends the actions as they are; the acceleration limit is all that is left.
    config = dataclasses.replace(config, fusion=fusion, fade=TICK if common else config.fade)
    pipeline = Pipeline(FreeArm(), LIMITS, TASK, GripperRange(0.0, 0.1), config)
    policy = Answer(path, stream, rng)
    measured = path(0.0)
    pending: list[tuple[float, ActionChunk]] = []
    asked, asks, used_up = -math.inf, max(DT, stream.latency), 0.0
    commands, wanted, levels = [], [], []
    for i in range(round(duration / TICK)):
        now = i * TICK
        now_ns = round(now * 1e9) + 1_000_000_000
        pipeline.add_joint_state(now_ns, measured, 0.05)
        due = now >= used_up if mode == 'stop and go' else now - asked >= asks - 1e-9
        if due and not (mode == 'stop and go' and pending):
            asked = now
            late = max(0.0, stream.latency + rng.uniform(-1.0, 1.0) * stream.jitter)
            chunk = ActionChunk(now_ns, round(DT * 1e9), policy(now, measured), dims=EE_DIMS)
            if not rng.random() < stream.drops:
                pending.append((now + late, chunk))
        for entry in [p for p in pending if p[0] <= now]:
            pending.remove(entry)
            chunk = entry[1]
            if common:
                chunk = dataclasses.replace(chunk, stamp_ns=now_ns)
                used_up = now + chunk.horizon * DT / 2  # half of it, as is usual
            pipeline.add_chunk(chunk, now_ns)
        tick = pipeline.step(now_ns)
        assert tick.q is not None
        measured = measured + (tick.q - measured) * (1.0 - math.exp(-TICK / LAG))
        commands.append(tick.q)
        wanted.append(path(now))
        levels.append(tick.level)
    return score(np.array(commands), np.array(wanted), levels)


def score(q: np.ndarray, wanted: np.ndarray, levels: list[Level]) -> dict[str, float]:
    """Return the numbers of one run: [mm/s], [m/s^2], [m/s^3], [mm], [mm], percent."""
    skip = round(SETTLE / TICK)
    p = q[skip:, :3]
    v, error = np.diff(p, axis=0) / TICK, np.linalg.norm(p - wanted[skip:, :3], axis=1)
    a = np.diff(v, axis=0) / TICK
    jerk = np.diff(a, axis=0) / TICK
    size = np.linalg.norm
    return {
        'velocity_step_mm_s': float(size(np.diff(v, axis=0), axis=1).max() * 1e3),
        'acceleration_rms': float(np.sqrt((a**2).sum(axis=1).mean())),
        'jerk_rms': float(np.sqrt((jerk**2).sum(axis=1).mean())),
        'path_rms_mm': float(np.sqrt((error**2).mean()) * 1e3),
        'path_max_mm': float(error.max() * 1e3),
        'starved_percent': 100.0 * sum(lv is not Level.RUNNING for lv in levels[skip:])
        / len(levels[skip:]),
    }


COMMON = ('as it arrives', 'stop and go')
MODES = (*(m.value for m in FusionMode), *COMMON)
LATENCIES = (0.0, 0.1, 0.2, 0.3, 0.4)
KINDS: dict[str, dict[str, float]] = {
    'clean': {}, 'jitter and drops': {'jitter': 0.08, 'drops': 0.15},
    'disagreeing': {'opinion': 0.015},
}


def main() -> int:
    """Print the tables; draw the plot."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seconds', type=float, default=20.0)
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--episode', type=Path, help='npz with state (N, 7) at 10 Hz')
    parser.add_argument('--json', metavar='FILE')
    parser.add_argument('--plot', metavar='FILE', help='PNG of all scores over the latency')
    args = parser.parse_args()
    paths: dict[str, tuple[Path3, float]] = {'sines': (sines, args.seconds)}
    if args.episode is not None:
        path, length = recorded(args.episode)
        paths[args.episode.stem] = path, min(length, args.seconds)
    machine = (f'{platform.platform()}, {os.cpu_count()} cores, Python '
               f'{platform.python_version()}, numpy {np.__version__}, vla_ros {__version__}')
    print(machine)
    rows = []
    for name, (path, duration) in paths.items():
        for kind, options in KINDS.items():
            print(f'\n{name}, {kind}: mean over {args.seeds} seeds; largest over the latencies '
                  f'{" ".join(f"{x:g}" for x in LATENCIES)} s in brackets')
            print(f'{"":<15}{"velocity step":>18}{"jerk rms":>16}{"path rms":>16}{"path max":>16}'
                  f'{"not RUNNING":>16}')
            print(f'{"":<15}{"mm/s a tick":>18}{"m/s^3":>16}{"mm":>16}{"mm":>16}{"%":>16}')
            for mode in MODES:
                table = []
                for latency in LATENCIES:
                    runs = [run(mode, path, duration, Stream(latency, **options), seed)
                            for seed in range(args.seeds)]
                    mean = {k: float(np.mean([r[k] for r in runs])) for k in runs[0]}
                    table.append(mean)
                    rows.append({'path': name, 'stream': kind, 'mode': mode, 'latency': latency,
                                 **mean})
                cells = [f'{np.mean([t[k] for t in table]):.1f} ({max(t[k] for t in table):.1f})'
                         for k in ('velocity_step_mm_s', 'jerk_rms', 'path_rms_mm', 'path_max_mm',
                                   'starved_percent')]
                print(f'{mode:<15}{cells[0]:>18}' + ''.join(f'{c:>16}' for c in cells[1:]))
    if args.json:
        Path(args.json).write_text(json.dumps({'machine': machine, 'rows': rows}, indent=1),
                                   encoding='utf-8')
    if args.plot:
        draw(rows, args.plot)
    return 0


def draw(rows: list[dict], file: str) -> None:
    """Draw every score over the latency, a line a mode, a column a stream."""
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    scores = {'jerk_rms': 'jerk, rms [m/s³]', 'velocity_step_mm_s': 'velocity step [mm/s]',
              'path_rms_mm': 'distance to the path, rms [mm]', 'starved_percent': 'not RUNNING [%]'}
    first = rows[0]['path']
    figure, axes = pyplot.subplots(len(scores), len(KINDS), figsize=(10, 11), sharex=True,
                                   sharey='row')
    for column, kind in enumerate(KINDS):
        axes[0][column].set_title(kind)
        for row, (key, label) in enumerate(scores.items()):
            ax = axes[row][column]
            for mode in MODES:
                points = [(r['latency'] * 1e3, r[key]) for r in rows
                          if (r['path'], r['stream'], r['mode']) == (first, kind, mode)]
                ax.plot(*zip(*points, strict=True), label=mode, marker='.',
                        linestyle='--' if mode in COMMON else '-')
            if key in ('jerk_rms', 'path_rms_mm'):
                ax.set_yscale('log')
            ax.grid(alpha=0.3)
            if column == 0:
                ax.set_ylabel(label)
    for ax in axes[-1]:
        ax.set_xlabel('latency [ms]')
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.tight_layout(rect=(0.0, 0.03, 1.0, 1.0))
    figure.legend(handles, labels, loc='lower center', ncol=len(labels), fontsize=8)
    figure.savefig(file, dpi=80)


if __name__ == '__main__':
    sys.exit(main())
