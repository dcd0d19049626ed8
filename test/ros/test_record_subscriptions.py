"""What the recorder's subscriptions make of the information that comes with a message."""

from __future__ import annotations

from typing import Any

import pytest
from rclpy import subscription
from rclpy.qos import DurabilityPolicy, HistoryPolicy, ReliabilityPolicy
from std_msgs.msg import String

pytest.importorskip('rosbags')

from vla_ros.replay.record_queue import Importance, LiveMessage
from vla_ros.replay.record_topics import RecordTopic, record_topics
from vla_ros.ros.record_subscriptions import (
    RecordSubscriptions,
    SequenceNumbers,
    received_ns,
    recording_profile,
)

SECOND = 1_000_000_000


def info(number: int | None, gid: bytes = b'a') -> dict[str, Any]:
    return {'publication_sequence_number': number, 'publisher_gid': {'data': gid}}


def test_what_is_missing_between_two_messages_of_a_publisher_is_counted() -> None:
    numbers = SequenceNumbers()
    assert [numbers.missing_before(info(n)) for n in (5, 6, 9, 10, 20)] == [0, 0, 2, 0, 9]
    assert numbers.given


def test_publishers_are_counted_apart() -> None:
    numbers = SequenceNumbers()
    given = [(1, b'a'), (100, b'b'), (2, b'a'), (101, b'b'), (4, b'a')]
    assert [numbers.missing_before(info(n, gid)) for n, gid in given] == [0, 0, 0, 0, 1]


def test_without_numbers_nothing_is_counted_and_it_says_so() -> None:
    numbers = SequenceNumbers()
    assert numbers.missing_before(info(None)) == 0 == numbers.missing_before({})
    assert not numbers.given


@pytest.mark.parametrize(('arrived', 'expected'), [
    (98 * SECOND, 98 * SECOND), (100 * SECOND, 100 * SECOND), (0, 100 * SECOND),
    (101 * SECOND, 100 * SECOND), (30 * SECOND, 100 * SECOND)])
def test_the_time_of_arrival_is_taken_where_it_can_be_true(arrived: int, expected: int) -> None:
    assert received_ns({'received_timestamp': arrived}, 100 * SECOND) == expected


def test_no_subscription_makes_a_publisher_keep_more_than_it_wants() -> None:
    for topic in record_topics(['image'], ['joint_states'], {'joint_command': ''}, more=['x']):
        profile = recording_profile(topic, topic.importance)
        assert profile.history is HistoryPolicy.KEEP_LAST and profile.depth > 0
        assert (profile.reliability is ReliabilityPolicy.RELIABLE) == topic.reliable
        assert (profile.durability is DurabilityPolicy.TRANSIENT_LOCAL) == topic.latched


def test_a_recorder_that_is_too_slow_counts_what_it_did_not_get(
        make_node: Any, spin_until: Any) -> None:
    """More comes than its queue holds before it looks: the middleware replaces the oldest."""
    if 'publisher_gid' not in getattr(subscription.MessageInfo, '__annotations__', {}):
        pytest.skip('this rclpy does not number messages')
    node, other = make_node('recorder'), make_node('other')
    taken: list[LiveMessage] = []
    lost: list[tuple[str, int]] = []
    RecordSubscriptions(node, [RecordTopic('x', 'std_msgs/msg/String', reliable=True)],
                        taken.append, lambda topic, n: lost.append((topic, n)))
    publisher = other.create_publisher(String, 'x', 1000)
    spin_until([node, other], publisher.get_subscription_count, 'it listens')
    publisher.publish(String(data='first'))
    spin_until([node, other], lambda: taken, 'the first')
    for i in range(500):
        publisher.publish(String(data=str(i)))
    publisher.publish(String(data='last'))
    spin_until([node, other], lambda: b'last' in taken[-1].data, 'the last')
    assert len(taken) + sum(n for _, n in lost) == 502
    assert lost and all(topic == '/x' for topic, _ in lost)
    assert taken[0].type == 'std_msgs/msg/String' and taken[0].importance is Importance.COMMAND
