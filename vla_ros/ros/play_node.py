"""Publishes the sensors of a bag, so that the real nodes run against it.

It publishes bytes as they lie in the bag. Before and while it plays it looks whether somebody else
publishes the same: a recording mixed with a live robot would be neither.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rosgraph_msgs.msg import Clock

from vla_ros.core.errors import InputError
from vla_ros.replay.pictures import PICTURE_TYPES
from vla_ros.replay.play_topics import PlayTopic
from vla_ros.replay.playback import PlayEvent
from vla_ros.ros import qos
from vla_ros.ros.message_definition import message_class
from vla_ros.ros.stamps import time_message

_AHEAD = 64  # messages that are read before they are due
_CLOCK = '/clock'
_LATCHED_DEPTH = 64  # /tf_static has several messages, all of which hold


class PlayNode(Node):
    """One publisher a topic, and ``/clock``.

    Parameters
    ----------
    context : Context
        Where it lives.
    topics : Sequence[PlayTopic]
        What is published.

    Raises
    ------
    InputError
        When a message type is not installed here.

    """

    def __init__(self, context: Context, topics: Sequence[PlayTopic]) -> None:
        # A name of its own: another one that plays is somebody else.
        super().__init__(f'play_node_{os.getpid()}', context=context, use_global_arguments=False)
        self._topics = tuple(topics)
        self._clock_publisher = self.create_publisher(Clock, _CLOCK, qos.CLOCK)
        self._publishers_by_name = {
            topic.recorded: self.create_publisher(message_class(topic.type), topic.published,
                                                  play_profile(topic)) for topic in topics}
        self._told_ns = 0

    def publish(self, event: PlayEvent) -> None:
        """Publish the time, if it has changed, and the message of an event."""
        if event.clock_ns and event.clock_ns != self._told_ns:
            self._told_ns = event.clock_ns
            self._clock_publisher.publish(Clock(clock=time_message(event.clock_ns)))
        if event.topic is not None:
            self._publishers_by_name[event.topic.recorded].publish(event.data)

    def others(self) -> list[str]:
        """Return who else publishes what is played here."""
        own = self.get_name(), self.get_namespace()
        found = []
        for name in (_CLOCK, *(topic.published for topic in self._topics)):
            nodes = {f'{offer.node_namespace.rstrip("/")}/{offer.node_name}'
                     for offer in self.get_publishers_info_by_topic(name)
                     if (offer.node_name, offer.node_namespace) != own}
            if nodes:
                found.append(f'{name} by {", ".join(sorted(nodes))}')
        return found

    def unheard(self) -> list[str]:
        """Return the pictures and joint states that nobody listens to."""
        return [topic.published for topic in self._topics if topic.is_input
                and not self._publishers_by_name[topic.recorded].get_subscription_count()]

    def acknowledged(self, timeout_s: float) -> None:
        """Wait until the reliable subscribers have what was published, or for so long [s]."""
        from rclpy.duration import Duration

        end = time.monotonic() + timeout_s
        for publisher in self._publishers_by_name.values():
            publisher.wait_for_all_acked(Duration(seconds=max(end - time.monotonic(), 0.0)))


def play_profile(topic: PlayTopic) -> QoSProfile:
    """Return the quality of service of a topic: any subscriber of its kind fits.

    Reliable also for pictures, since a subscriber that asks for that gets nothing otherwise; and
    with a bounded history, so that nobody is waited for.
    """
    if topic.latched:
        return QoSProfile(history=HistoryPolicy.KEEP_LAST,
                          depth=_LATCHED_DEPTH if topic.recorded == '/tf_static' else 1,
                          reliability=ReliabilityPolicy.RELIABLE,
                          durability=DurabilityPolicy.TRANSIENT_LOCAL)
    return QoSProfile(history=HistoryPolicy.KEEP_LAST,
                      depth=qos.CAMERA.depth if topic.type in PICTURE_TYPES else 100,
                      reliability=ReliabilityPolicy.RELIABLE)


@contextmanager
def open_play_node(topics: Sequence[PlayTopic]) -> Iterator[PlayNode]:
    """Make the node in a context of its own. It has no callbacks: nothing has to spin."""
    context = Context()
    rclpy.init(args=[], context=context, signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = PlayNode(context, topics)
        try:
            yield node
        finally:
            node.destroy_node()
    finally:
        rclpy.shutdown(context=context)


class Watch(threading.Thread):
    """Looks, as long as something is played, whether somebody else begins to publish it.

    Parameters
    ----------
    node : PlayNode
        What is published.
    stop : threading.Event
        Ends it; set when somebody does.

    """

    def __init__(self, node: PlayNode, stop: threading.Event) -> None:
        super().__init__(name='watch', daemon=True)
        self.found: list[str] = []
        self._node, self._stop_play = node, stop
        self._done = threading.Event()

    def run(self) -> None:
        """Look every half second."""
        while not self._done.wait(0.5):
            self.found = self._node.others()
            if self.found:
                self._stop_play.set()
                return

    def finish(self) -> None:
        """Look no more."""
        self._done.set()
        self.join()
        self.found = self.found or self._node.others()


def read_ahead(make: Callable[[], Iterable[PlayEvent]]) -> Iterator[PlayEvent]:
    """Yield the events of another thread that reads them: the disk does not make them late."""
    line: queue.Queue[Any] = queue.Queue(_AHEAD)
    ended = threading.Event()

    def put(item: Any) -> bool:
        while not ended.is_set():
            try:
                line.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def run() -> None:
        try:
            for event in make():
                if not put(event):
                    return
            put(None)
        except BaseException as error:  # noqa: BLE001, raised again where it is read
            put(error)

    thread = threading.Thread(target=run, name='reader', daemon=True)
    thread.start()
    try:
        while (item := line.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        ended.set()
        thread.join()


def refuse_others(node: PlayNode, seconds: float, stop: threading.Event) -> None:
    """Look so long [s] whether somebody else publishes what is to be played.

    Raises
    ------
    InputError
        When somebody does; at once.

    """
    end = time.monotonic() + seconds
    while True:
        if node.others():
            stop.wait(0.5)  # names are heard of a little later than what is published
            found = node.others()
            raise InputError('somebody else publishes the same, a robot that runs, perhaps: '
                             f'{"; ".join(found)}. Play with another ROS_DOMAIN_ID')
        if time.monotonic() > end or stop.wait(0.05):
            return
