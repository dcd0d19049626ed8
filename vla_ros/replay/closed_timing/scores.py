"""How smooth, how well supplied and how undisturbed the control side was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.degradation import Level
from vla_ros.core.pipeline import Tick
from vla_ros.replay.closed_timing.run import Trace
from vla_ros.replay.closed_timing.schedule import AGAIN

Array = NDArray[np.float64]

_POINTS = 5000


@dataclass(frozen=True)
class Scores:
    """Numbers of one case, of the commands; shares are parts of the time since the first chunk.

    Attributes
    ----------
    tool_acceleration_rms, tool_acceleration_max : float
        Of the tool's origin [m/s^2].
    tool_jerk_rms, tool_jerk_max : float
        [m/s^3], from differences of three ticks.
    joint_acceleration_rms, joint_acceleration_max : float
        Of the fastest joint [rad/s^2].
    joint_jerk_rms, joint_jerk_max : float
        [rad/s^3].
    boundary_step_rms, boundary_step_max : float
        Change of the tool's velocity in a tick at which another set of chunks is followed [m/s].
    starved : float
        Share without a chunk that has a step due.
    starved_longest : float
        Longest such time [s].
    not_running, slow, hold, stopped : float
        Shares outside of RUNNING, and in each of the other levels.
    limited : float
        Share of the ticks in which a limiter changed the command.
    path_rms, path_max : float
        Distance of the tool to that of the undisturbed run at the same time [m]; 0 for that run.
    path_nearest_max : float
        Largest distance to the nearest point of the undisturbed path, whenever it was there [m].
    mode_changes : int
        Times that the level changed.
    gripper_changes : int
        Times that the gripper's command turned between opening and closing.
    chunks_used, chunks_lost : int
        Chunks that were accepted, and those that did not arrive or came too late.

    """

    tool_acceleration_rms: float
    tool_acceleration_max: float
    tool_jerk_rms: float
    tool_jerk_max: float
    joint_acceleration_rms: float
    joint_acceleration_max: float
    joint_jerk_rms: float
    joint_jerk_max: float
    boundary_step_rms: float
    boundary_step_max: float
    starved: float
    starved_longest: float
    not_running: float
    slow: float
    hold: float
    stopped: float
    limited: float
    path_rms: float
    path_max: float
    path_nearest_max: float
    mode_changes: int
    gripper_changes: int
    chunks_used: int
    chunks_lost: int


SCORES = tuple(field.name for field in fields(Scores))


@dataclass(frozen=True)
class ModeChange:
    """A change of the level: time since the beginning [s], to what, and why."""

    time_s: float
    level: str
    reason: str


@dataclass(frozen=True)
class CaseResult:
    """One case, scored.

    Attributes
    ----------
    name : str
        The disturbance in words.
    scores : Scores
        The numbers.
    limiters : Mapping[str, float]
        Limiter -> share of the ticks in which it acted.
    changes : tuple[ModeChange, ...]
        Every change of the level.
    reasons : Mapping[str, float]
        Why the arm was not RUNNING -> share of the time.
    verdicts, lost : Mapping[str, int]
        What became of the chunks.
    gap_longest_s, latency_median_s, latency_longest_s : float
        Between two arrivals, and from observation to arrival [s].
    span_s, dt_s : float
        Length of a chunk and of its steps [s].
    sha256 : str
        Of the commands.

    """

    name: str
    scores: Scores
    limiters: Mapping[str, float]
    changes: tuple[ModeChange, ...]
    reasons: Mapping[str, float]
    verdicts: Mapping[str, int]
    lost: Mapping[str, int]
    gap_longest_s: float
    latency_median_s: float
    latency_longest_s: float
    span_s: float
    dt_s: float
    sha256: str


def scored(name: str, trace: Trace, undisturbed: Trace, period: float) -> CaseResult:
    """Return a case with its numbers; ``undisturbed`` is the run that it is compared with."""
    begin = _first_chunk(trace)
    ticks = trace.ticks[begin:]
    count = max(len(ticks), 1)
    levels = Counter(tick.level for tick in ticks)
    limiters = Counter(name for tick in ticks for name in dict.fromkeys(map(limiter, tick.acted)))
    reasons = Counter(kind_of(tick.reason) for tick in ticks
                      if tick.level is not Level.RUNNING and tick.reason)
    limited = sum(bool(tick.acted) for tick in ticks) / count
    starved = ~trace.due[begin:]
    first = trace.ticks[0].stamp_ns if trace.ticks else 0
    changes = tuple(ModeChange((b.stamp_ns - first) * 1e-9, b.level.value, b.reason)
                    for a, b in pairwise(trace.ticks)
                    if a.level is not b.level)
    used = sum(trace.verdicts.get(word, 0) for word in ('accepted', 'replaced'))
    # The same answer again is none that is missing.
    wasted = sum(n for word, n in trace.verdicts.items()
                 if word not in ('accepted', 'replaced', 'duplicate'))
    scores = Scores(
        *_motion(trace, period), *_boundary(trace, period),
        float(starved.mean()) if len(starved) else 0.0, _longest(starved) * period,
        1.0 - levels[Level.RUNNING] / count,
        *(levels[level] / count for level in (Level.SLOW, Level.HOLD, Level.STOPPED)), limited,
        *_path(trace, undisturbed), len(changes), _gripper_changes(trace.ticks), used,
        wasted + sum(n for why, n in trace.lost.items() if why != AGAIN))
    shares = {name: n / count for name, n in sorted(limiters.items())}
    latencies = trace.latencies_s or (0.0,)
    return CaseResult(
        name, scores, shares, changes, {why: n / count for why, n in sorted(reasons.items())},
        trace.verdicts, trace.lost, max(trace.gaps_s, default=0.0),
        float(np.median(latencies)), max(latencies), trace.span_s, trace.dt_s, trace.sha256)


def limiter(acted: str) -> str:
    """Return the name of the limiter that a tick's words are of: what stands before the numbers."""
    head = acted.split(':', 1)[0]
    words = []
    for word in head.split():
        if any(letter.isdigit() for letter in word):
            break
        words.append(word)
    return ' '.join(words) or head


def kind_of(reason: str) -> str:
    """Return a reason without what differs from one tick to the next, so that equal ones add up."""
    if reason.startswith('look-ahead: '):
        parts = [part for part in reason.split(': ')[1:] if not part.startswith('step ')]
        return f'look-ahead: {parts[0]}' if parts else 'look-ahead'
    if reason.startswith('start: '):
        return reason.split(',')[0]
    return reason


def as_values(scores: Scores) -> dict[str, float]:
    """Return the numbers by name."""
    return asdict(scores)


def _first_chunk(trace: Trace) -> int:
    """Return the tick of the first chunk: before it there is nothing to keep up with."""
    return int(np.argmax(trace.arrived)) if trace.arrived.any() else 0


def _motion(trace: Trace, period: float) -> tuple[float, ...]:
    p = trace.tool[:, :3, 3]
    q = np.array([tick.q if tick.q is not None else np.full(1, np.nan) for tick in trace.ticks],
                 dtype=object)
    n = max((len(row) for row in q), default=1)
    joints = np.array([row if len(row) == n else np.full(n, np.nan) for row in q], dtype=np.float64)
    found: list[float] = []
    for values, size in ((p, _length), (joints, _largest)):
        for order in (2, 3):
            found += _rms_max(size(np.diff(values, order, axis=0) / period**order))
    return tuple(found)


def _length(rows: Array) -> Array:
    out: Array = np.sqrt((rows * rows).sum(axis=1))
    return out


def _largest(rows: Array) -> Array:
    out: Array = np.abs(rows).max(axis=1) if rows.size else np.zeros(0)
    return out


def _rms_max(values: Array) -> tuple[float, float]:
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 0.0
    return float(np.sqrt((values * values).mean())), float(values.max())


def _boundary(trace: Trace, period: float) -> tuple[float, float]:
    steps = _length(np.diff(trace.tool[:, :3, 3], 2, axis=0) / period)
    sets = [tick.chunk_stamps_ns for tick in trace.ticks]
    changed = np.array([sets[i] != sets[i - 1] for i in range(2, len(sets))], dtype=bool)
    return _rms_max(steps[changed] if len(steps) else steps)


def _longest(flags: NDArray[np.bool_]) -> int:
    longest = run = 0
    for flag in flags.tolist():
        run = run + 1 if flag else 0
        longest = max(longest, run)
    return longest


def _path(trace: Trace, other: Trace) -> tuple[float, float, float]:
    count = min(len(trace.tool), len(other.tool))
    mine, theirs = trace.tool[:count, :3, 3], other.tool[:count, :3, 3]
    away = _length(mine - theirs)
    rms, largest = _rms_max(away)
    path = other.tool[:, :3, 3]
    path = _thinned(path[np.isfinite(path).all(axis=1)])
    own = _thinned(mine[np.isfinite(mine).all(axis=1)])
    if not len(path) or not len(own):
        return rms, largest, 0.0
    nearest = max(float(np.sqrt(((path - point) ** 2).sum(axis=1)).min()) for point in own)
    return rms, largest, nearest


def _thinned(points: Array) -> Array:
    """Return at most ``_POINTS`` points, evenly: each is held against all of another path."""
    return points[::max(1, -(-len(points) // _POINTS))]


def _gripper_changes(ticks: tuple[Tick, ...]) -> int:
    widths = np.array([tick.gripper for tick in ticks if tick.gripper is not None])
    if not len(widths) or not np.ptp(widths) > 1e-4:
        return 0
    middle = (widths.min() + widths.max()) / 2.0
    return int((np.diff(widths > middle) != 0).sum())
