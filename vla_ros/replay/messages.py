"""The messages that this package writes into bags, without ROS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vla_ros.image_codec import check_rgb
from vla_ros.replay.message_types import KNOWN_TYPES
from vla_ros.replay.pictures import COMPRESSED_IMAGE, IMAGE
from vla_ros.replay.topic_choice import JOINT_STATE, STRING, TRAJECTORY

_NS_PER_S = 1_000_000_000
_T = KNOWN_TYPES.types


def serialized(message: Any, message_type: str) -> bytes:
    """Return the CDR of a message."""
    return bytes(KNOWN_TYPES.serialize_cdr(message, message_type))


def image(rgb: np.ndarray, stamp_ns: int, frame_id: str) -> Any:
    """Return the ``Image`` (rgb8) of a (H, W, 3) uint8 RGB picture."""
    check_rgb(rgb)
    height, width = rgb.shape[:2]
    return _T[IMAGE](_header(stamp_ns, frame_id), height, width, 'rgb8', 0, width * 3,
                     np.ascontiguousarray(rgb).reshape(-1))


def compressed_image(data: bytes, stamp_ns: int, frame_id: str) -> Any:
    """Return the ``CompressedImage`` of the bytes of a JPEG or PNG."""
    kind = 'png' if data[:4] == b'\x89PNG' else 'jpeg'
    return _T[COMPRESSED_IMAGE](_header(stamp_ns, frame_id), f'rgb8; {kind} compressed bgr8',
                                np.frombuffer(data, np.uint8))


def joint_state(names: Sequence[str], positions: Sequence[float] | np.ndarray, stamp_ns: int,
                frame_id: str = '') -> Any:
    """Return the ``JointState`` with these positions, in the units of what they name."""
    empty = np.zeros(0)
    return _T[JOINT_STATE](_header(stamp_ns, frame_id), list(names),
                           np.asarray(positions, np.float64), empty, empty)


def text(data: str) -> Any:
    """Return the ``String``."""
    return _T[STRING](data)


def action_chunk(dims: Sequence[str], actions: np.ndarray, dt_ns: int, stamp_ns: int,
                 frame_id: str) -> Any:
    """Return the ``JointTrajectory`` of an action chunk (H, D): step i is due i * dt later."""
    empty = np.zeros(0)
    points = [
        _T['trajectory_msgs/msg/JointTrajectoryPoint'](
            np.asarray(row, np.float64), empty, empty, empty,
            _T['builtin_interfaces/msg/Duration'](*divmod(i * dt_ns, _NS_PER_S)))
        for i, row in enumerate(np.atleast_2d(actions))]
    return _T[TRAJECTORY](_header(stamp_ns, frame_id), list(dims), points)


def _header(stamp_ns: int, frame_id: str) -> Any:
    stamp = _T['builtin_interfaces/msg/Time'](*divmod(int(stamp_ns), _NS_PER_S))
    return _T['std_msgs/msg/Header'](stamp, frame_id)
