"""The identity of a policy: the same in every process, and another one for another policy."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vla_ros.core.errors import ConfigError
from vla_ros.core.types import Observation
from vla_ros.policy import load_policy
from vla_ros.policy.identity import identity_of
from vla_ros.policy.openvla.tiny import DEMO, write_demo_checkpoint

OPTIONS = {'dtype': 'float32', 'device': 'cpu'}
KEY = DEMO['openvla_oft'].dataset


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_demo_checkpoint('openvla_oft', tmp_path_factory.mktemp('identity') / 'run')


def identity(path: Path, **options: object):
    return identity_of(load_policy('openvla_oft', model_path=path, **{**OPTIONS, **options}))


def test_it_is_the_same_in_another_process_and_for_a_copy(checkpoint, tmp_path) -> None:
    here = identity(shutil.copytree(checkpoint, tmp_path / 'copy'))
    script = ('import json; from vla_ros.policy import load_policy;'
              'from vla_ros.policy.identity import identity_of;'
              f'p = load_policy("openvla_oft", model_path={str(checkpoint)!r}, **{OPTIONS!r});'
              'print(json.dumps(identity_of(p).as_dict()))')
    done = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True,
                          timeout=120, check=True, cwd=Path(__file__).resolve().parents[3])
    there = json.loads(done.stdout.splitlines()[-1])
    assert {**there, 'model': 'copy'} == here.as_dict()
    assert all(here.as_dict().values()), 'every part is said'


def changed_statistics(path: Path) -> None:
    file = path / 'dataset_statistics.json'
    values = json.loads(file.read_text(encoding='utf-8'))
    values[KEY]['action']['q99'][0] *= 1.5
    file.write_text(json.dumps(values), encoding='utf-8')


def changed_weights(path: Path) -> None:
    file = next(path.glob('action_head--*'))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize(('part', 'change', 'options'), [
    ('statistics', changed_statistics, {}),
    ('weights', changed_weights, {}),
    ('settings', None, {'dt': 0.1}),
    ('settings', None, {'proprio': ('x', 'y', 'z', 'roll', 'pitch', 'yaw', 'zero', 'gripper')}),
    ('dtype', None, {'dtype': 'bfloat16'}),
])
def test_another_policy_differs_in_the_part_that_is_another(
        checkpoint, tmp_path, part, change, options) -> None:
    path = shutil.copytree(checkpoint, tmp_path / 'run')
    if change is not None:
        change(path)
    found = identity(checkpoint).differences(identity(path, **options))
    assert [text.split(' ', 1)[0] for text in found] == [part]


def test_with_other_statistics_it_shares_the_weights_and_answers_in_their_range(
        checkpoint, tmp_path) -> None:
    path = shutil.copytree(checkpoint, tmp_path / 'run')
    file = path / 'dataset_statistics.json'
    values = json.loads(file.read_text(encoding='utf-8'))
    other = json.loads(json.dumps(values[KEY]))
    for name in ('q01', 'q99'):
        arm, gripper = other['action'][name][:-1], other['action'][name][-1]
        other['action'][name] = [2.0 * value for value in arm] + [gripper]
    short = {'action': {name: numbers[:3] for name, numbers in other['action'].items()}}
    file.write_text(json.dumps({**values, 'other': other, 'short': short}), encoding='utf-8')
    policy = load_policy('openvla_oft', model_path=path, unnorm_key=KEY, **OPTIONS)
    images = {name: np.full((224, 224, 3), 99, np.uint8) for name in policy.spec.cameras}
    seen = Observation(7, 'go', images, {'tool_pose': np.eye(4), 'gripper': np.array(0.03)})
    twice = policy.with_statistics('other')
    assert twice.parts.model is policy.parts.model
    np.testing.assert_allclose(twice.infer(seen).actions[:, :6],
                               2.0 * policy.infer(seen).actions[:, :6], atol=2e-8)
    assert policy.parts.key == KEY
    assert identity_of(twice).statistics.startswith('other:')
    with pytest.raises(ConfigError, match='short has actions of 3 numbers'):
        policy.with_statistics('short')
