"""One case: pipeline and arm on a virtual clock, tick by tick."""

from __future__ import annotations

import hashlib
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.core.pipeline import Pipeline, Tick
from vla_ros.replay.closed_timing.arm import Arm
from vla_ros.replay.closed_timing.inputs import ChunkArrival, Inputs
from vla_ros.replay.closed_timing.schedule import Schedule

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Trace:
    """What the control side did in a case.

    Attributes
    ----------
    ticks : tuple[Tick, ...]
        Every decision, in order.
    tool : np.ndarray
        (N, 4, 4) T_base_tool of the commands; NaN where nothing was sent.
    due : np.ndarray
        (N,) bool: whether a chunk had a step due.
    arrived : np.ndarray
        (N,) bool: whether a chunk was accepted right before the tick.
    verdicts : Mapping[str, int]
        What became of the chunks that arrived -> how many.
    lost : Mapping[str, int]
        Why others never arrived -> how many.
    gaps_s, latencies_s : tuple[float, ...]
        Times between two chunks' arrivals, and from observation to arrival [s].
    span_s : float
        Longest chunk [s].
    dt_s : float
        Time between two steps of it [s].
    sha256 : str
        Of the commands.

    """

    ticks: tuple[Tick, ...]
    tool: Array
    due: NDArray[np.bool_]
    arrived: NDArray[np.bool_]
    verdicts: Mapping[str, int]
    lost: Mapping[str, int]
    gaps_s: tuple[float, ...]
    latencies_s: tuple[float, ...]
    span_s: float
    dt_s: float
    sha256: str


@dataclass
class _Notes:
    ticks: list[Tick] = field(default_factory=list)
    tool: list[Array] = field(default_factory=list)
    due: list[bool] = field(default_factory=list)
    arrived: list[bool] = field(default_factory=list)
    verdicts: Counter[str] = field(default_factory=Counter)


class ClosedTimingRun:
    """Runs one case from its first to its last joint state.

    Parameters
    ----------
    pipeline : Pipeline
        The control side, new.
    arm : Arm
        Follows the commands, or does not.
    inputs : Inputs
        What was recorded.
    plan : Schedule
        What of it arrives, and when.

    """

    def __init__(self, pipeline: Pipeline, arm: Arm, inputs: Inputs, plan: Schedule) -> None:
        self._pipeline = pipeline
        self._arm = arm
        self._inputs = inputs
        self._plan = plan
        self._period_ns = round(pipeline.config.period * 1e9)
        self._next_sample = self._next_chunk = self._next_start = 0
        # Joint states that are stamped and on their way: arrival, stamp, joints, width.
        self._coming: list[tuple[int, int, Array, float | None]] = []
        self._hash = hashlib.sha256()
        self._notes = _Notes()

    def run(self) -> Trace:
        """Return what was done.

        Raises
        ------
        InputError
            When there is no joint state.

        """
        joints = self._inputs.joints
        if not joints:
            raise InputError('closed-timing replay: there is no joint state')
        now, last = joints[0].stamp_ns, joints[-1].stamp_ns
        while now <= last:
            self._measure(now)
            arrived = self._deliver(now)
            self._tick(now, arrived)
            now += self._period_ns
        return self._trace()

    def _measure(self, now_ns: int) -> None:
        """Let the arm stamp its joint states until now; they arrive later."""
        joints, arrivals = self._inputs.joints, self._plan.joint_arrivals_ns
        while self._next_sample < len(joints) and (
                joints[self._next_sample].stamp_ns <= now_ns):
            sample, arrival = joints[self._next_sample], arrivals[self._next_sample]
            self._next_sample += 1
            q, width = self._arm.measured(sample)
            if arrival is not None:
                self._coming.append((arrival, sample.stamp_ns, q, width))

    def _deliver(self, now_ns: int) -> bool:
        """Give the pipeline what has arrived; return whether a chunk was accepted."""
        pipeline, started = self._pipeline, self._inputs.started_ns
        while self._next_start < len(started) and started[self._next_start] <= now_ns:
            self._next_start += 1
            pipeline.policy_started(now_ns)
        while self._coming and self._coming[0][0] <= now_ns:
            _, stamp, q, width = self._coming.pop(0)
            pipeline.add_joint_state(stamp, q, width)
        accepted = False
        chunks = self._plan.chunks
        while self._next_chunk < len(chunks) and chunks[self._next_chunk].arrival_ns <= now_ns:
            accepted |= self._take(chunks[self._next_chunk], now_ns)
            self._next_chunk += 1
        return accepted

    def _take(self, arrival: ChunkArrival, now_ns: int) -> bool:
        if arrival.chunk is None:
            self._pipeline.withdraw(now_ns, 'the policy has nothing to do')
            return False
        try:
            verdict = self._pipeline.add_chunk(arrival.chunk, now_ns)
        except (ConfigError, InputError) as error:
            verdict = f'refused: {error}'
        self._notes.verdicts[verdict] += 1
        return verdict in ('accepted', 'replaced')

    def _tick(self, now_ns: int, arrived: bool) -> None:
        pipeline, notes = self._pipeline, self._notes
        tick = pipeline.step(now_ns)
        pipeline.look_ahead()
        tool = np.full((4, 4), np.nan)
        if tick.q is not None and tick.send:
            self._arm.command(now_ns, tick.q, tick.gripper)
            tool = pipeline.kinematics.forward(tick.q)
            gripper = np.nan if tick.gripper is None else tick.gripper
            self._hash.update(struct.pack('<q', now_ns) + np.append(tick.q, gripper).astype(
                '<f8').tobytes())
        notes.ticks.append(tick)
        notes.tool.append(tool)
        notes.due.append(bool(pipeline.chunks.due(tick.playhead_ns)))
        notes.arrived.append(arrived)

    def _trace(self) -> Trace:
        notes = self._notes
        delivered = [c for c in self._plan.chunks[:self._next_chunk] if c.chunk is not None]
        chunks = [c.chunk for c in delivered if c.chunk is not None]
        at = [c.arrival_ns for c in delivered]
        longest = max(chunks, key=lambda c: c.horizon * c.dt_ns, default=None)
        return Trace(
            tuple(notes.ticks), np.array(notes.tool), np.array(notes.due),
            np.array(notes.arrived), dict(sorted(notes.verdicts.items())), self._plan.lost,
            tuple((b - a) * 1e-9 for a, b in pairwise(at)),
            tuple(c.latency_s for c in delivered),
            longest.horizon * longest.dt_ns * 1e-9 if longest else 0.0,
            longest.dt_ns * 1e-9 if longest else 0.0, self._hash.hexdigest())
