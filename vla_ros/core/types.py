"""What passes between the parts: observations, actions, action chunks and their convention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from vla_ros.core.errors import ConfigError, InputError

EE_DIMS = ('x', 'y', 'z', 'rx', 'ry', 'rz')
"""Names of the six end-effector dimensions of an action, in order."""

GRIPPER_DIM = 'gripper'
"""Name of the gripper dimension; always the last one when there is one."""


class ActionSpace(str, Enum):
    """What the numbers of an action mean."""

    EE_DELTA = 'ee_delta'
    EE_POSE = 'ee_pose'
    JOINT_POSITION = 'joint_position'
    JOINT_DELTA = 'joint_delta'


class ActionFrame(str, Enum):
    """The frame in which an end-effector action is expressed."""

    BASE = 'base'
    TOOL = 'tool'


class Rotation(str, Enum):
    """How three numbers stand for a rotation."""

    RPY = 'rpy'  # fixed-axis x, y, z (REP-103)
    AXIS_ANGLE = 'axis_angle'  # rotation vector


@dataclass(frozen=True)
class ActionConvention:
    """How to read an action of one checkpoint.

    ``translation_scale`` turns the policy's translations into metres and ``rotation_scale`` its
    rotations into radians. ``gripper_open`` and ``gripper_closed`` are the action's numbers for a
    fully open and a fully closed gripper (1 and 0 for Bridge, -1 and 1 for LIBERO, …).
    """

    space: ActionSpace = ActionSpace.EE_DELTA
    frame: ActionFrame = ActionFrame.BASE
    rotation: Rotation = Rotation.AXIS_ANGLE
    translation_scale: float = 1.0
    rotation_scale: float = 1.0
    gripper_open: float = 1.0
    gripper_closed: float = 0.0

    def __post_init__(self) -> None:
        values = (self.translation_scale, self.rotation_scale, self.gripper_open,
                  self.gripper_closed)
        if not all(np.isfinite(v) for v in values):
            raise ConfigError(f'action convention has a value that is not finite: {self}')
        if self.gripper_open == self.gripper_closed:
            raise ConfigError(
                f'action convention: gripper_open and gripper_closed are both {self.gripper_open}')

    def open_fraction(self, gripper: float) -> float:
        """Return how far the gripper shall open, 0 (closed) to 1 (open), for an action's number."""
        span = self.gripper_open - self.gripper_closed
        return min(max((gripper - self.gripper_closed) / span, 0.0), 1.0)


def check_dims(dims: tuple[str, ...], convention: ActionConvention) -> None:
    """Raise ConfigError unless the names of an action's columns fit its convention.

    End-effector spaces have ``x y z rx ry rz``, joint spaces distinct joint names; ``gripper`` may
    follow as the last one.
    """
    arm = dims[:-1] if dims and dims[-1] == GRIPPER_DIM else dims
    listed = ' '.join(dims) or 'none'
    if convention.space in (ActionSpace.EE_DELTA, ActionSpace.EE_POSE):
        if tuple(arm) != EE_DIMS:
            raise ConfigError(f'dimensions of {convention.space.value!r} must be '
                              f'{" ".join(EE_DIMS)} [{GRIPPER_DIM}], found {listed}')
    elif (not arm or len(set(arm)) != len(arm) or GRIPPER_DIM in arm or set(arm) & set(EE_DIMS)
          or '' in arm):
        raise ConfigError(f'dimensions of {convention.space.value!r} must be distinct joint names '
                          f'and then [{GRIPPER_DIM}], found {listed}')


@dataclass(frozen=True)
class Observation:
    """What a policy sees at one moment.

    Attributes
    ----------
    stamp_ns : int
        Time of the observation [ns], on the node's clock.
    instruction : str
        The task in words.
    images : Mapping[str, np.ndarray]
        Camera name -> (H, W, 3) uint8 RGB.
    state : Mapping[str, np.ndarray]
        ``joint_position`` (n,) [rad], ``gripper`` opening width [m], ``tool_pose`` (4, 4)
        T_base_tool [m]; in simulation also ``object/<name>`` (4, 4) in the base frame.

    """

    stamp_ns: int
    instruction: str
    images: Mapping[str, np.ndarray] = field(default_factory=dict)
    state: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class ActionChunk:
    """``H`` actions from one inference; step i is due at ``stamp_ns + i * dt_ns``.

    Attributes
    ----------
    stamp_ns : int
        Time of the observation that the actions answer [ns].
    dt_ns : int
        Time between two steps [ns], positive.
    actions : np.ndarray
        (H, D) float64, un-normalised, in the units of ``convention``.
    dims : tuple[str, ...]
        Names of the D columns.
    convention : ActionConvention
        How to read the numbers.
    source : str
        Which policy made it, for people.

    Raises
    ------
    InputError
        When the shape, dt or a value cannot be used (a NaN makes the whole chunk unusable).

    """

    stamp_ns: int
    dt_ns: int
    actions: np.ndarray
    dims: tuple[str, ...] = (*EE_DIMS, GRIPPER_DIM)
    convention: ActionConvention = field(default_factory=ActionConvention)
    source: str = ''

    def __post_init__(self) -> None:
        actions = np.array(self.actions, dtype=np.float64)
        if actions.ndim != 2 or actions.shape[0] == 0 or actions.shape[1] != len(self.dims):
            raise InputError(
                f'action chunk: expected actions of shape (H, {len(self.dims)}) for the '
                f'dimensions {" ".join(self.dims)}, found {actions.shape}')
        if not np.isfinite(actions).all():
            step, dim = np.argwhere(~np.isfinite(actions))[0]
            raise InputError(f'action chunk: step {step} has {actions[step, dim]} in '
                             f'{self.dims[dim]!r}; the whole chunk is refused')
        if not self.dt_ns > 0:
            raise InputError(f'action chunk: dt must be positive, found {self.dt_ns} ns')
        actions.setflags(write=False)
        object.__setattr__(self, 'actions', actions)

    @property
    def horizon(self) -> int:
        """Number of steps, H."""
        return int(self.actions.shape[0])

    @property
    def end_ns(self) -> int:
        """Time at which the last step has been carried out [ns]."""
        return self.stamp_ns + self.horizon * self.dt_ns
