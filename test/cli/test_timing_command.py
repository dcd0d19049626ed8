"""``vla-ros timing`` as its user starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('rosbags', reason='rosbags is not installed')
pytest.importorskip('pinocchio', reason='pinocchio is not installed')

from timing_bags import write_timing_bag

from vla_ros.cli.main import main


@pytest.fixture(scope='module')
def bag(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run of two and a half seconds."""
    return str(write_timing_bag(tmp_path_factory.mktemp('timing') / 'bag', seconds=2.5))


def cases(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, dict[str, object]]:
    assert main(['timing', *arguments, '--json']) == 0
    return {case['name']: case for case in json.loads(capsys.readouterr().out)['cases']}


def test_latency_starves_the_arm_more_the_longer_it_is(
        bag: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = cases(capsys, bag, '--latency', '0.05,0.4,0.9')
    assert list(found) == ['as recorded', 'latency 0.05 s', 'latency 0.4 s', 'latency 0.9 s']
    score = {name: case['scores'] for name, case in found.items()}
    assert score['as recorded']['not_running'] < 0.05
    assert found['latency 0.05 s']['sha256'] == found['as recorded']['sha256'], 'it was 0.05 s'
    assert score['latency 0.05 s']['path_max'] == 0.0
    assert score['latency 0.4 s']['chunks_used'] < score['as recorded']['chunks_used']
    assert score['latency 0.9 s']['chunks_used'] == 0, 'later than the end of a chunk of 0.8 s'
    assert score['latency 0.9 s']['not_running'] == 1.0


def test_a_slow_policy_is_explained_in_words(bag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['timing', bag, '--latency', '0.55', '--quiet']) == 0
    said = capsys.readouterr().out
    assert 'latency 0.55 s: the arm was SLOW' in said or 'latency 0.55 s: the arm held' in said
    assert 'make the chunks longer' in said
    assert main(['timing', bag, '--latency', '0.3', '--set', 'slow_after_s=0.2']) == 0
    said = capsys.readouterr().out
    assert 'slow_after_s is 0.2. Raise slow_after_s above 0.30' in said
    assert main(['timing', bag, '--latency', '0.3', '--set', 'slow_after_s=0.45']) == 0
    assert 'SLOW' not in capsys.readouterr().out.partition('latency 0.3 s:')[2], 'as was advised'


def test_joint_states_that_fail_hold_the_arm(bag: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = cases(capsys, bag, '--joint-outage', '1+0.8')
    case = found['joint outage 1+0.8 s']
    assert 0.2 < case['scores']['hold'] < 0.4
    assert any(change['level'] == 'HOLD' and change['reason'].startswith('joint_states: older')
               for change in case['changes'])


def test_a_frozen_camera_costs_chunks_and_says_why(
        bag: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = cases(capsys, bag, '--freeze', 'wrist=0.5+2')
    case = found['wrist frozen at 0.5+2 s']
    (reason, count), = case['lost'].items()
    assert reason.startswith('/camera/wrist/image_raw: frozen, the same picture')
    assert 5 <= count <= 15
    assert case['scores']['chunks_used'] == found['as recorded']['scores']['chunks_used'] - count


def test_a_camera_that_lags_too_far_costs_chunks(
        bag: str, capsys: pytest.CaptureFixture[str]) -> None:
    strict = ('--parameter', 'max_camera_skew_s=0.02')
    case = cases(capsys, bag, '--skew', 'wrist=0.05', *strict)['wrist skew 0.05 s']
    assert sum(case['lost'].values()) > 15
    assert all('camera' in reason for reason in case['lost'])
    case = cases(capsys, bag, '--skew', 'wrist=0.01', *strict)['wrist skew 0.01 s']
    assert case['lost'] == {}


def test_the_same_inputs_give_the_same_bytes_in_other_processes(bag: str, tmp_path: Path) -> None:
    said = []
    for seed in ('1', '77'):
        out = tmp_path / f'{seed}.json'
        subprocess.run(
            [sys.executable, '-m', 'vla_ros.cli.main', 'timing', bag, '--latency', 'measured',
             '--jitter', '0.05', '--drop', '0.2', '--joint-jitter', '0.02', '--seed', '7',
             '--save', str(out)],
            check=True, env={**os.environ, 'PYTHONHASHSEED': seed}, stdout=subprocess.DEVNULL,
            timeout=300)
        said.append(out.read_bytes())
    assert said[0] == said[1]
    assert b'sha256' in said[0]


def test_another_seed_gives_another_run(bag: str, capsys: pytest.CaptureFixture[str]) -> None:
    hashes = {seed: [case['sha256'] for case in cases(
        capsys, bag, '--drop', '0.5', '--seed', seed, '--quiet').values()] for seed in ('1', '2')}
    assert hashes['1'][0] == hashes['2'][0]
    assert hashes['1'][1] != hashes['2'][1]


def test_limits_that_are_not_kept_fail_with_a_table(
        bag: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    limits = tmp_path / 'limits.yaml'
    limits.write_text('not_running: 0.1\n')
    assert main(['timing', bag, '--latency', '0.9', '--expect', str(limits)]) == 1
    said = capsys.readouterr().out
    assert 'FELL SHORT' in said and 'latency 0.9 s: not_running' in said
    assert 'lag behind' in said


def test_the_recorded_arm_can_be_taken_instead(
        bag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['timing', bag, '--arm', 'recorded']) == 0
    said = capsys.readouterr().out
    assert 'whatever it is told' in said and 'rad rms' in said


def test_a_bag_without_joints_is_refused_or_starts_at_home(
        tmp_path: Path, shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip('av', reason='PyAV is not installed')
    from vla_ros.replay.episode_bag import write_episode
    from vla_ros.replay.public_episodes import read_public

    episode = read_public(shared / 'data' / 'episodes' / 'bridge_25x10.npz')[1]
    write_episode(tmp_path / 'bridge', episode)
    path = str(tmp_path / 'bridge')
    assert main(['timing', path]) == 1
    said = capsys.readouterr().err
    assert 'needs the joint states of piper' in said and '--start home' in said
    home = [path, '--start', 'home', '--convention', 'openvla_bridge']
    assert main(['timing', *home, '--freeze', 'third_person=0+1']) == 2
    assert 'need the recorded joint states' in capsys.readouterr().err
    assert main(['timing', path, '--start', 'home']) == 1
    assert 'nobody says how to read it' in capsys.readouterr().err
    found = cases(capsys, path, '--start', 'home', '--convention', 'openvla_bridge', '--latency',
                  '0.15')
    assert found['as recorded']['scores']['chunks_used'] == 10
    assert found['as recorded']['scores']['tool_acceleration_max'] > 0.0


def test_the_policy_that_was_recorded_gives_the_commands_that_were(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip('mujoco', reason='MuJoCo is not installed')
    from replayed_bags import write_scripted

    path = str(write_scripted(tmp_path / 'scripted', 1.5))
    recorded, asked = (cases(capsys, path, '--latency', '0.1', *more)
                       for more in ((), ('--policy', 'scripted')))
    for name, case in recorded.items():
        assert case['scores']['chunks_used'] >= 5
        assert case['sha256'] == asked[name]['sha256']


@pytest.mark.parametrize(('arguments', 'said'), [
    (['--latency', 'soon'], 'neither seconds'), (['--latency', '-1'], 'expected 0 to 60'),
    (['--drop', '1.5'], 'share from 0'), (['--drop', 'a'], 'expected numbers'),
    (['--joint-outage', '1'], 'START'), (['--freeze', 'wrist'], 'CAMERA='),
    (['--freeze', 'wirst=1+1'], "Did you mean 'wrist'"), (['--set', 'slow=1'], 'Choices'),
    (['--set', 'slow_after_s=x'], 'slow_after_s'), (['--arm', 'fast'], 'Choices: follow'),
    (['--arm', 'recorded', '--start', 'home'], 'no recorded arm'),
    (['--task', 'x'], 'needs --policy'),
    (['--drop', ','.join(['0.1'] * 9), '--jitter', ','.join(['0.1'] * 9)], '81 combinations')])
def test_a_wrong_argument_is_named(bag: str, capsys: pytest.CaptureFixture[str],
                                   arguments: list[str], said: str) -> None:
    assert main(['timing', bag, *arguments]) == 2
    assert said in capsys.readouterr().err
