"""The nodes' time of what carries no stamp: a bag's receive times may be of another clock."""

from __future__ import annotations

_SAME_NS = 3600 * 1_000_000_000  # clocks that differ by more are different clocks


class NodeClock:
    """Tells the time of the nodes from the time of reception.

    With a real robot both are the same clock. With simulated time the stamps begin near zero while
    the recorder's clock is that of the wall, and does not go at the same pace.

    Parameters
    ----------
    receive_ns, stamp_ns : int
        Reception and stamp of the bag's first stamped message [ns].
    begin_ns : int
        Reception of the bag's first message [ns].

    """

    def __init__(self, receive_ns: int, stamp_ns: int, begin_ns: int) -> None:
        self.same = abs(receive_ns - stamp_ns) < _SAME_NS
        self.start_ns = begin_ns if self.same else stamp_ns - (receive_ns - begin_ns)
        self._receive_ns, self._stamp_ns = receive_ns, stamp_ns

    def hear(self, receive_ns: int, stamp_ns: int) -> None:
        """Take in a message that is stamped when it is sent."""
        if stamp_ns >= self._stamp_ns:
            self._receive_ns, self._stamp_ns = receive_ns, stamp_ns

    def time_ns(self, receive_ns: int) -> int:
        """Return what time it was for the nodes [ns]."""
        if self.same:
            return receive_ns
        return self._stamp_ns + max(receive_ns - self._receive_ns, 0)

    def foreign(self, receive_ns: int, stamp_ns: int) -> bool:
        """Return whether a stamp is of another clock than those of the arm's joints."""
        return abs(self.time_ns(receive_ns) - stamp_ns) > _SAME_NS

    def age_s(self, receive_ns: int, stamp_ns: int) -> float | None:
        """Return how old a message was on arrival [s]; None where that cannot be known."""
        return (receive_ns - stamp_ns) * 1e-9 if self.same else None
