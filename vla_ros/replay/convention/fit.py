"""One scale from actions to measured motion, and how much of the motion it explains."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

RESAMPLINGS = 400
_SEED = 20261126


@dataclass(frozen=True, eq=False)
class Fit:
    """Least squares ``measured = scale * action (+ offset)`` with one scale for all axes.

    It keeps sums by block only, so that leaving a block out or drawing blocks anew costs nothing.

    Attributes
    ----------
    sums : np.ndarray
        (6, B, A) by block and axis: number, action, measured, action^2, action*measured,
        measured^2.
    offset : bool
        Whether an offset by axis is fitted too (absolute actions: another tool frame).

    """

    sums: Array
    offset: bool = False

    @classmethod
    def of(cls, action: Array, measured: Array, block: NDArray[np.intp], blocks: int,
           offset: bool = False) -> Fit:
        """Return the fit of samples (N, A) that belong to the blocks (N,), numbered below B."""
        terms = (np.ones_like(action), action, measured, action * action, action * measured,
                 measured * measured)
        return cls(np.stack([block_sums(term, block, blocks) for term in terms]), offset)

    @property
    def count(self) -> int:
        """Number of samples."""
        return int(self.sums[0, :, 0].sum())

    @property
    def scale(self) -> float:
        """Measured motion per unit of the action."""
        return float(self._line(self.sums.sum(axis=1, keepdims=True))[0][0])

    @property
    def axis_scales(self) -> Array:
        """The same for each axis by itself (A,); nan for one without action."""
        total = self.sums.sum(axis=1)
        xx, xy = self._centred(total)
        return np.where(xx > 1e-18, xy / np.where(xx > 1e-18, xx, 1.0), np.nan)

    @property
    def motion(self) -> float:
        """Root mean square of the measured motion of a sample, about what is no motion."""
        return float(np.sqrt(self._variance(self.sums, self.sums) / max(self.count, 1)))

    @cached_property
    def explained(self) -> float:
        """Cross-validated explained variance: each block by the scale of all the others."""
        rest = self.sums.sum(axis=1, keepdims=True) - self.sums
        used = (self.sums[0, :, 0] > 0) & (rest[0, :, 0] > 0)
        if not used.any():
            return 0.0
        own, rest = self.sums[:, used], rest[:, used]
        variance = self._variance(own, rest)
        if not variance > 0.0:
            return 0.0
        return 1.0 - self._residual(own, *self._line(rest)) / variance

    def resampled(self, weights: Array) -> tuple[Array, Array]:
        """Return explained variance and scale (K,) with each block counted (K, B) times."""
        drawn = np.einsum('kb,tba->tka', weights, self.sums)
        scale, shift = self._line(drawn)
        n, x, y, xx, xy, yy = drawn
        left = (yy - 2 * scale[:, None] * xy - 2 * shift * y + scale[:, None] ** 2 * xx
                + 2 * scale[:, None] * shift * x + n * shift * shift).sum(axis=1)
        middle = y / np.maximum(n, 1e-300) if self.offset else np.zeros_like(y)
        whole = (yy - 2 * middle * y + n * middle * middle).sum(axis=1)
        return 1.0 - left / np.where(whole > 0.0, whole, np.inf), scale

    def _centred(self, sums: Array) -> tuple[Array, Array]:
        n, x, y, xx, xy, _ = sums
        if not self.offset:
            return xx, xy
        n = np.maximum(n, 1e-300)
        return xx - x * x / n, xy - x * y / n

    def _line(self, sums: Array) -> tuple[Array, Array]:
        """Return the scale (K,) and the offset (K, A) for sums (6, K, A)."""
        xx, xy = (term.sum(axis=1) for term in self._centred(sums))
        scale = np.where(xx > 1e-18, xy / np.where(xx > 1e-18, xx, 1.0), 0.0)
        n, x, y = sums[:3]
        if not self.offset:
            return scale, np.zeros_like(y)
        return scale, (y - scale[:, None] * x) / np.maximum(n, 1e-300)

    @staticmethod
    def _residual(sums: Array, scale: Array, shift: Array) -> float:
        n, x, y, xx, xy, yy = sums
        s = scale[:, None]
        return float((yy - 2 * s * xy - 2 * shift * y + s * s * xx + 2 * s * shift * x
                      + n * shift * shift).sum())

    def _variance(self, own: Array, rest: Array) -> float:
        n, y, yy = own[0], own[2], own[5]
        if not self.offset:
            return float(yy.sum())
        middle = rest[2] / np.maximum(rest[0], 1e-300)
        return float((yy - 2 * middle * y + n * middle * middle).sum())


def block_sums(values: Array, block: NDArray[np.intp], blocks: int) -> Array:
    """Return the sums (B, A) of rows (N, A) by their blocks (N,)."""
    return np.column_stack([np.bincount(block, column, blocks) for column in values.T])


def drawings(blocks: int) -> Array:
    """Return how often each of B blocks counts in each resampling (K, B)."""
    draw = np.random.default_rng(_SEED).integers(0, blocks, (RESAMPLINGS, blocks))
    counts = np.zeros((RESAMPLINGS, blocks))
    np.add.at(counts, (np.arange(RESAMPLINGS)[:, None], draw), 1.0)
    return counts
