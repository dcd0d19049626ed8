"""A profile that is wrong in any way is refused, and the message says where and what is right."""

from __future__ import annotations

import copy

import pytest
import yaml

from vla_ros.core.errors import ConfigError
from vla_ros.resources import share_file
from vla_ros.robots import load_profile

REMOVED = object()


@pytest.fixture
def good():
    return yaml.safe_load(share_file('config', 'robots', 'piper.yaml').read_text(encoding='utf-8'))


def write(folder, values):
    path = folder / 'mine.yaml'
    path.write_text(yaml.safe_dump(values), encoding='utf-8')
    return path


def changed(values, dotted, new):
    values = copy.deepcopy(values)
    *above, last = dotted.split('.')
    at = values
    for key in above:
        at = at[key]
    if new is REMOVED:
        del at[last]
    else:
        at[last] = new
    return values


def leaves(values, above=''):
    for key, value in values.items():
        yield above + key
        if isinstance(value, dict) and key not in ('scene', 'fingers'):
            yield from leaves(value, f'{above}{key}.')


def refused(path):
    with pytest.raises(ConfigError) as caught:
        load_profile(path)
    message = str(caught.value)
    assert str(path) in message
    return message


def test_own_profile_by_path_is_accepted(tmp_path, good):
    profile = load_profile(write(tmp_path, changed(good, 'name', 'mine')))
    assert profile.name == 'mine'
    assert profile.urdf_path == share_file('urdf', 'piper.urdf')


def test_urdf_beside_the_profile_is_found_first(tmp_path, good):
    beside = tmp_path / 'piper.urdf'
    beside.write_text(share_file('urdf', 'piper.urdf').read_text(encoding='utf-8'))
    assert load_profile(write(tmp_path, good)).urdf_path == beside


def test_each_missing_key_is_named(tmp_path, good):
    # There may be any number of keep-out boxes.
    keys = [key for key in leaves(good) if key != 'task_space.keep_out.table']
    assert len(keys) > 30
    for key in keys:
        message = refused(write(tmp_path, changed(good, key, REMOVED)))
        assert f"missing key '{key}'" in message


def test_each_key_refuses_a_value_of_another_type(tmp_path, good):
    for key in leaves(good):
        message = refused(write(tmp_path, changed(good, key, [{}])))
        assert key in message, message


@pytest.mark.parametrize('key', ['homee', 'joints.hom', 'gripper.width', 'topics.joint_state'])
def test_unknown_key_is_named_so_that_a_misspelling_is_not_a_silent_default(tmp_path, good, key):
    message = refused(write(tmp_path, changed(good, key, 1.0)))
    assert f"unknown key '{key}'" in message


def test_misspelt_key_is_suggested(tmp_path, good):
    values = changed(changed(good, 'gripper.speed', REMOVED), 'gripper.sped', 0.1)
    message = refused(write(tmp_path, values))
    assert "missing key 'gripper.speed'" in message
    assert "'sped'" in message


@pytest.mark.parametrize('key', ['home', 'lower', 'upper', 'velocity', 'acceleration'])
@pytest.mark.parametrize('length', [0, 5, 7])
def test_wrong_length_is_named_with_the_length_it_should_have(tmp_path, good, key, length):
    message = refused(write(tmp_path, changed(good, f'joints.{key}', [1.0] * length)))
    assert f'joints.{key}: expected a list of 6' in message
    assert f'{length} of them' in message


@pytest.mark.parametrize(
    ('key', 'value', 'says'),
    [
        ('joints.home', [0.0, 1.2, -1.1, 0.0, 0.9, float('nan')], 'joints.home'),
        ('joints.home', [0.0, 1.2, -1.1, 0.0, 0.9, True], 'joints.home'),
        ('joints.home', [0.0, 1.2, 0.0, 0.0, 0.9, 0.0], 'joint3 within [-2.947, -0.02]'),
        ('joints.names', ['joint1'] * 6, 'different names'),
        ('joints.velocity', [3.0, 3.0, 3.0, 3.0, 3.0, 0.0], '> 0'),
        ('joints.margin', float('nan'), 'joints.margin'),
        ('joints.margin', 2.0, 'joints.lower'),
        ('joints.lower', [-9.0, 0.0, -2.9, -1.7, -1.2, -2.0], 'joint1 within piper.urdf'),
        ('gripper.open', 0.0, 'gripper.open'),
        ('gripper.open', '0.07', 'gripper.open'),
        ('gripper.open', 0.08, 'joint7 within piper.urdf'),
        ('gripper.closed', 0.07, 'gripper.open'),
        ('gripper.force', -1.0, 'gripper.force'),
        ('gripper.fingers', {}, 'gripper.fingers'),
        ('gripper.fingers', {'joint9': 0.5}, 'joint9'),
        ('gripper.fingers', {'joint7': 'half'}, 'gripper.fingers.joint7'),
        ('task_space.workspace', {'lower': [0, 0, 0], 'upper': [1, 1, 0]}, 'workspace.upper'),
        ('task_space.max_speed', 0, 'task_space.max_speed'),
        ('topics.joint_states', '', 'topics.joint_states'),
        ('tool_frame', 'tpc', 'tool_frame'),
        ('urdf', 'pipr.urdf', 'piper.urdf'),
    ],
)
def test_value_that_cannot_work_is_refused(tmp_path, good, key, value, says):
    assert says in refused(write(tmp_path, changed(good, key, value)))


@pytest.mark.parametrize(
    ('text', 'says'),
    [
        ('', 'expected a mapping'),
        ('- piper', 'expected a mapping'),
        ('name: [', 'not valid YAML'),
        ('name: a\nname: b', 'stands there twice'),
    ],
)
def test_file_that_is_not_a_profile_is_refused(tmp_path, text, says):
    path = tmp_path / 'mine.yaml'
    path.write_text(text, encoding='utf-8')
    assert says in refused(path)


def test_file_that_is_absent_is_named(tmp_path):
    assert 'cannot be read' in refused(tmp_path / 'absent.yaml')


@pytest.mark.parametrize('text', ['<robot', '<sdf/>', '<robot><link/></robot>'])
def test_file_that_is_not_a_urdf_is_named(tmp_path, good, text):
    (tmp_path / 'mine.urdf').write_text(text, encoding='utf-8')
    with pytest.raises(ConfigError, match=r'mine\.urdf'):
        load_profile(write(tmp_path, changed(good, 'urdf', 'mine.urdf')))


@pytest.mark.parametrize(('key', 'value', 'what'), [
    ('task_space.keep_out.table.upper', [-3.0, -3.0, -3.0], 'is not below upper'),
    ('singularity.halt_below', 1.0, 'halt_below < resume_above'),
    ('clearance.stop_distance', 0.5, 'stop_distance < slow_distance'),
])
def test_bounds_that_contradict_each_other_are_told_of_the_file(tmp_path, good, key, value, what):
    assert what in refused(write(tmp_path, changed(good, key, value)))
