"""Runs of a made-up arm in every convention: what a recorder would have kept of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vla_ros.core.quaternions import (
    conjugate,
    from_rpy,
    from_vectors,
    product,
    rotated,
    rotations,
    to_vectors,
)
from vla_ros.core.se3 import rpy_from_rotation
from vla_ros.replay.convention.recording import Recording

DIMS = ('x', 'y', 'z', 'rx', 'ry', 'rz', 'gripper')
START_NS = 1_700_000_000_000_000_000


@dataclass(frozen=True)
class Made:
    """How the actions and the state of a run are written."""

    space: str = 'ee_delta'
    frame: str = 'base'
    rotation: str = 'axis_angle'
    translation_unit: float = 1.0  # m
    rotation_unit: float = 1.0  # rad
    gripper: tuple[float, float] = (1.0, 0.0)  # open, closed
    state_rotation: str = 'rpy'
    lag: int = 0  # steps
    noise: float = 0.0  # part of the motion of a step
    dt: float = 0.1
    steps: int = 100
    turn: float = 0.25  # rad in a step, about
    still: bool = False
    gripper_still: bool = False
    seed: int = 0


def made_run(made: Made) -> Recording:
    """Return the recording of a smooth motion that was commanded as ``made`` says."""
    rng = np.random.default_rng(made.seed)
    size = made.steps + made.lag + 2
    moved = _smooth(rng, size, 0.012) * (not made.still)
    turned = _smooth(rng, size, made.turn) * (not made.still)
    position = np.array([0.4, 0.0, 0.2]) + np.cumsum(moved, axis=0)
    turn = from_vectors(turned)
    quaternion = np.empty((size, 4))
    quaternion[0] = from_rpy(np.array([[0.3, 0.2, -0.4]]))[0]
    for i in range(1, size):
        quaternion[i] = product(turn[i:i + 1], quaternion[i - 1:i])[0]
    opening = (np.sin(np.arange(size) / 9.0) > 0).astype(float) if not made.gripper_still else (
        np.ones(size))
    actions = np.column_stack((_actions(made, position, quaternion),
                               np.where(opening[1:] > 0.5, *made.gripper)))
    # The arm does after `lag` steps what it was told: what it was before that is held.
    late = np.maximum(np.arange(size) - made.lag, 0)
    state_p = position[late] + rng.normal(0.0, 1.0, (size, 3)) * 0.007 * made.noise
    state_q = product(from_vectors(rng.normal(0.0, 1.0, (size, 3)) * made.turn / 2 * made.noise),
                      quaternion[late])
    state = np.column_stack((state_p, _numbers(made.state_rotation, state_q),
                             0.07 * opening[late]))
    stamps = START_NS + np.round(np.arange(size) * made.dt * 1e9).astype(np.int64)
    names = (*'xyz', *(f'r{i}' for i in range(state.shape[1] - 4)), 'gripper')
    return Recording('made', stamps, state, names, stamps[:-1], actions, DIMS, stamps[:-1], made.dt)


def made_runs(made: Made, count: int = 2) -> list[Recording]:
    """Return some runs of different motion."""
    return [made_run(replace(made, seed=made.seed + i)) for i in range(count)]


def _smooth(rng: np.random.Generator, size: int, amount: float) -> np.ndarray:
    kernel = np.hanning(13)
    noise = rng.normal(0.0, 1.0, (size + 12, 3))
    out = np.column_stack([np.convolve(column, kernel, 'valid') for column in noise.T])
    return out / np.sqrt((out * out).mean()) * amount / np.sqrt(3.0)


def _actions(made: Made, position: np.ndarray, quaternion: np.ndarray) -> np.ndarray:
    p0, p1, q0, q1 = position[:-1], position[1:], quaternion[:-1], quaternion[1:]
    if made.space == 'ee_pose':
        p, q = p1, q1
    elif made.frame == 'tool':
        back = conjugate(q0)
        p, q = rotated(back, p1 - p0), product(back, q1)
    else:
        p, q = p1 - p0, product(q1, conjugate(q0))
    return np.column_stack((p / made.translation_unit,
                            _numbers(made.rotation, q) / made.rotation_unit))


def _numbers(kind: str, q: np.ndarray) -> np.ndarray:
    if kind == 'rpy':
        return np.array([rpy_from_rotation(R) for R in rotations(q)])
    if kind == 'axis_angle':
        return to_vectors(q)
    return q if kind == 'quaternion_xyzw' else q[:, [3, 0, 1, 2]]
