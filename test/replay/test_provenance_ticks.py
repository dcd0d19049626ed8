"""From a bag to labelled pieces: what a human did in it is found again."""

import pytest

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.core.provenance import ProvenanceBatch, TickRecord, encode, intervals, segments
from vla_ros.replay import messages
from vla_ros.replay.bag import Bag
from vla_ros.replay.bag_writer import BagWriter
from vla_ros.replay.provenance_ticks import read_ticks
from vla_ros.replay.topic_choice import STRING

MS = 1_000_000
TEXTS = ['', 'gripper override: panel latched', 'takeover: joystick twist', '']


@pytest.fixture
def make_bag(tmp_path):
    def make(*topics, text=None):
        path = tmp_path / 'bag'
        with BagWriter(path) as bag:
            bag.write_message('/instruction', STRING, 1, messages.text('pick'))
            for topic in topics:
                for batch, said in enumerate(TEXTS):
                    ticks = tuple(TickRecord((batch * 10 + i) * 10 * MS, 'AUTONOMOUS',
                                             intervention=said) for i in range(10))
                    bag.write_message(topic, STRING, (batch + 1) * 100 * MS, messages.text(
                        encode(ProvenanceBatch(('a',), ticks=ticks)) if text is None else text))
        return path

    return make


def test_a_bag_becomes_pieces_each_with_one_label(make_bag):
    with Bag(make_bag('/robot/provenance')) as bag:
        ticks = read_ticks(bag)
    assert len(ticks) == 40
    assert [(s.start_ns // MS, s.end_ns // MS, s.kind, s.source) for s in segments(ticks)] == [
        (0, 100, 'autonomous', ''), (100, 200, 'gripper override', 'panel'),
        (200, 300, 'takeover', 'joystick'), (300, 390, 'autonomous', '')]
    assert [i.mode for i in intervals(ticks)] == ['latched', 'twist']


def test_a_bag_without_provenance_is_an_error_with_its_topics(make_bag):
    with Bag(make_bag()) as bag, pytest.raises(InputError, match="'provenance'.*/instruction"):
        read_ticks(bag)


def test_of_two_arms_one_must_be_named(make_bag):
    with Bag(make_bag('/left/provenance', '/right/provenance')) as bag:
        with pytest.raises(ConfigError, match='/left/provenance, /right/provenance'):
            read_ticks(bag)
        assert len(read_ticks(bag, '/left/provenance')) == 40


def test_a_text_that_is_no_provenance_is_an_error(make_bag):
    with Bag(make_bag('/provenance', text='{}')) as bag, pytest.raises(InputError,
                                                                       match='provenance'):
        read_ticks(bag)
