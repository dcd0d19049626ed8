"""What is known of the arm: where it was measured last, and whether that can be relied on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import InputError
from vla_ros.core.frozen import FrozenDetector

Array = NDArray[np.float64]

_MOTION = 0.02  # rad/s; a command slower than this may not show in an encoder


class MeasuredArm:
    """The newest joint state, its age, and what is wrong with the arm.

    Parameters
    ----------
    n : int
        Number of joints.
    timeout : float
        Joint states older than this are stale [s].
    frozen_after : float
        Joint states that stay the same to the last bit for this long while the arm is commanded
        to move are frozen [s].

    Attributes
    ----------
    q : np.ndarray | None
        (n,) joints of the newest joint state [rad]; None when none is known.
    stamp_ns : int
        Its time [ns]; means nothing while ``q`` is None.
    driver_problem : str
        Why the arm's driver cannot be commanded now; empty when it can.

    """

    def __init__(self, n: int, timeout: float, frozen_after: float) -> None:
        self.n = n
        self.timeout = timeout
        self.frozen_after = frozen_after
        self.q: Array | None = None
        self.stamp_ns = 0
        self.driver_problem = ''
        self._frozen = FrozenDetector(round(frozen_after * 1e9))

    def add(self, stamp_ns: int, q: Array, gripper_width: float | None) -> Array:
        """Take in a joint state and return its joints (n,) [rad].

        Raises
        ------
        InputError
            When the joints are not n finite numbers, or the gripper's width [m] is not finite
            (None: not reported); nothing changes then.

        """
        q = np.asarray(q, dtype=np.float64)
        if q.shape != (self.n,) or not np.isfinite(q).all():
            raise InputError(f'joint state: expected {self.n} finite positions, found {q}')
        if gripper_width is not None and not np.isfinite(gripper_width):
            raise InputError(f'joint state: gripper width is {gripper_width}')
        self.q, self.stamp_ns = q, stamp_ns
        self._frozen.update(stamp_ns, q.tobytes())
        return q

    def commanded(self, now_ns: int, velocity: Array, sent: bool) -> None:
        """Take in how the arm was told to move at this tick (n,) [rad/s], and whether it was."""
        # In a dry-run the arm is told nothing, and its encoders have no reason to change.
        fastest = max(map(abs, velocity.tolist()))
        self._frozen.moving(now_ns, sent and fastest > _MOTION)

    def forget(self) -> None:
        """Know nothing of where the arm is."""
        self.q = None
        self._frozen.reset()

    def fresh(self, now_ns: int) -> bool:
        """Return whether where the arm is now is known."""
        # A stamp that lies ahead would be fresh until its time comes, whatever happens to the arm.
        return self.q is not None and abs(now_ns - self.stamp_ns) * 1e-9 <= self.timeout

    def problem(self, now_ns: int) -> str:
        """Return why nobody can move the arm now, policy or human; empty when they can."""
        if self.q is None:
            return 'joint_states: none received yet'
        if not self.fresh(now_ns):
            age = 'older than' if now_ns > self.stamp_ns else 'ahead by more than'
            return f'joint_states: {age} {self.timeout:g} s'
        if self.driver_problem:
            return f'driver: {self.driver_problem}'
        if self._frozen.frozen_for_ns > 0:
            return (f'joint_states: frozen, the same for {self.frozen_after:g} s of '
                    'commanded motion')
        return ''
