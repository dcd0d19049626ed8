"""The histogram on /diagnostics: close to the true quantiles, never below them."""

from __future__ import annotations

import re
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.ros.period_histogram import PeriodHistogram

durations = st.lists(st.integers(0, 10**10), min_size=1, max_size=200)


def counted(values):
    histogram = PeriodHistogram()
    for value in values:
        histogram.add(value)
    return histogram


@given(durations, st.floats(0.001, 1.0))
def test_a_quantile_is_never_too_short_and_at_most_a_bin_too_long(values, part):
    exact = sorted(values)[ceil(part * len(values)) - 1]
    found = counted(values).quantile_ns(part)
    assert exact <= found <= max(values)
    if 1_000 < exact <= 10**9:
        assert found <= exact * 1.13
    elif exact <= 1_000:
        assert found <= 1_000


@given(durations)
def test_every_duration_is_in_one_bin_and_the_longest_is_exact(values):
    histogram = counted(values)
    assert sum(histogram.counts) == len(values)
    assert histogram.max_ns == max(values)
    told = [(float(edge) * 1e6, int(n)) for edge, n
            in re.findall(r'<=([\d.]+) ms: (\d+)', histogram.text())]
    longer = re.search(r'>1000 ms: (\d+)', histogram.text())
    assert sum(n for _, n in told) + int(longer[1] if longer else 0) == len(values)
    total = 0
    for edge, n in told:
        total += n
        exact = min(PeriodHistogram.EDGES_NS, key=lambda e: abs(e - edge))  # told with two digits
        assert n > 0
        assert total == sum(value <= exact for value in values)


def test_a_bin_goes_up_to_and_includes_its_edge():
    edges = PeriodHistogram.EDGES_NS
    assert (edges[0], edges[-1]) == (1_000, 10**9)
    for i, edge in enumerate(edges):
        assert counted([edge]).counts[i] == 1
        assert counted([edge + 1]).counts[i + 1] == 1


def test_what_happened_two_parts_ago_is_forgotten():
    histogram = counted([5_000_000])
    histogram.turn_over()
    histogram.add(10_000)
    assert histogram.max_ns == 5_000_000
    assert sum(histogram.counts) == 2
    histogram.turn_over()
    assert histogram.max_ns == 10_000
    assert histogram.text() == '<=0.01 ms: 1'
    histogram.turn_over()
    assert (histogram.max_ns, histogram.quantile_ns(0.5), histogram.text()) == (0, 0, 'none')


def test_the_summary_is_in_milliseconds():
    assert counted([1_000_000] * 99 + [10**10]).summary('tick') == pytest.approx(
        {'tick_p50_ms': 1.0, 'tick_p99_ms': 1.0, 'tick_max_ms': 10_000.0}, rel=0.01)
