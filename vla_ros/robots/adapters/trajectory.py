"""Joint commands as a stream of short trajectories for a joint trajectory controller.

Such a controller begins each new trajectory where the arm is *measured*, which lags behind where it
was commanded to be, unless its parameter ``interpolate_from_desired_state`` (``open_loop_control``
on Humble) says otherwise. Streamed to with trajectories that begin on arrival, it therefore jumps
back and forth with every one. So each of ours begins, by its stamp, a moment ago, and at the point
where the one before had the arm at that moment: the controller then never looks at the measured
state.

And it follows what it was last sent to its end. So each trajectory goes through the commanded
joints at the commanded velocity and then brakes: when no further one comes, the arm stops smoothly.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SPLICE_S = 0.01
"""How long ago a trajectory begins [s]: its controller's clock may be this much behind."""

_SHORTEST = 0.02  # s; between two points, whose times must increase


@dataclass(frozen=True, eq=False)
class TrajectoryPoint:
    """Joints (n,) [rad], velocities (n,) [rad/s] and when to be there [s from the beginning]."""

    time: float
    position: Array
    velocity: Array


class TrajectoryStream:
    """Makes the trajectory for each command, smoothly joined to the one before.

    Parameters
    ----------
    lead : float
        When the commanded joints are to be reached [s]; the arm lags by this.
    acceleration : np.ndarray
        (n,) deceleration of the braking that ends each trajectory [rad/s^2].
    lower, upper : np.ndarray
        (n,) limits [rad]; braking ends within them, or at the command where that is beyond.
    ends_at_rest : bool
        False leaves out the braking.

    """

    def __init__(self, lead: float, acceleration: Array, lower: Array, upper: Array,
                 ends_at_rest: bool = True) -> None:
        self._lead = lead
        self._acceleration = acceleration
        self._lower = lower
        self._upper = upper
        self._ends_at_rest = ends_at_rest
        self._begin_ns = 0
        self._points: list[TrajectoryPoint] = []

    def reset(self) -> None:
        """Forget the last trajectory: the controller no longer follows it."""
        self._points = []

    def next(self, now_ns: int, q: Array, velocity: Array, measured: Array,
             time_scale: float = 1.0) -> tuple[int, list[TrajectoryPoint]]:
        """Return when the trajectory begins [ns] and its points, at least two.

        Parameters
        ----------
        now_ns : int
            Time of the command [ns].
        q, velocity : np.ndarray
            (n,) the command [rad], [rad/s].
        measured : np.ndarray
            (n,) measured joints [rad], where the first trajectory begins, at rest.
        time_scale : float
            The robot's speed scaling, by which its controller slows the trajectory's time.

        """
        begin_ns = now_ns - round(SPLICE_S * 1e9)
        if self._points:
            # The controller began it at its own beginning and has gone on in scaled time since.
            elapsed = (begin_ns - self._begin_ns) * 1e-9
            start = _at(self._points, max(elapsed, 0.0) * time_scale)
        else:
            start = TrajectoryPoint(0.0, measured, np.zeros_like(measured))
        points = [TrajectoryPoint(0.0, start.position, start.velocity)]
        reach = SPLICE_S + self._lead
        points += self._braking(reach, q, velocity)
        self._begin_ns, self._points = begin_ns, points
        return begin_ns, points

    def _braking(self, reach: float, q: Array, velocity: Array) -> list[TrajectoryPoint]:
        """Return the points from the command on: brake from there with all joints together.

        From ``velocity`` to rest in T with constant deceleration the arm goes ``velocity * T / 2``;
        the cubic between the two points is exactly that motion.
        """
        rest = np.zeros_like(velocity)
        duration = float(np.max(np.abs(velocity) / self._acceleration))
        if duration < 1e-6:
            return [TrajectoryPoint(reach, q, rest)]
        if not self._ends_at_rest:
            return [TrajectoryPoint(reach, q, velocity)]
        duration = max(duration, _SHORTEST)
        end = np.clip(q + velocity * (0.5 * duration), np.minimum(self._lower, q),
                      np.maximum(self._upper, q))
        return [TrajectoryPoint(reach, q, velocity), TrajectoryPoint(reach + duration, end, rest)]


def _at(points: list[TrajectoryPoint], time: float) -> TrajectoryPoint:
    """Return the state of the cubics through the points, as the controller interpolates them."""
    for a, b in pairwise(points):
        if time < b.time:
            T, s = b.time - a.time, (time - a.time) / (b.time - a.time)
            position = ((2 * s**3 - 3 * s**2 + 1) * a.position
                        + (s**3 - 2 * s**2 + s) * T * a.velocity
                        + (3 * s**2 - 2 * s**3) * b.position + (s**3 - s**2) * T * b.velocity)
            velocity = ((6 * s**2 - 6 * s) / T * (a.position - b.position)
                        + (3 * s**2 - 4 * s + 1) * a.velocity + (3 * s**2 - 2 * s) * b.velocity)
            return TrajectoryPoint(time, position, velocity)
    # After its end the controller holds the last point.
    return TrajectoryPoint(time, points[-1].position, np.zeros_like(points[-1].velocity))
