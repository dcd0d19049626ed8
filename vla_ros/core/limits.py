"""The numbers that bound a motion, checked once when they are made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import ConfigError

Array = NDArray[np.float64]


def _vector(name: str, value: object, n: int | None = None) -> Array:
    array = np.array(value, dtype=np.float64)
    if array.ndim != 1 or (n is not None and array.shape != (n,)):
        raise ConfigError(f'{name}: expected {n if n is not None else "some"} numbers, '
                          f'found shape {array.shape}')
    if not np.isfinite(array).all():
        raise ConfigError(f'{name}: every value must be finite, found {array}')
    array.setflags(write=False)
    return array


def _positive(name: str, value: float) -> None:
    if not 0.0 < value < np.inf:
        raise ConfigError(f'{name}: must be positive and finite, found {value}')


@dataclass(frozen=True, eq=False)
class JointLimits:
    """Bounds of every arm joint, in command order.

    Attributes
    ----------
    names : tuple[str, ...]
        Joint names.
    lower, upper : np.ndarray
        (n,) position limits [rad].
    velocity, acceleration : np.ndarray
        (n,) largest speed [rad/s] and acceleration [rad/s^2], both signs.
    margin : float
        Distance kept from each position limit [rad].

    """

    names: tuple[str, ...]
    lower: Array
    upper: Array
    velocity: Array
    acceleration: Array
    margin: float = 0.0

    def __post_init__(self) -> None:
        n = len(self.names)
        for name in ('lower', 'upper', 'velocity', 'acceleration'):
            object.__setattr__(self, name, _vector(f'joint limits: {name}',
                                                   getattr(self, name), n))
        if not (self.velocity > 0.0).all() or not (self.acceleration > 0.0).all():
            raise ConfigError('joint limits: velocity and acceleration must be positive')
        if not self.margin >= 0.0:
            raise ConfigError(f'joint limits: margin must not be negative, found {self.margin}')
        if not (self.lower + self.margin < self.upper - self.margin).all():
            raise ConfigError(
                f'joint limits: lower {self.lower} and upper {self.upper} leave no room with a '
                f'margin of {self.margin} rad')

    @property
    def n(self) -> int:
        """Number of joints."""
        return len(self.names)


@dataclass(frozen=True, eq=False)
class TaskSpaceLimits:
    """Bounds of the tool frame's motion in the base frame.

    Attributes
    ----------
    lower, upper : np.ndarray
        (3,) corners of the workspace box for the tool frame's origin [m].
    max_speed, max_rotation_speed : float
        [m/s], [rad/s].
    max_lead_position, max_lead_rotation : float
        Largest distance of the commanded from the measured tool pose [m], [rad].

    """

    lower: Array
    upper: Array
    max_speed: float
    max_rotation_speed: float
    max_lead_position: float
    max_lead_rotation: float

    def __post_init__(self) -> None:
        for name in ('lower', 'upper'):
            object.__setattr__(self, name, _vector(f'workspace: {name}', getattr(self, name), 3))
        if not (self.lower < self.upper).all():
            raise ConfigError(f'workspace: lower {self.lower} is not below upper {self.upper}')
        for name in ('max_speed', 'max_rotation_speed', 'max_lead_position', 'max_lead_rotation'):
            _positive(name, getattr(self, name))


@dataclass(frozen=True)
class GripperRange:
    """Opening width of the gripper, closed and open [m]."""

    closed: float
    open: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.closed < self.open < np.inf:
            raise ConfigError(f'gripper: needs 0 <= closed < open, found closed {self.closed} m, '
                              f'open {self.open} m')

    def width(self, open_fraction: float) -> float:
        """Return the opening width [m] for a fraction 0 (closed) to 1 (open)."""
        return self.closed + open_fraction * (self.open - self.closed)
