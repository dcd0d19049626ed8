"""Durations counted in fixed bins, for the diagnostics of a loop that runs for ever."""

from __future__ import annotations

from bisect import bisect_left

_PER_DECADE = 20
_MERGED = 4  # bins that are told as one
_EDGES_NS = tuple(round(1e3 * 10.0 ** (i / _PER_DECADE)) for i in range(6 * _PER_DECADE + 1))


class PeriodHistogram:
    """Counts durations in bins of equal width on a logarithmic scale.

    Twenty bins a decade from 1 µs to 1 s, one for all that is shorter and one for all that is
    longer: a quantile is at most 13 % too long, never too short. It speaks of the present part of
    the time and the one before it (:meth:`turn_over`), so that what happened at the start is
    forgotten.

    One thread calls :meth:`add`; another one may read.
    """

    EDGES_NS = _EDGES_NS
    """Upper edges of the bins [ns]; the last bin has none."""

    def __init__(self) -> None:
        self._counts = [0] * (len(_EDGES_NS) + 1)
        self._max_ns = 0
        self._before = (self._counts, 0)
        self.turn_over()

    def add(self, duration_ns: int) -> None:
        """Count a duration [ns] >= 0."""
        self._counts[bisect_left(_EDGES_NS, duration_ns)] += 1
        if duration_ns > self._max_ns:
            self._max_ns = duration_ns

    def turn_over(self) -> None:
        """Begin a new part; what was counted before the present one is forgotten."""
        self._before = (self._counts, self._max_ns)
        self._counts, self._max_ns = [0] * (len(_EDGES_NS) + 1), 0

    @property
    def counts(self) -> list[int]:
        """How many there were in each bin, the shortest first."""
        return [a + b for a, b in zip(self._before[0], self._counts, strict=True)]

    @property
    def max_ns(self) -> int:
        """The longest [ns]; 0 when there is none."""
        return max(self._before[1], self._max_ns)

    def quantile_ns(self, part: float) -> int:
        """Return a duration [ns] that this part (0 to 1) of all does not exceed; 0 without any."""
        return self._quantiles([part])[0]

    def summary(self, name: str) -> dict[str, float]:
        """Return median, 99 % quantile and longest [ms], as ``<name>_p50_ms`` and so on."""
        p50, p99 = self._quantiles([0.5, 0.99])
        return {f'{name}_p50_ms': p50 * 1e-6, f'{name}_p99_ms': p99 * 1e-6,
                f'{name}_max_ms': self.max_ns * 1e-6}

    def text(self) -> str:
        """Return what is not empty of five bins a decade: ``<=0.063 ms: 31, <=0.1 ms: 2``."""
        merged = [0] * (len(_EDGES_NS) // _MERGED + 2)
        for i, count in enumerate(self.counts):
            merged[(i + _MERGED - 1) // _MERGED] += count
        edges = [f'<={float(f"{edge * 1e-6:.2g}"):g} ms' for edge in _EDGES_NS[::_MERGED]]
        edges.append('>1000 ms')
        return ', '.join(f'{edge}: {count}' for edge, count
                         in zip(edges, merged, strict=True) if count) or 'none'

    def _quantiles(self, parts: list[float]) -> list[int]:
        counts, longest = self.counts, self.max_ns
        total, found = sum(counts), []
        for part in parts:
            seen, at = 0, longest
            for edge, count in zip(_EDGES_NS, counts, strict=False):
                seen += count
                if seen >= part * total:
                    at = edge
                    break
            found.append(min(at, longest))
        return found
