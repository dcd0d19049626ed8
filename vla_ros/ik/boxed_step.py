"""The best step of a linear model when every joint has only so much room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class BoxedStep:
    """Minimises x^T H x / 2 - g^T x over a box, by an active set.

    The free minimum comes first. While a joint is out of its room, the worst one is put on its
    bound and the others are solved for again, with what that joint still does taken into account;
    so the rest moves around a joint that cannot. A joint that would rather leave its bound than
    press against it is then let go. The matrices are small, so columns are not removed but their
    rows and columns set to those of the identity, in arrays that are made once.

    Parameters
    ----------
    n : int
        Number of joints, at least 2.
    ldlt : type
        ``eigenpy.LDLT``, or a class with its ``compute`` and ``solve``: a tenth of the time of
        ``numpy.linalg.solve`` for six joints.

    Attributes
    ----------
    held : list[int]
        Of the last solution: -1 where a joint is on its lower bound, 1 on its upper, 0 where free.
    any_held : bool
        Whether one is not 0.

    """

    def __init__(self, n: int, ldlt: Any) -> None:
        self.held = [0] * n
        self.any_held = False
        self._n = n
        self._ldlt = ldlt(n)
        self._K = np.empty((n, n), order='F')
        self._x = np.empty(n)
        self._rhs = np.empty(n)
        self._pull = np.empty(n)

    def solve(self, H: Array, g: Array, here: Sequence[float], low: Sequence[float],
              high: Sequence[float]) -> list[float]:
        """Return the step x (n,) from ``here`` (n,), with low <= here + x <= high.

        ``H`` (n, n) is positive definite. Should the active set not settle within 4 n changes, the
        result is the last one, clipped.
        """
        x: list[float] = self._ldlt.compute(H).solve(g).tolist()
        for v, at, a, b in zip(x, here, low, high):
            if not a <= at + v <= b:
                break
        else:
            self.any_held = False
            return x
        self.any_held = True
        return self._hold(H, g, x, [a - at for at, a in zip(here, low)],
                          [b - at for at, b in zip(here, high)])

    def _hold(self, H: Array, g: Array, x: list[float], below: list[float],
              above: list[float]) -> list[float]:
        """Return the step within ``below`` <= x <= ``above`` (n,); x is the free one."""
        held = self.held
        held[:] = [0] * self._n
        worst = _furthest_outside(x, below, above)
        for _ in range(4 * self._n):
            if worst >= 0:
                held[worst] = -1 if x[worst] < below[worst] else 1
            else:
                worst = self._to_let_go(H, g, x)
                if worst < 0:
                    return x
                held[worst] = 0
            x = self._solve_others(H, g, below, above)
            worst = _furthest_outside(x, below, above)
        return [min(max(v, a), b) for v, a, b in zip(x, below, above)]

    def solve_again(self, g: Array) -> Array:
        """Return the free minimum (n,) for another ``g`` after a solution that held no joint."""
        x: Array = self._ldlt.solve(g)
        return x

    def _solve_others(self, H: Array, g: Array, below: list[float],
                      above: list[float]) -> list[float]:
        """Return the minimum over the joints that are not held, the held ones on their bounds."""
        K, x, rhs, held = self._K, self._x, self._rhs, self.held
        fixed = [0.0 if side == 0 else a if side < 0 else b
                 for side, a, b in zip(held, below, above)]
        x[:] = fixed
        np.dot(H, x, out=rhs)
        np.subtract(g, rhs, out=rhs)
        np.copyto(K, H)
        for i, side in enumerate(held):
            if side:
                K[i] = 0.0
                K[:, i] = 0.0
                K[i, i] = 1.0
                rhs[i] = fixed[i]
        solved: list[float] = self._ldlt.compute(K).solve(rhs).tolist()
        # A held joint is on its bound exactly, not nearly.
        return [b if side else v for v, b, side in zip(solved, fixed, held)]

    def _to_let_go(self, H: Array, g: Array, x: list[float]) -> int:
        """Return the held joint that pulls hardest away from its bound, or -1."""
        self._x[:] = x
        np.dot(H, self._x, out=self._pull)
        np.subtract(g, self._pull, out=self._pull)
        best, hardest = -1, 1e-12
        for i, side in enumerate(self.held):
            if side and -side * self._pull[i] > hardest:
                best, hardest = i, -side * float(self._pull[i])
        return best


def _furthest_outside(x: list[float], low: Sequence[float], high: Sequence[float]) -> int:
    """Return the joint that is furthest out of its room; -1 when none is."""
    worst, most = -1, 0.0
    for i, (v, a, b) in enumerate(zip(x, low, high)):
        if not a <= v <= b:
            out = max(a - v, v - b)
            if not out <= most:
                worst, most = i, out
    return worst
