"""What one control tick costs: Pipeline.step without inverse kinematics, on one thread.

The real pipeline with the settings of ``config/nodes`` follows eight overlapping chunks of fifty
steps in every fusion mode, all modes turn by turn in one process, so that a busy moment of the
machine meets all of them. The arm is a tool that flies; the time inside its kinematics is measured
in every tick and taken off. Wall-clock time is what the tick took, processor time what of it was
spent on the thread. On a busy machine the p99 is that of other people's work, unless ``--fifo``
asks for the real-time priority that the control loop has on a robot.

The peer is the oracle of the tests, which fuses the same chunks one after another with matrices,
from their actions on, in every tick: what is prepared once for a chunk, and the arrays over all of
them, are the difference. What preparing costs is in the last table.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

# One thread is what is measured; others would also wait for work in a loop.
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
os.environ.setdefault('OMP_NUM_THREADS', '1')

import numpy as np

from vla_ros import __version__
from vla_ros.core.fusion import FusionMode
from vla_ros.core.kinematics import IkResult
from vla_ros.core.limits import GripperRange, JointLimits, TaskSpaceLimits
from vla_ros.core.pipeline import Pipeline
from vla_ros.core.se3 import pose, rotation_from_vector, vector_from_rotation
from vla_ros.core.trajectory import Steps
from vla_ros.core.types import EE_DIMS, ActionChunk
from vla_ros.ros.pipeline_config import pipeline_config

CHUNKS, HORIZON = 8, 50
MS = 1_000_000
DT = 20 * MS  # ns between the steps of a chunk
EVERY = 10  # ticks from one chunk to the next: ten inferences a second
LATENCY = 100 * MS
WARM = 200  # ticks that do not count: the eight chunks come in, and motion begins

LIMITS = JointLimits(EE_DIMS, [-2.0] * 6, [2.0] * 6, [1.0] * 3 + [3.0] * 3, [5.0] * 3 + [15.0] * 3)
TASK = TaskSpaceLimits([-1.9] * 3, [1.9] * 3, 0.5, 2.0, 0.1, 0.5)
PARTS = ('fusion', 'follow', 'gate')


class FlyingTool:
    """Six joints that are the tool's position [m] and rotation vector [rad]; ``spent`` [ns] inside.

    The reading of the clock itself stays with the caller.
    """

    def __init__(self) -> None:
        self.spent = 0

    def forward(self, q: np.ndarray) -> np.ndarray:
        started = time.perf_counter_ns()
        T = pose(rotation_from_vector(q[3:]), q[:3])
        self.spent += time.perf_counter_ns() - started
        return T

    def solve(self, T_base_tool: np.ndarray, seed: np.ndarray, dt: float) -> IkResult:
        started = time.perf_counter_ns()
        q = np.concatenate([T_base_tool[:3, 3], vector_from_rotation(T_base_tool[:3, :3])])
        result = IkResult(q, True, 0.0, 0.0, 1.0)
        self.spent += time.perf_counter_ns() - started
        return result


class Bench:
    """One pipeline and its arm, which follows perfectly but for an encoder's noise."""

    def __init__(self, mode: FusionMode, seed: int) -> None:
        config = pipeline_config()
        config = dataclasses.replace(config, fusion=dataclasses.replace(config.fusion, mode=mode))
        self.period_ns = round(config.period * 1e9)
        self.tool = FlyingTool()
        self.pipeline = Pipeline(self.tool, LIMITS, TASK, GripperRange(0.0, 0.07), config)
        self.pipeline.chunks.capacity = CHUNKS
        self.rng = np.random.default_rng(seed)
        self.now = 10**10
        self.q = np.zeros(6)
        self.ticks = 0
        self.parts: dict[str, list[float]] = {}  # us
        # Numbers alone are kept: objects would make the garbage collector's rounds ever longer.
        self.wall: list[float] = []  # us
        self.cpu: list[float] = []
        self.counted: list[int] = []  # chunks with a weight
        self.limited = 0

    def take_parts(self) -> None:
        """Time the parts from now on, which itself takes about 2 us a tick."""
        pipeline = self.pipeline
        self.parts = {part: [] for part in PARTS}
        pipeline.fusion.target = self._timed('fusion', pipeline.fusion.target)  # type: ignore
        pipeline.follower.goal = self._timed('follow', pipeline.follower.goal)  # type: ignore
        pipeline.gate = self._timed('gate', pipeline.gate)  # type: ignore[assignment]

    def _timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any) -> Any:
            started, elsewhere = time.perf_counter_ns(), self.tool.spent
            result = function(*args)
            took = time.perf_counter_ns() - started - (self.tool.spent - elsewhere)
            self.parts[part].append(took * 1e-3)
            return result
        return timed

    def chunk(self) -> ActionChunk:
        """Return an answer to an observation of a while ago; no two are of one opinion."""
        actions = np.ones((HORIZON, 7))
        actions[:, :3] = self.rng.normal(scale=1e-3, size=(HORIZON, 3))
        actions[:, 3:6] = self.rng.normal(scale=4e-3, size=(HORIZON, 3))
        return ActionChunk(self.now - LATENCY, DT, actions)

    def tick(self) -> None:
        """Step once; note the times when the arm has moved."""
        pipeline, tool = self.pipeline, self.tool
        pipeline.add_joint_state(self.now, self.q, 0.05)
        if self.ticks % EVERY == 0:
            pipeline.add_chunk(self.chunk(), self.now)
        tool.spent = 0
        cpu = time.thread_time_ns()
        wall = time.perf_counter_ns()
        tick = pipeline.step(self.now)
        wall = time.perf_counter_ns() - wall
        cpu = time.thread_time_ns() - cpu
        if tick.q is not None:
            self.q = tick.q + self.rng.normal(scale=1e-6, size=6)
        if tick.weights and self.ticks >= WARM:
            self.wall.append((wall - tool.spent) * 1e-3)
            self.cpu.append((cpu - tool.spent) * 1e-3)
            self.counted.append(len(tick.weights))
            self.limited += bool(tick.acted)
        self.now += self.period_ns
        self.ticks += 1


def steps(ticks: int, seed: int, oracle: ModuleType) -> dict[str, dict[str, float]]:
    """Return the numbers of every mode [us]."""
    benches = {mode: Bench(mode, seed) for mode in FusionMode}

    def run(count: int) -> None:
        for _ in range(count):
            for bench in benches.values():
                bench.tick()

    run(WARM + ticks)
    rows: dict[str, dict[str, float]] = {}
    for mode, bench in benches.items():
        moved = len(bench.wall)
        if moved < 0.9 * ticks:
            raise SystemExit(f'{mode.value}: the arm moved in {moved} of {ticks} ticks only')
        rows[mode.value] = {
            'chunks_that_count': float(np.mean(bench.counted)),
            'median': float(np.median(bench.wall)), 'p99': float(np.percentile(bench.wall, 99)),
            'smallest': min(bench.wall), 'cpu_median': float(np.median(bench.cpu)),
            'cpu_p99': float(np.percentile(bench.cpu, 99)),
            'limited_percent': 100.0 * bench.limited / moved,
        }
        bench.wall.clear()
        bench.take_parts()
    run(max(100, ticks // 3))
    for mode, bench in benches.items():
        row = rows[mode.value]
        row.update({part: float(np.median(took)) for part, took in bench.parts.items()})
        row['rest'] = float(np.median(bench.wall)) - sum(row[part] for part in PARTS)
        row['oracle'] = peer_us(oracle, bench)
        row['oracle_over_fusion'] = row['oracle'] / row['fusion']
    return rows


def peer_us(oracle: ModuleType, bench: Bench, repeats: int = 7) -> float:
    """Return what the oracle takes for the weights and the target of the last tick [us]."""
    config = bench.pipeline.config.fusion
    now = bench.now - bench.period_ns
    sent = [oracle.Sent(t.chunk, pose(oracle.se3.rotation_from_quaternion(t.quaternion[0]),
                                      t.position[0]), bench.q, t.arrival_ns)
            for t in bench.pipeline.chunks.due(now)]
    if len(sent) != CHUNKS:
        raise SystemExit(f'{config.mode.value}: {len(sent)} chunks are due, not {CHUNKS}')
    took = []
    for _ in range(repeats):
        started = time.perf_counter_ns()
        oracle.fused(sent, oracle.Oracle(config).weights(sent, now), now)
        took.append((time.perf_counter_ns() - started) * 1e-3)
    return float(np.median(took))


def preparation(repeats: int, seed: int) -> dict[str, dict[str, float]]:
    """Return what a chunk of fifty steps costs when it comes [us]."""
    bench = Bench(FusionMode.BLEND, seed)
    anchor, q = bench.tool.forward(bench.q), bench.q
    took: dict[str, list[int]] = {'Steps.of': [], 'Steps.anchored': [], 'Pipeline.add_chunk': []}
    for _ in range(repeats):
        bench.tick()
        chunk = bench.chunk()
        times = [time.perf_counter_ns()]
        prepared = Steps.of(chunk, 6)
        times.append(time.perf_counter_ns())
        prepared.anchored(anchor, q, bench.now)
        times.append(time.perf_counter_ns())
        bench.tool.spent = 0
        bench.pipeline.add_chunk(prepared, bench.now)
        times.append(time.perf_counter_ns() - bench.tool.spent)
        for name, early, late in zip(took, times, times[1:]):
            took[name].append(late - early)
    return {name: {'median': float(np.median(ns)) * 1e-3,
                   'p99': float(np.percentile(ns, 99)) * 1e-3} for name, ns in took.items()}


def load_oracle() -> ModuleType:
    """Return the oracle of the tests, which are no package."""
    file = Path(__file__).parents[1] / 'test' / 'core' / 'fusion_oracle.py'
    spec = importlib.util.spec_from_file_location('fusion_oracle', file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


def processor() -> str:
    """Return the processor's name as Linux tells it."""
    try:
        lines = Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines()
    except OSError:
        lines = []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.machine()


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--ticks', type=int, default=3000)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--fifo', action='store_true',
                        help='with real-time priority, as the control loop; needs the permission')
    parser.add_argument('--json', metavar='FILE')
    args = parser.parse_args()
    if args.fifo:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    machine = (f'{platform.platform()}, {processor()}, {os.cpu_count()} cores, one '
               f'thread{" with SCHED_FIFO" if args.fifo else ""}, load '
               f'{os.getloadavg()[0]:.1f}, Python {platform.python_version()}, numpy '
               f'{np.__version__}, vla_ros {__version__}')
    print(machine)
    modes = steps(args.ticks, args.seed, load_oracle())
    chunk = preparation(max(100, args.ticks // 10), args.seed)

    print(f'\nPipeline.step without kinematics, {CHUNKS} chunks of {HORIZON} steps due, '
          f'{args.ticks} ticks a mode [us]')
    columns = {'chunks_that_count': 'that count', 'median': 'median', 'p99': 'p99',
               'smallest': 'smallest', 'cpu_median': 'CPU median', 'cpu_p99': 'CPU p99',
               'limited_percent': 'limited %'}
    print(f'{"":<11}' + ''.join(f'{title:>12}' for title in columns.values()))
    for mode, row in modes.items():
        print(f'{mode:<11}' + ''.join(f'{row[c]:>12.1f}' for c in columns))
    print('\nIts parts, median [us], and the oracle for the fusion alone')
    titles = (*PARTS, 'rest', 'oracle')
    print(f'{"":<11}' + ''.join(f'{t:>12}' for t in titles) + f'{"ratio":>12}')
    for mode, row in modes.items():
        print(f'{mode:<11}' + ''.join(f'{row[t]:>12.1f}' for t in titles)
              + f'{row["oracle_over_fusion"]:>12.0f}')
    print(f'\nA chunk of {HORIZON} steps when it comes [us]')
    print(f'{"":<20}{"median":>12}{"p99":>12}')
    for name, row in chunk.items():
        print(f'{name:<20}{row["median"]:>12.1f}{row["p99"]:>12.1f}')
    if args.json:
        Path(args.json).write_text(json.dumps(
            {'machine': machine, 'chunks': CHUNKS, 'horizon': HORIZON, 'unit': 'us',
             'modes': modes, 'chunk': chunk}, indent=1), encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main())
