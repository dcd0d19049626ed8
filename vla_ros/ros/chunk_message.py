"""Action chunks as ``trajectory_msgs/JointTrajectory``; :mod:`vla_ros.core.chunk_message` reads."""

from __future__ import annotations

from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vla_ros.core.chunk_message import chunk_frame_id, chunk_from_message
from vla_ros.core.types import ActionChunk
from vla_ros.ros.stamps import duration_message, time_message

__all__ = ['chunk_frame_id', 'chunk_from_message', 'chunk_message', 'withdrawal_message']


def chunk_message(chunk: ActionChunk, frame_id: str) -> JointTrajectory:
    """Return the message of a chunk; ``frame_id`` is that of :func:`chunk_frame_id`."""
    msg = JointTrajectory(joint_names=list(chunk.dims))
    msg.header.stamp = time_message(chunk.stamp_ns)
    msg.header.frame_id = frame_id
    msg.points = [
        JointTrajectoryPoint(positions=row, time_from_start=duration_message(i * chunk.dt_ns))
        for i, row in enumerate(chunk.actions.tolist())
    ]
    return msg


def withdrawal_message(stamp_ns: int) -> JointTrajectory:
    """Return the message that takes back every chunk sent before this time [ns]."""
    msg = JointTrajectory()
    msg.header.stamp = time_message(stamp_ns)
    return msg
