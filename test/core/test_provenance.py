"""What was written about a tick is what is read: rounded as promised, never NaN, never silent."""

import json
import math
from dataclasses import replace
from enum import Enum
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.core.errors import InputError, InvariantError
from vla_ros.core.provenance import (
    COLUMNS,
    ChunkRecord,
    ProvenanceBatch,
    ProvenanceWriter,
    TickRecord,
    decode,
    encode,
)

JOINTS = ('a', 'b', 'c')
T0 = 1_763_000_000_123_456_789
MS = 1_000_000

stamps = st.integers(-2**63, 2**63 - 1)
near = st.integers(T0 - 10**10, T0 + 10**10)
numbers = st.floats(-1e6, 1e6)
texts = st.text(max_size=12)
vectors = st.none() | st.tuples(numbers, numbers, numbers)


@st.composite
def records(draw):
    chunks = draw(st.lists(near, max_size=8))
    weights = draw(st.just([]) | st.lists(st.floats(0, 1), min_size=len(chunks),
                                          max_size=len(chunks)))
    return TickRecord(
        draw(near), draw(texts), draw(st.none() | texts), draw(texts), draw(vectors),
        draw(vectors), draw(st.none() | numbers), draw(st.none() | numbers),
        tuple(draw(st.lists(texts, max_size=4))), tuple(chunks), tuple(weights),
        draw(st.none() | stamps), draw(st.none() | stamps), draw(st.none() | numbers),
        draw(st.none() | texts))


chunk_records = st.builds(ChunkRecord, stamps, stamps, texts,
                          st.dictionaries(texts, stamps, max_size=3), st.none() | stamps)
batches = st.builds(
    ProvenanceBatch, st.just(JOINTS),
    st.lists(chunk_records, max_size=4, unique_by=lambda c: c.stamp_ns).map(tuple),
    st.lists(records(), max_size=6).map(tuple), st.integers(0, 10**6))

SAMPLE = ProvenanceBatch(
    JOINTS, (ChunkRecord(T0, T0 + 90 * MS, 'openvla', {'wrist': T0 - 5 * MS}, 3 * MS),),
    (TickRecord(T0 + 100 * MS, 'AUTONOMOUS', 'RUNNING', 'fine', (0.1, -0.2, 0.3), (0.0, 0.0, 1.5),
                0.05, 20.0, ('velocity b',), (T0,), (1.0,), T0 + 97 * MS, T0 + 100 * MS, 1.0, None),
     TickRecord(T0 + 110 * MS, 'HOLD')))


def check_rounded(read, written):
    """Compare a record with the one it was written from, field by field."""
    for name in ('stamp_ns', 'mode', 'level', 'reason', 'acted', 'chunk_stamps_ns',
                 'joint_state_stamp_ns', 'playhead_ns', 'intervention'):
        assert getattr(read, name) == getattr(written, name), name
    for name, tolerance in (('q', 0.5e-6), ('velocity', 0.5e-5), ('weights', 0.5e-4)):
        a, b = getattr(read, name), getattr(written, name)
        assert (a is None) == (b is None), name
        assert a is None or a == pytest.approx(b, rel=0, abs=tolerance * 1.001), name
    for name in ('gripper', 'effort', 'speed'):
        a, b = getattr(read, name), getattr(written, name)
        assert a == (None if b is None else pytest.approx(b, rel=0, abs=0.5005e-6)), name


@settings(max_examples=150)
@given(batches)
def test_what_is_read_is_what_was_written_to_the_documented_rounding(batch):
    read = decode(encode(batch))
    assert (read.joints, read.chunks, read.lost) == (batch.joints, batch.chunks, batch.lost)
    assert len(read.ticks) == len(batch.ticks)
    for ours, theirs in zip(read.ticks, batch.ticks):
        check_rounded(ours, theirs)


@settings(max_examples=100)
@given(batches)
def test_what_was_rounded_once_is_read_back_exactly(batch):
    once = decode(encode(batch))
    assert decode(encode(once)) == once
    assert encode(decode(encode(once))) == encode(once)


def test_a_decimal_within_the_rounding_is_read_back_as_the_same_number():
    q = (0.123457, -3.141593, 1e-6)
    batch = replace(SAMPLE, ticks=(replace(SAMPLE.ticks[0], q=q),))
    assert decode(encode(batch)) == batch


def test_each_text_is_written_once():
    ticks = tuple(replace(SAMPLE.ticks[0], stamp_ns=T0 + i) for i in range(10))
    text = encode(replace(SAMPLE, ticks=ticks))
    for word in ('AUTONOMOUS', 'RUNNING', 'fine', 'velocity b'):
        assert text.count(word) == 1


def test_the_text_tells_what_its_columns_are_and_a_plain_json_reader_finds_a_value():
    top = json.loads(encode(SAMPLE))
    row = dict(zip(top['columns'], top['ticks'][0]))
    assert top['strings'][row['mode']] == 'AUTONOMOUS'
    assert [q / 1e6 for q in row['q']] == [0.1, -0.2, 0.3]
    assert top['t0'] + row['time'] == T0 + 100 * MS
    assert [top['t0'] + at for at in top['sets'][row['chunks']]] == [T0]
    assert top['weights'][row['weights']] == [10_000]
    assert top['chunks'][str(T0)]['sources'] == {'wrist': T0 - 5 * MS}


# From the pipeline's tick


class Word(str, Enum):
    HOLD = 'hold it'


def test_a_tick_is_recorded_with_everything_it_has():
    tick = SimpleNamespace(
        stamp_ns=np.int64(T0), mode=Word.HOLD, level=Word.HOLD, reason='why',
        q=np.array([1.0, 2.0, 3.0]), velocity=np.zeros(3), gripper=np.float64(0.05), effort=9,
        acted=('one', 'two'), chunk_stamps_ns=(np.int64(T0 - 5),), weights=np.array([1.0]),
        joint_state_stamp_ns=T0 - 4 * MS, playhead_ns=T0 - MS, speed=0.5, intervention='gripper')
    writer = ProvenanceWriter(JOINTS)
    writer.add(tick)
    assert decode(writer.flush()).ticks == (TickRecord(
        T0, 'hold it', 'hold it', 'why', (1.0, 2.0, 3.0), (0.0, 0.0, 0.0), 0.05, 9.0,
        ('one', 'two'), (T0 - 5,), (1.0,), T0 - 4 * MS, T0 - MS, 0.5, 'gripper'),)


def test_what_a_tick_does_not_have_stays_unknown():
    record = TickRecord.of(SimpleNamespace(stamp_ns=T0, mode='HOLD', q=None))
    assert record == TickRecord(T0, 'HOLD')
    assert record.joint_state_age_ns is None


def test_the_age_of_each_input_can_be_told():
    chunk, tick = SAMPLE.chunks[0], SAMPLE.ticks[0]
    assert tick.joint_state_age_ns == 3 * MS
    assert chunk.ages_ns(tick.stamp_ns) == {'wrist': 105 * MS}


# The writer


def test_each_flush_has_what_came_since_the_last_one_and_an_empty_one_is_none():
    writer = ProvenanceWriter(JOINTS)
    assert writer.flush() is None
    writer.add(SAMPLE.ticks[0])
    writer.add_chunk(T0, T0 + 90 * MS, 'openvla', {'wrist': np.int64(T0 - 5 * MS)},
                     np.int64(3 * MS))
    writer.add(SAMPLE.ticks[1])
    assert decode(writer.flush()) == SAMPLE
    assert writer.flush() is None
    writer.add_chunk(T0, T0)
    assert decode(writer.flush()) == ProvenanceBatch(JOINTS, (ChunkRecord(T0, T0),))


def test_the_last_word_on_a_chunk_counts():
    writer = ProvenanceWriter(JOINTS)
    writer.add_chunk(T0, T0 + 1)
    writer.add_chunk(T0, T0 + 1, 'openvla', {'wrist': T0})
    assert decode(writer.flush()).chunks == (ChunkRecord(T0, T0 + 1, 'openvla', {'wrist': T0}),)


def test_ticks_that_nobody_took_are_counted_and_the_newest_are_kept():
    writer = ProvenanceWriter(JOINTS, capacity=3)
    for i in range(8):
        writer.add(TickRecord(T0 + i, 'HOLD'))
    batch = decode(writer.flush())
    assert [t.stamp_ns - T0 for t in batch.ticks] == [5, 6, 7]
    assert batch.lost == 5


# What is not finite


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf, 1e300, -1e13])
@pytest.mark.parametrize(('name', 'value'), [
    ('q', lambda bad: (0.1, bad, 0.3)), ('velocity', lambda bad: (bad, 0.0, 0.0)),
    ('gripper', float), ('effort', float), ('speed', float),
])
def test_a_number_that_is_no_json_is_left_out_and_the_record_says_so(name, value, bad):
    tick = replace(SAMPLE.ticks[0], **{name: value(bad)})
    text = encode(replace(SAMPLE, ticks=(tick,)))
    assert 'NaN' not in text and 'Infinity' not in text
    label = f'provenance: {name} is not finite or too large to be recorded'
    assert decode(text).ticks[0] == replace(tick, **{name: None}, acted=('velocity b', label))


def test_weights_that_are_not_finite_are_left_out_and_the_chunks_stay():
    tick = replace(SAMPLE.ticks[0], weights=(math.nan,))
    read = decode(encode(replace(SAMPLE, ticks=(tick,)))).ticks[0]
    assert (read.chunk_stamps_ns, read.weights) == ((T0,), ())
    assert any('weights is not finite' in label for label in read.acted)


@pytest.mark.parametrize(('change', 'match'), [
    ({'q': (1.0, 2.0)}, 'q has 2 numbers for 3 joints'),
    ({'weights': (0.5, 0.5)}, '2 weights for 1 chunks'),
])
def test_a_tick_that_does_not_fit_together_is_our_own_mistake(change, match):
    with pytest.raises(InvariantError, match=match):
        encode(replace(SAMPLE, ticks=(replace(SAMPLE.ticks[0], **change),)))


# What cannot be read


def changed(**top):
    return json.dumps({**json.loads(encode(SAMPLE)), **top})


def with_cell(column, value):
    top = json.loads(encode(SAMPLE))
    top['ticks'][0][COLUMNS.index(column)] = value
    return json.dumps(top)


@pytest.mark.parametrize(('text', 'match'), [
    ('', 'not JSON'), ('{', 'not JSON'), ('[' * 100_000, 'not JSON'),
    (encode(SAMPLE)[:-1], 'not JSON'),
    ('[]', 'the text: expected an object'),
    (changed(v=2), 'unknown version 2; this one reads 1'),
    (changed(v=True), 'unknown version True'), ('{}', 'unknown version None'),
    (changed(columns=list(COLUMNS[:-1])), 'columns: expected time mode'),
    (changed(t0=1.5), 't0: expected an integer'), (changed(lost=None), 'lost'),
    (changed(joints='abc'), 'joints: expected a list'), (changed(joints=[1]), 'joints'),
    (changed(joints=['a']), r'ticks\[0\] q: expected 1 integers'),
    (changed(strings=[]), r'ticks\[0\] mode: expected a place in a table of 0'),
    (changed(sets=[]), r'ticks\[0\] chunks: expected a place'),
    (changed(sets=[1]), 'sets: expected a list of integers'),
    (changed(weights=[[0.5], []]), 'weights: expected an integer'),
    (changed(weights=[[1, 2], []]), 'weights: expected 1 of them'),
    (changed(chunks=[]), 'chunks: expected an object'),
    (changed(chunks={'1_0': {}}), "chunks\\['1_0'\\]: expected a stamp in ns"),
    (changed(chunks={'10': {}}), "chunks\\['10'\\]: expected an object with arrival_ns"),
    (changed(chunks={'10': {'sources': {'w': 'x'}}}), "sources 'w': expected an integer"),
    (changed(ticks=[[]]), r'ticks\[0\]: expected a list of 15'),
    (with_cell('mode', None), 'mode and reason must not be null'),
    (with_cell('mode', -1), 'mode: expected a place'),
    (with_cell('q', [1, 2, True]), 'q: expected an integer'),
    (with_cell('q', [1, 2, 2**53]), 'q: expected an integer'),
    (with_cell('gripper', 0.5), 'gripper: expected an integer'),
    (with_cell('weights', None), 'weights: expected a place'),
    (with_cell('speed', 'fast'), 'speed: expected a number'),
    (with_cell('speed', 1e300), 'speed: expected a number'),
    (with_cell('speed', math.nan), 'NaN is not a number of JSON'),
    (encode(SAMPLE).replace('20.0', '1e999'), 'effort: expected a number'),
])
def test_a_text_that_is_not_ours_is_refused_by_name(text, match):
    with pytest.raises(InputError, match=match):
        decode(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6)


@settings(max_examples=300)
@given(st.data())
def test_whatever_is_put_in_the_place_of_a_value_it_is_read_or_refused(data):
    node = top = json.loads(encode(SAMPLE))
    for depth in range(4):
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = data.draw(st.sampled_from(keys))
        deeper = isinstance(node[key], list | dict) and len(node[key]) > 0
        if not deeper or depth == 3 or data.draw(st.booleans()):
            break
        node = node[key]
    node[key] = data.draw(json_values)
    try:
        read = decode(json.dumps(top))
    except InputError:
        return
    assert decode(encode(read)) == read


@given(st.text() | st.binary().map(lambda b: b.decode('latin-1')))
def test_any_other_text_is_refused(text):
    with pytest.raises(InputError, match='provenance: '):
        decode(text)
