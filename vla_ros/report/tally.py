"""Times, intervals and counts of streams of any length, in memory that does not grow."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np

_PER_DECADE = 100
_LOWEST, _DECADES = 1e-5, 9  # 10 us to 10 000 s
_BARS_PER_DECADE = 10
_QUANTILES = (('p50', 0.5), ('p90', 0.9), ('p99', 0.99))


class Histogram:
    """How often a time [s] was how long: bins of 2.3 %, lowest and highest exact.

    What is below 10 us, or negative, counts in the first bin.
    """

    def __init__(self) -> None:
        self.counts = np.zeros(_DECADES * _PER_DECADE, np.int64)
        self.total = 0.0
        self.low, self.high = math.inf, -math.inf
        self.negative = 0

    @property
    def count(self) -> int:
        """How many there were."""
        return int(self.counts.sum())

    def add(self, seconds: float) -> None:
        """Take in one time; what is not finite is left out."""
        if not math.isfinite(seconds):
            return
        place = (0 if seconds <= _LOWEST
                 else int(math.log10(seconds / _LOWEST) * _PER_DECADE))
        self.counts[min(place, len(self.counts) - 1)] += 1
        self.total += seconds
        self.negative += seconds < 0.0
        self.low, self.high = min(self.low, seconds), max(self.high, seconds)

    def quantile(self, share: float) -> float:
        """Return the time below which this share of them is [s], to 2.3 %."""
        at = int(np.searchsorted(np.cumsum(self.counts), share * self.count))
        middle = _LOWEST * 10 ** ((min(at, len(self.counts) - 1) + 0.5) / _PER_DECADE)
        return float(min(max(middle, self.low), self.high))

    def as_dict(self) -> dict[str, Any] | None:
        """Return everything in milliseconds for JSON; None when there is nothing."""
        if not self.count:
            return None
        group = _PER_DECADE // _BARS_PER_DECADE
        bars = self.counts.reshape(-1, group).sum(axis=1)
        used = np.flatnonzero(bars)
        first, last = int(used[0]), int(used[-1])
        edges = _LOWEST * 1e3 * 10 ** (np.arange(first, last + 2) / _BARS_PER_DECADE)
        return {'count': self.count, 'mean_ms': _ms(self.total / self.count),
                'least_ms': _ms(self.low),
                **{f'{name}_ms': _ms(self.quantile(share)) for name, share in _QUANTILES},
                'most_ms': _ms(self.high), 'negative': self.negative,
                'edges_ms': [float(f'{edge:.5g}') for edge in edges],
                'counts': [int(n) for n in bars[first:last + 1]]}


class StreamTally:
    """Messages of one topic: how many, how far apart, how old on arrival."""

    def __init__(self, name: str, message_type: str) -> None:
        self.name, self.type = name, message_type
        self.count = 0
        self.backwards = 0
        self.unstamped = 0
        self.foreign = 0  # stamps of another clock
        self.gaps, self.ages = Histogram(), Histogram()
        self.longest: list[tuple[float, int]] = []  # (how long [s], from when on [ns]), worst first
        self._first_ns: int | None = None
        self._last_ns: int | None = None

    def add(self, time_ns: int, age_s: float | None) -> None:
        """Take in a message of this time [ns], and its age on arrival where that is known."""
        if self._last_ns is not None:
            gap = (time_ns - self._last_ns) * 1e-9
            if gap < 0:
                self.backwards += 1
            else:
                self.gaps.add(gap)
                self._keep(gap, self._last_ns)
        self._first_ns = time_ns if self._first_ns is None else self._first_ns
        self._last_ns = time_ns
        if age_s is not None:
            self.ages.add(age_s)
        self.count += 1

    def _keep(self, gap: float, since_ns: int) -> None:
        if len(self.longest) < 8 or gap > self.longest[-1][0]:
            self.longest = sorted([*self.longest, (gap, since_ns)], reverse=True)[:8]

    @property
    def rate_hz(self) -> float | None:
        """Messages a second, over all of it."""
        if self.count < 2 or self._first_ns is None or self._last_ns is None:
            return None
        span = (self._last_ns - self._first_ns) * 1e-9
        return (self.count - 1) / span if span > 0.0 else None

    def silences(self) -> list[tuple[float, int]]:
        """Return the longest intervals that are far from the usual one: (s, from when [ns])."""
        if self.gaps.count < 3:
            return []
        bar = max(3.0 * self.gaps.quantile(0.5), 0.1)
        return [entry for entry in self.longest if entry[0] > bar]

    def as_dict(self, start_ns: int) -> dict[str, Any]:
        """Return it for JSON; times in seconds after ``start_ns``."""
        gap = self.longest[0] if self.longest else None
        return {'type': self.type, 'messages': self.count, 'rate_hz': self.rate_hz,
                'gap': self.gaps.as_dict(), 'age': self.ages.as_dict(),
                'longest_gap_s': gap[0] if gap else None,
                'longest_gap_at_s': (gap[1] - start_ns) * 1e-9 if gap else None,
                'backwards': self.backwards, 'unstamped': self.unstamped,
                'foreign_stamps': self.foreign}


class Activity:
    """How often something named acted in equal bins of time: for limiters.

    Parameters
    ----------
    start_ns : int
        Where time begins [ns].
    bins : int
        Most bins; they become twice as wide when there are too many.
    names : int
        Most names; what comes later counts as ``others``.

    """

    OTHERS = 'others'

    def __init__(self, start_ns: int, bins: int = 400, names: int = 40) -> None:
        self._start_ns, self._width_ns = start_ns, 50_000_000
        self._bins, self._most = bins, names
        self.ticks = np.zeros(bins, np.int64)
        self.acted: dict[str, np.ndarray] = {}
        self.totals: Counter[str] = Counter()

    def add(self, time_ns: int, names: tuple[str, ...]) -> None:
        """Take in a tick and what acted at it."""
        i = max(time_ns - self._start_ns, 0) // self._width_ns
        while i >= self._bins:
            self._widen()
            i = max(time_ns - self._start_ns, 0) // self._width_ns
        self.ticks[i] += 1
        for name in dict.fromkeys(names):
            if name not in self.acted and len(self.acted) >= self._most:
                name = self.OTHERS
            if name not in self.acted:
                self.acted[name] = np.zeros(self._bins, np.int64)
            self.acted[name][i] += 1
            self.totals[name] += 1

    def _widen(self) -> None:
        def halved(values: np.ndarray) -> np.ndarray:
            pairs = values.reshape(-1, 2).sum(axis=1)
            return np.concatenate([pairs, np.zeros(self._bins - len(pairs), np.int64)])

        self.ticks = halved(self.ticks)
        self.acted = {name: halved(values) for name, values in self.acted.items()}
        self._width_ns *= 2

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON: totals, and the share of the ticks of each bin, most active first."""
        used = int(np.flatnonzero(self.ticks)[-1]) + 1 if self.ticks.any() else 0
        ticks = np.maximum(self.ticks[:used], 1)
        return {'ticks': int(self.ticks.sum()), 'bin_s': self._width_ns * 1e-9,
                'limiters': {name: {
                    'ticks': count,
                    'share': [round(float(x), 3) for x in self.acted[name][:used] / ticks]}
                    for name, count in self.totals.most_common()}}


def _ms(seconds: float) -> float:
    return float(f'{seconds * 1e3:.6g}')
