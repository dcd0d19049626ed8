"""Pictures that stand still although the arm moves: a camera that hangs goes on sending."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

_FIRST_BYTE = 12  # of the CDR: what is before it is the encapsulation and the stamp
_LEAST_S, _LEAST_PICTURES, _LEAST_TRAVEL = 0.5, 4, 0.05
_MOST = 100


@dataclass(frozen=True)
class Freeze:
    """The same picture over and over, from when until when [ns]; ``travel`` [rad] of a joint."""

    topic: str
    start_ns: int
    end_ns: int
    receive_ns: int
    pictures: int
    travel: float

    @property
    def duration_s(self) -> float:
        """How long [s]."""
        return (self.end_ns - self.start_ns) * 1e-9


@dataclass
class _Run:
    digest: int
    start_ns: int
    last_ns: int
    receive_ns: int
    travel: float
    pictures: int = 1


class CameraWatch:
    """Finds freezes of one camera by the bytes of its messages; nothing is decoded."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.freezes: list[Freeze] = []
        self._run: _Run | None = None
        self._travel = 0.0

    def add(self, data: bytes, time_ns: int, receive_ns: int, travel: float) -> None:
        """Take in a picture's message, its time [ns] and how far joints have come until then.

        ``travel`` is the way of the joint that moved most [rad], since the start of the bag.
        """
        digest = zlib.crc32(memoryview(data)[_FIRST_BYTE:])
        run = self._run
        if run is not None and run.digest == digest:
            run.pictures += 1
            run.last_ns = time_ns
        else:
            self.finish()
            self._run = _Run(digest, time_ns, time_ns, receive_ns, self._travel)
        self._travel = travel

    def finish(self) -> None:
        """Say that there are no more pictures."""
        run, self._run = self._run, None
        if run is None or run.pictures < _LEAST_PICTURES or len(self.freezes) >= _MOST:
            return
        travel = self._travel - run.travel
        if (run.last_ns - run.start_ns) * 1e-9 >= _LEAST_S and travel >= _LEAST_TRAVEL:
            self.freezes.append(Freeze(self.topic, run.start_ns, run.last_ns, run.receive_ns,
                                       run.pictures, travel))
