"""A chunk as an absolute trajectory: where the tool, or the joints, shall be at every moment.

A chunk of deltas says how to move, not where to. Added up from the pose that was commanded at the
time of its observation it says where, and a chunk that comes late then says the same as one that
comes at once. Chunks can be compared and averaged, and what one tick did not reach is still asked
for in the next.

Between its knots a trajectory follows :mod:`vla_ros.core.spline`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.core.quaternions import (
    conjugate,
    from_rpy,
    from_vectors,
    product,
    right_matrices,
    rotated,
    to_vectors,
)
from vla_ros.core.se3 import quaternion_from_rotation
from vla_ros.core.spline import linear_part, pose_table, turn_part
from vla_ros.core.types import (
    EE_DIMS,
    GRIPPER_DIM,
    ActionChunk,
    ActionFrame,
    ActionSpace,
    Rotation,
)

Array = NDArray[np.float64]

_LARGEST = 1e6  # m or rad; no arm's action, and squares, sums and velocities of it stay finite


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Where a chunk wants the tool, or the joints, over time.

    Knot 0 is the anchor, due at the chunk's stamp; knot i+1 is reached when action i has been
    carried out, at stamp + (i+1) dt.

    Attributes
    ----------
    chunk : ActionChunk
        What it was made from.
    arrival_ns : int
        When the chunk became known, on the time axis on which it is played [ns].
    position, quaternion : np.ndarray | None
        (H+1, 3) [m] and (H+1, 4) x y z w of T_base_tool at the knots; None for joint actions.
    joints : np.ndarray | None
        (H+1, n) [rad] at the knots; None for end-effector actions.
    table : np.ndarray
        (H+1, C): a row of the spline for each knot.

    """

    chunk: ActionChunk
    arrival_ns: int
    position: Array | None
    quaternion: Array | None
    joints: Array | None
    table: Array = field(repr=False)

    @cached_property
    def stamp_ns(self) -> int:
        """Time of the observation, and of knot 0 [ns]."""
        return self.chunk.stamp_ns

    @cached_property
    def dt_ns(self) -> int:
        """Time between two knots [ns]."""
        return self.chunk.dt_ns

    @cached_property
    def end_ns(self) -> int:
        """Time of the last knot [ns]; from then on the trajectory says nothing."""
        return self.chunk.end_ns

    @property
    def cartesian(self) -> bool:
        """Whether it is one of the tool (and not of the joints)."""
        return self.joints is None


class _Anchor(Enum):
    """What the anchor does to the knots that were computed without it."""

    BASE = auto()  # p_0 + p, R R_0: displacements and turns about the base's axes
    TOOL = auto()  # T_0 T: everything is relative to the anchor's own axes
    ABSOLUTE = auto()  # it is knot 0 and the others do not depend on it


@dataclass(frozen=True, eq=False)
class Steps:
    """What can be computed of a trajectory before its anchor is known.

    Made once for a chunk, away from the control loop; :meth:`anchored` is cheap.

    How the action spaces are read (scales and the rotation's form as the convention says):

    - ``ee_delta``, base frame: p += d, R = exp(r) R, a turn about the tool's own origin.
    - ``ee_delta``, tool frame: T = T (exp(r), d).
    - ``ee_pose``, base frame: the action is T_base_tool.
    - ``ee_pose``, tool frame: the action is T_anchor_tool, the pose relative to that of the tool
      when the chunk's observation was made (the relative trajectories of UMI, Chi et al. 2024).
    - ``joint_position``: the action is the joints; ``joint_delta``: q += action. Joints are angles,
      so ``rotation_scale`` is theirs.

    """

    chunk: ActionChunk
    _anchor: _Anchor
    _linear: Array  # (H+1, 3, 3 or n)
    _quaternion: Array | None = None  # (H+1, 4)
    _turns: Array | None = None  # (H+1, 5, 3)

    @classmethod
    def of(cls, chunk: ActionChunk, n_joints: int) -> Steps:
        """Return the steps of a chunk for an arm with ``n_joints`` joints.

        Raises
        ------
        ConfigError
            When the chunk's dimensions are not those of its action space.
        InputError
            When a number is so large that it is no motion of an arm.

        """
        convention = chunk.convention
        joint_space = convention.space in (ActionSpace.JOINT_POSITION, ActionSpace.JOINT_DELTA)
        width = _check_dims(chunk, n_joints if joint_space else None)
        scale = np.full(width, convention.rotation_scale)
        if not joint_space:
            scale[:3] = convention.translation_scale
        with np.errstate(over='ignore'):  # what overflows is refused
            actions = chunk.actions[:, :width] * scale
        if not (np.abs(actions) <= _LARGEST).all():
            step, dim = np.argwhere(~(np.abs(actions) <= _LARGEST))[0]
            raise InputError(
                f'action chunk: step {step} has {actions[step, dim]:g} m or rad in '
                f'{chunk.dims[dim]!r} (after scaling); the whole chunk is refused')
        if joint_space:
            delta = convention.space is ActionSpace.JOINT_DELTA
            knots = _from_zero(np.cumsum(actions, axis=0) if delta else actions)
            return cls(chunk, _Anchor.BASE if delta else _Anchor.ABSOLUTE, linear_part(knots))
        return cls._of_tool(chunk, actions)

    @classmethod
    def _of_tool(cls, chunk: ActionChunk, actions: Array) -> Steps:
        convention = chunk.convention
        in_tool = convention.frame is ActionFrame.TOOL
        d = actions[:, :3]
        s = (from_rpy if convention.rotation is Rotation.RPY else from_vectors)(actions[:, 3:])
        if convention.space is ActionSpace.EE_DELTA:
            anchor = _Anchor.TOOL if in_tool else _Anchor.BASE
            quaternion = _accumulated(s, in_tool)
            r = to_vectors(s)
            if in_tool:
                d, r = rotated(quaternion[:-1], d), rotated(quaternion[:-1], r)
            position = _from_zero(np.cumsum(d, axis=0))
        else:
            anchor = _Anchor.TOOL if in_tool else _Anchor.ABSOLUTE
            position = _from_zero(d)
            quaternion = np.concatenate(([[0.0, 0.0, 0.0, 1.0]], s))
            r = to_vectors(product(quaternion[1:], conjugate(quaternion[:-1])))
        before, after = np.concatenate((r[:1], r)), np.concatenate((r, r[-1:]))
        return cls(chunk, anchor, linear_part(position), quaternion, turn_part(before, after))

    def anchored(self, T_base_tool: Array, q: Array, arrival_ns: int) -> Trajectory:
        """Return the trajectory from a pose and joints that belong to the chunk's stamp.

        Parameters
        ----------
        T_base_tool : np.ndarray
            (4, 4) pose of the tool at the chunk's stamp [m].
        q : np.ndarray
            (n,) joints at the chunk's stamp [rad].
        arrival_ns : int
            When the chunk became known, on the time axis on which it is played [ns].

        """
        if self._quaternion is None:
            linear = self._anchored_linear(q, None)
            table = linear.reshape(len(linear), -1)
            table.setflags(write=False)
            return Trajectory(self.chunk, arrival_ns, None, None, table[:, :len(q)], table)

        R = T_base_tool[:3, :3]
        linear = self._anchored_linear(T_base_tool[:3, 3], R)
        quaternion, turns = self._anchored_turns(quaternion_from_rotation(R), R)
        table = pose_table(linear, turns, quaternion)
        table.setflags(write=False)
        quaternion.setflags(write=False)
        return Trajectory(self.chunk, arrival_ns, table[:, :3], quaternion, None, table)

    def _anchored_linear(self, start: Array, R: Array | None) -> Array:
        linear: Array
        if R is not None and self._anchor is _Anchor.TOOL:
            linear = self._linear @ R.T
        else:
            linear = self._linear.copy()
        if self._anchor is not _Anchor.ABSOLUTE:
            linear[:, 0] += start
            return linear
        step = linear[1, 0] - start
        linear[0] = start, step, step
        linear[1, 1] = step
        if len(linear) == 2:
            linear[1, 2] = step
        return linear

    def _anchored_turns(self, start: Array, R: Array) -> tuple[Array, Array]:
        """Return the quaternions (H+1, 4) and the rotation steps (H+1, 5, 3) in base axes."""
        assert self._quaternion is not None and self._turns is not None
        quaternion: Array
        turns: Array
        if self._anchor is _Anchor.BASE:
            quaternion = self._quaternion @ right_matrices(start)
            return quaternion, self._turns
        if self._anchor is _Anchor.TOOL:
            quaternion, turns = start @ right_matrices(self._quaternion), self._turns @ R.T
            return quaternion, turns
        quaternion, turns = self._quaternion.copy(), self._turns.copy()
        quaternion[0] = start
        first = to_vectors(product(quaternion[1:2], conjugate(quaternion[:1])))
        second = turns[1:2, 1] if len(turns) > 2 else first
        turns[:2] = turn_part(np.concatenate((first, first)), np.concatenate((first, second)))
        return quaternion, turns


def _check_dims(chunk: ActionChunk, n_joints: int | None) -> int:
    """Return how many columns move the arm; raise ConfigError when they are not what they must be.

    ``n_joints`` is None for end-effector actions.
    """
    names = chunk.dims[:-1] if chunk.dims[-1] == GRIPPER_DIM else chunk.dims
    if n_joints is None:
        good, expected = names == EE_DIMS, ' '.join(EE_DIMS)
    else:
        foreign = {*EE_DIMS, GRIPPER_DIM}.intersection(names)
        good = len(names) == len(set(names)) == n_joints and not foreign
        expected = f'{n_joints} joint names'
    if not good:
        raise ConfigError(
            f'action dimensions for the space {chunk.convention.space.value!r}: expected '
            f'{expected} [{GRIPPER_DIM}], found {" ".join(chunk.dims)}')
    return len(names)


def _from_zero(knots: Array) -> Array:
    out: Array = np.concatenate((np.zeros((1, knots.shape[1])), knots))
    return out


def _accumulated(s: Array, in_tool: bool) -> Array:
    """Return the products (H+1, 4) of the steps' quaternions, from the identity on.

    In plain floats: a product depends on the one before, and an array operation costs more than
    the sixteen multiplications.
    """
    x, y, z, w = 0.0, 0.0, 0.0, 1.0
    out = [(x, y, z, w)]
    for step in s.tolist():
        if in_tool:
            (a, b, c, d), (i, j, k, m) = (x, y, z, w), step
        else:
            (a, b, c, d), (i, j, k, m) = step, (x, y, z, w)
        x = d * i + a * m + b * k - c * j
        y = d * j - a * k + b * m + c * i
        z = d * k + a * j - b * i + c * m
        w = d * m - a * i - b * j - c * k
        out.append((x, y, z, w))
    quaternion: Array = np.array(out)
    quaternion /= np.sqrt((quaternion * quaternion).sum(axis=1))[:, None]
    return quaternion
