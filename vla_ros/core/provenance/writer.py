"""From ticks, as they are decided, to texts, now and then."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from vla_ros.core.provenance.records import ChunkRecord, ProvenanceBatch, TickRecord
from vla_ros.core.provenance.text import encode


class ProvenanceWriter:
    """Collects ticks and chunks; gives them out as text.

    ``add`` and ``add_chunk`` only append to a deque, which is atomic: the control loop may add
    while another thread flushes. What was added must not be changed afterwards, arrays neither.

    Parameters
    ----------
    joints : Sequence[str]
        Names of the joints of every tick's ``q``.
    capacity : int
        Most ticks, and most chunks, kept between two flushes; the oldest go first. The ticks that
        went are counted in ``lost``.

    """

    def __init__(self, joints: Sequence[str], capacity: int = 2000) -> None:
        self.joints = tuple(joints)
        self.lost = 0
        self._ticks: deque[Any] = deque(maxlen=capacity)
        self._chunks: deque[ChunkRecord] = deque(maxlen=capacity)

    def add(self, tick: Any) -> None:
        """Take in a pipeline's tick (see :meth:`TickRecord.of`)."""
        if len(self._ticks) == self._ticks.maxlen:
            self.lost += 1
        self._ticks.append(tick)

    def add_chunk(
        self, stamp_ns: int, arrival_ns: int, source: str = '',
        sources: Mapping[str, int] | None = None, skew_ns: int | None = None,
    ) -> None:
        """Take in what a chunk was made from, once, or again when more has become known."""
        stamps = {stream: int(stamp) for stream, stamp in (sources or {}).items()}
        self._chunks.append(ChunkRecord(int(stamp_ns), int(arrival_ns), source, stamps,
                                        None if skew_ns is None else int(skew_ns)))

    def flush(self) -> str | None:
        """Return everything since the last flush as text; None when there is nothing.

        Raises
        ------
        InvariantError
            When a tick has another number of joints than there are names.

        """
        chunks = {c.stamp_ns: c for c in _drained(self._chunks)}
        ticks = tuple(TickRecord.of(tick) for tick in _drained(self._ticks))
        if not ticks and not chunks:
            return None
        return encode(ProvenanceBatch(self.joints, tuple(chunks.values()), ticks, self.lost))


def _drained(queue: deque[Any]) -> list[Any]:
    # As many as there were at the start: more may be added meanwhile, by another thread.
    return [queue.popleft() for _ in range(len(queue))]
