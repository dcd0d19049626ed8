"""Trajectories by the time of their observation, so that a late answer is used where it is due."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter

import numpy as np

from vla_ros.core.trajectory import Trajectory
from vla_ros.core.types import ActionChunk


class ChunkBuffer:
    """The chunks that still have something to say, oldest observation first.

    Parameters
    ----------
    capacity : int
        Most chunks kept; the oldest go first.
    future_tolerance_ns : int
        How far a chunk's stamp may lie ahead of the present before it is refused: clocks differ a
        little, but a chunk from far in the future means that somebody's clock is wrong.

    Attributes
    ----------
    counts : Counter[str]
        What happened to the chunks so far. One of these for each: ``accepted``, ``replaced``
        (another answer to the same observation), ``duplicate`` (the same answer again; the first
        stays, as do its anchor and its arrival), ``late`` (wholly past on arrival), ``future``,
        ``before_reset``. And these besides: ``reordered`` (accepted although a newer observation
        was answered first), ``overlapping`` (accepted while another one speaks of the same time),
        ``overflow`` (an older one had to go). Who feeds the buffer counts here what never became a
        trajectory.

    """

    def __init__(self, capacity: int = 16, future_tolerance_ns: int = 50_000_000) -> None:
        self.capacity = capacity
        self.future_tolerance_ns = future_tolerance_ns
        self.counts: Counter[str] = Counter()
        self._trajectories: list[Trajectory] = []
        self._valid_from_ns: int | None = None
        self._newest_ns: int | None = None  # stamp, since the last clear

    def add(self, trajectory: Trajectory, now_ns: int) -> str:
        """Take a chunk in; return what became of it (the first kind of key of ``counts``)."""
        verdict = self._take(trajectory, now_ns)
        self.counts[verdict] += 1
        return verdict

    def _take(self, new: Trajectory, now_ns: int) -> str:
        stamp = new.stamp_ns
        if self._valid_from_ns is not None and stamp < self._valid_from_ns:
            return 'before_reset'
        if stamp > now_ns + self.future_tolerance_ns:
            return 'future'
        if new.end_ns <= now_ns:
            return 'late'
        at = bisect_left(self._trajectories, stamp, key=_stamp)
        if at < len(self._trajectories) and self._trajectories[at].stamp_ns == stamp:
            if _same(self._trajectories[at].chunk, new.chunk):
                return 'duplicate'
            self._trajectories[at] = new
            return 'replaced'
        if self._newest_ns is not None and stamp < self._newest_ns:
            self.counts['reordered'] += 1
        else:
            self._newest_ns = stamp
        if any(t.stamp_ns < new.end_ns and stamp < t.end_ns for t in self._trajectories):
            self.counts['overlapping'] += 1
        self._trajectories.insert(at, new)
        if len(self._trajectories) > self.capacity:
            del self._trajectories[0]
            self.counts['overflow'] += 1
        return 'accepted'

    def due(self, playhead_ns: int) -> list[Trajectory]:
        """Return the chunks with a step due at this time, oldest first; forget past ones."""
        if any(t.end_ns <= playhead_ns for t in self._trajectories):
            self._trajectories = [t for t in self._trajectories if t.end_ns > playhead_ns]
        return [t for t in self._trajectories if t.stamp_ns <= playhead_ns]

    def clear(self, valid_from_ns: int) -> None:
        """Forget every chunk and refuse those whose observation is older than this time.

        Used after a reset or when the clock jumps: an answer to a world that is gone.
        """
        self._trajectories.clear()
        self._valid_from_ns = valid_from_ns
        self._newest_ns = None

    def __len__(self) -> int:
        return len(self._trajectories)


def _stamp(trajectory: Trajectory) -> int:
    return trajectory.stamp_ns


def _same(a: ActionChunk, b: ActionChunk) -> bool:
    return (a.dt_ns == b.dt_ns and a.dims == b.dims and a.convention == b.convention
            and np.array_equal(a.actions, b.actions))
