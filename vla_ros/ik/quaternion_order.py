"""The one place where quaternions change between ROS's order and cuRobo's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def wxyz_from_xyzw(q: Array) -> Array:
    """Return quaternions (..., 4) in cuRobo's order, for ROS's (x, y, z, w)."""
    return np.roll(q, 1, axis=-1)


def xyzw_from_wxyz(q: Array) -> Array:
    """Return quaternions (..., 4) in ROS's order, for cuRobo's (w, x, y, z)."""
    return np.roll(q, -1, axis=-1)
