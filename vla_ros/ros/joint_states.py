"""``sensor_msgs/JointState`` <-> vectors, always by joint name and never by position."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sensor_msgs.msg import JointState

from vla_ros.core.errors import InputError
from vla_ros.core.joint_states import JointStateReader, joint_vector
from vla_ros.ros.stamps import time_message

__all__ = ['JointStateReader', 'joint_state_message', 'joint_vector']


def joint_state_message(names: Sequence[str], position: Sequence[float] | np.ndarray,
                        velocity: Sequence[float] | np.ndarray = (),
                        effort: Sequence[float] | np.ndarray = (), *, stamp_ns: int,
                        frame_id: str = '') -> JointState:
    """Return the ``JointState`` of joints by name; empty ``velocity`` and ``effort`` stay empty."""
    msg = JointState(name=list(names))
    msg.header.stamp = time_message(stamp_ns)
    msg.header.frame_id = frame_id
    for what, values in (('position', position), ('velocity', velocity), ('effort', effort)):
        numbers = np.asarray(values, dtype=np.float64).tolist()
        if (numbers and len(numbers) != len(msg.name)) or (what == 'position' and not numbers):
            raise InputError(f'joint state: {len(msg.name)} names but {len(numbers)} values in '
                             f'{what!r}')
        setattr(msg, what, numbers)
    return msg
