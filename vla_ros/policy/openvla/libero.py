"""LIBERO's own way with the gripper, which the evaluation of its checkpoints applies."""

from __future__ import annotations

import numpy as np


def gripper_command(actions: np.ndarray, binary: bool = True) -> np.ndarray:
    """Return actions (…, A) with the gripper, the last number, as LIBERO's simulator takes it.

    From 1 open, 0 closed to -1 open, 1 closed. A gripper of exactly 0.5 gives 0 when ``binary``.
    """
    commands = np.array(actions, dtype=np.float64)
    gripper = 2.0 * commands[..., -1] - 1.0
    commands[..., -1] = -(np.sign(gripper) if binary else gripper)
    return commands
