"""The motion that an action would mean under each convention, beside the one that was measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.quaternions import conjugate, from_rpy, from_vectors, product, rotated, to_vectors
from vla_ros.core.types import ActionFrame, ActionSpace, Rotation
from vla_ros.replay.convention.fit import Fit
from vla_ros.replay.convention.track import Array, Clock, Poses, Times, between, poses_between

_DEGREE = np.pi / 180.0


class Turning(str, Enum):
    """How the rotation of an end-effector delta is meant."""

    BASE = 'about base axes'
    TOOL = 'about tool axes'
    ADDED = 'added to roll, pitch, yaw'


@dataclass(frozen=True)
class Candidate:
    """One convention, without its scales and its gripper.

    ``turning`` is of deltas, ``rotation`` of poses only: of small deltas it cannot be seen in how
    much they explain (see ``rotation_kind``).
    """

    space: ActionSpace
    frame: ActionFrame = ActionFrame.BASE
    turning: Turning | None = None
    rotation: Rotation | None = None
    unit: float = 1.0  # radians of the rotation numbers' unit, of poses

    @property
    def absolute(self) -> bool:
        """Whether an action says where to be, and not how far to go."""
        return (self.space is ActionSpace.JOINT_POSITION
                or (self.space is ActionSpace.EE_POSE and self.frame is ActionFrame.BASE))


_B, _T = ActionFrame.BASE, ActionFrame.TOOL
TOOL_CANDIDATES: tuple[Candidate, ...] = (
    Candidate(ActionSpace.EE_DELTA, _B, Turning.BASE),
    Candidate(ActionSpace.EE_DELTA, _B, Turning.ADDED),
    Candidate(ActionSpace.EE_DELTA, _B, Turning.TOOL),
    Candidate(ActionSpace.EE_DELTA, _T, Turning.TOOL),
    *(Candidate(ActionSpace.EE_POSE, frame, None, rotation, unit)
      for frame in (_B, _T) for rotation in Rotation for unit in (1.0, _DEGREE)))
JOINT_CANDIDATES = (Candidate(ActionSpace.JOINT_DELTA), Candidate(ActionSpace.JOINT_POSITION))


@dataclass(frozen=True, eq=False)
class Samples:
    """Actions beside the motion that followed: for each group of numbers (translation, rotation or
    joints) the action and the measured motion (N, A), and the block (N,) of each sample.
    """

    groups: tuple[str, ...]
    action: tuple[Array, ...]
    measured: tuple[Array, ...]
    block: NDArray[np.intp]

    def fits(self, blocks: int, offset: bool) -> tuple[Fit, ...]:
        """Return the fit of each group."""
        return tuple(Fit.of(a, m, self.block, blocks, offset)
                     for a, m in zip(self.action, self.measured, strict=True))


@dataclass(frozen=True, eq=False)
class Run:
    """What is compared, of one recording; ``poses`` or ``joints`` may be unknown.

    Attributes
    ----------
    clock : Clock
        When the states were measured.
    poses : Poses | None
        T_base_tool at each state.
    joints : np.ndarray | None
        (T, n) at each state [rad].
    action_ns, anchor_ns, actions, dt
        Of the recording, the arm's numbers only.
    block : np.ndarray
        (N,) number of each action's block.

    """

    clock: Clock
    poses: Poses | None
    joints: Array | None
    action_ns: Times
    anchor_ns: Times
    actions: Array
    dt: float
    block: NDArray[np.intp]
    _around: dict[float, tuple[Poses, Poses, NDArray[np.bool_]]] = field(default_factory=dict)

    def around(self, lag: float) -> tuple[Poses, Poses, NDArray[np.bool_]]:
        """Return the poses before and after each action that is known, and which are; cached."""
        if lag not in self._around:
            assert self.poses is not None
            first, last, good = _window(self, lag)
            self._around[lag] = (poses_between(self.poses, *first).taken(good),
                                 poses_between(self.poses, *last).taken(good), good)
        return self._around[lag]


def samples(runs: Sequence[Run], candidate: Candidate, lag_steps: float) -> Samples:
    """Return the samples of all runs for a candidate, the motion taken ``lag_steps`` later."""
    joint = candidate.space in (ActionSpace.JOINT_DELTA, ActionSpace.JOINT_POSITION)
    parts = list(_joint_parts(runs, candidate, lag_steps) if joint
                 else _tool_parts(runs, candidate, lag_steps))
    action, measured = (tuple(np.concatenate(group) for group in zip(*side, strict=True))
                        for side in ([p[0] for p in parts], [p[1] for p in parts]))
    block = np.concatenate([part[2] for part in parts])
    keep = _without_jumps(measured, candidate.absolute)
    return Samples(('joints',) if joint else ('translation', 'rotation'),
                   tuple(a[keep] for a in action), tuple(m[keep] for m in measured), block[keep])


_Part = tuple[tuple[Array, ...], tuple[Array, ...], NDArray[np.intp]]


def _joint_parts(runs: Sequence[Run], candidate: Candidate, lag: float) -> Iterator[_Part]:
    for run in runs:
        assert run.joints is not None
        first, last, good = _window(run, lag)
        before, after = between(run.joints, *first), between(run.joints, *last)
        moved = after if candidate.absolute else after - before
        yield (run.actions[good],), (moved[good],), run.block[good]


def _tool_parts(runs: Sequence[Run], candidate: Candidate, lag: float) -> Iterator[_Part]:
    for run in runs:
        assert run.poses is not None
        before, after, good = run.around(lag)
        actions, block = run.actions[good], run.block[good]
        if candidate.space is ActionSpace.EE_DELTA:
            yield (actions[:, :3], actions[:, 3:]), _delta(before, after, candidate), block
            continue
        turned = _turn(actions[:, 3:] * candidate.unit, candidate.rotation)
        if candidate.absolute:
            # Rotations as vectors about one that is in their midst: near it they add up.
            middle = conjugate(run.poses.quaternion[:1]).repeat(len(turned), axis=0)
            yield ((actions[:, :3], to_vectors(product(middle, turned))),
                   (after.position, to_vectors(product(middle, after.quaternion))), block)
            continue
        *place, seen = run.clock.place(run.anchor_ns[good])
        anchor = poses_between(run.poses, *place)
        back = conjugate(anchor.quaternion)
        moved = rotated(back, after.position - anchor.position)
        turn = to_vectors(product(back, after.quaternion))
        yield ((actions[seen, :3], to_vectors(turned)[seen]), (moved[seen], turn[seen]),
               block[seen])


def _window(run: Run, lag: float) -> tuple[tuple[NDArray[np.intp], Array],
                                           tuple[NDArray[np.intp], Array], NDArray[np.bool_]]:
    step_ns = round(run.dt * 1e9)
    begin = run.action_ns + round(lag * step_ns)
    *first, a = run.clock.place(begin)
    *last, b = run.clock.place(begin + step_ns)
    return (first[0], first[1]), (last[0], last[1]), a & b


def _delta(before: Poses, after: Poses, candidate: Candidate) -> tuple[Array, Array]:
    moved = after.position - before.position
    if candidate.frame is ActionFrame.TOOL:
        moved = rotated(conjugate(before.quaternion), moved)
    if candidate.turning is Turning.ADDED:
        change = rpy(after.quaternion) - rpy(before.quaternion)
        return moved, (change + np.pi) % (2 * np.pi) - np.pi
    back = conjugate(before.quaternion)
    turn = (product(back, after.quaternion) if candidate.turning is Turning.TOOL
            else product(after.quaternion, back))
    return moved, to_vectors(turn)


def _turn(numbers: Array, rotation: Rotation | None) -> Array:
    return from_rpy(numbers) if rotation is Rotation.RPY else from_vectors(numbers)


def rpy(q: Array) -> Array:
    """Return roll, pitch, yaw (N, 3) [rad], about fixed axes, of quaternions (N, 4)."""
    x, y, z, w = q.T
    return np.column_stack((
        np.arctan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y)),
        np.arcsin(np.clip(2 * (w * y - z * x), -1.0, 1.0)),
        np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))))


def _without_jumps(measured: tuple[Array, ...], absolute: bool) -> NDArray[np.bool_]:
    """Return which samples are no glitch of the state: motion far beyond what is usual."""
    keep = np.ones(len(measured[0]), bool)
    if absolute or not len(keep):
        return keep
    for group in measured:
        length = np.sqrt((group * group).sum(axis=1))
        usual = float(np.quantile(length, 0.95))
        keep &= length <= (10.0 * usual if usual > 0.0 else np.inf)
    return keep
