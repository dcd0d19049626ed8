"""Temporal ensembling: one motion from all chunks that predict the present moment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import ConfigError
from vla_ros.core.se3 import rotation_from_rpy, vector_from_rotation
from vla_ros.core.types import (
    EE_DIMS,
    GRIPPER_DIM,
    ActionChunk,
    ActionFrame,
    ActionSpace,
    Rotation,
)

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Motion:
    """What the policy wants at one moment.

    Attributes
    ----------
    twist : np.ndarray
        (6,) tool velocity [m/s, rad/s] in the frame of the chunks' convention.
    frame : ActionFrame
        Whose axes the twist is in.
    open_fraction : float | None
        Wanted gripper opening, 0 closed to 1 open; None when the policy has no gripper.
    stamps_ns, weights : tuple
        The chunks that took part, by the time of their observation, and their weights (sum 1).

    """

    twist: Array
    frame: ActionFrame
    open_fraction: float | None
    stamps_ns: tuple[int, ...]
    weights: tuple[float, ...]


def check_supported(chunk: ActionChunk) -> None:
    """Raise ConfigError unless the chunk is one that can be executed today."""
    if chunk.convention.space is not ActionSpace.EE_DELTA:
        raise ConfigError(
            f'action space {chunk.convention.space.value!r} is not executed yet. '
            f'Choices: {ActionSpace.EE_DELTA.value}')
    if chunk.dims not in (EE_DIMS, (*EE_DIMS, GRIPPER_DIM)):
        raise ConfigError(f'action dimensions: expected {" ".join(EE_DIMS)} [{GRIPPER_DIM}], '
                          f'found {" ".join(chunk.dims)}')


def twists(chunk: ActionChunk) -> Array:
    """Return the chunk's end-effector deltas as velocities (H, 6) [m/s, rad/s], in its frame.

    A step's displacement is spread evenly over its ``dt``, so that the sum over the control ticks
    of one step is the step, whatever the control rate.
    """
    convention = chunk.convention
    out = np.array(chunk.actions[:, :6])
    out[:, :3] *= convention.translation_scale
    out[:, 3:] *= convention.rotation_scale
    if convention.rotation is Rotation.RPY:
        for row in out:
            row[3:] = vector_from_rotation(rotation_from_rpy(*row[3:]))
    return out / (chunk.dt_ns * 1e-9)


class Ensembler:
    """Weighted mean of all predictions for one moment, with the weights of ACT indexed by time.

    ACT (Zhao et al. 2023) weighs the i-th prediction by exp(-m i), i = 0 the oldest, and assumes
    one inference a step. Inferences here come when they are ready, so i is the time between the
    observations, in steps: w = exp(-m (stamp - oldest stamp) / dt).

    The gripper is never averaged: the newest chunk decides. A mean of *open* and *close* is a half
    open gripper that holds nothing.

    Parameters
    ----------
    coefficient : float
        m; 0 weighs all alike, positive trusts old predictions more, negative new ones.

    """

    def __init__(self, coefficient: float = 0.01) -> None:
        if not math.isfinite(coefficient):
            raise ConfigError(f'ensemble_coefficient must be finite, found {coefficient}')
        self.coefficient = coefficient
        self._twists: WeakKeyDictionary[ActionChunk, Array] = WeakKeyDictionary()

    def motion(self, chunks: Sequence[ActionChunk], now_ns: int) -> Motion | None:
        """Return the wanted motion at this time; None when no chunk predicts it.

        ``chunks`` come oldest first. Chunks of another convention than the newest one's are left
        out: their numbers mean something else.
        """
        convention = chunks[-1].convention if chunks else None
        live = [(c, (now_ns - c.stamp_ns) // c.dt_ns) for c in chunks
                if c.convention == convention and c.stamp_ns <= now_ns < c.end_ns]
        if not live:
            return None
        oldest = live[0][0].stamp_ns
        raw = [math.exp(-self.coefficient * (c.stamp_ns - oldest) / c.dt_ns) for c, _ in live]
        total = sum(raw)
        weights = tuple(w / total for w in raw)
        twist = np.zeros(6)
        for (chunk, step), weight in zip(live, weights, strict=True):
            twist += weight * self._twists_of(chunk)[step]
        newest, step = live[-1]
        fraction = None
        if newest.dims[-1] == GRIPPER_DIM:
            fraction = newest.convention.open_fraction(float(newest.actions[step, -1]))
        stamps = tuple(c.stamp_ns for c, _ in live)
        return Motion(twist, newest.convention.frame, fraction, stamps, weights)

    def _twists_of(self, chunk: ActionChunk) -> Array:
        cached = self._twists.get(chunk)
        if cached is None:
            cached = self._twists[chunk] = twists(chunk)
        return cached
