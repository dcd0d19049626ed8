"""What the gripper's number of an action means, from how the measured opening follows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_ros.replay.convention.fit import Array, Fit, drawings
from vla_ros.replay.convention.track import Clock, Times, between

_LONGEST_LAG = 1.5  # s
_LAG_STEP = 0.05  # s
_FEWEST = 8


@dataclass(frozen=True)
class GripperEvidence:
    """How the gripper's number is used.

    Attributes
    ----------
    problem : str
        Why nothing can be told of the sign; empty when it can.
    open_value, closed_value : float
        The action's numbers for open and for closed.
    binary : bool
        Whether nearly all its numbers are one of the two ends.
    explained : float
        Squared correlation of the number and the measured opening ``lag`` later.
    lag : float
        [s], at which that is largest.
    sure : float
        Share of resamplings with the same sign.
    low, high : float
        Smallest and largest number of the actions.

    """

    problem: str
    open_value: float = np.nan
    closed_value: float = np.nan
    binary: bool = False
    explained: float = 0.0
    lag: float = 0.0
    sure: float = 0.0
    low: float = np.nan
    high: float = np.nan


@dataclass(frozen=True, eq=False)
class GripperRun:
    """The gripper of one recording: measured opening (T, 1), commanded numbers (N,), blocks."""

    clock: Clock
    opening: Array
    action_ns: Times
    action: Array
    block: NDArray[np.intp]


def gripper_evidence(runs: Sequence[GripperRun], blocks: int) -> GripperEvidence:
    """Return what recordings say; a larger measured number is taken for a wider opening."""
    if not runs:
        return GripperEvidence('the actions or the state have no gripper')
    every = np.concatenate([run.action for run in runs])
    low, high = float(every.min()), float(every.max())
    ends = low + 0.1 * (high - low), high - 0.1 * (high - low)
    binary = bool(((every <= ends[0]) | (every >= ends[1])).mean() >= 0.9)
    seen = np.concatenate([run.opening[:, 0] for run in runs])
    if not high - low > 1e-6:
        return GripperEvidence(f'the gripper\'s number is {low:g} in every action', low=low,
                               high=high, binary=True)
    if not np.ptp(seen) > 1e-4:
        return GripperEvidence('the measured gripper never moves', low=low, high=high,
                               binary=binary)
    best: tuple[float, float, Fit] | None = None
    for lag in np.arange(0.0, _LONGEST_LAG + 1e-9, _LAG_STEP):
        fit = _fit(runs, blocks, float(lag))
        if fit is not None and (best is None or fit[0] > best[0] + 1e-9):
            best = fit[0], float(lag), fit[1]
    if best is None:
        return GripperEvidence(f'fewer than {_FEWEST} actions have a measured gripper', low=low,
                               high=high, binary=binary)
    explained, lag_s, line = best
    scales = line.resampled(drawings(blocks))[1]
    sign = np.sign(line.scale)
    told = scales[scales != 0.0]  # the others have drawn no change of the number
    sure = float((np.sign(told) == sign).mean()) if len(told) else 0.0
    opens, closes = (high, low) if sign > 0 else (low, high)
    problem = ''
    if not explained >= 0.05:
        problem = f'the measured opening hardly follows the number (r^2 {explained:.2f})'
    elif not sure >= 0.95:
        problem = 'parts of the recording contradict each other about the sign'
    return GripperEvidence(problem, opens, closes, binary, explained, lag_s, sure, low, high)


def _fit(runs: Sequence[GripperRun], blocks: int, lag: float) -> tuple[float, Fit] | None:
    actions, opening, block = [], [], []
    for run in runs:
        before, part, good = run.clock.place(run.action_ns + round(lag * 1e9))
        actions.append(run.action[good])
        opening.append(between(run.opening, before, part)[good])
        block.append(run.block[good])
    x, y = np.concatenate(actions)[:, None], np.concatenate(opening)
    if len(x) < _FEWEST or np.ptp(x) == 0.0 or np.ptp(y) == 0.0:
        return None
    return (float(np.corrcoef(x[:, 0], y[:, 0])[0, 1] ** 2),
            Fit.of(x, y, np.concatenate(block), blocks, offset=True))
