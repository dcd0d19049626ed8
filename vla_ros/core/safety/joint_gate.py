"""The joint gate: the last check before a command leaves. It may only shrink or refuse a motion.

In plain floats, see :mod:`vla_ros.core.safety.braking`; the same in arrays is the tests' oracle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import ConfigError, InvariantError
from vla_ros.core.limits import JointLimits
from vla_ros.core.safety.braking import braked, largest_factor, stop_time, stop_way
from vla_ros.core.safety.clearance import Clearance, Proximity, approach_factor, stays_clear
from vla_ros.core.safety.singularity import SingularityGuard
from vla_ros.core.safety.tool_speed import ToolSpeed

Array = NDArray[np.float64]

_ROUNDING = 1e-9  # of a quotient, or rad
_CUT = 1e-6  # rad/s; less is rounding and not worth a word


@dataclass(frozen=True, eq=False)
class Gated:
    """What the gate lets through.

    Attributes
    ----------
    q, velocity : np.ndarray
        (n,) joint positions [rad] and velocities [rad/s] to command.
    acted : tuple[str, ...]
        What the gate changed, in words; empty when the goal went through as it was.
    refused : bool
        Whether the goal was refused altogether; the arm then brakes.

    """

    q: Array
    velocity: Array
    acted: tuple[str, ...]
    refused: bool


class JointGate:
    """Bounds every command in position, velocity, acceleration, clearance and speed of the tool.

    The wanted velocity is scaled by one factor for all joints, so that the direction is kept, and
    then approached by one factor of the velocity change. What goes out always leaves a way to stop:
    braking all joints in proportion, from the next tick on, ends within the position limits and
    clear of everything, and the tool is slow enough on the way. Only motion *toward* a bound is
    slowed; a joint that is outside already may come back.

    Parameters
    ----------
    limits : JointLimits
        The bounds.
    max_step : float
        A goal further than this from the last command, in any joint [rad], is refused: it is no
        step of a motion but a jump (another IK branch, a wrong message).
    clearance : Clearance | None
        Knows the distances between links and to keep-out boxes; None: they are not looked at.
    approach_speed : float
        Fastest approach of two bodies where slowing begins [m/s].
    singularity : SingularityGuard | None
        Slows motion toward singularities; None: nothing does.
    tool_speed : ToolSpeed | None
        Bounds the speed of the tool; None: it is not looked at.

    """

    def __init__(
        self, limits: JointLimits, max_step: float = 0.3, clearance: Clearance | None = None,
        approach_speed: float = 0.25, singularity: SingularityGuard | None = None,
        tool_speed: ToolSpeed | None = None,
    ) -> None:
        if not 0.0 < max_step < np.inf:
            raise ConfigError(f'max_joint_step must be positive, found {max_step}')
        if not 0.0 < approach_speed < np.inf:
            raise ConfigError(f'approach_speed must be positive, found {approach_speed}')
        self.limits = limits
        self.max_step = max_step
        self.clearance = clearance
        self.approach_speed = approach_speed
        self.singularity = singularity
        self.tool_speed = tool_speed
        self._lower: list[float] = (limits.lower + limits.margin).tolist()
        self._upper: list[float] = (limits.upper - limits.margin).tolist()
        self._velocity: list[float] = limits.velocity.tolist()
        self._acceleration: list[float] = limits.acceleration.tolist()

    def __call__(self, goal: Array, commanded: Array, velocity: Array, dt: float) -> Gated:
        """Return the command that follows ``commanded`` (n,) [rad], ``velocity`` (n,) [rad/s].

        ``goal`` (n,) [rad] is where the joints shall be ``dt`` seconds later. A velocity that is
        not n finite numbers counts as rest; without a usable ``dt`` the last command is repeated.

        Raises
        ------
        InvariantError
            When ``commanded`` is not n finite numbers: no command is known to be safe then.

        """
        n = self.limits.n
        q, v = _floats(commanded, n), _floats(velocity, n) or [0.0] * n
        if q is None:
            raise InvariantError(f'the last command is not {n} finite numbers: {commanded}')
        if not 0.0 < dt < np.inf:
            return Gated(commanded.copy(), np.array(v), (f'refused: dt is {dt} s',), True)
        wanted, refused = self._wanted(_floats(goal, n), q, dt)
        acted = [f'refused: {refused}'] if refused else []
        moves = any(wanted)
        near: Sequence[Proximity] = ()
        if self.clearance is not None and (moves or any(v)):
            near = self.clearance.near(commanded)
        factor = 1.0
        if moves:
            factor, by = self._common_factor(wanted, commanded, q, near, dt)
            acted += by
        change = [w * factor - u for w, u in zip(wanted, v)]
        ratio = max([abs(c) / (a * dt) for c, a in zip(change, self._acceleration)])
        if ratio > 1.0 + _ROUNDING:
            change = [c / ratio for c in change]
            acted.append('acceleration')
        next_velocity, by = self._stoppable([u + c for u, c in zip(v, change)], v, commanded, q,
                                            near, dt)
        acted += by
        last, by = self._within_bounds(next_velocity, v, q, dt)
        acted += by
        velocity = np.array(last)
        return Gated(commanded + velocity * dt, velocity, tuple(acted), bool(refused))

    def _wanted(self, goal: list[float] | None, q: list[float], dt: float,
                ) -> tuple[list[float], str]:
        """Return the velocity that leads to the goal [rad/s], or none and why it is refused."""
        if goal is None:
            return [0.0] * len(q), f'goal is not {self.limits.n} finite numbers'
        steps = [g - p for g, p in zip(goal, q)]
        longest = max(map(abs, steps))
        if not longest <= self.max_step:
            worst = [abs(s) for s in steps].index(longest)
            return [0.0] * len(q), (f'{self.limits.names[worst]} would jump {longest:.3f} rad > '
                                    f'{self.max_step:g} rad')
        return [s / dt for s in steps], ''

    def _common_factor(self, wanted: list[float], commanded: Array, q: list[float],
                       near: Sequence[Proximity], dt: float) -> tuple[float, list[str]]:
        """Return the factor of the wanted velocity, and what all that ask for less say."""
        acted: list[str] = []
        ratios = [abs(w) / most for w, most in zip(wanted, self._velocity)]
        slowest = max(1.0, *ratios)
        if slowest > 1.0:
            acted.append(f'velocity {self.limits.names[ratios.index(slowest)]}')
            wanted = [w / slowest for w in wanted]
        factors: list[tuple[float, str]] = []
        array = np.array(wanted)
        if self.tool_speed is not None:
            factors.append(self.tool_speed.factor(commanded, array, dt))
        time = stop_time(wanted, self._acceleration)
        by_position = [largest_factor(abs(w), gap, time, dt)
                       for w, gap in zip(wanted, self._gaps(wanted, q))]
        smallest = min(by_position)
        if smallest < 1.0:
            name = self.limits.names[by_position.index(smallest)]
            factors.append((smallest, f'position limit {name}'))
        factors.append(approach_factor(near, array, time, dt, self.approach_speed))
        if self.singularity is not None:
            factors.append(self.singularity.factor(commanded, array))
        acted += [by for f, by in factors if f < 1.0]
        return min([f for f, _ in factors]) / slowest, acted

    def _stoppable(self, candidate: list[float], v: list[float], commanded: Array, q: list[float],
                   near: Sequence[Proximity], dt: float) -> tuple[list[float], list[str]]:
        """Return the velocity nearest the candidate from which the arm can stop in time.

        Turning from one direction to another uses up the acceleration that braking would need, so
        a candidate may be unsafe though both the old and the new direction are safe. Braking is
        what the last tick left room for, and every mixture of the two is within the acceleration.
        """
        brake = braked(v, self._acceleration, dt)
        for share in (1.0, 0.5, 0.25):
            mixed = [b + share * (c - b) for b, c in zip(brake, candidate)]
            if self._can_stop(mixed, commanded, q, near, dt):
                return mixed, ([] if share == 1.0 else ['braking'])
        return brake, ['braking']

    def _can_stop(self, v: list[float], commanded: Array, q: list[float],
                  near: Sequence[Proximity], dt: float) -> bool:
        time = stop_time(v, self._acceleration)
        way = stop_way(time, dt)
        for u, gap in zip(v, self._gaps(v, q)):
            if not abs(u * way) - gap <= _ROUNDING:
                return False
        if time == 0.0 or (self.tool_speed is None and self.clearance is None):
            return True
        velocity = np.array(v)
        if self.tool_speed is not None and not self.tool_speed.keeps(commanded, velocity, time, dt):
            return False
        return (self.clearance is None
                or stays_clear(self.clearance, near, commanded + velocity * way))

    def _gaps(self, v: list[float], q: list[float]) -> list[float]:
        """Return how far each joint may still go in the direction of its velocity [rad]."""
        return [max(high - p, 0.0) if u > 0.0 else max(p - low, 0.0) if u < 0.0 else math.inf
                for u, p, low, high in zip(v, q, self._lower, self._upper)]

    def _within_bounds(self, wanted: list[float], v: list[float], q: list[float], dt: float,
                       ) -> tuple[list[float], list[str]]:
        """Return velocities from which each joint can still brake before its limits.

        Nothing before lets a joint through its limit unless it was thrown there (a longer tick than
        the last one, a limit that is already passed). This is the last word in any case.

        With deceleration a in steps of dt, a joint at distance d may move at most at v with
        v dt + v^2 / (2 a) <= d, hence v = a (sqrt(dt^2 + 2 d / a) - dt). It then needs no more
        than a dt of braking a tick, so the bound never asks for more than the joint can do.
        """
        bounded, acted = [], []
        for i, (w, u, p) in enumerate(zip(wanted, v, q)):
            a, most = self._acceleration[i], self._velocity[i]
            up, down = max(self._upper[i] - p, 0.0), max(p - self._lower[i], 0.0)
            high = min(a * (math.sqrt(dt * dt + 2.0 * up / a) - dt), most)
            low = -min(a * (math.sqrt(dt * dt + 2.0 * down / a) - dt), most)
            last = min(max(w, max(low, u - a * dt)), min(high, u + a * dt))
            bounded.append(last)
            if abs(last - w) > _CUT:
                acted.append(f'position limit {self.limits.names[i]}')
        return bounded, acted


def _floats(values: Array, n: int) -> list[float] | None:
    """Return n finite numbers as plain floats, or None."""
    if values.shape != (n,):
        return None
    numbers: list[float] = values.tolist()
    return numbers if all(map(math.isfinite, numbers)) else None
