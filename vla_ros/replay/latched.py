"""What was said once and still holds: the newest message of each latched topic."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable

from vla_ros.replay.record_queue import LiveMessage

_MOST = 64  # different messages of a topic with several publishers


class Latched:
    """The newest message of each latched topic; any thread may use it.

    Parameters
    ----------
    topics : Collection[str]
        Which topics are latched; see :meth:`include` for those that are found later.
    shared : Collection[str]
        Those of them on which several publishers each say a part (``/tf_static``): the newest
        64 different messages are kept.

    """

    def __init__(self, topics: Collection[str] = (), shared: Collection[str] = ()) -> None:
        self._shared = frozenset(shared)
        self._lock = threading.Lock()
        self._said: dict[str, OrderedDict[bytes, LiveMessage]] = {
            topic: OrderedDict() for topic in topics}

    @property
    def topics(self) -> frozenset[str]:
        """Names of the latched topics."""
        with self._lock:
            return frozenset(self._said)

    def include(self, topic: str) -> None:
        """Let a topic be latched, too."""
        with self._lock:
            self._said.setdefault(topic, OrderedDict())

    def keep(self, message: LiveMessage) -> bool:
        """Keep a message if its topic is latched; return whether it is."""
        with self._lock:
            said = self._said.get(message.topic)
            if said is None:
                return False
            if message.topic not in self._shared:
                said.clear()
            said.pop(message.data, None)
            said[message.data] = message
            while len(said) > _MOST:
                said.popitem(last=False)
            return True

    def messages(self) -> list[LiveMessage]:
        """Return what is kept, by receive time."""
        with self._lock:
            kept: Iterable[LiveMessage] = [m for said in self._said.values()
                                           for m in said.values()]
        return sorted(kept, key=lambda message: message.receive_ns)
