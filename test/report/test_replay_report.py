"""An open-loop replay's report shows its numbers, its failures and the worst moments' pictures."""

from __future__ import annotations

import copy
import csv
import json
from pathlib import Path

import pytest

from vla_ros.core.errors import InputError
from vla_ros.replay.bag import Bag
from vla_ros.report import write_replay_report
from vla_ros.report.replay_numbers import (
    as_numbers,
    gripper_events,
    replay_numbers,
    worst_moments,
)

RESULT = json.loads((Path(__file__).parents[1] / 'data' / 'open_loop_result.json').read_text())
CHECKS = [{'name': 'relative', 'found': '0.115', 'limit': '<= 0.1', 'kept': False},
          {'name': 'horizon', 'found': '2', 'limit': '>= 2', 'kept': True}]
GOLDEN = {'source': 'golden.json', 'policy': {}, 'differs': ['quantization: none there, nf4 here'],
          'compared': 14, 'lacking': 1, 'relative': 0.012,
          'dimensions': [{'name': 'x', 'unit': 'm', 'spread': 0.02, 'l1': 1e-4, 'l1_max': 3e-4,
                          'relative': 0.005}]}


def changed(**values):
    return {**copy.deepcopy(RESULT), **values}


def test_the_curves_are_the_executed_steps_in_their_time():
    report = replay_numbers(RESULT)
    first = RESULT['inferences'][0]
    x = report['curves']['predicted']['x']
    n = sum(row['executed'] for row in RESULT['inferences'])
    assert len(x['value']) == n
    assert x['value'][:2] == pytest.approx([first['predicted'][k][0] for k in range(2)])
    assert x['time_s'][:3] == pytest.approx([0.0, 0.1, 0.2])
    assert report['curves']['recorded']['x']['value'][1] == pytest.approx(first['reference'][1][0])


def test_what_was_not_recorded_is_a_break_and_no_zero():
    result = changed()
    for row in result['inferences'][:5]:
        row['reference'] = [[None] * 7 for _ in row['reference']]
    curve = replay_numbers(result)['curves']['recorded']['x']
    assert min(curve['time_s']) == pytest.approx(1.0)
    assert None not in curve['value']


def test_kept_and_failed_expectations_make_the_verdict():
    failed = replay_numbers(changed(checks=CHECKS))['verdict']
    assert (failed['word'], failed['kind']) == ('FAILED', 'bad')
    assert 'relative is 0.115, expected <= 0.1' in failed['reason']
    assert replay_numbers(changed(checks=CHECKS[1:]))['verdict']['word'] == 'PASSED'
    nothing = changed()
    nothing['metrics']['compared'] = 0
    assert replay_numbers(nothing)['verdict']['kind'] == 'bad'


def test_gripper_events_are_where_the_sign_of_the_convention_says():
    events = gripper_events(RESULT, RESULT['inferences'][0]['stamp_ns'])
    assert [(e['whose'], e['what']) for e in events] == [('recording', 'closes'),
                                                         ('policy', 'closes')]
    flipped = changed(convention={**RESULT['convention'], 'gripper_open': 0.0,
                                  'gripper_closed': 1.0})
    assert {e['what'] for e in gripper_events(flipped, 0)} == {'opens'}


def test_the_worst_moment_is_the_one_that_was_made_worst():
    result = changed()
    result['inferences'][9]['predicted'][0][2] = 0.4
    worst = max(worst_moments(result, 5), key=lambda m: m.weight)
    assert worst.time_ns == result['inferences'][9]['stamp_ns']
    assert worst.receive_ns == worst.time_ns + 5
    assert worst.text.startswith('z is off by 0.4')


def test_page_json_and_tables_hold_the_same_numbers(tmp_path):
    page = write_replay_report(changed(checks=CHECKS, golden=GOLDEN), None, tmp_path / 'out')
    text = page.read_text()
    report = json.loads((page.parent / 'report.json').read_text())
    assert 'inferences' not in report
    for part in ('FAILED', 'use 2 of 6 steps', 'quantization: none there, nf4 here',
                 'the bag has no joint commands', 'red and blue exchanged', 'black images',
                 'joint_states: 0.31 s old &gt; 0.2 s', 'hang (insulator)'):
        assert part in text, part
    with (page.parent / 'dimensions.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row['l1']) for row in rows] == [d['l1'] for d in RESULT['metrics']['dimensions']]
    with (page.parent / 'steps.csv').open() as file:
        steps = list(csv.DictReader(file))
    assert [float(row['relative']) for row in steps] == RESULT['metrics']['step_relative']
    assert report['latencies']['infer']['count'] == 14


def test_pictures_of_the_worst_moments_come_from_the_bag(tell, tmp_path):
    path = tell(seconds=6.0)
    result = changed()
    with Bag(path) as bag:
        start = bag.start_ns
    for i, row in enumerate(result['inferences']):
        row['stamp_ns'] = start + (1 + i) * 200_000_000
    page = write_replay_report(result, path, tmp_path / 'out')
    report = json.loads((page.parent / 'report.json').read_text())
    assert report['moments']
    assert page.read_text().count('data:image/jpeg') == 2 * len(report['moments'])
    assert all(abs(p['offset_s']) <= 0.1 for m in report['moments'] for p in m['pictures'])


def test_a_result_may_be_an_object_its_text_or_a_mapping():
    text = json.dumps(RESULT)
    holder = type('Result', (), {'to_json': lambda self: text})()
    assert as_numbers(holder) == as_numbers(text) == as_numbers(RESULT)
    for wrong in ('no json', '[1]', 3):
        with pytest.raises(InputError):
            as_numbers(wrong)
