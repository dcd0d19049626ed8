"""The demo with random weights: no task is judged, but whether everything around the model works.

A random model moves the arm without purpose. That its chunks arrive, that what comes out of the
control node stays within the arm's limits and that nothing faults can be said all the same.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vla_ros.demo.recording import Recording, Status
from vla_ros.demo.verdict import Verdict
from vla_ros.robots import RobotProfile

NOTE = ('Random weights: the arm moves without purpose, within its limits. The verdict is about '
        'the graph (chunks arrive, commands stay within the limits, nothing faults); no task was '
        'tried or judged.')
WATCH_S = 10.0
"""Simulated seconds for each instruction."""

_CHUNKS = 'action_chunk'
# Errors that come and go with single messages, more of them on a busy machine. Whether chunks come
# and are followed is judged from what was seen.
_PASSING = ('policy_node: inference', 'control_node: action_chunk')
_LATEST_NS = 2_000_000_000  # a chunk must have come this soon before the end
_SPEED_WINDOW_NS = 50_000_000  # a speed is measured over this, so that a late stamp is none
_TOLERANCE = 1e-6  # rad or m, of positions
_SPEED_TOLERANCE = 1.05
_LEAST_AUTONOMOUS = 0.2  # of the time; its chunks are short, and a busy machine answers late


def has_random_weights(model_path: str | Path) -> bool:
    """Return whether a checkpoint says of itself that its weights are random."""
    try:
        config = json.loads((Path(model_path) / 'config.json').read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return False  # whoever loads it says what is wrong with it
    return isinstance(config, dict) and bool(config.get('random_weights'))


@dataclass(frozen=True)
class Watched:
    """What the monitor says of a moment."""

    success: bool
    detail: str


class WatchMonitor:
    """In place of a task's judge: satisfied as soon as it has watched long enough.

    Parameters
    ----------
    task : str
        The instruction, of which nothing is expected.
    watch_s : float
        Simulated seconds to watch.

    """

    def __init__(self, task: str, watch_s: float = WATCH_S) -> None:
        self._watch_s = watch_s
        self._start_ns: int | None = None

    def update(self, time_ns: int, frames: Mapping[str, np.ndarray],
               gripper_width: float) -> Watched:
        """Return whether the time is over."""
        if self._start_ns is None:
            self._start_ns = time_ns
        since_s = (time_ns - self._start_ns) * 1e-9
        return Watched(since_s >= self._watch_s,
                       f'random weights, no task: watched {since_s:.1f} of {self._watch_s:g} s')


def judge_graph(recording: Recording, profile: RobotProfile, statuses: Mapping[str, Status],
                end_ns: int, *, problems: Sequence[str] = (),
                signal_number: int | None = None) -> Verdict:
    """Return the verdict about the graph.

    Parameters
    ----------
    recording : Recording
        What was seen.
    profile : RobotProfile
        The arm, whose limits hold.
    statuses : Mapping[str, Status]
        The reports as they were at the end, before anything was stopped.
    end_ns : int
        Simulated time of that [ns].
    problems : Sequence[str]
        What went wrong around it: a process that ended, something that never came up.
    signal_number : int, optional
        The signal that ended the demo, if one did.

    """
    found = [*problems, *_faults(recording, statuses, end_ns), *beyond_limits(recording, profile)]
    if signal_number is not None and not found:
        name = signal.Signals(signal_number).name
        return Verdict('INTERRUPTED', f'stopped by {name} (random weights, no task)',
                       128 + signal_number)
    chunks, share = recording.streams.get(_CHUNKS), autonomous_share(recording, end_ns)
    count, last_ns = (chunks.count, chunks.last_ns) if chunks else (0, None)
    if not problems:  # these would only repeat them
        if last_ns is None:
            found.append('no chunk arrived')
        elif not end_ns - last_ns <= _LATEST_NS:
            found.append(f'the last of {count} chunks came {(end_ns - last_ns) * 1e-9:.1f} s '
                         f'before the end')
        elif not share >= _LEAST_AUTONOMOUS:
            found.append(f'the arm followed the policy only {100 * share:.0f} % of the time')
    if found:
        return Verdict('FAILED', '; '.join(found) + ' (random weights, no task was tried)', 1)
    return Verdict('GRAPH OK', f'random weights, no task was tried: {count} chunks arrived and '
                               f'were followed {100 * share:.0f} % of the time, '
                               f'{len(recording.commanded)} commands were all within the limits, '
                               f'no fault lasted', 0)


def beyond_limits(recording: Recording, profile: RobotProfile) -> list[str]:
    """Return what was commanded beyond a limit of position or speed, in words."""
    times, values = recording.commanded.arrays()
    joints, gripper = profile.joints, profile.gripper
    lower = np.append(joints.lower, min(gripper.closed, gripper.open))
    upper = np.append(joints.upper, max(gripper.closed, gripper.open))
    names = [*joints.names, gripper.joint]
    inside = (values >= lower - _TOLERANCE) & (values <= upper + _TOLERANCE)
    found = [f'{names[i]} was commanded to {values[~inside[:, i], i][0]:.3f}, limits '
             f'{lower[i]:.3f} to {upper[i]:.3f}' for i in np.flatnonzero(~inside.all(axis=0))]
    later = np.searchsorted(times, times + _SPEED_WINDOW_NS)
    first = np.flatnonzero(later < len(times))
    if not len(first):
        return found
    span = (times[later[first]] - times[first]) * 1e-9
    arm = values[:, :-1]
    speed = np.abs(arm[later[first]] - arm[first]) / span[:, None]
    fastest = speed.max(axis=0)
    found += [f'{names[i]} was commanded to move at {fastest[i]:.2f} rad/s, limit '
              f'{joints.velocity[i]:.2f}'
              for i in np.flatnonzero(~(fastest <= _SPEED_TOLERANCE * joints.velocity))]
    return found


def _faults(recording: Recording, statuses: Mapping[str, Status], end_ns: int) -> list[str]:
    """Return errors that last, and stops of the arm; what the graph recovered from is neither."""
    found = [f'{name}: {status.message}' for name, status in statuses.items()
             if status.level == 2 and name not in _PASSING]
    return found + [f'the arm was stopped: {change.reason or "no reason given"}'
                    for change in recording.modes
                    if change.mode == 'STOPPED' and recording.start_ns <= change.time_ns <= end_ns]


def autonomous_share(recording: Recording, end_ns: int) -> float:
    """Return for which part of the time from the first instruction on the policy was followed."""
    start_ns = recording.start_ns
    ends = [*(change.time_ns for change in recording.modes[1:]), end_ns]
    followed = sum(max(min(end, end_ns) - max(change.time_ns, start_ns), 0)
                   for change, end in zip(recording.modes, ends)
                   if change.mode == 'AUTONOMOUS')
    return followed / max(end_ns - start_ns, 1)
