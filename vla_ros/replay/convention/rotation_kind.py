"""Whether the rotation of a delta is roll, pitch, yaw or a rotation vector.

For one small action ``a`` [rad] the two turn differently by a second-order amount only:
``d(a) = vector(Rz Ry Rx of a) - a``, about ``|a|^2 / 2``. What the measured turns have beyond
``a`` is held against it: ``measured - a = share * d(a) + noise``. The share is 0 for rotation
vectors and 1 for roll, pitch, yaw; its spread comes from resampled blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.quaternions import from_rpy, to_vectors
from vla_ros.core.types import Rotation
from vla_ros.replay.convention.fit import Array, block_sums, drawings

_APART = 3.0  # standard errors


@dataclass(frozen=True)
class RotationKind:
    """What the turns say.

    Attributes
    ----------
    rotation : Rotation | None
        None: cannot be told.
    share, error : float
        0 for rotation vectors, 1 for roll, pitch, yaw, and its standard error.
    largest : float
        Largest angle of an action [rad].

    """

    rotation: Rotation | None
    share: float
    error: float
    largest: float


def rotation_kind(action: Array, measured: Array, block: NDArray[np.intp], blocks: int,
                  scale: float) -> RotationKind:
    """Return which kind turns (N, 3) of actions are, beside the measured ones [rad].

    ``scale`` is in radians per unit of the action.
    """
    action = action * scale
    largest = float(np.linalg.norm(action, axis=1).max(initial=0.0))
    beyond = to_vectors(from_rpy(action)) - action
    left = measured - action
    # The scale was fitted as if the actions were vectors; what it got wrong is taken out.
    products = block_sums(np.column_stack([term.sum(axis=1) for term in (
        beyond * beyond, beyond * action, action * action, beyond * left, action * left)]),
        block, blocks)
    share = float(_share(products.sum(axis=0)[None])[0])
    error = float(np.std(_share(drawings(blocks) @ products)))  # nan: it cannot be estimated
    rotation = None
    if error < 1.0 / (2.0 * _APART):
        if abs(share - 1.0) <= abs(share):
            rotation = Rotation.RPY if share >= _APART * error else None
        else:
            rotation = Rotation.AXIS_ANGLE if 1.0 - share >= _APART * error else None
    return RotationKind(rotation, share, error, largest)


def _share(sums: Array) -> Array:
    """Return the share (K,) of least squares over both columns, from sums of products (K, 5)."""
    dd, da, aa, dl, al = sums.T
    determinant = dd * aa - da * da
    # About one axis both kinds are the same, but for rounding.
    good = (dd > 1e-18 * aa) & (determinant > 1e-9 * np.maximum(dd * aa, 1e-300))
    out: Array = np.where(good, (dl * aa - al * da) / np.where(good, determinant, 1.0), np.nan)
    return out
