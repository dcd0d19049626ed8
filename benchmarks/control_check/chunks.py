"""Action chunks, drawn at random: such as can be followed somewhere, and such as are wrong."""

from __future__ import annotations

import numpy as np

from vla_ros.core.se3 import vector_from_rotation
from vla_ros.core.types import (
    EE_DIMS,
    GRIPPER_DIM,
    ActionChunk,
    ActionConvention,
    ActionFrame,
    ActionSpace,
    Rotation,
)
from vla_ros.robots import RobotProfile

MS = 1_000_000
DIMS = (*EE_DIMS, GRIPPER_DIM)
AIMS = ('near', 'anywhere', 'outside', 'table', 'base', 'fold', 'far')
WRONG = ('nan', 'inf', 'huge', 'wrong size', 'wrong names', 'no steps', 'no time', 'tiny dt',
         'huge dt', 'stale', 'future', 'jump', 'scale', 'rpy', 'long')


def tool_chunk(aim: str, T: np.ndarray, profile: RobotProfile, rng: np.random.Generator, steps: int,
               dt: int, stamp: int) -> ActionChunk:
    """Return a chunk from the tool pose T (4, 4) toward what ``aim`` says."""
    box = profile.task_space.workspace
    goal = {
        'near': T[:3, 3] + rng.normal(size=3) * 0.05,
        'anywhere': rng.uniform(box.lower, box.upper),
        'outside': rng.uniform(box.lower - 0.5, box.upper + 0.5),
        'table': T[:3, 3] * [1, 1, 0] - [0, 0, rng.uniform(0.0, 0.5)],
        'base': np.array([0.0, 0.0, rng.uniform(-0.1, 0.4)]),
        'far': T[:3, 3] + rng.normal(size=3) * 3.0,
    }[aim]
    turn = rng.normal(size=3) * rng.choice([0.0, 0.3, 2.0])
    share = np.linspace(0.0, 1.0, steps)[:, None]
    actions = np.empty((steps, 7))
    actions[:, 6] = rng.choice([0.0, 1.0, 0.5])
    frame = list(ActionFrame)[rng.integers(2)]
    if rng.random() < 0.5:
        actions[:, :3] = (goal - T[:3, 3]) / steps
        actions[:, 3:6] = turn / steps
        return ActionChunk(stamp, dt, actions, DIMS, ActionConvention(
            ActionSpace.EE_DELTA, frame, Rotation.AXIS_ANGLE))
    actions[:, :3] = T[:3, 3] + share * (goal - T[:3, 3])
    actions[:, 3:6] = vector_from_rotation(T[:3, :3]) + share * turn
    return ActionChunk(stamp, dt, actions, DIMS, ActionConvention(
        ActionSpace.EE_POSE, ActionFrame.BASE, Rotation.AXIS_ANGLE))


def joint_chunk(aim: str, q: np.ndarray, profile: RobotProfile, rng: np.random.Generator,
                steps: int, dt: int, stamp: int) -> ActionChunk:
    """Return a chunk of joints or their changes from q (n,) [rad] toward what ``aim`` says."""
    joints = profile.joints
    reach = {'near': 0.1, 'far': 10.0}.get(aim, 1.0)
    goal = q + rng.normal(size=len(q)) * reach
    if aim == 'fold':
        goal = rng.choice([joints.lower, joints.upper])
    delta = rng.random() < 0.5
    actions = np.empty((steps, len(q) + 1))
    actions[:, -1] = rng.random()
    share = np.linspace(0.0, 1.0, steps)[:, None]
    actions[:, :-1] = (goal - q) / steps if delta else q + share * (goal - q)
    space = ActionSpace.JOINT_DELTA if delta else ActionSpace.JOINT_POSITION
    return ActionChunk(stamp, dt, actions, (*joints.names, GRIPPER_DIM),
                       ActionConvention(space))


def bad_chunk(kind: str, now: int, rng: np.random.Generator) -> ActionChunk:
    """Return a chunk that is wrong in itself, or a good one at a wrong time.

    Raises
    ------
    InputError, ConfigError
        When it cannot even be made.

    """
    actions = rng.normal(size=(8, 7)) * 0.02
    stamp, dt, dims, convention = now - 50 * MS, 100 * MS, DIMS, ActionConvention()
    if kind in ('nan', 'inf'):
        actions[rng.integers(8), rng.integers(7)] = np.nan if kind == 'nan' else -np.inf
    elif kind == 'huge':
        actions *= 10.0 ** rng.integers(2, 308)
    elif kind == 'wrong size':
        actions = rng.normal(size=[(8, 5), (8,), (2, 8, 7), (7, 8)][rng.integers(4)])
    elif kind == 'wrong names':
        dims = tuple(rng.permutation(DIMS))
    elif kind == 'no steps':
        actions = np.zeros((0, 7))
    elif kind in ('no time', 'tiny dt', 'huge dt'):
        dt = {'no time': int(rng.integers(-5, 1)), 'tiny dt': int(rng.integers(1, 1000)),
              'huge dt': 10 ** int(rng.integers(11, 18))}[kind]
    elif kind == 'stale':
        stamp = now - int(rng.integers(1, 10**5)) * MS
    elif kind == 'future':
        stamp = now + int(rng.integers(1, 10**5)) * MS
    elif kind == 'jump':
        actions[rng.integers(8), :6] += rng.normal(size=6) * 2.0
    elif kind == 'scale':
        convention = ActionConvention(translation_scale=1e3, rotation_scale=-1e3)
    elif kind == 'rpy':
        convention = ActionConvention(rotation=Rotation.RPY, frame=ActionFrame.TOOL)
        actions[:, 3:6] = rng.normal(size=(8, 3)) * 4.0
    else:
        actions = rng.normal(size=(500, 7)) * 0.01
    return ActionChunk(stamp, dt, actions, dims, convention)
