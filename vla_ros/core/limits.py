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
class KeepOut:
    """An axis-aligned box that the tool may not enter and that the links keep clear of.

    Attributes
    ----------
    name : str
        For people: ``table``, ``camera pole``.
    lower, upper : np.ndarray
        (3,) corners in the base frame [m].

    """

    name: str
    lower: Array
    upper: Array

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ConfigError('keep-out box: its name must not be empty')
        for name in ('lower', 'upper'):
            object.__setattr__(self, name, _vector(f'keep-out box {self.name!r}: {name}',
                                                   getattr(self, name), 3))
        if not (self.lower < self.upper).all():
            raise ConfigError(f'keep-out box {self.name!r}: lower {self.lower} is not below upper '
                              f'{self.upper}')


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
    keep_out : tuple[KeepOut, ...]
        Boxes that the tool frame's origin may not enter.

    """

    lower: Array
    upper: Array
    max_speed: float
    max_rotation_speed: float
    max_lead_position: float
    max_lead_rotation: float
    keep_out: tuple[KeepOut, ...] = ()

    def __post_init__(self) -> None:
        for name in ('lower', 'upper'):
            object.__setattr__(self, name, _vector(f'workspace: {name}', getattr(self, name), 3))
        if not (self.lower < self.upper).all():
            raise ConfigError(f'workspace: lower {self.lower} is not below upper {self.upper}')
        for name in ('max_speed', 'max_rotation_speed', 'max_lead_position', 'max_lead_rotation'):
            _positive(name, getattr(self, name))
        object.__setattr__(self, 'keep_out', tuple(self.keep_out))
        names = [box.name for box in self.keep_out]
        if len(set(names)) != len(names):
            raise ConfigError(f'keep-out boxes: names must differ, found {", ".join(names)}')


@dataclass(frozen=True)
class ClearanceLimits:
    """How near links may come to each other and to keep-out boxes.

    Attributes
    ----------
    slow_distance, stop_distance : float
        Where the approach begins to be slowed, and where it ends [m].
    finger_slow_distance, finger_stop_distance : float
        The same for the gripper's fingers over keep-out boxes [m]: to pick something up from a
        table they must come nearer to it than the arm should.
    approach_speed : float
        Fastest approach where slowing begins; falls to zero where it ends [m/s].

    """

    slow_distance: float
    stop_distance: float
    finger_slow_distance: float
    finger_stop_distance: float
    approach_speed: float

    def __post_init__(self) -> None:
        for kind in ('', 'finger_'):
            stop, slow = (getattr(self, f'{kind}{end}_distance') for end in ('stop', 'slow'))
            if not 0.0 <= stop < slow < np.inf:
                raise ConfigError(
                    f'clearance: needs 0 <= {kind}stop_distance < {kind}slow_distance, found '
                    f'{stop} m and {slow} m')
        _positive('clearance: approach_speed', self.approach_speed)


@dataclass(frozen=True)
class SingularityLimits:
    """Where motion toward a singularity is slowed, by the smallest singular value of the Jacobian.

    A condition number will not do: 91 % of a Piper's working poses exceed MoveIt Servo's threshold.

    Attributes
    ----------
    slow_below, halt_below : float
        Motion toward the singularity is slowed below the first and stopped below the second.
    resume_above : float
        Once stopped, motion toward it is allowed again above this.

    """

    slow_below: float
    halt_below: float
    resume_above: float

    def __post_init__(self) -> None:
        if not 0.0 < self.halt_below < self.resume_above <= self.slow_below < np.inf:
            raise ConfigError(
                f'singularity: needs 0 < halt_below < resume_above <= slow_below, found '
                f'{self.halt_below}, {self.resume_above} and {self.slow_below}')


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
