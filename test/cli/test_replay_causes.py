"""vla-ros replay: a policy against its own recording is exact; each mistake fails and is named.

A tiny random OpenVLA-OFT looks at pictures, deterministically; it is recorded with our own bag
writer and then replayed by the command, once as it was and once with each mistake.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip('rosbags')
pytest.importorskip('pinocchio')
pytest.importorskip('torch')
pytest.importorskip('transformers')
pytest.importorskip('simplejpeg')

import torch
from replayed_bags import write_answers

from vla_ros.cli.main import main
from vla_ros.policy import load_policy
from vla_ros.policy.openvla.tiny import DEMO, write_demo_checkpoint
from vla_ros.resources import share_file

THIRD, WRIST = '/camera/third_person/image_raw', '/camera/wrist/image_raw'
STEPS = 8


@pytest.fixture(scope='module')
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checkpoint and its recordings, right and with red and blue exchanged."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp('replay')
    checkpoint = write_demo_checkpoint('openvla_oft', folder / 'checkpoint')
    policy = load_policy('openvla_oft', model_path=checkpoint, dtype='float32', device='cpu')
    write_answers(folder / 'bag', policy, STEPS)
    write_answers(folder / 'bgr', policy, STEPS, shown=lambda rgb: rgb[..., ::-1])
    (folder / 'expect.yaml').write_text(
        'relative: 1.0e-6\nl1_max: 1.0e-9\nexecuted_relative: 1.0e-6\nmissed: 0\n'
        f'compared: {STEPS}\n', encoding='utf-8')
    return folder


@pytest.fixture
def replay(made: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, Any, str]]:
    """Run the command; return its status, the result and what it printed."""
    def run(*arguments: object, bag: str = 'bag', checkpoint: str = 'checkpoint',
            save: str = 'result.json') -> tuple[int, Any, str]:
        capsys.readouterr()
        saved = made / save
        status = main(['replay', str(made / bag), '--policy', 'openvla_oft',
                       '--model-path', str(made / checkpoint), '--dtype', 'float32', '--device',
                       'cpu', '--expect', str(made / 'expect.yaml'), '--save', str(saved),
                       *map(str, arguments)])
        return status, json.loads(saved.read_text(encoding='utf-8')), capsys.readouterr().out

    return run


def settings(path: Path, **changes: Any) -> Path:
    """Write the shipped settings of the policy with changes."""
    values = yaml.safe_load(share_file('config', 'policies', 'openvla_oft.yaml').read_text())
    for key, value in changes.items():
        values[key] = {**values[key], **value} if isinstance(value, dict) else value
    path.write_text(yaml.safe_dump(values), encoding='utf-8')
    return path


def first_cause(result: Any) -> str:
    return str(result['suggestions'][0]['cause'])


def test_against_its_own_recording_it_is_exact(replay: Any) -> None:
    status, result, text = replay()
    assert status == 0, text
    assert all(d['l1_max'] == 0.0 for d in result['metrics']['dimensions'])
    assert result['metrics']['compared'] == STEPS
    assert result['against'] == 'chunks'
    assert result['suggestions'] == []
    assert set(result['metrics']['latency']) == {'preprocess', 'vision', 'language', 'head',
                                                 'infer'}


def fails(status: int, text: str) -> None:
    assert status == 1
    assert 'FELL SHORT' in text


def test_bgr_for_rgb_fails_and_is_named(replay: Any) -> None:
    status, result, text = replay(bag='bgr')
    fails(status, text)
    assert first_cause(result) == 'channels'
    assert 'channels look swapped (BGR for RGB): with red and blue exchanged' in text
    assert 'to 0 of the spread' in text


def test_swapped_cameras_fail_and_are_named(replay: Any) -> None:
    status, result, text = replay('--third-person', WRIST, '--wrist', THIRD)
    fails(status, text)
    assert first_cause(result) == 'cameras'
    assert 'cameras look swapped: with third_person and wrist exchanged' in text


def test_a_flipped_gripper_fails_and_is_named(replay: Any, tmp_path: Path) -> None:
    config = settings(tmp_path / 'flipped.yaml',
                      convention={'gripper_open': 0.0, 'gripper_closed': 1.0})
    status, result, text = replay('--policy-config', config)
    fails(status, text)
    assert first_cause(result) == 'gripper'
    assert 'the gripper sign looks flipped' in text


def test_a_policy_of_ten_hertz_on_a_bag_of_five_fails_and_is_named(replay: Any, made: Path,
                                                                   tmp_path: Path) -> None:
    five, ten = (settings(tmp_path / f'{hz}.yaml', dt=1 / hz) for hz in (5, 10))
    policy = load_policy('openvla_oft', model_path=made / 'checkpoint', config=five,
                         dtype='float32', device='cpu')
    write_answers(made / 'five', policy, STEPS, period_ns=200_000_000)
    assert replay('--policy-config', five, bag='five')[0] == 0
    status, result, text = replay('--policy-config', ten, bag='five')
    fails(status, text)
    assert first_cause(result) == 'rate'
    assert 'the bag runs at 5 Hz, the policy expects 10 Hz' in text
    assert 'scale' not in {said['cause'] for said in result['suggestions']}


def test_one_wrong_statistic_fails_and_is_named(replay: Any, made: Path) -> None:
    shutil.copytree(made / 'checkpoint', made / 'wrong', dirs_exist_ok=True)
    file = made / 'wrong' / 'dataset_statistics.json'
    values = json.loads(file.read_text(encoding='utf-8'))
    values[DEMO['openvla_oft'].dataset]['action']['q99'][1] *= 2.0
    file.write_text(json.dumps(values), encoding='utf-8')
    status, result, text = replay(checkpoint='wrong')
    fails(status, text)
    assert first_cause(result) == 'statistics'
    assert 'the statistics of this number look wrong' in text
    assert ': y is 1.5 × the recorded' in text


def test_the_wrong_statistics_key_fails_and_the_right_one_is_named(replay: Any,
                                                                   made: Path) -> None:
    shutil.copytree(made / 'checkpoint', made / 'keys', dirs_exist_ok=True)
    file = made / 'keys' / 'dataset_statistics.json'
    values = json.loads(file.read_text(encoding='utf-8'))
    right = DEMO['openvla_oft'].dataset
    other = json.loads(json.dumps(values[right]))
    for name in ('q01', 'q99', 'min', 'max'):
        numbers = other['action'][name]
        other['action'][name] = [3.0 * v for v in numbers[:-1]] + numbers[-1:]
    file.write_text(json.dumps({**values, 'other': other}), encoding='utf-8')
    status, result, text = replay('--unnorm-key', 'other', checkpoint='keys')
    fails(status, text)
    assert first_cause(result) == 'statistics_key'
    assert f'with statistics of {right} the error falls from' in text


def test_ablation_shows_what_the_policy_looks_at(replay: Any) -> None:
    status, result, text = replay('--ablate')
    assert status == 0
    changes = {a['name']: a['relative'] for a in result['ablations']}
    assert set(changes) == {'black images', 'other instruction', 'first state'}
    assert changes['black images'] > 0.01
    assert 'Change of the actions when an input is taken away' in text


def test_a_golden_run_is_frozen_and_compared_and_the_verdict_names_the_policy(
        replay: Any, made: Path) -> None:
    golden, verdict = made / 'golden.json', made / 'verdict.json'
    assert replay(save=golden.name)[0] == 0
    status, result, _ = replay('--against', golden, '--verdict', verdict)
    assert status == 0
    assert result['golden']['relative'] == 0.0
    said = json.loads(verdict.read_text(encoding='utf-8'))
    assert said['passed'] is True
    assert said['identity']['quantization'] == 'none'
    assert said['identity']['dtype'] == 'float32'
    status, result, _ = replay('--against', golden, '--verdict', verdict, '--dtype', 'bfloat16')
    assert result['golden']['differs'] == ['dtype: float32 there, bfloat16 here']
    assert 0.0 < result['golden']['relative'] < 0.5
    assert status == 1, 'bfloat16 is not the same to 1e-9, which expect.yaml asks for'
    said = json.loads(verdict.read_text(encoding='utf-8'))
    assert said['passed'] is False
    assert said['identity']['dtype'] == 'bfloat16'
    assert any('l1_max' in text for text in said['shortfalls'])
