"""What looking ahead has found of the chunks that are being followed."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.lookahead import Lookahead
from vla_ros.core.quaternions import rotations
from vla_ros.core.trajectory import Trajectory

Array = NDArray[np.float64]


class Foreseen:
    """Looks ahead in each new trajectory once, and remembers where it may be followed to.

    A trajectory that nobody has looked at yet is followed as it is: the limits of every single
    tick hold in any case, and :meth:`examine` runs between two ticks.

    Parameters
    ----------
    lookahead : Lookahead | None
        Judges poses; None: nobody looks ahead.
    steps : int
        Most steps of a chunk that are looked at.

    """

    def __init__(self, lookahead: Lookahead | None, steps: int) -> None:
        self._lookahead = lookahead
        self._steps = steps
        self._new: deque[Trajectory] = deque(maxlen=4)
        self._found: dict[Trajectory, tuple[int, Array, str]] = {}  # first knot, factors, reason

    def add(self, trajectory: Trajectory) -> None:
        """Take in a trajectory that will be followed."""
        if self._lookahead is not None and trajectory.cartesian:
            self._new.append(trajectory)

    def clear(self) -> None:
        """Forget everything."""
        self._new.clear()
        self._found.clear()

    def examine(self, q: Array, playhead_ns: int) -> bool:
        """Look at the newest trajectory that nobody has looked at; return whether there was one.

        ``q`` (n,) [rad] is where the arm is commanded to be now.
        """
        if self._lookahead is None or not self._new:
            return False
        trajectory = self._new.pop()
        self._new.clear()  # older ones have been overtaken
        assert trajectory.position is not None and trajectory.quaternion is not None
        past = playhead_ns - trajectory.stamp_ns
        first = max(1, past // trajectory.dt_ns + 1)
        knots = slice(first, first + self._steps)
        position = trajectory.position[knots]
        if not len(position):
            return True
        poses = np.zeros((len(position), 4, 4))
        poses[:, :3, :3] = rotations(trajectory.quaternion[knots])
        poses[:, :3, 3] = position
        poses[:, 3, 3] = 1.0
        foresight = self._lookahead(poses, q, trajectory.dt_ns * 1e-9)
        factors = foresight.speed_factors
        if foresight.steps == len(position):
            factors = np.append(factors, 1.0)  # what lies behind has not been looked at
        self._found[trajectory] = first, factors, foresight.reason
        return True

    def cut(self, live: Sequence[Trajectory], playhead_ns: int) -> tuple[
            list[Trajectory], float, str]:
        """Return the trajectories that may be followed now, how fast, and why not all or slower.

        The speed is the smallest that one of them asks for, as a part of the full one.
        """
        if not self._found:
            return list(live), 1.0, ''
        self._found = {t: found for t, found in self._found.items() if t.end_ns > playhead_ns}
        kept, speed, reason = [], 1.0, ''
        for trajectory in live:
            found = self._found.get(trajectory)
            if found is None:
                kept.append(trajectory)
                continue
            first, factors, why = found
            step = max(0, (playhead_ns - trajectory.stamp_ns) // trajectory.dt_ns + 1 - first)
            whole = len(factors) and factors[-1] == 1.0 and step >= len(factors)
            if not whole and step >= len(factors):
                reason = why
                continue
            factor = 1.0 if whole else float(factors[step])
            kept.append(trajectory)
            if factor < speed:
                speed, reason = factor, why
        return kept, speed, reason
