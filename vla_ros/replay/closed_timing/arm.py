"""The arm of a closed-timing replay: one that follows its commands late, or the recorded one."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vla_ros.replay.closed_timing.inputs import JointSample

Array = NDArray[np.float64]


class Arm(Protocol):
    """Is commanded, and says where it is; times never go back."""

    def command(self, now_ns: int, q: Array, width: float | None) -> None:
        """Take joint positions (n,) [rad] and an opening width [m] (None: as it is)."""

    def measured(self, sample: JointSample) -> tuple[Array, float | None]:
        """Return joints and opening width at the stamp of a recorded joint state."""


class RecordedArm:
    """Does what it did, whatever it is told."""

    def command(self, now_ns: int, q: Array, width: float | None) -> None:
        """Do nothing."""

    def measured(self, sample: JointSample) -> tuple[Array, float | None]:
        """Return what was recorded."""
        return sample.q, sample.width


@dataclass(frozen=True)
class Lag:
    """How an arm follows: ``delay`` of dead time, then a first-order lag, both in s."""

    lag: float
    delay: float


class FollowArm:
    """Starts where a recording does, and follows its commands as a first-order lag.

    Parameters
    ----------
    start : JointSample
        Where it is at first.
    lag : Lag
        How late it is.
    gripper_speed : float
        [m/s].

    """

    def __init__(self, start: JointSample, lag: Lag, gripper_speed: float) -> None:
        self._q = np.array(start.q, dtype=np.float64)
        self._width = start.width
        self._at_ns = start.stamp_ns
        self._target, self._opening = self._q.copy(), start.width
        self._lag, self._delay_ns = lag.lag, round(lag.delay * 1e9)
        self._speed = gripper_speed
        self._coming: deque[tuple[int, Array, float | None]] = deque()

    def command(self, now_ns: int, q: Array, width: float | None) -> None:
        """Take a command, which works after the dead time."""
        self._coming.append((now_ns + self._delay_ns, np.array(q), width))

    def measured(self, sample: JointSample) -> tuple[Array, float | None]:
        """Return where it is at the sample's stamp."""
        while self._coming and self._coming[0][0] <= sample.stamp_ns:
            at, target, opening = self._coming.popleft()
            self._move(at)
            self._target = target
            self._opening = self._opening if opening is None else opening
        self._move(sample.stamp_ns)
        return self._q.copy(), self._width

    def _move(self, to_ns: int) -> None:
        dt = max(to_ns - self._at_ns, 0) * 1e-9
        self._at_ns = max(to_ns, self._at_ns)
        part = 1.0 if self._lag <= 0.0 else 1.0 - math.exp(-dt / self._lag)
        self._q = self._q + (self._target - self._q) * part
        if self._width is not None and self._opening is not None:
            way = self._speed * dt
            self._width += min(max(self._opening - self._width, -way), way)


_LAGS = (0.002, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.13, 0.16, 0.2, 0.3)
_DELAYS = (0.0, 0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1)
_MOST = 20_000  # joint states
_LEAST_MOTION = 0.02  # rad, of some joint: below it a lag cannot be measured


def measured_lag(commands: Sequence[tuple[int, Array]],
                 joints: Sequence[JointSample]) -> tuple[Lag, float] | None:
    """Return the lag that explains measured joints from commands best, and its rms error [rad].

    None when there are too few commands, or the arm hardly moves. Searched on a grid: dead times
    to 0.1 s, time constants to 0.3 s.
    """
    if len(commands) < 20 or len(joints) < 20:
        return None
    stamps = [at for at, _ in commands]
    used = [sample for sample in joints if sample.stamp_ns > stamps[0] + round(0.1e9)][:_MOST]
    if len(used) < 20 or np.ptp([sample.q for sample in used], axis=0).max() < _LEAST_MOTION:
        return None
    q = np.array([sample.q for sample in used])
    wanted = np.array([command for _, command in commands])
    best: tuple[float, Lag] | None = None
    lags = np.array(_LAGS)
    for delay in _DELAYS:
        # The command that works at each sample, and each lag's answer to it, side by side.
        places = [bisect_right(stamps, sample.stamp_ns - round(delay * 1e9)) - 1
                  for sample in used]
        state = np.repeat(q[:1], len(lags), axis=0)
        total = np.zeros(len(lags))
        for k in range(1, len(used)):
            dt = (used[k].stamp_ns - used[k - 1].stamp_ns) * 1e-9
            state += (wanted[places[k - 1]] - state) * (1.0 - np.exp(-dt / lags))[:, None]
            total += ((state - q[k]) ** 2).sum(axis=1)
        i = int(np.argmin(total))
        if best is None or total[i] < best[0]:
            best = float(total[i]), Lag(float(lags[i]), delay)
    assert best is not None
    return best[1], math.sqrt(best[0] / (len(used) * q.shape[1]))
