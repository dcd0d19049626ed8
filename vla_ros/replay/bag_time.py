"""What time it was when a message of a bag came: the node's clock, as well as a bag tells."""

from __future__ import annotations

from vla_ros.replay.bag import Bag, Record
from vla_ros.replay.stamps import header_ns, to_ns

CLOCK = 'rosgraph_msgs/msg/Clock'

_LEAST_DELAY_NS, _MOST_DELAY_NS = -1_000_000_000, 10_000_000_000


class BagTime:
    """Gives the time of each record, in the order in which they are read.

    ``receive``: when it was received. ``clock``: the newest ``/clock`` before it, for recordings of
    a simulation that were received in real time. ``stamps``: the newest header stamp so far, where
    the stamps are on another clock than the recorder's and there is no ``/clock``.

    Parameters
    ----------
    bag : Bag
        Open.
    stamped : str
        A topic whose messages have headers; its first one tells which of the three it is.

    Attributes
    ----------
    kind : str
        ``receive``, ``clock`` or ``stamps``.
    topics : tuple[str, ...]
        What has to be read for it beside the rest.
    note : str
        Why it is not ``receive``; empty when it is.

    """

    def __init__(self, bag: Bag, stamped: str) -> None:
        self._bag = bag
        self._now_ns = 0
        clocks = [t.name for t in bag.topics.values() if t.type == CLOCK and t.count]
        first = next(bag.records([stamped]))
        delay = first.receive_ns - header_ns(first.data)
        self.topics: tuple[str, ...] = ()
        self.note = ''
        if _LEAST_DELAY_NS <= delay <= _MOST_DELAY_NS:
            self.kind = 'receive'
            return
        self.kind = 'clock' if clocks else 'stamps'
        self.topics = tuple(clocks[:1])
        self.note = (f'{stamped} is stamped {delay * 1e-9:.1f} s before it was received: time is '
                     + (f'that of {clocks[0]}' if clocks else 'that of the stamps'))

    def now_ns(self, record: Record, stamp_ns: int | None) -> int:
        """Return the time at which a record came [ns]; 0 while it is not known.

        ``stamp_ns`` is its header's stamp, None where it has no header.
        """
        if self.kind == 'receive':
            return record.receive_ns
        if self.kind == 'clock':
            if record.topic in self.topics:
                self._now_ns = to_ns(self._bag.message(record).clock)
            return self._now_ns
        if stamp_ns is not None:
            self._now_ns = max(self._now_ns, stamp_ns)
        return self._now_ns
