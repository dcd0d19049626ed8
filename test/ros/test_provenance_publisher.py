"""Provenance on its topic: every tick, and for each chunk what it was made from."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from std_msgs.msg import String

from vla_ros.core.observation_record import ObservationRecord
from vla_ros.core.provenance import decode
from vla_ros.ros import qos
from vla_ros.ros.provenance_publisher import ProvenancePublisher


@dataclass
class Tick:
    stamp_ns: int
    mode: str = 'AUTONOMOUS'
    q: tuple[float, ...] = (0.1, -0.2)
    chunk_stamps_ns: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()


class Rig:
    def __init__(self, make_node, spin_until):
        self.node, self.other = make_node('control'), make_node('other')
        self.complaints = []
        self.provenance = ProvenancePublisher(
            self.node, ['joint1', 'joint2'], lambda *args: self.complaints.append(args))
        self.observations = self.other.create_publisher(String, 'observation', qos.CHUNK)
        self.texts = []
        self.other.create_subscription(String, 'provenance',
                                       lambda msg: self.texts.append(msg.data), qos.CHUNK)
        self._spin_until = spin_until
        self.wait(lambda: self.observations.get_subscription_count() > 0
                  and self.other.count_publishers('provenance') > 0, 'discovery')

    def wait(self, condition, what):
        self._spin_until([self.node, self.other], condition, what)

    def batches(self):
        return [decode(text) for text in self.texts]

    def ticks(self):
        return [tick for batch in self.batches() for tick in batch.ticks]

    def chunk(self, stamp_ns):
        """Return the last word on a chunk."""
        return [c for b in self.batches() for c in b.chunks if c.stamp_ns == stamp_ns][-1]

    def observe(self, record):
        text = record if isinstance(record, str) else record.to_json()
        self.observations.publish(String(data=text))


@pytest.fixture
def rig(make_node, spin_until):
    return Rig(make_node, spin_until)


def test_every_tick_is_published_once_and_in_order(rig):
    for stamp in range(1, 251):
        rig.provenance.add(Tick(stamp, chunk_stamps_ns=(7,), weights=(1.0,)))
    rig.wait(lambda: len(rig.ticks()) >= 250, 'all ticks')
    ticks = rig.ticks()
    assert [tick.stamp_ns for tick in ticks] == list(range(1, 251))
    assert (ticks[0].q, ticks[0].chunk_stamps_ns, ticks[0].weights) == ((0.1, -0.2), (7,), (1.0,))
    assert rig.batches()[-1].joints == ('joint1', 'joint2')
    assert sum(batch.lost for batch in rig.batches()) == 0


@pytest.mark.parametrize('chunk_first', [True, False])
def test_a_chunk_is_joined_with_its_observation_whichever_comes_first(rig, chunk_first):
    record = ObservationRecord(42, {'camera': 40, 'joint_states': 41}, 5, 'pick it up', 80.0)
    if chunk_first:
        rig.provenance.add_chunk(42, 100, 'played')
        rig.wait(lambda: any(c.stamp_ns == 42 for b in rig.batches() for c in b.chunks), 'chunk')
        assert rig.chunk(42).sources == {}
        rig.observe(record)
    else:
        rig.observe(record)
        # The sentinel: what comes after the record, so the record has been read.
        rig.observe('sentinel')
        rig.wait(lambda: rig.complaints, 'the sentinel')
        rig.provenance.add_chunk(42, 100, 'played')
    rig.wait(lambda: any(c.stamp_ns == 42 and c.sources for b in rig.batches() for c in b.chunks),
             'a chunk with its sources')
    chunk = rig.chunk(42)
    assert (chunk.arrival_ns, chunk.source, chunk.skew_ns) == (100, 'played', 5)
    assert dict(chunk.sources) == {'camera': 40, 'joint_states': 41}


@pytest.mark.parametrize('text', ['no json', '[]', '{}', '{"stamp_ns": "now"}', 'null'])
def test_a_malformed_observation_is_named_and_does_no_harm(rig, text):
    rig.observe(text)
    rig.wait(lambda: rig.complaints, 'a complaint')
    key, message = rig.complaints[0]
    assert key == 'observation'
    assert message.startswith('observation: ')
    rig.provenance.add(Tick(1))
    rig.wait(lambda: rig.ticks(), 'a tick')


def test_observations_without_a_chunk_do_not_pile_up(rig):
    for stamp in range(1000):
        rig.provenance.add_chunk(stamp, stamp, 'played')
        rig.provenance._on_observation(String(data=ObservationRecord(-1 - stamp).to_json()))
    assert len(rig.provenance._waiting) == len(rig.provenance._observations) == 64
    assert 999 in rig.provenance._waiting
    assert -1000 in rig.provenance._observations


def test_a_tick_that_cannot_be_written_is_named_and_the_next_ones_are(rig):
    rig.provenance.add(Tick(1, q=(0.0,) * 5))
    rig.wait(lambda: rig.complaints, 'a complaint')
    assert rig.complaints[0][0] == 'provenance'
    rig.provenance.add(Tick(2))
    rig.wait(lambda: [tick.stamp_ns for tick in rig.ticks()] == [2], 'the next tick')
