"""``vla-ros policy inspect``: exit status, text and JSON."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from vla_ros.cli.main import main

needs_torch = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ('torch', 'transformers', 'PIL')),
    reason='torch, transformers or pillow not installed: a checkpoint cannot load')


@pytest.fixture
def base(shared: Path) -> Path:
    path = shared / 'golden' / 'openvla' / 'openvla_tiny'
    if not path.is_dir():
        pytest.skip(f'no golden data at {path}')
    return path


def run(*arguments: object) -> int:
    return main(['policy', 'inspect', *map(str, arguments)])


@needs_torch
def test_a_sound_checkpoint_is_status_0_and_named(
        base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(base) == 0
    text = capsys.readouterr().out
    for part in ('yes, as policy openvla', 'bridge_orig', 'nf4', 'openvla_bridge',
                 '3 layers of 64'):
        assert part in text


@needs_torch
def test_json_has_everything_and_nothing_else(
        base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(base, '--json') == 0
    report = json.loads(capsys.readouterr().out)
    assert report['loads'] is True
    assert report['policy'] == 'openvla'
    assert set(report['memory']) == {'none', 'int8', 'nf4'}
    assert report['datasets'][0]['action'][6] == {'low': 0.0, 'high': 1.0, 'normalised': False}


@needs_torch
def test_an_empty_directory_is_status_1(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path) == 1
    assert 'NO, ' in capsys.readouterr().out
    assert run(tmp_path, '--json') == 1
    report = json.loads(capsys.readouterr().out)
    assert report['loads'] is False
    assert len(report['problems']) >= 4


@needs_torch
def test_a_wrong_argument_is_status_2_in_one_line(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / 'model.safetensors'
    file.touch()
    for arguments, part in (([tmp_path / 'nowhere'], 'no such directory'),
                            ([file], 'a file, expected a directory'),
                            (['openvla/openvla-7b'], 'hf download openvla/openvla-7b'),
                            ([tmp_path, '--base', tmp_path / 'nowhere'], 'no such directory')):
        assert run(*arguments) == 2
        said = capsys.readouterr().err
        assert part in said
        assert len(said.splitlines()) == 1


@pytest.mark.parametrize('arguments', [[], ['inspect'], ['inspekt', '.'], ['inspect', '.', '-x']])
def test_arguments_that_are_none_are_status_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(['policy', *arguments])
    assert ended.value.code == 2


def test_help_imports_no_torch(repo_root: Path) -> None:
    done = subprocess.run(
        [sys.executable, '-c', 'import sys; sys.modules["torch"] = None\n'
         'from vla_ros.cli.main import main; main(["policy", "inspect", "--help"])'],
        cwd=repo_root, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert '--base' in done.stdout
    assert 'exit status' in done.stdout
