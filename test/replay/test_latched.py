"""What was said once is known later."""

from __future__ import annotations

from vla_ros.replay.latched import Latched
from vla_ros.replay.record_queue import Importance, LiveMessage
from vla_ros.replay.topic_choice import STRING


def said(topic, text, at=1):
    return LiveMessage(topic, STRING, at, text.encode(), Importance.COMMAND)


def test_the_newest_message_of_a_latched_topic_is_kept():
    latched = Latched(['/instruction'])
    assert latched.keep(said('/instruction', 'a', 1)) and latched.keep(said('/instruction', 'b', 2))
    assert not latched.keep(said('/joint_states', 'c', 3))
    assert [m.data for m in latched.messages()] == [b'b']


def test_several_publishers_of_one_topic_are_all_heard():
    """Each ``/tf_static`` publisher says the frames that it knows."""
    latched = Latched(['/tf_static'], ['/tf_static'])
    for text in ('camera', 'tool', 'camera'):
        latched.keep(said('/tf_static', text))
    assert sorted(m.data for m in latched.messages()) == [b'camera', b'tool']


def test_memory_for_several_publishers_is_bounded():
    latched = Latched(['/tf_static'], ['/tf_static'])
    for i in range(200):
        latched.keep(said('/tf_static', str(i), i))
    kept = [int(m.data) for m in latched.messages()]
    assert len(kept) <= 64 and kept[-1] == 199


def test_a_topic_that_is_found_later_can_be_latched_too():
    latched = Latched()
    latched.include('/map')
    assert latched.keep(said('/map', 'x')) and latched.topics == {'/map'}
