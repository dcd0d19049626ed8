"""LIBERO's own ways with proprioception and gripper, which its checkpoints were trained with.

The state is (8,): position of the end effector [m], its orientation as :func:`axis_angle`, and the
two finger positions [m].
"""

from __future__ import annotations

import math

import numpy as np


def axis_angle(quaternion: np.ndarray) -> np.ndarray:
    """Return the rotation vector (3,) [rad] of a quaternion (x, y, z, w), as robosuite makes it.

    Not the shortest turn: w < 0 gives an angle above pi, as the training data has it. The argument
    is neither normalised nor changed.
    """
    x, y, z, w = (float(value) for value in quaternion)
    w = min(max(w, -1.0), 1.0)
    sine = math.sqrt(1.0 - w * w)
    if sine == 0.0:
        return np.zeros(3)
    return np.array([x, y, z]) * (2.0 * math.acos(w) / sine)


def gripper_command(actions: np.ndarray, binary: bool = True) -> np.ndarray:
    """Return actions (…, A) with the gripper, the last number, as LIBERO's simulator takes it.

    From 1 open, 0 closed to -1 open, 1 closed. A gripper of exactly 0.5 gives 0 when ``binary``.
    """
    commands = np.array(actions, dtype=np.float64)
    gripper = 2.0 * commands[..., -1] - 1.0
    commands[..., -1] = -(np.sign(gripper) if binary else gripper)
    return commands
