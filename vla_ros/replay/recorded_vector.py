"""A state that was recorded as numbers with names, of no arm that is known here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vla_ros.core.joint_states import JointStateReader
from vla_ros.core.se3 import pose, rotation_from_rpy, rotation_from_vector
from vla_ros.core.types import EE_DIMS, GRIPPER_DIM
from vla_ros.replay.bag_observations import BagReaders
from vla_ros.replay.stamps import to_ns

POSE = ('x', 'y', 'z', 'roll', 'pitch', 'yaw')
"""Names that make a vector one of the tool's pose, position [m] and fixed-axis angles [rad]."""

TURNED = EE_DIMS
"""The same with a rotation vector [rad], as UMI and LIBERO have it."""


def vector_readers(names: tuple[str, ...], topic: str) -> BagReaders:
    """Return how such a state is read: the numbers are the policy's ``proprio`` as they are.

    Where they begin with ``x y z roll pitch yaw`` or ``x y z rx ry rz`` they are the tool's pose,
    too; ``gripper`` is how far it is open, 0 to 1.
    """
    reader = JointStateReader(names, topic)
    pose_of = {POSE: tool_pose, TURNED: turned_pose}.get(names[:6])
    place = names.index(GRIPPER_DIM) if GRIPPER_DIM in names else None

    def state(message: Any) -> tuple[int, np.ndarray, None]:
        return to_ns(message.header.stamp), reader.position(message), None

    def observed(vector: np.ndarray) -> Mapping[str, np.ndarray]:
        found = {'proprio': vector}
        if pose_of is not None:
            found['tool_pose'] = pose_of(vector)
        if place is not None:
            found['gripper'] = vector[place]
        return found

    def opening(vector: np.ndarray, width: float | None) -> float | None:
        return None if place is None else float(np.clip(vector[place], 0.0, 1.0))

    # A rotation vector is not unwrapped: its parts are no angles of their own.
    return BagReaders(state, observed, opening, tool_pose=pose_of,
                      angles=(3, 4, 5) if pose_of is tool_pose else ())


def tool_pose(vector: np.ndarray) -> np.ndarray:
    """Return T_base_tool (4, 4) of position [m] and roll, pitch, yaw [rad]."""
    return pose(rotation_from_rpy(*vector[3:6]), vector[:3])


def turned_pose(vector: np.ndarray) -> np.ndarray:
    """Return T_base_tool (4, 4) of position [m] and rotation vector [rad]."""
    return pose(rotation_from_vector(vector[3:6]), vector[:3])
