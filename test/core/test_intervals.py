"""Intervals of a recording: what a human did, from when until when, and what it adds up to."""

import numpy as np
import pytest
from control_bench import Bench
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.core.errors import InputError
from vla_ros.core.intervention import Intervention, Kind, Tally, parse
from vla_ros.core.provenance import (
    Interval,
    TickRecord,
    decode,
    intervals,
    mode_intervals,
    segments,
)
from vla_ros.core.provenance.writer import ProvenanceWriter

MS = 1_000_000


def ticks(*spans, mode='AUTONOMOUS', step_ms=10):
    """Return ticks from (how many, intervention) in a row."""
    found = []
    for count, text in spans:
        for _ in range(count):
            found.append(TickRecord(len(found) * step_ms * MS, mode, intervention=text))
    return found


def test_intervals_have_what_who_and_how_and_end_where_the_next_tick_is_different():
    found = intervals(ticks((3, ''), (2, 'takeover: joystick waiting'),
                            (4, 'takeover: joystick twist'), (1, None),
                            (2, 'gripper override: panel until_agree'),
                            (2, 'gripper override: panel latched (no agreement within 10 s)')))
    assert found == [
        Interval(30 * MS, 50 * MS, 'takeover', 'joystick', 'waiting'),
        Interval(50 * MS, 90 * MS, 'takeover', 'joystick', 'twist'),
        Interval(100 * MS, 120 * MS, 'gripper override', 'panel', 'until_agree'),
        Interval(120 * MS, 130 * MS, 'gripper override', 'panel', 'latched')]


def test_arm_and_gripper_at_once_are_two_intervals_that_overlap():
    both = 'hold: panel; gripper override: leader momentary'
    assert intervals(ticks((2, 'hold: panel'), (2, both), (2, 'gripper override: leader momentary'),
                           (1, ''))) == [
        Interval(0, 40 * MS, 'hold', 'panel', ''),
        Interval(20 * MS, 60 * MS, 'gripper override', 'leader', 'momentary')]


def test_segments_cover_the_recording_once_with_the_most_that_a_human_did():
    records = ticks((2, ''), (2, 'gripper override: topic latched'),
                    (2, 'takeover: joystick twist; gripper override: topic latched'), (2, ''))
    records += [TickRecord(t.stamp_ns + 80 * MS, 'HOLD') for t in ticks((2, ''))]
    found = segments(records)
    assert [(s.kind, s.source, s.mode) for s in found] == [
        ('autonomous', '', ''), ('gripper override', 'topic', 'latched'),
        ('takeover', 'joystick', 'twist'), ('autonomous', '', ''), ('idle', '', '')]
    assert [s.start_ns for s in found[1:]] == [s.end_ns for s in found[:-1]]
    assert sum(s.duration_s for s in found) == pytest.approx(0.09)


@pytest.mark.parametrize('jump_ms', [600, -5000])
def test_an_interval_does_not_reach_over_a_gap_or_a_clock_that_was_set_back(jump_ms):
    first = ticks((3, 'hold: panel'))
    start = first[-1].stamp_ns + jump_ms * MS
    second = [TickRecord(start + t.stamp_ns, t.mode, intervention=t.intervention) for t in first]
    assert set(intervals(first + second)) == {
        Interval(0, 20 * MS, 'hold', 'panel'), Interval(start, start + 20 * MS, 'hold', 'panel')}


def test_modes_have_their_times_and_the_reason_they_began_with():
    records = [TickRecord(i * 10 * MS, mode, reason=why) for i, (mode, why) in enumerate(
        [('HOLD', 'a'), ('HOLD', 'b'), ('AUTONOMOUS', ''), ('INTERVENTION', 'takeover')])]
    assert [(m.start_ns // MS, m.end_ns // MS, m.mode, m.reason) for m in mode_intervals(records)
            ] == [(0, 20, 'HOLD', 'a'), (20, 30, 'AUTONOMOUS', ''),
                  (30, 30, 'INTERVENTION', 'takeover')]


def test_of_nothing_there_are_none():
    assert intervals([]) == segments([]) == mode_intervals([]) == []


@pytest.mark.parametrize('text', ['takeover', 'takeover: joystick dancing', 'x: panel', '; ',
                                  'gripper override: panel'])
def test_another_text_is_an_error_that_shows_it(text):
    with pytest.raises(InputError, match='takeover: SOURCE') as error:
        parse(text)
    assert repr(text.split('; ')[0]) in str(error.value)


TEXTS = ['', 'hold: panel', 'takeover: leader joints', 'takeover: leader waiting',
         'gripper override: topic latched', 'hold: panel; gripper override: topic momentary']


@given(st.lists(st.tuples(st.integers(1, 8), st.sampled_from(TEXTS)), max_size=12))
def test_segments_partition_and_intervals_are_exactly_the_human_ticks(spans):
    records = ticks(*spans)
    pieces, human = segments(records), intervals(records)
    for record in records[:-1]:
        holding = [s for s in pieces if s.start_ns <= record.stamp_ns < s.end_ns]
        assert len(holding) == 1
        there = {(i.kind, i.source, i.mode) for i in human
                 if i.start_ns <= record.stamp_ns < i.end_ns}
        assert there == {(p.kind.value, p.source, p.mode) for p in parse(record.intervention)}
    tally = Tally()
    for record in records:
        tally.add(record.stamp_ns, record.intervention)
    for kind, source in {(Kind(i.kind), i.source) for i in human}:
        assert tally.totals[kind, source].duration_ns == sum(
            i.end_ns - i.start_ns for i in human if (i.kind, i.source) == (kind.value, source))


def test_a_takeover_that_is_moved_and_rests_counts_once():
    tally = Tally()
    for record in ticks((2, 'takeover: joystick waiting'), (3, 'takeover: joystick twist'),
                        (2, 'takeover: joystick waiting'), (5, ''),
                        (4, 'takeover: joystick twist; gripper override: panel latched'), (1, '')):
        tally.add(record.stamp_ns, record.intervention)
    assert tally.lines() == ['takeover by joystick: 2 times, 0.1 s',
                             'gripper override by panel: 1 time, 0.0 s']
    assert tally.totals[Kind.TAKEOVER, 'joystick'].duration_ns == 110 * MS
    assert (tally.ticks, tally.human_ticks) == (17, 11)


def test_a_loop_that_stood_still_counts_no_time():
    tally = Tally()
    for stamp_ms in (0, 10, 5_000, 5_010, 100):
        tally.add(stamp_ms * MS, 'hold: panel')
    assert tally.totals[Kind.HOLD, 'panel'].duration_ns == 20 * MS


DOINGS = {
    'takeover': lambda o, b: o.arm.takeover(b.now, 'panel'),
    'hold': lambda o, b: o.arm.hold(b.now, 'topic'),
    'twist': lambda o, b: o.arm.twist(b.now, 'panel', np.full(6, 0.01), False),
    'joints': lambda o, b: o.arm.joints(b.now, 'panel', b.q),
    **{mode: (lambda o, b, mode=mode: o.gripper.command(b.now, 'topic', 'close', mode))
       for mode in ('momentary', 'latched', 'until_agree')},
}
EXPECTED = {
    'takeover': Intervention(Kind.TAKEOVER, 'panel', 'waiting'),
    'hold': Intervention(Kind.HOLD, 'topic'),
    'twist': Intervention(Kind.TAKEOVER, 'panel', 'twist'),
    'joints': Intervention(Kind.TAKEOVER, 'panel', 'joints'),
    **{mode: Intervention(Kind.GRIPPER_OVERRIDE, 'topic', mode)
       for mode in ('momentary', 'latched', 'until_agree')},
}


@pytest.mark.parametrize('doing', DOINGS)
def test_every_doing_of_a_human_is_in_every_ticks_record_through_the_real_pipeline(doing):
    bench = Bench()
    bench.run(200, chunks=True)
    before = len(bench.ticks)
    assert DOINGS[doing](bench.pipeline.overrides, bench) == ''
    bench.run(100, chunks=True)
    writer = ProvenanceWriter(bench.pipeline.joints.names)
    for tick in bench.ticks:
        writer.add(tick)
    records = decode(writer.flush()).ticks
    assert all(parse(r.intervention) == () for r in records[:before])
    assert all(parse(r.intervention) == (EXPECTED[doing],) for r in records[before:])


def test_an_agreement_that_did_not_come_is_recorded_as_latched():
    bench = Bench()
    bench.run(200, chunks=True)
    bench.pipeline.overrides.gripper.command(bench.now, 'panel', 'close', 'until_agree')
    tick = bench.run(10_500, chunks=True)
    assert 'no agreement' in tick.intervention
    assert parse(tick.intervention) == (
        Intervention(Kind.GRIPPER_OVERRIDE, 'panel', 'latched'),)
