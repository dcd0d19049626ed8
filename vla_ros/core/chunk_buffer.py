"""Action chunks by the time of their observation, so that a late answer is used where it is due."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter

from vla_ros.core.types import ActionChunk


class ChunkBuffer:
    """The chunks that still have something to say, oldest observation first.

    Parameters
    ----------
    capacity : int
        Most chunks kept; the oldest go first.
    future_tolerance_ns : int
        How far a chunk's stamp may lie ahead of the present before it is refused: clocks differ a
        little, but a chunk from far in the future means that somebody's clock is wrong.

    Attributes
    ----------
    counts : Counter[str]
        What happened to the chunks so far: ``accepted``, ``replaced`` (same stamp again), ``late``
        (wholly past on arrival), ``future``, ``before_reset``, ``overflow``.

    """

    def __init__(self, capacity: int = 16, future_tolerance_ns: int = 50_000_000) -> None:
        self.capacity = capacity
        self.future_tolerance_ns = future_tolerance_ns
        self.counts: Counter[str] = Counter()
        self._chunks: list[ActionChunk] = []
        self._valid_from_ns: int | None = None

    def add(self, chunk: ActionChunk, now_ns: int) -> str:
        """Take a chunk in; return what became of it (a key of ``counts``)."""
        verdict = self._take(chunk, now_ns)
        self.counts[verdict] += 1
        return verdict

    def _take(self, chunk: ActionChunk, now_ns: int) -> str:
        if self._valid_from_ns is not None and chunk.stamp_ns < self._valid_from_ns:
            return 'before_reset'
        if chunk.stamp_ns > now_ns + self.future_tolerance_ns:
            return 'future'
        if chunk.end_ns <= now_ns:
            return 'late'
        at = bisect_left(self._chunks, chunk.stamp_ns, key=_stamp)
        if at < len(self._chunks) and self._chunks[at].stamp_ns == chunk.stamp_ns:
            self._chunks[at] = chunk
            return 'replaced'
        insort(self._chunks, chunk, key=_stamp)
        if len(self._chunks) > self.capacity:
            del self._chunks[0]
            self.counts['overflow'] += 1
        return 'accepted'

    def due(self, now_ns: int) -> list[ActionChunk]:
        """Return the chunks that have a step due at this time, oldest first; forget past ones."""
        self._chunks = [c for c in self._chunks if c.end_ns > now_ns]
        return [c for c in self._chunks if c.stamp_ns <= now_ns]

    def clear(self, valid_from_ns: int) -> None:
        """Forget every chunk and refuse those whose observation is older than this time.

        Used after a reset or when the clock jumps: an answer to a world that is gone.
        """
        self._chunks.clear()
        self._valid_from_ns = valid_from_ns

    def __len__(self) -> int:
        return len(self._chunks)


def _stamp(chunk: ActionChunk) -> int:
    return chunk.stamp_ns
