"""Curves of any length in memory that does not grow: what a plot of them needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_BINS = 1200  # a plot is about 1000 px wide
_FIRST_BIN_NS = 2_000_000
_BREAK_BINS, _BREAK_S = 6, 0.3  # a line is not drawn over a longer silence


class Envelope:
    """Lowest and highest value of several quantities in equal bins of time.

    Bins become twice as wide whenever there are too many, so that the extremes stay exact however
    long it gets. Values that are not finite count as absent.

    Parameters
    ----------
    columns : Sequence[str]
        Names of the quantities.
    start_ns : int
        Where time begins [ns]; what is before it goes into the first bin.
    bins : int
        Most bins; even.

    """

    def __init__(self, columns: Sequence[str], start_ns: int, bins: int = _BINS) -> None:
        self.columns = tuple(columns)
        self.count = 0
        self._start_ns, self._width_ns = start_ns, _FIRST_BIN_NS
        self._low = np.full((bins, len(self.columns)), np.nan)
        self._high = self._low.copy()
        self._at = np.zeros(bins, np.int64)  # time of the first sample of each bin [ns]
        self._filled = np.zeros(bins, bool)

    def add(self, time_ns: int, values: Sequence[float] | Array) -> None:
        """Take in one vector, in the order of the columns."""
        row = np.asarray(values, np.float64)
        finite = np.isfinite(row)
        if not finite.all():
            row = np.where(finite, row, np.nan)
        i = max(time_ns - self._start_ns, 0) // self._width_ns
        while i >= len(self._at):
            self._widen()
            i = max(time_ns - self._start_ns, 0) // self._width_ns
        if not self._filled[i]:
            self._filled[i], self._at[i] = True, time_ns
        np.fmin(self._low[i], row, out=self._low[i])
        np.fmax(self._high[i], row, out=self._high[i])
        self.count += 1

    def _widen(self) -> None:
        half = len(self._at) // 2
        self._low = _paired(np.fmin, self._low, half)
        self._high = _paired(np.fmax, self._high, half)
        first, second = self._filled[0::2], self._filled[1::2]
        at = np.where(first, self._at[0::2], self._at[1::2])
        self._at = np.concatenate([at, np.zeros(half, np.int64)])
        self._filled = np.concatenate([first | second, np.zeros(half, bool)])
        self._width_ns *= 2

    def points(self, column: str) -> tuple[Array, Array]:
        """Return times [s] after the start and values to draw a line through.

        Where a bin has two different values both are there; NaN breaks the line at a silence.
        """
        k = self.columns.index(column)
        used = np.flatnonzero(self._filled & np.isfinite(self._low[:, k]))
        times = (self._at[used] - self._start_ns) * 1e-9
        width = self._width_ns * 1e-9
        t: list[float] = []
        y: list[float] = []
        longest = max(_BREAK_S, _BREAK_BINS * width)
        for i, at in zip(used, times, strict=True):
            if t and at - t[-1] > longest:
                t.append(t[-1])
                y.append(np.nan)
            low, high = self._low[i, k], self._high[i, k]
            t.append(float(at))
            y.append(float(low))
            if high > low:
                t.append(float(at) + 0.5 * width)
                y.append(float(high))
        return np.asarray(t), np.asarray(y)

    def extremes(self, column: str) -> tuple[float, float] | None:
        """Return the lowest and the highest value; None when there is none."""
        k = self.columns.index(column)
        if not np.isfinite(self._low[:, k]).any():
            return None
        return float(np.nanmin(self._low[:, k])), float(np.nanmax(self._high[:, k]))

    def as_dict(self) -> dict[str, Any]:
        """Return every curve for JSON: ``{column: {'time_s': […], 'value': [… or None]}}``."""
        found = {}
        for name in self.columns:
            t, y = self.points(name)
            if len(t):
                found[name] = {'time_s': [round(float(x), 4) for x in t],
                               'value': [None if np.isnan(v) else _short(v) for v in y]}
        return found


class Thinned:
    """Every so many-th vector of a stream: points of a path in memory that does not grow."""

    def __init__(self, most: int = 1500) -> None:
        self._most = most
        self._every, self._seen = 1, 0
        self.rows: list[tuple[float, ...]] = []

    def add(self, row: Sequence[float]) -> None:
        """Take in a vector; it may be left out."""
        if self._seen % self._every == 0:
            self.rows.append(tuple(float(x) for x in row))
            if len(self.rows) >= self._most:
                self.rows = self.rows[::2]
                self._every *= 2
        self._seen += 1


def _paired(choose: Any, values: Array, half: int) -> Array:
    merged = choose(values[0::2], values[1::2])
    return np.concatenate([merged, np.full((half, values.shape[1]), np.nan)])


def _short(value: float) -> float:
    return float(f'{value:.6g}')
