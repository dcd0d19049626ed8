"""What held from when until when: modes with their reasons, and what people had taken over."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar('K', bound=Hashable)

GAP_NS = 500_000_000
"""Two samples further apart than this have nothing between them."""

_MOST = 4000


@dataclass
class Span(Generic[K]):
    """Something held from ``start_ns`` until just before ``end_ns`` [ns]."""

    what: K
    start_ns: int
    end_ns: int

    @property
    def duration_s(self) -> float:
        """How long [s]."""
        return (self.end_ns - self.start_ns) * 1e-9


class Spans(Generic[K]):
    """Takes in what holds, sample by sample; keeps where it changes.

    Parameters
    ----------
    gap_ns : int | None
        A longer silence ends a span [ns]; None: what was said last holds until something else is.

    """

    def __init__(self, gap_ns: int | None = GAP_NS) -> None:
        self.found: list[Span[K]] = []
        self.dropped = 0  # spans beyond the most that are kept
        self._gap_ns = gap_ns
        self._now: Span[K] | None = None
        self._last_ns = 0

    def add(self, time_ns: int, what: K | None) -> None:
        """Say what holds from this time [ns] on; None: nothing."""
        now = self._now
        silent = (now is not None and self._gap_ns is not None
                  and not 0 <= time_ns - self._last_ns <= self._gap_ns)
        if now is not None and (silent or now.what != what):
            self._end(self._last_ns if silent else time_ns)
        if what is not None and self._now is None:
            self._now = Span(what, time_ns, time_ns)
        self._last_ns = time_ns

    @property
    def open(self) -> K | None:
        """What holds now; None: nothing."""
        return None if self._now is None else self._now.what

    def finish(self, end_ns: int | None = None) -> list[Span[K]]:
        """Say that it is over, at ``end_ns`` or with the last sample; return all spans."""
        if self._now is not None:
            self._end(self._last_ns if end_ns is None else max(end_ns, self._last_ns))
        return self.found

    def _end(self, time_ns: int) -> None:
        assert self._now is not None
        self._now.end_ns = max(time_ns, self._now.start_ns)
        if len(self.found) < _MOST:
            self.found.append(self._now)
        else:
            self.dropped += 1
        self._now = None
