"""Which moments of a run are worth a look."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_APART_S = 0.4


@dataclass(frozen=True)
class Moment:
    """A moment to look at.

    Attributes
    ----------
    time_ns : int
        When, in the nodes' time [ns].
    receive_ns : int
        About when, in the bag's time of reception [ns].
    kind, text : str
        What happened, in a word and in words.
    weight : float
        The larger, the rather it is shown.

    """

    time_ns: int
    receive_ns: int
    kind: str
    text: str
    weight: float


class Peaks:
    """The largest values of a stream that are at least a window apart."""

    def __init__(self, window_ns: int = 2_000_000_000, most: int = 4) -> None:
        self._window_ns, self._most = window_ns, most
        self._best: list[tuple[float, int, int]] = []
        self._now: tuple[float, int, int] | None = None

    def add(self, value: float, time_ns: int, receive_ns: int) -> None:
        """Take in a value at a time [ns]."""
        if self._now is not None and abs(time_ns - self._now[1]) >= self._window_ns:
            self._close()
        if value == value and (self._now is None or value > self._now[0]):
            self._now = (value, time_ns, receive_ns)

    def _close(self) -> None:
        assert self._now is not None
        self._best = sorted([*self._best, self._now], reverse=True)[:self._most]
        self._now = None

    def finish(self) -> list[tuple[float, int, int]]:
        """Return (value, time [ns], reception [ns]) of the peaks, the largest first."""
        if self._now is not None:
            self._close()
        return self._best


def chosen(moments: Iterable[Moment], most: int = 9) -> list[Moment]:
    """Return the weightiest moments, each kind in turn, no two within 0.4 s, by time."""
    waiting: dict[str, list[Moment]] = {}
    for moment in sorted(moments, key=lambda m: -m.weight):
        waiting.setdefault(moment.kind, []).append(moment)
    found: list[Moment] = []
    # In turn: the fifth change of mode says less than the first grasp.
    while len(found) < most and any(waiting.values()):
        for kind in sorted(waiting, key=lambda k: -waiting[k][0].weight if waiting[k] else 0.0):
            if not waiting[kind] or len(found) >= most:
                continue
            moment = waiting[kind].pop(0)
            if all(abs(moment.time_ns - m.time_ns) >= _APART_S * 1e9 for m in found):
                found.append(moment)
    return sorted(found, key=lambda m: m.time_ns)
