"""The candidate and the lag that explain most, and how sure each part of that answer is."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from vla_ros.replay.convention.candidates import Candidate, Run, samples
from vla_ros.replay.convention.fit import Array, Fit, drawings

LAGS = tuple(float(lag) for lag in np.arange(-1.0, 4.01, 0.5))
"""In steps of an action. Below 0 the action describes a motion that was already over."""

_FEWEST = 8  # samples; a scale and its sureness mean nothing with less
_STILL = {'translation': 2e-4, 'rotation': 2e-3, 'joints': 1e-3}
"""rms motion in one step below which a group says nothing [m], [rad], [rad]."""


@dataclass(frozen=True, eq=False)
class Trial:
    """One candidate at one lag, under one reading of the state.

    Attributes
    ----------
    reading : str
        Name of the reading of the state.
    candidate : Candidate
        The convention.
    lag : float
        [steps].
    fits : Mapping[str, Fit]
        Group -> its fit, only of groups that move.

    """

    reading: str
    candidate: Candidate
    lag: float
    fits: dict[str, Fit] = field(default_factory=dict)

    @cached_property
    def explained(self) -> float:
        """Mean explained variance of the groups that move; 0 where none does."""
        return float(np.mean([max(fit.explained, -1.0) for fit in self.fits.values()])
                     ) if self.fits else 0.0

    def resampled(self, weights: Array) -> Array:
        """Return the same (K,) for resampled blocks."""
        return np.mean([fit.resampled(weights)[0] for fit in self.fits.values()], axis=0)


@dataclass(frozen=True)
class Answer:
    """The best value of a property against the next best.

    ``sure`` is the share of resamplings in which the best explains more; 1 where there is no other.
    """

    value: Any
    explained: float
    next_value: Any
    next_explained: float
    sure: float


class Search:
    """All trials of a recording.

    Parameters
    ----------
    blocks : int
        How many blocks the samples are in.

    """

    def __init__(self, blocks: int) -> None:
        self.trials: list[Trial] = []
        self._weights = drawings(blocks)
        self._blocks = blocks

    def add(self, reading: str, runs: Sequence[Run], candidates: Sequence[Candidate]) -> None:
        """Try candidates at every lag."""
        for candidate in candidates:
            for lag in LAGS:
                found = samples(runs, candidate, lag)
                if len(found.block) < _FEWEST:
                    continue
                fits = dict(zip(found.groups, found.fits(self._blocks, candidate.absolute),
                                strict=True))
                moving = {group: fit for group, fit in fits.items() if fit.motion >= _STILL[group]}
                if moving:
                    self.trials.append(Trial(reading, candidate, lag, moving))

    def best(self) -> Trial | None:
        """Return the trial that explains most; None when nothing moves or there are no samples.

        Of two that explain the same to 1e-9, the first that was added.
        """
        best: Trial | None = None
        for trial in self.trials:
            if best is None or trial.explained > best.explained + 1e-9:
                best = trial
        return best

    def answer(self, part: Callable[[Trial], Hashable],
               among: Callable[[Trial], bool] = lambda trial: True) -> Answer:
        """Return the best value of a part of the trials, each value at its own best.

        Parameters
        ----------
        part : callable
            Trial -> value, for instance its candidate's frame.
        among : callable
            Which trials are compared.

        """
        ranked: dict[Hashable, Trial] = {}
        for trial in self.trials:
            value = part(trial)
            if among(trial) and (value not in ranked
                                 or trial.explained > ranked[value].explained + 1e-9):
                ranked[value] = trial
        order = sorted(ranked, key=lambda value: -ranked[value].explained)
        first = ranked[order[0]]
        if len(order) == 1:
            return Answer(order[0], first.explained, None, 0.0, 1.0)
        own = first.resampled(self._weights)
        others = np.max([ranked[value].resampled(self._weights) for value in order[1:]], axis=0)
        return Answer(order[0], first.explained, order[1], ranked[order[1]].explained,
                      float((own > others + 1e-6).mean()))

    def scale_interval(self, fit: Fit) -> tuple[float, float]:
        """Return the middle 95 % of the scale over the resamplings."""
        low, high = np.quantile(fit.resampled(self._weights)[1], (0.025, 0.975))
        return float(low), float(high)

    def axis_scales_differ(self, fit: Fit) -> bool:
        """Return whether two axes have scales that differ for certain, and by half or more."""
        if fit.offset:
            return False
        scales = []
        for axis in range(fit.sums.shape[2]):
            single = Fit(fit.sums[:, :, axis:axis + 1])
            if single.explained >= 0.3:
                scales.append(np.quantile(single.resampled(self._weights)[1], (0.025, 0.5, 0.975)))
        return any(a[0] > b[2] and a[1] > 1.5 * b[1] > 0.0 for a in scales for b in scales)
