"""Whether actions are along the axes of yet another frame, fixed to the base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vla_ros.core.types import ActionFrame, ActionSpace
from vla_ros.replay.convention.candidates import Candidate, Run, Turning, samples
from vla_ros.replay.convention.track import Array

_LAGS = (0.0, 0.5, 1.0, 2.0, 3.0)
_FEWEST = 16


@dataclass(frozen=True, eq=False)
class TurnedAxes:
    """The rotation R (3, 3) with ``measured = scale * R @ action`` that fits best."""

    R: Array
    explained: float

    @property
    def words(self) -> str:
        """Along what each axis of the actions points."""
        found = []
        for axis, name in enumerate('xyz'):
            column = self.R[:, axis]
            largest = int(np.argmax(np.abs(column)))
            sign = '-' if column[largest] < 0 else ''
            about = '' if abs(column[largest]) > 0.95 else 'about '
            found.append(f'{name} along {about}{sign}{"xyz"[largest]}')
        return ', '.join(found)


def turned_axes(runs: Sequence[Run]) -> TurnedAxes | None:
    """Return the fit of translations with turned axes; None with too little motion.

    The rotation is that of Kabsch (1976), by singular value decomposition; a scale of its own.
    """
    best: TurnedAxes | None = None
    candidate = Candidate(ActionSpace.EE_DELTA, ActionFrame.BASE, Turning.BASE)
    for lag in _LAGS:
        found = samples(runs, candidate, lag)
        action, measured = found.action[0], found.measured[0]
        variance = float((measured * measured).sum())
        power = float((action * action).sum())
        if len(action) < _FEWEST or not variance > 0.0 or not power > 0.0:
            continue
        u, sizes, vt = np.linalg.svd(measured.T @ action)
        if not sizes[1] > 0.05 * sizes[0]:
            continue  # motion along one line leaves the rotation about it open
        flip = np.diag([1.0, 1.0, float(np.sign(np.linalg.det(u @ vt)))])
        R = u @ flip @ vt
        scale = float((measured * (action @ R.T)).sum()) / power
        left = measured - scale * action @ R.T
        explained = 1.0 - float((left * left).sum()) / variance
        if best is None or explained > best.explained:
            best = TurnedAxes(R, explained)
    return best
