"""What the arm did, or was commanded, as actions that a policy's chunks are compared with."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from vla_ros.core import se3
from vla_ros.core.errors import InputError
from vla_ros.core.types import (
    GRIPPER_DIM,
    ActionConvention,
    ActionFrame,
    ActionSpace,
    Rotation,
)
from vla_ros.replay.bag import Bag
from vla_ros.replay.bag_observations import BagReaders, StateReader

_LONGEST_GAP_NS = 500_000_000  # between two samples; across a longer one nothing is known


class RecordedMotion:
    """Joints or tool poses over time, read as the actions of a convention.

    Step i of a chunk is from ``stamp + i dt`` to one dt later; a number is what the arm did in
    that time (deltas), or where it was at the end of it (poses, joints, gripper).

    Parameters
    ----------
    kind : str
        ``commands`` or ``states``.
    times_ns : np.ndarray
        (T,) increasing [ns].
    vectors : np.ndarray
        (T, n): joints [rad], or position and roll, pitch, yaw [m, rad].
    openings : np.ndarray | None
        (T,) how far the gripper is open, 0 to 1; None where it is not known.
    tool_pose : Callable[[np.ndarray], np.ndarray] | None
        (n,) -> T_base_tool (4, 4); None where the vectors do not tell it.
    joints : tuple[str, ...]
        Names of the vectors' numbers where they are joints; empty otherwise.

    """

    def __init__(self, kind: str, times_ns: np.ndarray, vectors: np.ndarray,
                 openings: np.ndarray | None,
                 tool_pose: Callable[[np.ndarray], np.ndarray] | None,
                 joints: tuple[str, ...] = ()) -> None:
        if not len(times_ns):
            raise InputError(f'{kind}: none that can be read')
        self.kind = kind
        self._times, self._vectors, self._openings = times_ns, vectors, openings
        self._tool_pose, self._joints = tool_pose, joints
        self._dims: tuple[str, ...] = ()
        self._convention = ActionConvention()

    def fitted(self, dims: tuple[str, ...], convention: ActionConvention) -> RecordedMotion:
        """Return the same motion, to be read as actions of this convention.

        Raises
        ------
        InputError
            When the motion does not tell them.

        """
        arm = dims[:-1] if dims[-1] == GRIPPER_DIM else dims
        if convention.space in (ActionSpace.EE_DELTA, ActionSpace.EE_POSE):
            if self._tool_pose is None:
                raise InputError(f'{self.kind}: they do not tell the pose of the tool, which the '
                                 f"policy's {convention.space.value} is compared with")
        elif len(arm) != len(self._joints):
            raise InputError(f'{self.kind}: {len(self._joints)} joints, the policy has {len(arm)}')
        out = RecordedMotion(self.kind, self._times, self._vectors, self._openings,
                             self._tool_pose, self._joints)
        out._dims, out._convention = dims, convention
        return out

    def actions(self, stamp_ns: int, horizon: int, dt_ns: int) -> np.ndarray:
        """Return (horizon, D) what was done in the steps of a chunk; NaN where it is not known."""
        knots = stamp_ns + np.arange(horizon + 1) * dt_ns
        out = np.full((horizon, len(self._dims)), np.nan)
        known = self._known(knots)
        steps = known[:-1] & known[1:] & known[0]
        if not steps.any():
            return out
        # From the first sample on: a double cannot hold nanoseconds since 1970.
        at, times = knots - self._times[0], self._times - self._times[0]
        vectors = np.array([np.interp(at, times, column) for column in self._vectors.T]).T
        arm = self._of_joints(vectors) if self._in_joints else self._of_tool(vectors)
        width = arm.shape[1]
        out[steps, :width] = arm[steps]
        if self._dims[-1] == GRIPPER_DIM and self._openings is not None:
            c = self._convention
            share = np.interp(at[1:], times, self._openings)
            out[steps, -1] = (c.gripper_closed
                              + share * (c.gripper_open - c.gripper_closed))[steps]
        return out

    @property
    def _in_joints(self) -> bool:
        return self._convention.space in (ActionSpace.JOINT_POSITION, ActionSpace.JOINT_DELTA)

    def _known(self, knots: np.ndarray) -> np.ndarray:
        after = np.searchsorted(self._times, knots)
        inside = (knots >= self._times[0]) & (knots <= self._times[-1])
        after = np.clip(after, 1, max(len(self._times) - 1, 1))
        if len(self._times) < 2:
            return np.asarray(inside)
        gap = self._times[after] - self._times[after - 1]
        return np.asarray(inside & (gap <= _LONGEST_GAP_NS))

    def _of_joints(self, vectors: np.ndarray) -> np.ndarray:
        arm = self._dims[:-1] if self._dims[-1] == GRIPPER_DIM else self._dims
        order = ([self._joints.index(name) for name in arm] if set(arm) == set(self._joints)
                 else list(range(len(arm))))
        q = vectors[:, order]
        moved = np.diff(q, axis=0) if self._convention.space is ActionSpace.JOINT_DELTA else q[1:]
        return moved / self._convention.rotation_scale

    def _of_tool(self, vectors: np.ndarray) -> np.ndarray:
        assert self._tool_pose is not None
        poses = [self._tool_pose(vector) for vector in vectors]
        return np.array([self._action(poses[0], before, after)
                         for before, after in pairwise(poses)])

    def _action(self, anchor: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Return the six numbers; the inverse of how :class:`Steps` reads them."""
        c = self._convention
        in_tool = c.frame is ActionFrame.TOOL
        if c.space is ActionSpace.EE_POSE:
            T = se3.inverse(anchor) @ after if in_tool else after
            p, R = T[:3, 3], T[:3, :3]
        elif in_tool:
            T = se3.inverse(before) @ after
            p, R = T[:3, 3], T[:3, :3]
        else:
            p, R = after[:3, 3] - before[:3, 3], after[:3, :3] @ before[:3, :3].T
        turn = se3.rpy_from_rotation if c.rotation is Rotation.RPY else se3.vector_from_rotation
        return np.concatenate((p / c.translation_scale, turn(R) / c.rotation_scale))


def read_motion(kind: str, bag: Bag, topic: str, readers: BagReaders,
                read: StateReader) -> RecordedMotion:
    """Return the motion that the messages of a topic tell.

    Messages that cannot be read are passed over: where too many are missing, the motion is not
    known.

    Raises
    ------
    InputError
        When none can be read; says why not.

    """
    times, vectors, openings = [], [], []
    why = ''
    for record in bag.records([topic]):
        try:
            state = read(bag.message(record))
        except InputError as error:
            why = str(error)
            continue
        if state is None or (times and state[0] <= times[-1]):
            continue
        times.append(state[0])
        vectors.append(state[1])
        openings.append(readers.opening(state[1], state[2]))
    if not times:
        raise InputError(f'{kind}: nothing on {topic} can be read{f": {why}" if why else ""}')
    known = [opening for opening in openings if opening is not None]
    array = np.stack(vectors)
    if readers.angles:
        columns = list(readers.angles)
        array[:, columns] = np.unwrap(array[:, columns], axis=0)
    return RecordedMotion(kind, np.array(times, dtype=np.int64), array,
                          np.array(known) if len(known) == len(times) else None,
                          readers.tool_pose, readers.joints)
