"""The command line: what a user who mistypes is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from vla_ros import __version__
from vla_ros.cli import supervisor
from vla_ros.cli.main import VERBS, main


def test_without_a_verb_it_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    assert 'VERB' in capsys.readouterr().err


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(['--help'])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert all(verb in text for verb in VERBS)


def test_an_unknown_verb_is_refused_with_the_choices(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(['upp'])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert 'upp' in said
    assert 'up' in said.replace('upp', '')


def test_it_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(['--version'])
    assert ended.value.code == 0
    assert __version__ in capsys.readouterr().out


@pytest.mark.parametrize(('arguments', 'parts'), [
    (['robot:=pipr'], ["unknown robot 'pipr'", "Did you mean 'piper'?", 'ur10e']),
    (['policy:=scriptd'], ["unknown policy 'scriptd'", "Did you mean 'scripted'?"]),
    (['robbot:=piper'], ["unknown argument 'robbot'", "Did you mean 'robot'?"]),
    (['robot=piper'], ["expected name:=value, found 'robot=piper'", 'params_file']),
    ([':=piper'], ["expected name:=value, found ':=piper'"]),
    (['sim:=perhaps'], ['sim: expected true or false']),
    (['params_file:=/no/such.yaml'], ['/no/such.yaml']),
    (['robot:=/no/such.yaml'], ['/no/such.yaml']),
])
def test_up_starts_nothing_for_a_wrong_argument(
        arguments: list[str], parts: list[str], capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []
    monkeypatch.setattr(supervisor.subprocess, 'Popen', lambda *a, **k: started.append(a))
    assert main(['up', *arguments]) == 2
    said = capsys.readouterr().err
    assert said.startswith('vla-ros up: error: ')
    assert len(said.splitlines()) == 1
    for part in parts:
        assert part in said
    assert not started


def test_up_is_a_program_too(repo_root: Path) -> None:
    done = subprocess.run([sys.executable, '-m', 'vla_ros.cli.main', 'up', 'robot:=pipr'],
                          cwd=repo_root, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "Did you mean 'piper'?" in done.stderr
    assert 'Traceback' not in done.stderr


def test_up_explains_its_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    from vla_ros.bringup import ARGUMENTS

    with pytest.raises(SystemExit) as ended:
        main(['up', '--help'])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert all(f'{a.name}:=' in text and a.description in text for a in ARGUMENTS)
