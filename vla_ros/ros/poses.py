"""4x4 poses <-> ``geometry_msgs/Pose``, and named frames <-> ``MarkerArray`` for RViz."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from geometry_msgs.msg import Pose
from visualization_msgs.msg import Marker, MarkerArray

from vla_ros.core import se3
from vla_ros.core.frame_markers import frames_from_markers, pose_from_message
from vla_ros.ros.stamps import time_message

__all__ = ['FrameMarkers', 'frames_from_markers', 'pose_from_message', 'pose_message', 'set_pose']

# How a frame looks in RViz, by the beginning of its name: (Marker type, size [m], colour r g b a).
_LOOKS: dict[str, tuple[int, tuple[float, float, float], tuple[float, float, float, float]]] = {
    'cube_red': (Marker.CUBE, (0.04, 0.04, 0.04), (0.85, 0.15, 0.15, 1.0)),
    'cube_green': (Marker.CUBE, (0.04, 0.04, 0.04), (0.15, 0.65, 0.2, 1.0)),
    'cube_blue': (Marker.CUBE, (0.04, 0.04, 0.04), (0.15, 0.3, 0.85, 1.0)),
    'cube_yellow': (Marker.CUBE, (0.04, 0.04, 0.04), (0.95, 0.8, 0.1, 1.0)),
    'insulator': (Marker.SPHERE, (0.03, 0.03, 0.03), (0.55, 0.3, 0.15, 1.0)),
    'hook': (Marker.SPHERE, (0.02, 0.02, 0.02), (0.3, 0.3, 0.35, 1.0)),
}
# An arrow along x: for the ring's hole and the hook's peg that is the direction that matters.
_DEFAULT_LOOK = (Marker.ARROW, (0.05, 0.005, 0.005), (1.0, 1.0, 1.0, 0.8))


def pose_message(T: np.ndarray) -> Pose:
    """Return the ``Pose`` of a 4x4 pose [m]."""
    msg = Pose()
    set_pose(msg, T)
    return msg


def set_pose(msg: Pose, T: np.ndarray) -> None:
    """Write a 4x4 pose [m] into a message."""
    q = se3.quaternion_from_rotation(T[:3, :3]).tolist()
    msg.position.x, msg.position.y, msg.position.z = T[:3, 3].tolist()
    msg.orientation.x, msg.orientation.y, msg.orientation.z, msg.orientation.w = q


class FrameMarkers:
    """Writes named frames as one ``MarkerArray``, reusing its markers (50 Hz).

    Parameters
    ----------
    frame_id : str
        The frame in which the poses are given.

    """

    def __init__(self, frame_id: str) -> None:
        self._frame_id = frame_id
        self._markers: dict[str, Marker] = {}

    def message(self, frames: Mapping[str, np.ndarray], stamp_ns: int) -> MarkerArray:
        """Return the message of frames (name -> 4x4 [m]); it is valid until the next call."""
        stamp = time_message(stamp_ns)
        for name, T in frames.items():
            marker = self._markers.get(name) or self._new(name)
            marker.header.stamp = stamp
            set_pose(marker.pose, T)
        return MarkerArray(markers=[self._markers[name] for name in frames])

    def _new(self, name: str) -> Marker:
        kind, size, colour = _look(name)
        marker = Marker(ns=name, id=0, type=kind, action=Marker.ADD)
        marker.header.frame_id = self._frame_id
        marker.scale.x, marker.scale.y, marker.scale.z = size
        marker.color.r, marker.color.g, marker.color.b, marker.color.a = colour
        self._markers[name] = marker
        return marker


def _look(name: str) -> tuple[Any, Any, Any]:
    if name in ('insulator_ring', 'insulator_grasp', 'hook_seat', 'hook_tip'):
        return _DEFAULT_LOOK
    return next((look for start, look in _LOOKS.items() if name.startswith(start)), _DEFAULT_LOOK)
