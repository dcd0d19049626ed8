"""Curves and tallies stay small however long it gets, and their extremes stay exact."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.report.curve import Envelope, Thinned
from vla_ros.report.moments import Moment, Peaks, chosen
from vla_ros.report.spans import Spans
from vla_ros.report.tally import Activity, Histogram, StreamTally

MS = 1_000_000


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=400), st.integers(1, 5000))
def test_the_extremes_of_an_envelope_are_those_of_all_values(values, step_ms):
    envelope = Envelope(('a',), 0, bins=16)
    for i, value in enumerate(values):
        envelope.add(i * step_ms * MS, (value,))
    assert envelope.extremes('a') == (min(values), max(values))
    times, drawn = envelope.points('a')
    drawn = drawn[np.isfinite(drawn)]
    assert len(times) <= 3 * 16
    assert drawn.min() == min(values) and drawn.max() == max(values)


def test_an_hour_takes_no_more_points_than_a_minute():
    envelope = Envelope(('a', 'b'), 0)
    for i in range(60_000):
        envelope.add(i * 60 * MS, (math.sin(i / 1000), i))
    times, values = envelope.points('b')
    assert len(times) <= 2400
    assert times[-1] == pytest.approx(3600.0, abs=6.0)
    assert values[-1] == 59_999


def test_few_values_are_drawn_as_they_are():
    envelope = Envelope(('a',), 1000)
    for i in range(5):
        envelope.add(1000 + i * 100 * MS, (i,))
    times, values = envelope.points('a')
    assert times == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])
    assert values.tolist() == [0, 1, 2, 3, 4]


def test_nan_and_infinity_are_absent_and_the_json_is_plain():
    envelope = Envelope(('a', 'b'), 0)
    envelope.add(0, (math.nan, math.inf))
    envelope.add(10 * MS, (1.0, math.nan))
    assert envelope.extremes('b') is None
    assert json.loads(json.dumps(envelope.as_dict(), allow_nan=False)) == {
        'a': {'time_s': [0.01], 'value': [1.0]}}


def test_thinned_keeps_first_and_order_within_its_bound():
    thinned = Thinned(most=10)
    for i in range(1000):
        thinned.add((i,))
    kept = [row[0] for row in thinned.rows]
    assert len(kept) <= 10 and kept[0] == 0 and kept == sorted(kept)
    assert kept[-1] >= 800


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(2e-5, 1e3), min_size=1, max_size=300), st.sampled_from([0.5, 0.9, 0.99]))
def test_a_quantile_is_within_a_bin_of_the_exact_one(values, share):
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    exact = sorted(values)[max(math.ceil(share * len(values)) - 1, 0)]
    assert histogram.quantile(share) == pytest.approx(exact, rel=0.024)
    found = histogram.as_dict()
    assert found['most_ms'] == pytest.approx(1e3 * max(values), rel=1e-5)
    assert sum(found['counts']) == len(values) == found['count']
    assert len(found['edges_ms']) == len(found['counts']) + 1


def test_negative_and_nan_times_do_not_pass_as_zero():
    histogram = Histogram()
    for value in (-0.004, 0.001, math.nan):
        histogram.add(value)
    found = histogram.as_dict()
    assert (found['count'], found['negative'], found['least_ms']) == (2, 1, -4.0)


def test_activity_keeps_the_totals_when_its_bins_widen_and_names_are_many():
    activity = Activity(0, bins=8, names=3)
    for i in range(1000):
        activity.add(i * 50 * MS, ('often', f'rare {i}') if i % 2 else ())
    found = activity.as_dict()
    assert found['ticks'] == 1000
    assert found['limiters']['often']['ticks'] == 500
    assert sum(entry['ticks'] for entry in found['limiters'].values()) == 1000
    assert len(found['limiters']) == 4
    assert found['limiters']['often']['share'][0] == pytest.approx(0.5, abs=0.01)


def test_a_stream_knows_its_longest_silence_and_the_clock_that_was_set_back():
    stream = StreamTally('/a', 'x')
    for at in (0, 10, 20, 30, 530, 540, 535, 550):
        stream.add(at * MS, 0.001)
    assert stream.silences()[0] == (0.5, 30 * MS)
    assert stream.backwards == 1
    found = stream.as_dict(0)
    assert (found['longest_gap_s'], found['longest_gap_at_s']) == pytest.approx((0.5, 0.03))


def test_a_span_ends_where_something_else_begins_and_at_a_silence():
    spans = Spans(gap_ns=500 * MS)
    for at, what in ((0, 'a'), (10, 'a'), (20, 'b'), (30, None), (40, 'b'), (2000, 'b'),
                     (2010, 'b')):
        spans.add(at * MS, what)
    found = [(s.what, s.start_ns // MS, s.end_ns // MS) for s in spans.finish()]
    assert found == [('a', 0, 20), ('b', 20, 30), ('b', 40, 40), ('b', 2000, 2010)]


def test_peaks_are_apart_and_the_largest():
    peaks = Peaks(window_ns=1000, most=2)
    for at in range(0, 10_000, 10):
        peaks.add(math.exp(-((at - 2000) / 200) ** 2) + 2 * math.exp(-((at - 7000) / 200) ** 2),
                  at, at)
    assert [at for _, at, _ in peaks.finish()] == [7000, 2000]


def test_every_kind_of_moment_is_chosen_before_the_second_of_one():
    moments = [Moment(i * 10 ** 9, 0, 'mode', 'm', 10.0 - i) for i in range(8)]
    moments += [Moment(20 * 10 ** 9, 0, 'gripper', 'g', 1.0),
                Moment(20 * 10 ** 9 + 1, 0, 'lead', 'too near the gripper', 0.5)]
    found = chosen(moments, most=4)
    assert [m.kind for m in found] == ['mode', 'mode', 'mode', 'gripper']
    assert [m.time_ns for m in found] == sorted(m.time_ns for m in found)
