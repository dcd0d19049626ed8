"""The joint gate: the last check before a command leaves. It may only shrink or refuse a motion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import ConfigError
from vla_ros.core.limits import JointLimits

Array = NDArray[np.float64]


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
    """Bounds every command in position, velocity and acceleration, from the last command on.

    The wanted velocity is scaled by one factor for all joints, so that the direction is kept, then
    approached by one factor of the velocity change. Near a position limit a joint's speed is
    bounded such that it can still brake in time, at its full deceleration; that bound wins over the
    direction, because keeping a direction must never carry a joint through its limit. Only motion
    *toward* a limit is bounded: a joint that is outside already may come back.

    Parameters
    ----------
    limits : JointLimits
        The bounds.
    max_step : float
        A goal further than this from the last command, in any joint [rad], is refused: it is no
        step of a motion but a jump (another IK branch, a wrong message).

    """

    def __init__(self, limits: JointLimits, max_step: float = 0.3) -> None:
        if not 0.0 < max_step < np.inf:
            raise ConfigError(f'max_joint_step must be positive, found {max_step}')
        self.limits = limits
        self.max_step = max_step
        self._lower = limits.lower + limits.margin
        self._upper = limits.upper - limits.margin

    def __call__(self, goal: Array, commanded: Array, velocity: Array, dt: float) -> Gated:
        """Return the command that follows ``commanded`` (n,) [rad], ``velocity`` (n,) [rad/s].

        ``goal`` (n,) [rad] is where the joints shall be ``dt`` seconds later.
        """
        acted: list[str] = []
        refused = ''
        if goal.shape != commanded.shape or not np.isfinite(goal).all():
            refused = f'goal is not {self.limits.n} finite numbers'
        else:
            step = np.abs(goal - commanded)
            worst = int(step.argmax())
            if not step[worst] <= self.max_step:
                refused = (f'{self.limits.names[worst]} would jump {step[worst]:.3f} rad > '
                           f'{self.max_step:g} rad')
        if refused:
            acted.append(f'refused: {refused}')
            wanted = np.zeros_like(commanded)
        else:
            wanted = (goal - commanded) / dt

        low, high = self._velocity_bounds(commanded, dt)
        factor, by = self._common_factor(wanted, low, high)
        if factor < 1.0:
            acted.append(by)
        change = wanted * factor - velocity
        reach = self.limits.acceleration * dt
        ratio = float((np.abs(change) / reach).max())
        if ratio > 1.0 + 1e-9:
            change = change / ratio
            acted.append('acceleration')
        # Braking before a limit may need more of one joint than the common factor leaves it.
        next_velocity = np.clip(velocity + change,
                                np.maximum(low, velocity - reach),
                                np.minimum(high, velocity + reach))
        q = commanded + next_velocity * dt
        return Gated(q, next_velocity, tuple(acted), bool(refused))

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

    def _common_factor(self, wanted: Array, low: Array, high: Array) -> tuple[float, str]:
        bound = np.where(wanted >= 0.0, high, -low)
        size = np.abs(wanted)
        over = size > bound
        if not over.any():
            return 1.0, ''
        factors = np.where(over, bound / np.where(over, size, 1.0), 1.0)
        worst = int(factors.argmin())
        at_limit = bound[worst] < self.limits.velocity[worst]
        kind = 'position limit' if at_limit else 'velocity'
        return float(factors[worst]), f'{kind} {self.limits.names[worst]}'
