"""The joint gate in the obvious way: a whole array a line. Slow; the gate must agree with it."""

from __future__ import annotations

import numpy as np

from vla_ros.core.errors import InvariantError
from vla_ros.core.safety.clearance import stays_clear
from vla_ros.core.safety.joint_gate import Gated

_ROUNDING, _CUT = 1e-9, 1e-6
_STILL = 1e-12


def stop_time(velocity, acceleration) -> float:
    """Return how long it takes to stop (n,) [rad/s] with all joints slowing in proportion [s].

    The joint that needs longest at its full deceleration (n,) [rad/s^2] sets the time of all.
    """
    return float((np.abs(velocity) / acceleration).max())


def braked(velocity, acceleration, dt: float):
    """Return the velocity (n,) [rad/s] after braking for ``dt`` [s] in proportion."""
    left = stop_time(velocity, acceleration) - dt
    return velocity * (left / (left + dt)) if left > 0.0 else np.zeros_like(velocity)


def stop_point(q, velocity, acceleration, dt: float):
    """Return where the joints (n,) [rad] can come to rest when ``velocity`` is kept for ``dt``.

    In ticks of dt the way is v dt (N + 1) / 2 with N = T / dt, half a tick less than v (T/2 + dt).
    """
    return q + velocity * (0.5 * stop_time(velocity, acceleration) + dt)


def largest_factor(closing, gap, stop_time: float, dt: float):
    """Return the factors (m,) by which a velocity may be scaled and still be braked in time.

    Scaled by s the velocity needs s T to stop, so that s^2 c T/2 + s c dt <= gap.
    """
    closes = closing > _STILL
    g = np.where(closes, np.maximum(gap, 0.0), 0.0)
    b = np.where(closes, closing, 1.0) * dt
    # The root in the form that does not cancel: 2 g / (b + sqrt(b^2 + 4 a g)), a = c T/2.
    factor = 2.0 * g / (b + np.sqrt(b * b + 2.0 * b * (stop_time / dt) * g))
    return np.where(closes, factor, np.inf)


def approach_factor(
        near: list, wanted, stop_time: float, dt: float, approach_speed: float):
    """Return the factor for a velocity (n,) [rad/s] that keeps every distance, and what acted.

    A distance may shrink at most at ``approach_speed`` [m/s] where slowing begins, falling in
    proportion to zero where the approach ends (a velocity damper, Faverjon and Tournassoud 1987),
    and never faster than can be braked from. What grows or stays is not slowed.
    """
    if not near:
        return 1.0, ''
    closing = -np.array([p.gradient for p in near]) @ wanted
    gap = np.array([p.distance - p.stop for p in near])
    span = np.array([p.slow - p.stop for p in near])
    allowed = approach_speed * np.clip(gap / span, 0.0, 1.0)
    damped = np.where(closing > allowed, allowed / np.where(closing > 0.0, closing, 1.0), np.inf)
    factors = np.minimum(damped, largest_factor(closing, gap, stop_time, dt))
    worst = int(factors.argmin())
    if not factors[worst] < 1.0:
        return 1.0, ''
    p = near[worst]
    return float(factors[worst]), (f'clearance {p.names[0]} to {p.names[1]}: '
                                   f'{1e3 * p.distance:.0f} mm')


class GateOracle:
    """Made of a gate: its bounds and what it asks."""

    def __init__(self, gate):
        self.limits, self.max_step = gate.limits, gate.max_step
        self.clearance, self.approach_speed = gate.clearance, gate.approach_speed
        self.singularity, self.tool_speed = gate.singularity, gate.tool_speed
        self._lower = gate.limits.lower + gate.limits.margin
        self._upper = gate.limits.upper - gate.limits.margin

    def __call__(self, goal, commanded, velocity, dt: float) -> Gated:
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

        near = ()
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
        acted += [f'position limit {name}' for name, by in zip(self.limits.names, cut)
                  if by > _CUT]
        return Gated(commanded + last * dt, last, tuple(acted), bool(refused))

    def _refusal(self, goal, commanded) -> str:
        if not _finite(goal, self.limits.n):
            return f'goal is not {self.limits.n} finite numbers'
        step = np.abs(goal - commanded)
        worst = int(step.argmax())
        if not step[worst] <= self.max_step:
            return (f'{self.limits.names[worst]} would jump {step[worst]:.3f} rad > '
                    f'{self.max_step:g} rad')
        return ''

    def _common_factor(self, wanted, q, near: list, dt: float):
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

    def _stoppable(self, candidate, velocity, q,
                   near: list, dt: float):
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

    def _can_stop(self, velocity, q, near: list, dt: float) -> bool:
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

    def _gap(self, velocity, q):
        """Return how far each joint may still go in the direction of its velocity (n,) [rad]."""
        gap = np.where(velocity >= 0.0, self._upper - q, q - self._lower)
        return np.where(velocity == 0.0, np.inf, np.maximum(gap, 0.0))

    def _velocity_bounds(self, q, dt: float):
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


def _finite(values, n):
    return values.shape == (n,) and bool(np.isfinite(values).all())
