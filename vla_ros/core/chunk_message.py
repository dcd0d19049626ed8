"""``trajectory_msgs/JointTrajectory`` -> action chunks, whoever read the message.

``header.stamp`` is the observation's time, ``header.frame_id`` the frame in which the numbers are
expressed, ``joint_names`` the dimensions, ``points[i].positions`` the action of step i and
``points[i].time_from_start`` i * dt. How to read the numbers comes once, on the topic ``policy``.
A message without points takes back what was said before: the policy has nothing to do.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vla_ros.core.errors import InputError
from vla_ros.core.policy_description import PolicyDescription
from vla_ros.core.stamps import to_ns
from vla_ros.core.types import ActionChunk, ActionConvention, ActionFrame

_TIME_TOLERANCE_NS = 1000
"""A sender that counts in float seconds may be off by rounding, but not by more than this."""


def chunk_frame_id(convention: ActionConvention, base_frame: str, tool_frame: str) -> str:
    """Return the ``frame_id`` of chunks in this convention (joint spaces: the base frame)."""
    return tool_frame if convention.frame is ActionFrame.TOOL else base_frame


def chunk_from_message(msg: Any, policy: PolicyDescription, frame_id: str,
                       topic: str = 'action_chunk') -> ActionChunk:
    """Return the chunk of a message of the policy that described itself as ``policy``.

    Parameters
    ----------
    msg : trajectory_msgs.msg.JointTrajectory
        As :func:`chunk_message` writes it; it may have any number of steps.
    policy : PolicyDescription
        Says the convention, the dimensions and dt.
    frame_id : str
        The frame that the message must be in, see :func:`chunk_frame_id`.
    topic : str
        Where it came from, for the error.

    Raises
    ------
    InputError
        When it is empty, in another frame, has other dimensions than the policy announced, steps
        that are not i * dt apart, or a value that is not finite. Nothing of it shall be used.

    """
    if not msg.points:
        raise InputError(f'{topic}: the action chunk has no steps')
    if msg.header.frame_id != frame_id:
        raise InputError(f'{topic}: the action chunk is in frame {msg.header.frame_id!r}, '
                         f'expected {frame_id!r} ({policy.convention.frame.value} frame)')
    dims = tuple(msg.joint_names)
    if dims != policy.dims:
        raise InputError(f'{topic}: dimensions {" ".join(dims) or "none"} are not those that '
                         f'policy {policy.name!r} announced: {" ".join(policy.dims)}')
    for i, point in enumerate(msg.points):
        if len(point.positions) != len(dims):
            raise InputError(f'{topic}: step {i} has {len(point.positions)} values for the '
                             f'{len(dims)} dimensions {" ".join(dims)}')
        found, expected = to_ns(point.time_from_start), i * policy.dt_ns
        if abs(found - expected) > _TIME_TOLERANCE_NS:
            raise InputError(f'{topic}: step {i} is at {found / 1e9:.6f} s, expected '
                             f'{expected / 1e9:.6f} s (dt {policy.dt_ns / 1e9:g} s of policy '
                             f'{policy.name!r}, uniform from 0)')
    actions = np.array([point.positions for point in msg.points], dtype=np.float64)
    try:
        return ActionChunk(to_ns(msg.header.stamp), policy.dt_ns, actions, dims,
                           policy.convention, policy.name)
    except InputError as error:
        raise InputError(f'{topic}: {error}', **error.evidence) from error
