"""Listens to what is recorded: as bytes, never decoded, and so that no publisher waits for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription

from vla_ros.core.errors import InputError
from vla_ros.replay.record_queue import Importance, LiveMessage
from vla_ros.replay.record_topics import DEPTH, RecordTopic, importance
from vla_ros.ros import qos
from vla_ros.ros.message_definition import definition_for_bag, message_class

_WITH_INFO = hasattr(Subscription, 'CallbackType')  # older ones tell nothing of a message
_MOST_WAIT_NS = 60_000_000_000  # an arrival longer ago is on another clock


class RecordSubscriptions:
    """One subscription a topic; those whose type is not known yet follow when it is published.

    Parameters
    ----------
    node : Node
        Subscribes.
    topics : Iterable[RecordTopic]
        To what.
    take : Callable[[LiveMessage], None]
        Gets every message, in the executor's thread.
    lose : Callable[[str, int], None]
        Gets topic and number of messages that the middleware says are lost.
    latch : Callable[[str], None]
        Gets topics that turn out to be latched.

    """

    def __init__(self, node: Node, topics: Iterable[RecordTopic],
                 take: Callable[[LiveMessage], None], lose: Callable[[str, int], None],
                 latch: Callable[[str], None] = lambda topic: None) -> None:
        self.problems: dict[str, str] = {}
        self._node = node
        self._take = take
        self._lose = lose
        self._latch = latch
        self._open: dict[str, Any] = {}
        self._unknown: dict[str, RecordTopic] = {}
        for topic in topics:
            name = node.resolve_topic_name(topic.name)
            if not topic.type:
                self._unknown[name] = topic
                continue
            try:
                self._subscribe(name, topic, topic.type)
            except InputError as error:
                # Looked for again: whoever publishes it is in another environment, perhaps.
                self.problems[name] = str(error)

    @property
    def waiting(self) -> list[str]:
        """Topics of unknown type that nobody publishes yet."""
        return sorted(self._unknown)

    def look(self) -> None:
        """Subscribe to topics of unknown type that are published by now."""
        for name, topic in list(self._unknown.items()):
            offers = self._node.get_publishers_info_by_topic(name)
            if not offers:
                continue
            del self._unknown[name]
            found = offers[0].topic_type
            latched = any(offer.qos_profile.durability is DurabilityPolicy.TRANSIENT_LOCAL
                          for offer in offers)
            try:
                # Those that are said once are asked for reliably, or they would not be sent.
                self._subscribe(name, RecordTopic(topic.name, '', latched, latched), found)
                if latched:
                    self._latch(name)
            except InputError as error:
                self.problems[name] = str(error)

    def close(self) -> None:
        """Listen no more."""
        for subscription in self._open.values():
            self._node.destroy_subscription(subscription)
        self._open.clear()

    def _subscribe(self, name: str, topic: RecordTopic, kind: str) -> None:
        message = message_class(kind)
        definition = definition_for_bag(message, kind)
        weight = importance(topic, kind)
        node, take = self._node, self._take
        clock, numbers = node.get_clock(), SequenceNumbers()
        simulated = clock.ros_time_is_active

        def receive(data: bytes, info: Any) -> None:
            if missing := numbers.missing_before(info):
                self._lose(name, missing)
            now_ns = clock.now().nanoseconds
            if not simulated:
                now_ns = received_ns(info, now_ns)
            take(LiveMessage(name, kind, now_ns, data, weight, definition))

        def on_lost(event: Any) -> None:
            if not numbers.given:  # or they would be counted twice
                self._lose(name, event.total_count_change)

        callback: Any = receive if _WITH_INFO else lambda data: receive(data, {})
        profile = recording_profile(topic, weight)
        lost = qos.SubscriptionEventCallbacks(message_lost=on_lost)
        try:
            made = node.create_subscription(message, topic.name, callback, profile, raw=True,
                                            event_callbacks=lost)
        except Exception:  # noqa: BLE001, a middleware that cannot say what it lost
            made = node.create_subscription(message, topic.name, callback, profile, raw=True)
        self._open[name] = made


class SequenceNumbers:
    """Counts what is missing between two messages of one publisher.

    That shows all that was lost, also what this process was too slow to take; the middleware itself
    tells only what did not arrive. It does not number messages before Iron.
    """

    def __init__(self) -> None:
        self.given = False
        self._newest: dict[bytes, int] = {}

    def missing_before(self, info: Any) -> int:
        """Return how many messages of its publisher are missing before the one with this info."""
        number, publisher = info.get('publication_sequence_number'), info.get('publisher_gid')
        if number is None or not publisher:
            return 0
        self.given = True
        gid = bytes(publisher['data'])
        before = self._newest.get(gid)
        self._newest[gid] = number
        return 0 if before is None else max(number - before - 1, 0)


def received_ns(info: Any, now_ns: int) -> int:
    """Return when a message arrived [ns], which a busy process notices later; else now."""
    arrived = int(info.get('received_timestamp') or 0)
    return arrived if 0 <= now_ns - arrived < _MOST_WAIT_NS else now_ns


def recording_profile(topic: RecordTopic, weight: Importance) -> QoSProfile:
    """Return the quality of service with which a topic is recorded.

    Best effort, unless the topic's publishers are known to keep a few messages only and to be no
    control loop: a publisher that keeps everything until it is acknowledged would wait for a
    recorder that stands still.
    """
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=DEPTH[weight],
        reliability=(ReliabilityPolicy.RELIABLE if topic.reliable
                     else ReliabilityPolicy.BEST_EFFORT),
        durability=(DurabilityPolicy.TRANSIENT_LOCAL if topic.latched
                    else DurabilityPolicy.VOLATILE))
