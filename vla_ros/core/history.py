"""Where the joints were: a ring of stamped joint vectors that can be asked for a past moment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import ConfigError

Array = NDArray[np.float64]


class JointHistory:
    """The last joint vectors by time.

    Parameters
    ----------
    n : int
        Number of joints.
    capacity : int
        Samples kept.

    """

    def __init__(self, n: int, capacity: int) -> None:
        if not capacity >= 2:
            raise ConfigError(f'a history needs room for at least 2 samples, found {capacity}')
        # Every sample is written twice, a capacity apart, so that the kept ones always lie in one
        # piece in time order and can be searched without copying.
        self._stamps = np.zeros(2 * capacity, dtype=np.int64)
        self._joints: Array = np.zeros((2 * capacity, n))
        self._capacity = capacity
        self._next = 0
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, stamp_ns: int, q: Array) -> None:
        """Keep joints (n,) [rad] of a time; one that is not later than the last takes its place."""
        if self._length and stamp_ns <= self._stamps[self._next - 1]:  # before slot 0: the copy
            start, (stamps, _) = self._start, self._view()
            self._length = int(np.searchsorted(stamps, stamp_ns))
            self._next = (start + self._length) % self._capacity
        at = self._next
        for slot in (at, at + self._capacity):
            self._stamps[slot] = stamp_ns
            self._joints[slot] = q
        self._next = (at + 1) % self._capacity
        self._length = min(self._length + 1, self._capacity)

    def at(self, stamp_ns: int) -> Array | None:
        """Return the joints (n,) [rad] at a time, linear between two samples.

        Before the first sample it is the first one, after the last the last; None when empty.
        """
        if not self._length:
            return None
        stamps, joints = self._view()
        after = int(np.searchsorted(stamps, stamp_ns))
        before = max(after - 1, 0)
        after = min(after, self._length - 1)
        q: Array = joints[before].copy()
        if before < after:
            fraction = (stamp_ns - int(stamps[before])) / int(stamps[after] - stamps[before])
            q += fraction * (joints[after] - joints[before])
        return q

    def clear(self) -> None:
        """Forget everything."""
        self._next = self._length = 0

    @property
    def _start(self) -> int:
        return (self._next - self._length) % self._capacity

    def _view(self) -> tuple[NDArray[np.int64], Array]:
        kept = slice(self._start, self._start + self._length)
        return self._stamps[kept], self._joints[kept]
