"""A state that was recorded as numbers with names, of no arm that is known here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vla_ros.core.joint_states import JointStateReader
from vla_ros.core.se3 import pose, rotation_from_rpy
from vla_ros.core.types import GRIPPER_DIM
from vla_ros.replay.bag_observations import BagReaders
from vla_ros.replay.stamps import to_ns

POSE = ('x', 'y', 'z', 'roll', 'pitch', 'yaw')
"""Names that make a vector one of the tool's pose, position [m] and fixed-axis angles [rad]."""


def vector_readers(names: tuple[str, ...], topic: str) -> BagReaders:
    """Return how such a state is read: the numbers are the policy's ``proprio`` as they are.

    Where they begin with ``x y z roll pitch yaw`` they are the tool's pose, too; ``gripper`` is how
    far it is open, 0 to 1.
    """
    reader = JointStateReader(names, topic)
    is_pose = names[:6] == POSE
    place = names.index(GRIPPER_DIM) if GRIPPER_DIM in names else None

    def state(message: Any) -> tuple[int, np.ndarray, None]:
        return to_ns(message.header.stamp), reader.position(message), None

    def observed(vector: np.ndarray) -> Mapping[str, np.ndarray]:
        found = {'proprio': vector}
        if is_pose:
            found['tool_pose'] = tool_pose(vector)
        if place is not None:
            found['gripper'] = vector[place]
        return found

    def opening(vector: np.ndarray, width: float | None) -> float | None:
        return None if place is None else float(np.clip(vector[place], 0.0, 1.0))

    return BagReaders(state, observed, opening, tool_pose=tool_pose if is_pose else None,
                      angles=(3, 4, 5) if is_pose else ())


def tool_pose(vector: np.ndarray) -> np.ndarray:
    """Return T_base_tool (4, 4) of position [m] and roll, pitch, yaw [rad]."""
    return pose(rotation_from_rpy(*vector[3:6]), vector[:3])
