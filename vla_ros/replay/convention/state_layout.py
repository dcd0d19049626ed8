"""Which of a state's numbers are a position, a rotation, joints, or the gripper."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from vla_ros.core.quaternions import from_rpy, from_vectors
from vla_ros.core.se3 import quaternion_from_rotation
from vla_ros.core.types import GRIPPER_DIM
from vla_ros.replay.convention.track import Array, Poses

POSITION = ('x', 'y', 'z')
NAMES: dict[str, tuple[str, ...]] = {
    'rpy': ('roll', 'pitch', 'yaw'),
    'axis_angle': ('rx', 'ry', 'rz'),
    'quaternion_xyzw': ('qx', 'qy', 'qz', 'qw'),
    'quaternion_wxyz': ('qw', 'qx', 'qy', 'qz'),
}
"""Kind of rotation -> names of its numbers, as a policy's ``proprio`` has them."""

_FINGERS = ('finger_left', 'finger_right')


@dataclass(frozen=True)
class Layout:
    """A way to read a state.

    Attributes
    ----------
    rotation : str
        Key of ``NAMES``; ``joints`` for a state of arm joints with known kinematics.
    start : int
        Place of the first number of the position (or of the first joint).
    gripper : tuple[int, ...]
        Places of the gripper's number, or of its two fingers'.

    """

    rotation: str
    start: int
    gripper: tuple[int, ...] = ()

    @property
    def words(self) -> str:
        """How it is called in a finding."""
        return self.rotation + (f' behind {self.start} numbers' if self.start else '')

    def names(self, size: int, joints: int = 0, state: Array | None = None) -> tuple[str, ...]:
        """Return the names of all numbers of a state; ``?`` for those that are not understood.

        With the states (T, S) at hand a padding of zeros is named, and a rotation vector of more
        than half a turn is told from a shortest one.
        """
        own = (tuple(f'joint{i + 1}' for i in range(joints)) if self.rotation == 'joints'
               else (*POSITION, *NAMES[self.rotation]))
        if state is not None and self.rotation == 'axis_angle':
            vectors = state[:, self.start + 3:self.start + 6]
            if (np.linalg.norm(vectors, axis=1) > np.pi + 1e-3).any():
                own = (*POSITION, *(f'robosuite_{name}' for name in NAMES['axis_angle']))
        names = ['?'] * size
        if state is not None:
            names = ['zero' if not column.any() else '?' for column in state.T]
        names[self.start:self.start + len(own)] = own
        for place, name in zip(self.gripper, _FINGERS if len(self.gripper) == 2
                               else (GRIPPER_DIM,), strict=True):
            names[place] = name
        return tuple(names)

    def poses(self, state: Array) -> Poses:
        """Return the poses (T,) that the state (T, S) is of, read this way."""
        position = state[:, self.start:self.start + 3]
        first = self.start + 3
        numbers = state[:, first:first + len(NAMES[self.rotation])]
        if self.rotation == 'rpy':
            return Poses(position, from_rpy(numbers))
        if self.rotation == 'axis_angle':
            return Poses(position, from_vectors(numbers))
        if self.rotation == 'quaternion_wxyz':
            numbers = numbers[:, [1, 2, 3, 0]]
        return Poses(position, numbers / np.linalg.norm(numbers, axis=1, keepdims=True))


def pose_layouts(state: Array) -> list[Layout]:
    """Return every way in which a state (T, S) could be a pose, by its numbers alone."""
    found = []
    for start in range(state.shape[1] - 5):
        gripper = gripper_places(state, start + 6)
        found += [Layout(kind, start, gripper) for kind in ('rpy', 'axis_angle')
                  if _possible(kind, state[:, start + 3:start + 6])]
        if start + 7 <= state.shape[1] and _unit(state[:, start + 3:start + 7]):
            gripper = gripper_places(state, start + 7)
            found = [layout for layout in found if layout.start != start]
            found += [Layout(kind, start, gripper)
                      for kind in ('quaternion_xyzw', 'quaternion_wxyz')]
    return found


def gripper_places(state: Array, first: int) -> tuple[int, ...]:
    """Return where the gripper is behind an arm's numbers: the last one, or two opposite ones."""
    size = state.shape[1]
    if size - first >= 2:
        left, right = state[:, -2], state[:, -1]
        if np.abs(left + right).max() <= 0.05 * max(float(np.abs(left).max()), 1e-9):
            return size - 2, size - 1
    return (size - 1,) if size > first else ()


def joint_layout(names: Sequence[str], joints: Sequence[str],
                 gripper: str) -> tuple[Layout, list[int]] | None:
    """Return the layout of a state with an arm's joints, and their places; None without them all.
    """
    if not joints or any(joint not in names for joint in joints):
        return None
    places = [names.index(joint) for joint in joints]
    own = (names.index(gripper),) if gripper in names else ()
    return Layout('joints', min(places), own), places


def forward_poses(q: Array, forward: Callable[[Array], Array]) -> Poses:
    """Return the poses of joint positions (T, n) [rad]; ``forward`` gives T_base_tool (4, 4)."""
    poses = [forward(row) for row in q]
    return Poses(np.array([T[:3, 3] for T in poses]),
                 np.array([quaternion_from_rotation(T[:3, :3]) for T in poses]))


def _possible(kind: str, numbers: Array) -> bool:
    """Return whether numbers (T, 3) may be such a rotation at all."""
    if kind == 'rpy':
        return bool((np.abs(numbers[:, 1]) <= np.pi / 2 + 1e-3).all()
                    and (np.abs(numbers) <= 2 * np.pi + 1e-3).all())
    return bool((np.linalg.norm(numbers, axis=1) <= 2 * np.pi + 1e-3).all())


def _unit(numbers: Array) -> bool:
    return bool((np.abs(np.linalg.norm(numbers, axis=1) - 1.0) <= 1e-2).all())
