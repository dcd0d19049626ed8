"""States and actions of one recorded run, with their times, from a bag or from numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import InputError, unknown_choice
from vla_ros.core.types import EE_DIMS, GRIPPER_DIM
from vla_ros.replay.bag import Bag
from vla_ros.replay.stamps import to_ns
from vla_ros.replay.topic_choice import INPUTS, RECORDED, Input, choose, missing

Array = NDArray[np.float64]
Times = NDArray[np.int64]

POSE = 'geometry_msgs/msg/PoseStamped'
TOOL_POSE = {'tool_pose': Input((POSE,), ('tool_pose', 'tcp_pose', 'end_pose', 'eef_pose',
                                          'ee_pose'), ('command', 'target', 'goal'))}


@dataclass(frozen=True, eq=False)
class Recording:
    """One run.

    Attributes
    ----------
    name : str
        For people.
    state_ns, state, state_names
        (T,) increasing [ns], (T, S) measured numbers, and their names.
    action_ns, actions, action_names
        (N,) when each action begins [ns], (N, D), and their names (the last may be ``gripper``).
    anchor_ns : np.ndarray
        (N,) time of the observation that each action answers [ns].
    dt : float
        How long one action lasts [s], as the recording says it.
    chunk_steps : int
        Steps of a chunk; 1: the time of an action is the time to the next one.

    """

    name: str
    state_ns: Times
    state: Array
    state_names: tuple[str, ...]
    action_ns: Times
    actions: Array
    action_names: tuple[str, ...]
    anchor_ns: Times
    dt: float
    chunk_steps: int = 1

    @property
    def arm(self) -> int:
        """How many of an action's numbers, the first ones, are the arm's."""
        names = self.action_names
        if names and (GRIPPER_DIM in names[-1] or (
                len(names) == len(EE_DIMS) + 1 and not set(names) <= set(self.state_names))):
            return len(names) - 1
        return len(names)


ACTIONS = ('auto', 'chunks', 'commands')


def read_recording(path: Path, given: Mapping[str, str] | None = None,
                   actions: str = 'auto') -> Recording:
    """Return the run of a bag: its states and its actions.

    Of each chunk the steps that are due before the next chunk's observation are taken. Without
    chunks and commands there are no actions.

    Parameters
    ----------
    path : Path
        The bag.
    given : Mapping[str, str] | None
        Input (``state``, ``tool_pose``, ``chunks``, ``commands``) -> topic.
    actions : str
        One of ``ACTIONS``; ``auto`` takes the chunks, else the commands.

    Raises
    ------
    ConfigError
        When a given topic does not fit, or there is no such kind of actions.
    InputError
        When there is no state, the bag has not the actions that are asked for, or a message cannot
        be used.

    """
    if actions not in ACTIONS:
        raise unknown_choice('kind of actions', actions, ACTIONS)
    with Bag(path) as bag:
        wanted = {'state': INPUTS['state'], **RECORDED, **TOOL_POSE}
        choices = choose(bag.topics, wanted, given)
        topics = {name: choice.topic for name, choice in choices.items() if choice.topic}
        if 'state' not in topics and 'tool_pose' not in topics:
            raise InputError(f'{path}: no state: {missing({"state": choices["state"]})["state"]}',
                             path=path)
        stamps, state, names = (_joint_states(bag, topics['state']) if 'state' in topics
                                else (np.zeros(0, np.int64), np.zeros((0, 0)), ()))
        if 'tool_pose' in topics:
            stamps, state, names = _with_tool_pose(bag, topics['tool_pose'], stamps, state, names)
        if actions != 'auto' and actions not in topics:
            raise InputError(f'{path}: no topic of {actions} was found or given', path=path)
        if 'chunks' in topics and actions != 'commands':
            found = _chunk_actions(bag, topics['chunks'])
        elif 'commands' in topics:
            found = _command_actions(bag, topics['commands'])
        else:
            found = _no_actions()
    return Recording(str(path), stamps, state, names, *found)


def _no_actions() -> tuple[Times, Array, tuple[str, ...], Times, float, int]:
    none = np.zeros(0, np.int64)
    return none, np.zeros((0, 0)), (), none, 0.0, 1


def _joint_states(bag: Bag, topic: str) -> tuple[Times, Array, tuple[str, ...]]:
    names: tuple[str, ...] = ()
    stamps, rows = [], []
    for record in bag.records([topic]):
        message = bag.message(record)
        if not names:
            names = tuple(message.name)
        values = dict(zip(message.name, message.position, strict=False))
        lacking = [name for name in names if name not in values]
        if lacking:
            raise InputError(f'{bag.path}: {topic}: a message has no position of '
                             f'{", ".join(lacking)}')
        stamps.append(to_ns(message.header.stamp))
        rows.append([float(values[name]) for name in names])
    return *_ordered(bag, topic, stamps, rows), names


def _with_tool_pose(bag: Bag, topic: str, stamps: Times, state: Array, names: tuple[str, ...],
                    ) -> tuple[Times, Array, tuple[str, ...]]:
    """Return the tool's poses as the state, with the other numbers at their times behind them."""
    found_ns, rows = [], []
    for record in bag.records([topic]):
        message = bag.message(record)
        p, q = message.pose.position, message.pose.orientation
        found_ns.append(to_ns(message.header.stamp))
        rows.append([p.x, p.y, p.z, q.x, q.y, q.z, q.w])
    at, poses = _ordered(bag, topic, found_ns, rows)
    own = ('x', 'y', 'z', 'qx', 'qy', 'qz', 'qw')
    if len(stamps) < 2:
        return at, poses, own
    rest = np.column_stack([np.interp(at, stamps, column) for column in state.T])
    return at, np.hstack((poses, rest)), (*own, *names)


def _ordered(bag: Bag, topic: str, stamps: list[int], rows: list[list[float]],
             ) -> tuple[Times, Array]:
    values = np.array(rows, dtype=np.float64)
    if not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values))[0][0])
        raise InputError(f'{bag.path}: {topic}: message {row} has a number that is not finite')
    at = np.array(stamps, dtype=np.int64)
    keep = np.diff(np.maximum.accumulate(at), prepend=at[0] - 1) > 0  # repeated or older: dropped
    return at[keep], values[keep]


def _chunk_actions(bag: Bag, topic: str) -> tuple[Times, Array, tuple[str, ...], Times, float, int]:
    chunks: dict[int, tuple[list[int], list[list[float]]]] = {}
    names: tuple[str, ...] = ()
    for record in bag.records([topic]):
        message = bag.message(record)
        if not message.points:
            continue  # a withdrawal
        if names and names != tuple(message.joint_names):
            raise InputError(f'{bag.path}: {topic}: the dimensions change from {" ".join(names)} '
                             f'to {" ".join(message.joint_names)}')
        names = tuple(message.joint_names)
        rows = [list(map(float, point.positions)) for point in message.points]
        if any(len(row) != len(names) for row in rows) or not np.isfinite(rows).all():
            raise InputError(f'{bag.path}: {topic}: a chunk has steps that are not {len(names)} '
                             'finite numbers')
        chunks[to_ns(message.header.stamp)] = (
            [to_ns(point.time_from_start) for point in message.points], rows)
    stamps = sorted(chunks)
    steps = max((len(chunks[stamp][1]) for stamp in stamps), default=1)
    at, anchors, actions = [], [], []
    for stamp, following in zip(stamps, [*stamps[1:], None], strict=False):
        for offset, row in zip(*chunks[stamp], strict=True):
            if offset and following is not None and stamp + offset >= following:
                break
            at.append(stamp + offset)
            anchors.append(stamp)
            actions.append(row)
    gaps = ([offsets[1] - offsets[0] for offsets, _ in chunks.values() if len(offsets) > 1]
            or np.diff(stamps).tolist())
    dt = float(np.median(gaps)) * 1e-9 if gaps else 0.0
    return (np.array(at, np.int64), np.array(actions).reshape(len(at), len(names)), names,
            np.array(anchors, np.int64), dt, steps)


def _command_actions(bag: Bag, topic: str,
                     ) -> tuple[Times, Array, tuple[str, ...], Times, float, int]:
    stamps, values, names = _joint_states(bag, topic)
    dt = float(np.median(np.diff(stamps))) * 1e-9 if len(stamps) > 1 else 0.0
    return stamps, values, names, stamps, dt, 1
