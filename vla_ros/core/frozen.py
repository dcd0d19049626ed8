"""Inputs that are fresh by their stamps and yet say the same all the time."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import ConfigError

Array = NDArray[np.float64]

_STATEMENT_NS = 200_000_000  # what is said of the motion holds no longer than this
_MOTIONS = 64  # kept while no sample comes: a stream that misses more of them is late, not frozen


class MotionDetector:
    """Whether joints move, by the positions that are commanded or measured.

    They move while any of them has got further than a threshold within a short time; noise and a
    command that is merely repeated are no motion.

    Parameters
    ----------
    threshold : float
        Change of position that is a motion [rad].
    window_ns : int
        Within this time [ns]; a motion that ends is over this much later.

    """

    def __init__(self, threshold: float, window_ns: int) -> None:
        if not (0.0 < threshold < np.inf and window_ns > 0):
            raise ConfigError('motion detector: threshold and window must be positive, found '
                              f'{threshold} and {window_ns} ns')
        self._threshold = threshold
        self._window_ns = window_ns
        self._anchor: tuple[int, Array] | None = None
        self._moved_ns: int | None = None

    def update(self, now_ns: int, position: Array) -> None:
        """Take in positions (n,) [rad] of this time [ns]; one that went back begins anew."""
        if self._anchor is None or now_ns < self._anchor[0]:
            self._anchor, self._moved_ns = (now_ns, position), None
        elif (np.abs(position - self._anchor[1]) > self._threshold).any():
            self._anchor, self._moved_ns = (now_ns, position), now_ns
        elif now_ns - self._anchor[0] >= self._window_ns:
            self._anchor = now_ns, position

    def moving(self, now_ns: int) -> bool:
        """Return whether they have moved within the window before this time [ns]."""
        return self._moved_ns is not None and 0 <= now_ns - self._moved_ns <= self._window_ns


class FrozenDetector:
    """Finds a stream that goes on sending, with new stamps, what it has sent before.

    A camera whose driver repeats its last image, or an encoder that hangs, is as fresh as any. What
    gives it away is that its content stays the same, to the bit, although the arm moves. So the
    stream is frozen when, between the first and the last sample with this content, the arm has
    moved for longer than the limit; time at rest does not count, since a simulated camera sees the
    same when nothing moves. It stays frozen until the content changes.

    Samples and motion may be told in any order, each by its own time: a sample that comes late is
    held against the motion up to its stamp and not against what followed. A clock that goes back
    begins anew. Not thread-safe.

    Parameters
    ----------
    limit_ns : int
        Time in motion that is too long for the same content [ns]. Longer than it takes until a
        command shows in the sensor.

    """

    def __init__(self, limit_ns: int) -> None:
        if not limit_ns > 0:
            raise ConfigError(f'frozen detector: the limit must be positive, found {limit_ns} ns')
        self.limit_ns = limit_ns
        self._fingerprint: Hashable = None
        self._first_ns: int | None = None  # of the samples with this content
        self._last_ns = 0
        self._moved_ns = 0  # in motions that were over at the last sample
        # The others, [begin, end], oldest first; the last one grows while the arm moves.
        self._motions: deque[list[int]] = deque(maxlen=_MOTIONS)
        self._said: tuple[int, bool] | None = None

    def update(self, stamp_ns: int, fingerprint: Hashable) -> None:
        """Take in a sample: its time [ns] and its content, or what stands for it.

        The same sample may be told again.
        """
        if self._first_ns is not None and stamp_ns < self._last_ns:
            self.reset()
        if self._first_ns is None or fingerprint != self._fingerprint:
            self._fingerprint, self._first_ns, self._moved_ns = fingerprint, stamp_ns, 0
        while len(self._motions) > 1 and self._motions[0][1] <= stamp_ns:
            begin, end = self._motions.popleft()
            self._moved_ns += max(0, end - max(begin, self._first_ns))
        self._last_ns = stamp_ns

    def moving(self, now_ns: int, moving: bool) -> None:
        """Say whether the arm moves (is commanded to) from now [ns] on.

        It holds until it is said again, but for at most 0.2 s: that nothing more is said is no
        reason to believe that the arm still moves.
        """
        if self._said is not None:
            said_ns, was_moving = self._said
            if now_ns < said_ns:
                self.reset()
                was_moving = False
            elif was_moving:
                self._motions[-1][1] = min(now_ns, said_ns + _STATEMENT_NS)
            if moving and not (was_moving and self._motions[-1][1] == now_ns):
                self._motions.append([now_ns, now_ns])
        elif moving:
            self._motions.append([now_ns, now_ns])
        self._said = now_ns, moving

    @property
    def moved_for_ns(self) -> int:
        """How long the arm has moved between the first and last sample with this content [ns]."""
        if self._first_ns is None:
            return 0
        return self._moved_ns + sum(max(0, min(end, self._last_ns) - max(begin, self._first_ns))
                                    for begin, end in self._motions)

    @property
    def frozen_for_ns(self) -> int:
        """How long the content has been the same [ns]; 0 unless the stream is frozen."""
        if self._first_ns is None or not self.moved_for_ns > self.limit_ns:
            return 0
        return self._last_ns - self._first_ns

    def reset(self) -> None:
        """Forget everything (the clock jumped, the stream is another one)."""
        self._fingerprint, self._first_ns, self._last_ns, self._moved_ns = None, None, 0, 0
        self._motions.clear()
        self._said = None
