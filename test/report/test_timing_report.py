"""A closed-timing replay's report shows each case, its levels in time and the limits."""

from __future__ import annotations

import csv
import json

import pytest

from vla_ros.core.errors import InputError
from vla_ros.replay.closed_timing.comparison import Comparison
from vla_ros.replay.closed_timing.scores import SCORES, CaseResult, ModeChange, Scores
from vla_ros.replay.open_loop.result import Check
from vla_ros.report import write_timing_report
from vla_ros.report.timing_figures import level_spans


def case(name: str, starved: float) -> CaseResult:
    numbers = dict.fromkeys(SCORES, 0.0)
    numbers.update(starved=starved, tool_jerk_rms=12.5, chunks_used=40)
    return CaseResult(
        name, Scores(**numbers), {'speed': 0.25},
        (ModeChange(0.5, 'RUNNING', ''), ModeChange(4.0, 'HOLD', 'action_chunk: <none>'),
         ModeChange(5.0, 'RUNNING', '')),
        {'action_chunk: <none>': 0.1}, {'accepted': 40}, {'dropped': 3}, 0.8, 0.21, 0.4, 0.8, 0.1,
        'ab' * 32)


COMPARISON = Comparison(
    'bags/a&b', 8.0, 'follows', (case('as recorded', 0.0), case('latency 0.5 s', 0.43)),
    ('latency 0.5 s: the arm held 43 % of the time', 'without a case'), ('a note',),
    {'slow_after_s': 0.3}, 7)


def test_the_levels_fill_the_time_without_a_hole():
    spans = level_spans(json.loads(COMPARISON.to_json())['cases'][0], 8.0)
    assert spans == [('HOLD', 0.0, 0.5), ('RUNNING', 0.5, 4.0), ('HOLD', 4.0, 5.0),
                     ('RUNNING', 5.0, 8.0)]


def test_page_and_tables_hold_the_numbers_of_the_comparison(tmp_path):
    page = write_timing_report(COMPARISON, tmp_path / 'out')
    text = page.read_text()
    for part in ('bags/a&amp;b', 'the arm held 43 % of the time', 'without a case', 'a note',
                 'slow_after_s=0.3', 'seed 7', 'action_chunk: &lt;none&gt;', '43.0', '12.50',
                 'abababababababab', '3 dropped'):
        assert part in text, part
    assert '<none>' not in text
    report = json.loads((page.parent / 'report.json').read_text())
    assert report['kind'] == 'closed_timing'
    assert [c['name'] for c in report['cases']] == ['as recorded', 'latency 0.5 s']
    with (page.parent / 'cases.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row['starved']) for row in rows] == [0.0, 0.43]
    with (page.parent / 'changes.csv').open() as file:
        assert len(list(csv.DictReader(file))) == 6


def test_a_limit_that_is_not_kept_is_the_verdict(tmp_path):
    checks = [Check('starved', '0.43', '<= 0.1', False), Check('hold', '0', '<= 1', True)]
    text = write_timing_report(COMPARISON, tmp_path / 'out', checks).read_text()
    assert '1 of 2 limits not kept: starved is 0.43, expected &lt;= 0.1' in text
    assert 'PASSED' in write_timing_report(COMPARISON, tmp_path / 'out', checks[1:]).read_text()


def test_what_is_no_result_is_refused(tmp_path):
    with pytest.raises(InputError, match='result'):
        write_timing_report(3, tmp_path / 'out')
