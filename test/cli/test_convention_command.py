"""``vla-ros convention`` on the derived Bridge bags and on bags that were made here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rosbags', reason='rosbags is not installed')
pytest.importorskip('av', reason='PyAV is not installed')

from vla_ros.cli.main import main
from vla_ros.replay import messages
from vla_ros.replay.bag_writer import BagWriter
from vla_ros.replay.episode_bag import write_episode
from vla_ros.replay.public_episodes import read_public
from vla_ros.replay.topic_choice import JOINT_STATE, TRAJECTORY

DIMS = ('x', 'y', 'z', 'rx', 'ry', 'rz', 'gripper')
NAMES = ('x', 'y', 'z', 'roll', 'pitch', 'yaw', 'gripper')


@pytest.fixture(scope='module')
def bridge(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The 25 episodes as bags."""
    folder = tmp_path_factory.mktemp('bridge')
    found = []
    for i, episode in enumerate(read_public(shared / 'data' / 'episodes' / 'bridge_25x10.npz')):
        write_episode(folder / f'{i:02d}', episode)
        found.append(str(folder / f'{i:02d}'))
    return found


def chunk_bag(path: Path, still: bool = False) -> str:
    """Write a bag of 60 one-step chunks at 10 Hz that the tool carries out at once."""
    rng = np.random.default_rng(1)
    motion = np.zeros((60, 6)) if still else rng.normal(0.0, 0.01, (60, 6))
    grip = (np.sin(np.arange(60) / 5.0) > 0).astype(float)
    state = np.vstack((np.zeros(6), np.cumsum(motion, axis=0)))
    with BagWriter(path) as bag:
        for i in range(61):
            stamp = 1_000_000_000 + i * 100_000_000
            bag.write_message('/proprio', JOINT_STATE, stamp, messages.joint_state(
                NAMES, [*state[i], grip[max(i - 1, 0)] * 0.07], stamp))
            if i < 60:
                bag.write_message('/action_chunk', TRAJECTORY, stamp, messages.action_chunk(
                    DIMS, np.array([[*motion[i], grip[i]]]), 100_000_000, stamp, 'base_link'))
    return str(path)


def test_bridge_is_found_to_be_deltas_in_the_base_frame_with_rpy_and_1_for_open(
        bridge: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['convention', *bridge, '--policy', 'openvla', '--json']) == 0
    found = json.loads(capsys.readouterr().out)
    value = {name: finding['value'] for name, finding in found['findings'].items()}
    assert (value['action'], value['space'], value['frame']) == ('delta', 'ee_delta', 'base')
    assert value['rotation'] == 'rpy'
    assert value['gripper'] == {'open': 1.0, 'closed': 0.0}
    assert value['proprio'] == ['x', 'y', 'z', 'roll', 'pitch', 'yaw', 'gripper']
    assert value['dt'] == pytest.approx(0.2)
    assert found['findings']['frame']['sure'] >= 0.99
    assert found['findings']['frame']['margin'] > 0.05
    assert found['verdict'] == 'agree'


def test_bridge_disagrees_with_a_libero_policy(
        bridge: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['convention', *bridge[:10], '--policy', 'openvla_oft', '--policy-config',
                 'openvla_oft_libero', '--json']) == 1
    found = json.loads(capsys.readouterr().out)['findings']
    wrong = {name for name, finding in found.items() if finding['verdict'] == 'disagree'}
    assert wrong == {'translation_scale', 'dt', 'proprio'}


def test_the_block_can_be_printed_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['convention', chunk_bag(tmp_path / 'bag'), '--yaml']) == 0
    assert 'space: ee_delta' in capsys.readouterr().out


def test_statistics_are_read_from_the_checkpoint(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / 'model'
    model.mkdir()
    (model / 'dataset_statistics.json').write_text(json.dumps({
        name: {'action': {'min': [-size] * 7, 'max': [size] * 7}}
        for name, size in (('mine', 1.0), ('other', 100.0))}))
    bag = chunk_bag(tmp_path / 'bag')
    arguments = ['convention', bag, '--policy', 'openvla', '--model-path', str(model), '--json']
    assert main(arguments) == 2, 'two data sets, and no word which'
    assert 'unnorm_key' in capsys.readouterr().err
    main([*arguments, '--unnorm-key', 'other'])
    assert json.loads(capsys.readouterr().out)['findings']['statistics']['verdict'] == 'disagree'


def test_a_bag_that_tells_nothing_does_not_pass(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bag = chunk_bag(tmp_path / 'bag', still=True)
    assert main(['convention', bag]) == 0, 'nothing was asked'
    assert 'the arm does not move' in capsys.readouterr().out
    assert main(['convention', bag, '--policy', 'scripted']) == 1
    assert 'scripted: cannot tell' in capsys.readouterr().out


@pytest.mark.parametrize(('extra', 'said'), [
    (['--policy', 'openvlaa'], "Did you mean 'openvla'"),
    (['--unnorm-key', 'a'], 'needs --policy'),
    (['--policy', 'openvla', '--unnorm-key', 'a'], 'needs --model-path'),
    (['--policy', 'openvla', '--policy-config', 'nothing'], 'openvla_bridge'),
    (['--robot', 'piper'], 'the state has no joint1'),
    (['--json', '--yaml'], 'give one of them'),
    (['--state', '/nothing'], 'no such topic'),
])
def test_a_wrong_argument_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                   extra: list[str], said: str) -> None:
    assert main(['convention', chunk_bag(tmp_path / 'bag'), *extra]) == 2
    assert said in capsys.readouterr().err


def test_a_recording_of_the_scripted_policy_has_its_convention(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip('mujoco', reason='MuJoCo is not installed')
    from replayed_bags import write_scripted

    path = str(write_scripted(tmp_path / 'scripted', 5.0))
    assert main(['convention', path]) == 2, 'joints, but of which arm?'
    assert 'piper' in capsys.readouterr().err
    assert main(['convention', path, '--robot', 'piper', '--policy', 'scripted', '--json']) == 0
    found = json.loads(capsys.readouterr().out)
    value = {name: finding['value'] for name, finding in found['findings'].items()}
    assert (value['action'], value['space'], value['frame']) == ('delta', 'ee_delta', 'base')
    assert value['dt'] == pytest.approx(0.1)
    assert found['verdict'] == 'agree'


def test_the_robot_that_the_bag_names_is_taken(tmp_path: Path,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip('mujoco', reason='MuJoCo is not installed')
    from replayed_bags import write_scripted

    from vla_ros.replay import named_robot

    path = str(write_scripted(tmp_path / 'scripted', 5.0))
    monkeypatch.setattr(named_robot, 'named_robot', lambda bag: 'piper')
    assert main(['convention', path, '--policy', 'scripted']) == 0
    monkeypatch.setattr(named_robot, 'named_robot', lambda bag: 'an arm that is not known here')
    assert main(['convention', path, '--policy', 'scripted']) == 2
