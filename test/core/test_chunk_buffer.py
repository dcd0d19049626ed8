"""Chunks by time: late, early, double, out of order, before a reset."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.core.chunk_buffer import ChunkBuffer
from vla_ros.core.trajectory import Steps
from vla_ros.core.types import ActionChunk, ActionConvention, ActionSpace

MS = 1_000_000
JOINT = ActionConvention(space=ActionSpace.JOINT_POSITION)
FIRST = ('accepted', 'replaced', 'duplicate', 'late', 'future', 'before_reset')


def chunk(stamp_ms, steps=8, dt_ms=100, action=0.0):
    made = ActionChunk(stamp_ms * MS, dt_ms * MS, np.full((steps, 1), action), ('joint1',), JOINT)
    return Steps.of(made, 1).anchored(np.eye(4), np.zeros(1), 0)


def stamps(buffer, now_ms):
    return [c.stamp_ns // MS for c in buffer.due(now_ms * MS)]


def test_a_late_chunk_is_used_from_where_it_is_due():
    buffer = ChunkBuffer()
    assert buffer.add(chunk(0), now_ns=750 * MS) == 'accepted'
    assert stamps(buffer, 750) == [0]
    assert stamps(buffer, 799) == [0]
    assert stamps(buffer, 800) == []


def test_a_chunk_that_is_wholly_past_is_refused():
    assert ChunkBuffer().add(chunk(0), now_ns=800 * MS) == 'late'


def test_a_chunk_from_the_future_is_refused_but_a_small_clock_difference_is_not():
    buffer = ChunkBuffer(future_tolerance_ns=50 * MS)
    assert buffer.add(chunk(1051), now_ns=1000 * MS) == 'future'
    assert buffer.add(chunk(1050), now_ns=1000 * MS) == 'accepted'
    assert stamps(buffer, 1000) == []
    assert stamps(buffer, 1050) == [1050]


def test_another_answer_to_the_same_observation_replaces_the_first():
    buffer = ChunkBuffer()
    first = chunk(0)
    for second in (chunk(0, action=0.1), chunk(0, steps=9, action=0.1), chunk(0, 9, 50, 0.1)):
        buffer.add(first, 0)
        assert buffer.add(second, 0) == 'replaced'
        assert buffer.due(0) == [second]
        first = second


def test_the_same_answer_again_changes_nothing():
    buffer = ChunkBuffer()
    first = chunk(0)
    buffer.add(first, 0)
    assert buffer.add(chunk(0), 100 * MS) == 'duplicate'
    assert buffer.due(100 * MS) == [first]
    assert buffer.counts['duplicate'] == 1 and buffer.counts['accepted'] == 1


def test_an_older_observation_answered_after_a_newer_one_is_used_and_counted():
    buffer = ChunkBuffer()
    for stamp in (100, 200, 150):
        assert buffer.add(chunk(stamp), 250 * MS) == 'accepted'
    assert stamps(buffer, 250) == [100, 150, 200]
    assert buffer.counts['reordered'] == 1


def test_what_came_before_a_reset_does_not_make_a_chunk_out_of_order():
    buffer = ChunkBuffer()
    buffer.add(chunk(5000), 5000 * MS)
    buffer.clear(valid_from_ns=0)
    buffer.add(chunk(100), 200 * MS)
    assert buffer.counts['reordered'] == 0


def test_chunks_that_speak_of_the_same_time_are_counted():
    buffer = ChunkBuffer()
    for stamp in (0, 800, 1599):
        buffer.add(chunk(stamp), max(stamp, 500) * MS)
    assert buffer.counts['overlapping'] == 1


def test_chunks_from_before_a_reset_are_gone_and_stay_out():
    buffer = ChunkBuffer()
    buffer.add(chunk(0), 0)
    buffer.clear(valid_from_ns=300 * MS)
    assert len(buffer) == 0
    assert buffer.add(chunk(299), 400 * MS) == 'before_reset'
    assert buffer.add(chunk(300), 400 * MS) == 'accepted'


def test_the_oldest_go_when_there_are_too_many_and_it_is_counted():
    buffer = ChunkBuffer(capacity=3)
    for stamp in (0, 10, 20, 30):
        buffer.add(chunk(stamp), 40 * MS)
    assert stamps(buffer, 40) == [10, 20, 30]
    assert buffer.counts['overflow'] == 1


@given(st.lists(st.integers(0, 3000), max_size=20), st.integers(0, 3000))
def test_in_any_order_of_arrival_the_due_ones_come_oldest_first(arrivals, now_ms):
    buffer = ChunkBuffer(capacity=100, future_tolerance_ns=10_000 * MS)
    for stamp in arrivals:
        buffer.add(chunk(stamp), 0)
    expected = sorted({s for s in arrivals if s <= now_ms < s + 800})
    assert stamps(buffer, now_ms) == expected


@given(st.lists(st.tuples(st.integers(-900, 3000), st.integers(0, 1)), max_size=20))
def test_every_chunk_is_counted_once_among_what_can_become_of_it(sent):
    buffer = ChunkBuffer(capacity=4)
    buffer.clear(valid_from_ns=-850 * MS)
    verdicts = [buffer.add(chunk(stamp, action=action), 1000 * MS) for stamp, action in sent]
    assert {v: verdicts.count(v) for v in verdicts} == {
        k: n for k, n in buffer.counts.items() if k in FIRST}
    assert sum(buffer.counts[k] for k in FIRST) == pytest.approx(len(sent))
