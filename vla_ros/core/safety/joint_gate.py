"""The joint gate: the last check before a command leaves. It may only shrink or refuse a motion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import ConfigError, InvariantError
from vla_ros.core.limits import JointLimits
from vla_ros.core.safety.braking import braked, largest_factor, stop_point, stop_time
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
        self._lower = limits.lower + limits.margin
        self._upper = limits.upper - limits.margin

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
        if not _finite(commanded, n):
            raise InvariantError(f'the last command is not {n} finite numbers: {commanded}')
        if not _finite(velocity, n):
            velocity = np.zeros(n)
        if not 0.0 < dt < np.inf:
            return Gated(commanded.copy(), velocity.copy(), (f'refused: dt is {dt} s',), True)
        refused = self._refusal(goal, commanded)
        acted = [f'refused: {refused}'] if refused else []
        wanted = np.zeros(n) if refused else (goal - commanded) / dt

        near: Sequence[Proximity] = ()
        if self.clearance is not None and (wanted.any() or velocity.any()):
            near = self.clearance.near(commanded)
        factor, by = self._common_factor(wanted, commanded, near, dt)
        acted += by
        change = wanted * factor - velocity
        reach = self.limits.acceleration * dt
        ratio = float((np.abs(change) / reach).max())
        if ratio > 1.0 + _ROUNDING:
            change = change / ratio
            acted.append('acceleration')
        next_velocity, by = self._stoppable(velocity + change, velocity, commanded, near, dt)
        acted += by
        # Nothing above lets a joint through its limit unless it was thrown there (a longer tick
        # than the last one, a limit that is already passed). This is the last word in any case.
        low, high = self._velocity_bounds(commanded, dt)
        last = np.clip(next_velocity, np.maximum(low, velocity - reach),
                       np.minimum(high, velocity + reach))
        cut = np.abs(last - next_velocity)
        worst = int(cut.argmax())
        if cut[worst] > _CUT:
            acted.append(f'position limit {self.limits.names[worst]}')
        return Gated(commanded + last * dt, last, tuple(acted), bool(refused))

    def _refusal(self, goal: Array, commanded: Array) -> str:
        if not _finite(goal, self.limits.n):
            return f'goal is not {self.limits.n} finite numbers'
        step = np.abs(goal - commanded)
        worst = int(step.argmax())
        if not step[worst] <= self.max_step:
            return (f'{self.limits.names[worst]} would jump {step[worst]:.3f} rad > '
                    f'{self.max_step:g} rad')
        return ''

    def _common_factor(self, wanted: Array, q: Array, near: Sequence[Proximity],
                       dt: float) -> tuple[float, list[str]]:
        """Return the factor of the wanted velocity, and the names of all that ask for less."""
        if not wanted.any():
            return 1.0, []
        limits, acted = self.limits, []
        ratios = np.abs(wanted) / limits.velocity
        worst = int(ratios.argmax())
        slowest = max(1.0, float(ratios[worst]))
        if slowest > 1.0:
            acted.append(f'velocity {limits.names[worst]}')
            wanted = wanted / slowest
        factors: list[tuple[float, str]] = []
        if self.tool_speed is not None:
            factors.append(self.tool_speed.factor(q, wanted, dt))
        time = stop_time(wanted, limits.acceleration)
        by_position = largest_factor(np.abs(wanted), self._gap(wanted, q), time, dt)
        worst = int(by_position.argmin())
        if by_position[worst] < 1.0:
            factors.append((float(by_position[worst]), f'position limit {limits.names[worst]}'))
        factors.append(approach_factor(near, wanted, time, dt, self.approach_speed))
        if self.singularity is not None:
            factors.append(self.singularity.factor(q, wanted))
        acted += [by for f, by in factors if f < 1.0]
        return min(f for f, _ in factors) / slowest, acted

    def _stoppable(self, candidate: Array, velocity: Array, q: Array,
                   near: Sequence[Proximity], dt: float) -> tuple[Array, list[str]]:
        """Return the velocity nearest the candidate from which the arm can stop in time.

        Turning from one direction to another uses up the acceleration that braking would need, so
        a candidate may be unsafe though both the old and the new direction are safe. Braking is
        what the last tick left room for, and every mixture of the two is within the acceleration.
        """
        brake = braked(velocity, self.limits.acceleration, dt)
        for share in (1.0, 0.5, 0.25):
            mixed = brake + share * (candidate - brake)
            if self._can_stop(mixed, q, near, dt):
                return mixed, ([] if share == 1.0 else ['braking'])
        return brake, ['braking']

    def _can_stop(self, velocity: Array, q: Array, near: Sequence[Proximity], dt: float) -> bool:
        q_stop = stop_point(q, velocity, self.limits.acceleration, dt)
        beyond = np.abs(q_stop - q) - self._gap(velocity, q)
        if not (beyond <= _ROUNDING).all():
            return False
        if not velocity.any():
            return True
        if self.tool_speed is not None and not self.tool_speed.keeps(
                q, velocity, stop_time(velocity, self.limits.acceleration), dt):
            return False
        return self.clearance is None or stays_clear(self.clearance, near, q_stop)

    def _gap(self, velocity: Array, q: Array) -> Array:
        """Return how far each joint may still go in the direction of its velocity (n,) [rad]."""
        gap = np.where(velocity >= 0.0, self._upper - q, q - self._lower)
        return np.where(velocity == 0.0, np.inf, np.maximum(gap, 0.0))

    def _velocity_bounds(self, q: Array, dt: float) -> tuple[Array, Array]:
        """Return the velocities from which each joint can still brake before its limits.

        With deceleration a in steps of dt, a joint at distance d may move at most at v with
        v dt + v^2 / (2 a) <= d, hence v = a (sqrt(dt^2 + 2 d / a) - dt). It then needs no more
        than a dt of braking a tick, so the bound never asks for more than the joint can do.
        """
        a = self.limits.acceleration
        up = np.maximum(self._upper - q, 0.0)
        down = np.maximum(q - self._lower, 0.0)
        high = np.minimum(a * (np.sqrt(dt * dt + 2.0 * up / a) - dt), self.limits.velocity)
        low = -np.minimum(a * (np.sqrt(dt * dt + 2.0 * down / a) - dt), self.limits.velocity)
        return low, high


def _finite(values: Array, n: int) -> bool:
    return values.shape == (n,) and bool(np.isfinite(values).all())
