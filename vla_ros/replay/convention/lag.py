"""How long after an action its motion is measured.

Not the lag that explains most: between two measurements the motion is their mean, which has less
noise and so explains more. The covariance of action and motion has no such preference. Its peak is
found on the times that were measured, and refined by the parabola through it and its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vla_ros.replay.convention.candidates import Candidate, Run, samples
from vla_ros.replay.convention.fit import Array, Fit, drawings

_FIRST, _LAST = -1.0, 4.0  # steps
_FINEST = 0.25


@dataclass(frozen=True)
class Lag:
    """The lag and the middle 95 % of it over resampled blocks, in steps of an action."""

    steps: float
    interval: tuple[float, float]


def find_lag(runs: Sequence[Run], candidate: Candidate, groups: Sequence[str],
             blocks: int) -> Lag | None:
    """Return the lag at which the motion of some groups follows best; None with too few samples."""
    states = float(np.median(np.concatenate([np.diff(run.clock.stamps_ns) for run in runs])))
    step = max(_FINEST, states * 1e-9 / runs[0].dt)
    lags = np.arange(np.ceil(_FIRST / step), np.floor(_LAST / step) + 1.0) * step
    weights = drawings(blocks)
    found, curves, drawn = [], [], []
    for lag in lags:
        sampled = samples(runs, candidate, float(lag))
        fits = [fit for group, fit in zip(sampled.groups, sampled.fits(blocks, candidate.absolute),
                                          strict=True) if group in groups]
        if len(sampled.block) < 8:
            continue
        found.append(float(lag))
        curves.append([_follows(fit, candidate.absolute) for fit in fits])
        drawn.append([fit.resampled(weights)[0 if candidate.absolute else 1] for fit in fits])
    if len(found) < 3:
        return None
    curve, many = np.array(curves), np.array(drawn)  # (L, G), (L, G, K)
    size = np.abs(curve).max(axis=0) + 1e-300
    peaks = np.array([_peak(np.array(found), one)
                      for one in (many / size[:, None]).sum(axis=1).T])
    low, high = np.quantile(peaks, (0.025, 0.975))
    return Lag(_peak(np.array(found), (curve / size).sum(axis=1)), (float(low), float(high)))


def _follows(fit: Fit, absolute: bool) -> float:
    return fit.explained if absolute else fit.scale


def _peak(lags: Array, values: Array) -> float:
    at = int(np.argmax(values))
    if not 0 < at < len(lags) - 1:
        return float(lags[at])
    before, top, after = values[at - 1:at + 2]
    bend = before - 2.0 * top + after
    shift = 0.5 * (before - after) / bend if bend < 0.0 else 0.0
    return float(lags[at] + shift * (lags[1] - lags[0]))
