"""``geometry_msgs/Pose`` and ``visualization_msgs/MarkerArray`` -> 4x4 poses, whoever read them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vla_ros.core import se3
from vla_ros.core.errors import InputError

Array = NDArray[np.float64]

_QUATERNION_TOLERANCE = 1e-3


def pose_from_message(msg: Any, topic: str = 'pose') -> Array:
    """Return the 4x4 pose [m] of a ``Pose``.

    Raises
    ------
    InputError
        When a number is not finite or the quaternion is not of unit length (within 0.001). The
        all-zero quaternion of an empty message is refused, not taken for the identity.

    """
    p = np.array([msg.position.x, msg.position.y, msg.position.z])
    q = np.array([msg.orientation.x, msg.orientation.y, msg.orientation.z, msg.orientation.w])
    if not np.isfinite(p).all():
        raise InputError(f'{topic}: position is not finite: {p.tolist()}')
    if not abs(float(np.linalg.norm(q)) - 1.0) <= _QUATERNION_TOLERANCE:
        raise InputError(f'{topic}: orientation x y z w = {q.tolist()} is not a unit quaternion')
    return se3.pose(se3.rotation_from_quaternion(q), p)


def frames_from_markers(msg: Any, topic: str = 'sim/objects',
                        frame_id: str | None = None) -> dict[str, Array]:
    """Return the frames (name -> 4x4 [m]) of a ``MarkerArray``; the name is the marker's ``ns``.

    Raises
    ------
    InputError
        When a marker has no name, one that was there before, a pose that cannot be used, or (with
        ``frame_id``) another frame.

    """
    frames: dict[str, Array] = {}
    for marker in msg.markers:
        if not marker.ns or marker.ns in frames:
            raise InputError(f'{topic}: marker names must be distinct and not empty, '
                             f'found {[m.ns for m in msg.markers]}')
        if frame_id is not None and marker.header.frame_id != frame_id:
            raise InputError(f'{topic}: {marker.ns!r} is in frame {marker.header.frame_id!r}, '
                             f'expected {frame_id!r}')
        frames[marker.ns] = pose_from_message(marker.pose, f'{topic}: {marker.ns!r}')
    return frames
