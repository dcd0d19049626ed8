"""A bag as events in time, given out at a rate, without any clock but the one it is given."""

from __future__ import annotations

import itertools

import pytest
from conftest import JOINTS, START_NS, write_run
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.core.errors import ConfigError
from vla_ros.replay import messages
from vla_ros.replay.bag import Bag
from vla_ros.replay.bag_writer import BagWriter
from vla_ros.replay.message_types import KNOWN_TYPES
from vla_ros.replay.messages import serialized
from vla_ros.replay.play_topics import PlayTopic, play_topics
from vla_ros.replay.playback import Player, PlayEvent, events
from vla_ros.replay.topic_choice import JOINT_STATE, STRING

MS, SECOND = 1_000_000, 1_000_000_000
SAID = PlayTopic('/said', '/said', STRING, False)


class FakeTime:
    """Time that passes only while somebody waits or publishes."""

    def __init__(self, publishing_s=0.0, stop_after=None):
        self.now, self.publishing_s, self.stop_after = 100.0, publishing_s, stop_after
        self.published: list[tuple[float, PlayEvent]] = []

    def monotonic(self):
        return self.now

    def wait(self, seconds):
        self.now += seconds
        return self.stop_after is not None and len(self.published) >= self.stop_after

    def publish(self, event):
        self.published.append((self.now - 100.0, event))
        self.now += self.publishing_s


def player(rate=1.0, **options):
    time = FakeTime(**options)
    return time, Player(rate, time.publish, time.monotonic, time.wait)


def run(count=10, step_ms=100):
    return [PlayEvent(i * step_ms * MS, 1 + i * step_ms * MS, SAID, b'') for i in range(count)]


@given(st.floats(0.1, 20.0), st.lists(st.integers(0, 500), min_size=1, max_size=30))
def test_each_event_is_published_at_its_time(rate, gaps_ms):
    at, found = 0, []
    for gap in gaps_ms:
        at += gap * MS
        found.append(PlayEvent(at, at, SAID, b''))
    time, playing = player(rate)
    report = playing.play(found)
    assert [event for _, event in time.published] == found
    assert [when for when, _ in time.published] == pytest.approx(
        [event.at_ns * 1e-9 / rate for event in found], abs=1e-6)
    assert report.slipped_s == 0.0 and report.messages == len(found)


def test_a_rate_that_cannot_be_kept_is_told_and_nothing_is_left_out():
    time, playing = player(rate=10.0, publishing_s=0.03)  # 10 ms are asked for
    report = playing.play(run(100))
    assert len(time.published) == 100
    assert report.took_s == pytest.approx(3.0, abs=0.3)
    assert report.slipped_s > 1.5
    assert 'could not be kept' in report.text(10.0) and '3.3' in report.text(10.0)


def test_a_rate_that_is_kept_says_nothing_of_the_kind():
    _, playing = player(rate=2.0, publishing_s=0.001)
    report = playing.play(run(100))
    assert report.slipped_s == 0.0 and 'could not' not in report.text(2.0)
    assert report.late_ms[2] == pytest.approx(0.0, abs=1e-6)


def test_told_to_stop_it_ends_where_it_is():
    time, playing = player(stop_after=3)
    assert playing.play(run()).messages == 3 and len(time.published) == 3


@pytest.mark.parametrize('rate', [0.0, -1.0, float('nan'), float('inf')])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(ConfigError, match='rate'):
        Player(rate, print, float, bool)


def played(path, **options):
    with Bag(path) as bag:
        return list(events(bag, play_topics(bag, set()), **options))


def test_the_clock_beats_between_messages_and_never_goes_back(run_bag):
    found = played(run_bag, clock_ns=10 * MS)
    times = [event.clock_ns for event in found]
    assert times == sorted(times) and times[0] == START_NS
    assert max(b - a for a, b in itertools.pairwise(times)) <= 10 * MS
    assert [event.at_ns for event in found] == [t - START_NS for t in times]


def test_every_message_comes_at_the_time_at_which_it_was_received(run_bag):
    with Bag(run_bag) as bag:
        expected = [(r.topic, r.receive_ns, r.data) for r in bag.records()
                    if r.topic != '/action_chunk']
    assert [(e.topic.recorded, e.clock_ns, e.data) for e in played(run_bag)
            if e.topic is not None] == expected


def test_a_part_begins_with_what_was_latched_before_it(run_bag):
    found = [e for e in played(run_bag, start_s=1.0, duration_s=0.5) if e.topic is not None]
    assert found[0].topic.recorded == '/instruction' and found[0].at_ns == 0
    inside = [e.clock_ns for e in found[1:]]
    assert min(inside) >= START_NS + SECOND and max(inside) < START_NS + 1.5 * SECOND
    assert len(inside) == pytest.approx(20, abs=3)


def test_a_start_behind_the_end_is_refused(run_bag):
    with pytest.raises(ConfigError, match='start-offset: 99 s is not in the bag'):
        played(run_bag, start_s=99.0)


def test_a_simulation_that_was_recorded_in_real_time_has_its_own_clock(tmp_path):
    """What rosbag2 records without --use-sim-time: the stamps are of another clock."""
    clock = 'rosgraph_msgs/msg/Clock'
    time_type = KNOWN_TYPES.types['builtin_interfaces/msg/Time']
    with BagWriter(tmp_path / 'bag') as bag:
        for i in range(20):
            sim_ns = 5 * SECOND + i * 50 * MS
            at = START_NS + i * 100 * MS  # half as fast as real time
            bag.write('/clock', clock, at, serialized(
                KNOWN_TYPES.types[clock](time_type(*divmod(sim_ns, SECOND))), clock))
            bag.write_message('/joint_states', JOINT_STATE, at + MS,
                              messages.joint_state(JOINTS, [0.0, 0.0], sim_ns))
    found = [e for e in played(tmp_path / 'bag') if e.topic is not None]
    assert [e.clock_ns for e in found] == [5 * SECOND + i * 50 * MS for i in range(20)]
    assert found[-1].at_ns == 19 * 100 * MS + MS, 'it takes as long as it took'


def test_a_longer_run_is_read_piece_by_piece(tmp_path):
    found = played(write_run(tmp_path / 'long', steps=200, max_bytes=20_000))
    assert sum(e.topic is not None for e in found) == 200 * 4 + 1
