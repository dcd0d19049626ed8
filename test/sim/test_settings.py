"""Settings are read strictly: what is missing, unknown or odd is named with its file."""

import copy

import pytest
import yaml

from vla_ros.core.errors import ConfigError
from vla_ros.resources import share_file
from vla_ros.robots import load_profile, robot_names
from vla_ros.section import Section, build
from vla_ros.sim.settings import PhysicsSettings, SceneSettings, TaskSettings, read_layout

KINDS = {'scene': SceneSettings, 'physics': PhysicsSettings, 'tasks': TaskSettings}


def leaves(values, path=()):
    for key, value in values.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))


def removed(values, path):
    values = copy.deepcopy(values)
    inner = values
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return values


@pytest.mark.parametrize('name', KINDS)
def test_every_key_of_a_file_is_needed_and_named_when_missing(name, tmp_path):
    values = yaml.safe_load(share_file('config', 'sim', f'{name}.yaml').read_text())
    free = ('colours', 'cubes.colours')  # names that a user may choose
    for path in leaves(values):
        if '.'.join(path[:-1]) in free:
            continue
        file = tmp_path / f'{name}.yaml'
        file.write_text(yaml.safe_dump(removed(values, path)))
        with pytest.raises(ConfigError, match='missing key') as caught:
            build(KINDS[name], Section.open(file))
        assert str(file) in str(caught.value)
        assert '.'.join(path) in str(caught.value)


@pytest.mark.parametrize('robot', robot_names())
def test_every_robot_has_a_layout(robot):
    profile = load_profile(robot)
    assert read_layout(profile.scene, profile.path).hook.position[2] > 0.1


@pytest.mark.parametrize(('key', 'value', 'expected'), [
    ('insulator.yaw_spread', 'wide', 'a finite number'),
    ('insulator.yaw_spread', float('nan'), 'a finite number'),
    ('insulator.yaw_spread', True, 'a finite number'),
    ('insulator.center', [0.1], 'a list of 2'),
    ('hook.position', [0.1, 0.2, None], 'a list of 3'),
    ('wrist_camera.frame', '', 'text'),
    ('cubes', None, 'a mapping'),
    ('cubes.centre', [0.1, 0.2], 'unknown key'),
])
def test_an_odd_layout_names_file_and_key(key, value, expected):
    scene = copy.deepcopy(load_profile('piper').scene)
    *outer, last = key.split('.')
    inner = scene
    for name in outer:
        inner = inner[name]
    inner[last] = value
    with pytest.raises(ConfigError, match=expected) as caught:
        read_layout(scene, 'my_robot.yaml')
    assert f'my_robot.yaml: {"unknown key " if "unknown" in expected else ""}' in str(caught.value)
    assert f'scene.{key}' in str(caught.value)


def test_a_file_that_is_not_yaml_is_named(tmp_path):
    path = tmp_path / 'scene.yaml'
    path.write_text('table: [')
    with pytest.raises(ConfigError, match=r'scene\.yaml: not valid YAML'):
        Section.open(path)


def test_a_scene_without_room_for_the_objects_is_refused():
    from dataclasses import replace

    pytest.importorskip('mujoco')
    from vla_ros.sim.world import SimWorld

    profile = load_profile('piper')
    scene = copy.deepcopy(profile.scene)
    scene['cubes']['spread'] = [0.001, 0.001]
    with pytest.raises(ConfigError, match='no room'):
        SimWorld(replace(profile, scene=scene))


def test_a_wrist_camera_on_an_unknown_link_lists_the_links():
    from dataclasses import replace

    pytest.importorskip('mujoco')
    from vla_ros.sim.world import SimWorld

    profile = load_profile('piper')
    scene = copy.deepcopy(profile.scene)
    scene['wrist_camera']['frame'] = 'link66'
    with pytest.raises(ConfigError, match=r"link66.*link5, link6"):
        SimWorld(replace(profile, scene=scene))
