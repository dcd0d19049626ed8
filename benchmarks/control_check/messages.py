"""Action chunks as messages that are wrong: the frame, the dimensions, the times. Needs ROS."""

from __future__ import annotations

import numpy as np

from vla_ros.core.policy_description import PolicyDescription
from vla_ros.core.types import ActionChunk, ActionConvention, ActionFrame
from vla_ros.robots import RobotProfile
from vla_ros.ros.chunk_message import chunk_frame_id, chunk_from_message, chunk_message
from vla_ros.ros.stamps import duration_message

KINDS = ('other frame', 'no frame', 'unknown frame', 'dimension missing', 'value missing',
         'times', 'no points', 'nan')


def wrong_message(kind: str, now_ns: int, profile: RobotProfile,
                  rng: np.random.Generator) -> ActionChunk:
    """Return what is read of a message that is wrong in this way.

    Raises
    ------
    InputError
        As it should.

    """
    convention = ActionConvention(frame=list(ActionFrame)[rng.integers(2)])
    policy = PolicyDescription('fuzz', 'fuzz', convention, 100_000_000, 8)
    base, tool = profile.base_frame, profile.tool_frame
    right = chunk_frame_id(convention, base, tool)
    actions = rng.normal(size=(8, 7)) * 0.02
    msg = chunk_message(ActionChunk(now_ns, policy.dt_ns, actions, policy.dims, convention), right)
    if kind in ('other frame', 'no frame', 'unknown frame'):
        msg.header.frame_id = {'other frame': base if right == tool else tool, 'no frame': '',
                               'unknown frame': 'map'}[kind]
    elif kind == 'dimension missing':
        msg.joint_names = msg.joint_names[:-1]
    elif kind == 'value missing':
        msg.points[3].positions = list(msg.points[3].positions)[:-1]
    elif kind == 'times':
        msg.points[5].time_from_start = duration_message(5 * policy.dt_ns + 2_000_000)
    elif kind == 'no points':
        msg.points = []
    else:
        msg.points[2].positions[4] = float('nan')
    return chunk_from_message(msg, policy, right)
