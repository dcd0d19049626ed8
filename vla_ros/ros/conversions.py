"""Every conversion between ROS messages and the core's types, in one import."""

from __future__ import annotations

from vla_ros.core.policy_description import (
    PolicyDescription,
    convention_from_json,
    convention_to_json,
)
from vla_ros.ros.chunk_message import chunk_frame_id, chunk_from_message, chunk_message
from vla_ros.ros.images import (
    camera_info,
    compressed_from_rgb,
    image_from_rgb,
    rgb_from_compressed,
    rgb_from_image,
)
from vla_ros.ros.joint_states import JointStateReader, joint_state_message, joint_vector
from vla_ros.ros.poses import (
    FrameMarkers,
    frames_from_markers,
    pose_from_message,
    pose_message,
)
from vla_ros.ros.stamps import duration_message, time_message, to_ns

__all__ = [
    'FrameMarkers', 'JointStateReader', 'PolicyDescription', 'camera_info', 'chunk_frame_id',
    'chunk_from_message', 'chunk_message', 'compressed_from_rgb', 'convention_from_json',
    'convention_to_json', 'duration_message', 'frames_from_markers', 'image_from_rgb',
    'joint_state_message', 'joint_vector', 'pose_from_message', 'pose_message',
    'rgb_from_compressed', 'rgb_from_image', 'time_message', 'to_ns',
]
