"""``vla-ros demo`` refuses wrong arguments with status 2 and the choices; nothing is started."""

from __future__ import annotations

import pytest

from vla_ros.cli.main import main


@pytest.mark.parametrize(('arguments', 'parts'), [
    (['--robot', 'pipper'], ['pipper', 'piper', 'ur5e']),
    (['--policy', 'scriptd'], ['scriptd', "Did you mean 'scripted'?"]),
    (['--timeout', '0'], ['timeout', 'positive']),
    (['--timeout', 'nan'], ['timeout', 'positive']),
    (['--startup-timeout', '-1'], ['startup_timeout', 'positive']),
    (['--seed', '-1'], ['seed']),
    (['--intervene', 'latch'], ['intervene', 'momentary, until_agree', "Did you mean 'latched'"]),
    (['--model-path', '/no/such'], ['model_path', '/no/such']),
    (['--params-file', '/no/such/file.yaml'], ['/no/such/file.yaml']),
])
def test_a_wrong_argument_is_status_2_and_says_what_would_do(arguments, parts, tmp_path, capsys):
    out = tmp_path / 'out'
    assert main(['demo', '--out', str(out), *arguments]) == 2
    error = capsys.readouterr().err
    for part in parts:
        assert part in error
    assert not out.exists()


@pytest.mark.ros
def test_the_panel_runs_beside_the_demo_when_it_is_asked_for(monkeypatch, tmp_path, capsys):
    pytest.importorskip('rclpy')
    pytest.importorskip('av')
    ran = []
    monkeypatch.setattr('vla_ros.demo.session.run_demo',
                        lambda options, *_: ran.append(options.processes()) or 0)
    assert main(['demo', '--out', str(tmp_path)]) == 0
    assert main(['demo', '--out', str(tmp_path), '--panel']) == 0
    names = [[spec.name for spec in specs] for specs in ran]
    assert set(names[1]) - set(names[0]) == {'operator_node'}
    assert 'panel: http://127.0.0.1:8700/' in capsys.readouterr().out


@pytest.mark.ros
@pytest.mark.parametrize(('tasks', 'part'), [
    ('sing a song', 'pick up the insulator'), (' ; ', 'at least one')])
def test_an_unknown_task_is_status_2_and_lists_those_that_can_be_judged(
        tasks, part, tmp_path, capsys):
    pytest.importorskip('rclpy')
    pytest.importorskip('av')
    out = tmp_path / 'out'
    assert main(['demo', '--out', str(out), '--tasks', tasks]) == 2
    assert part in capsys.readouterr().err
    assert not out.exists()
