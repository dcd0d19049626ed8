"""vla-ros replay with a policy that needs no checkpoint: its words, files and exit statuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('rosbags')
pytest.importorskip('pinocchio')
pytest.importorskip('mujoco')

from replayed_bags import write_scripted

from vla_ros.cli.main import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of the scripted policy on the simulated arm."""
    return write_scripted(tmp_path_factory.mktemp('scripted') / 'bag', 1.0)


def run(bag: Path, *arguments: object, policy: str = 'scripted') -> int:
    return main(['replay', str(bag), '--policy', policy, *map(str, arguments)])


def test_the_scripted_policy_against_its_own_recording_is_exact(
        bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expect = tmp_path / 'expect.yaml'
    expect.write_text('l1_max: 0\nrelative: 0\nmissed: 0\ncompared: 10\n', encoding='utf-8')
    assert run(bag, '--expect', expect, '--json') == 0
    result = json.loads(capsys.readouterr().out)
    assert result['metrics']['relative'] == 0.0
    assert result['suggestions'] == []
    assert all(check['kept'] for check in result['checks'])
    assert len(result['inferences']) == 10


@pytest.mark.parametrize('against', ['commands', 'states'])
def test_what_the_arm_did_is_near_what_the_policy_said(
        bag: Path, against: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(bag, '--against-recorded', against, '--json') == 0
    result = json.loads(capsys.readouterr().out)
    assert result['against'] == against
    moved = {d['name']: d for d in result['metrics']['dimensions']}
    assert 0.0 < moved['z']['executed_l1'] < 0.5 * moved['z']['spread'], 'it lags, but not by much'
    assert result['metrics']['motion_ratio'] == pytest.approx(1.0, abs=0.5)


def test_what_fell_short_is_a_table_on_top_and_the_status_is_one(
        bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expect = tmp_path / 'expect.yaml'
    expect.write_text('relative: 0\nhorizon: 9\n', encoding='utf-8')
    assert run(bag, '--expect', expect) == 1
    table = capsys.readouterr().out.rstrip().splitlines()[-3:]
    assert table[0].split() == ['limit', 'found', 'expected']
    assert table[1].split() == ['FELL', 'SHORT', 'horizon', '8', '>=', '9']
    assert table[2].split() == ['ok', 'relative', '0', '<=', '0']


@pytest.mark.parametrize(('arguments', 'message'), [
    (['--against-recorded', 'chunk'], "unknown reference 'chunk'. Did you mean 'chunks'?"),
    (['--parameter', 'image_timeout=1'], "unknown parameter of policy_node 'image_timeout'"),
    (['--parameter', 'image_timeout_s=long'], "parameter 'image_timeout_s'"),
    (['--rate', '-3', '--against-recorded', 'states'], 'rate: expected more than 0'),
    (['--rate', '0'], 'rate: expected more than 0'),
    (['--save', 'no/such/folder/r.json'], 'no folder here that can be written to'),
    (['--third-person', '/nowhere'], "third_person from '/nowhere': the bag has no such topic"),
    (['--camera', 'wrist'], '--camera: expected NAME=TOPIC'),
    (['--verdict', 'v.json'], '--verdict needs limits'),
    (['--expect', 'nowhere.yaml'], 'nowhere.yaml: cannot be read'),
    (['--model-path', 'x'], "unknown option of policy scripted 'model_path'"),
    (['--robot', 'piperr'], 'piperr'),
])
def test_a_wrong_argument_is_status_two_and_says_which(
        bag: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(bag, *arguments) == 2
    assert message in capsys.readouterr().err


def test_a_bag_that_lacks_what_the_policy_needs_is_refused_with_the_input_named(
        bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from vla_ros.replay.bag import Bag
    from vla_ros.replay.bag_writer import BagWriter

    with Bag(bag) as source, BagWriter(tmp_path / 'less') as less:
        for record in source.records():
            if record.topic not in ('/camera/wrist/image_raw', '/sim/objects'):
                less.write(record.topic, record.type, record.receive_ns, record.data)
    assert run(tmp_path / 'less') == 1
    said = capsys.readouterr().err
    assert 'the policy cannot be replayed on it' in said
    assert 'wrist: no name points to one topic; say which: /camera/third_person/image_raw' in said
    assert 'objects: no topic with messages of type visualization_msgs/msg/MarkerArray' in said


def test_an_instruction_that_is_not_understood_is_said_before_anything_is_asked(
        bag: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(bag, '--task', 'dance') == 1
    assert "instruction 'dance' is not one that the scripted policy follows" \
        in capsys.readouterr().err


def test_a_pipe_gets_the_report_and_no_progress(bag: Path) -> None:
    done = subprocess.run(
        [sys.executable, '-m', 'vla_ros.cli.main', 'replay', str(bag), '--policy', 'scripted'],
        cwd=ROOT, env={**os.environ, 'PYTHONPATH': str(ROOT)}, capture_output=True, text=True,
        timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ''
    assert 'Suggestions: none' in done.stdout
    assert '10 inferences over 0.9 s, 10 compared with the recorded chunks' in done.stdout
