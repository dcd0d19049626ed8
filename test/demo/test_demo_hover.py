"""The case that overrides exist for, through the real nodes: hovers, is helped once, carries on."""

from __future__ import annotations

import json

import pytest

pytest.importorskip('rclpy')
pytest.importorskip('mujoco')
pytest.importorskip('av')

from test_demo_end_to_end import finish, start

pytestmark = [pytest.mark.ros, pytest.mark.sim, pytest.mark.slow]


def test_without_help_the_hover_policy_never_picks(tmp_path):
    status, output = finish(start(tmp_path, '--policy', 'hover', '--timeout', '12',
                                  '--tasks', 'pick up the insulator'))
    assert status == 1, output
    report = json.loads((tmp_path / 'report.json').read_text())
    assert report['tasks'][0]['outcome'] == 'timeout'
    assert report['tasks'][0]['detail'].startswith('lifted 0.0 cm')
    assert report['interventions'] == []


@pytest.mark.parametrize('mode', ['momentary', 'latched', 'until_agree'])
def test_closed_once_through_the_real_topic_it_picks_and_hangs(tmp_path, mode):
    status, output = finish(start(tmp_path, '--policy', 'hover', '--intervene', mode))
    assert status == 0, output
    report = json.loads((tmp_path / 'report.json').read_text())
    assert [task['outcome'] for task in report['tasks']] == ['success', 'success']
    # A press that a busy machine does not hear of in time counts as let go, and is taken up again.
    assert {i['what'] for i in report['interventions']} == {f'gripper override: topic {mode}'}
    assert len(report['interventions']) <= (3 if mode == 'momentary' else 1)
    assert 0.4 < report['interventions'][0]['duration_s'] < 10.0
    assert 'INTERVENTION' not in {m['mode'] for m in report['modes']}, 'the arm was never taken'
