"""A mapping that is wrong is an error that names file, key and choices."""

import pytest
import yaml

from vla_ros.core.errors import ConfigError
from vla_ros.teleop.controls import Button, Pair, Stick, Trigger
from vla_ros.teleop.hand import Action
from vla_ros.teleop.mapping import load_mapping, mapping_names

GOOD = {'description': 'mine', 'deadman': {'button': 4}, 'keep_arm': False, 'button_events': False,
        'dead_zone': 0.1, 'motion': {'x': {'axis': 1}}, 'actions': {'estop': {'button': 2}}}


def write(tmp_path, **changes):
    path = tmp_path / 'mine.yaml'
    path.write_text(yaml.safe_dump({**GOOD, **changes}))
    return str(path)


def test_a_file_of_ones_own_is_read(tmp_path):
    mapping = load_mapping(write(tmp_path, motion={
        'x': {'axis': 1, 'invert': True},
        'z': {'plus': {'axis': 5, 'rest': 1.0, 'pressed': -1.0}, 'minus': {'button': 6}}}))
    assert mapping.deadman == Button(4)
    assert mapping.motion == {'x': Stick(1, -1.0), 'z': Pair(Trigger(5, 1.0, -1.0), Button(6))}
    assert mapping.actions == {Action.ESTOP: Button(2)}


@pytest.mark.parametrize(('changes', 'parts'), [
    ({'deadmann': 1}, ["'deadmann'", "Did you mean 'deadman'"]),
    ({'motion': {'forward': {'axis': 1}}}, ["'forward'", 'motion', 'pitch, roll, x, y, yaw, z']),
    ({'motion': {'x': {'axis': -1}}}, ['motion.x.axis', '>= 0']),
    ({'motion': {'x': {'axis': 1, 'inverted': True}}}, ['motion.x.inverted']),
    ({'motion': {'x': {'axis': 1, 'invert': 'yes'}}}, ['motion.x.invert', 'true or false']),
    ({'motion': {'x': {'button': 1}}}, ['motion.x', 'plus and minus']),
    ({'actions': {'shut': {'button': 1}}}, ["'shut'", 'actions', 'gripper_close']),
    ({'actions': {'estop': {'key': 1}}}, ['actions.estop', 'button, or axis']),
    ({'actions': {'estop': {'axis': 1, 'rest': 1.0, 'pressed': 1.0}}}, ['estop', 'not rest']),
    ({'actions': {'estop': {'axis': 1, 'rest': 1.0}}}, ['actions.estop.pressed']),
    ({'actions': {'estop': {'button': 1.5}}}, ['actions.estop.button', 'whole number']),
    ({'dead_zone': 1.0}, ['dead_zone', 'less than 1']),
    ({'dead_zone': -0.1}, ['dead_zone']),
    ({'deadman': 4}, ['deadman', 'a mapping']),
    ({'keep_arm': 'no'}, ['keep_arm', 'true or false'])])
def test_a_wrong_mapping_names_the_file_the_key_and_what_may_stand_there(tmp_path, changes, parts):
    with pytest.raises(ConfigError) as error:
        load_mapping(write(tmp_path, **changes))
    assert 'mine.yaml' in str(error.value)
    for part in parts:
        assert part in str(error.value)


@pytest.mark.parametrize('missing', GOOD)
def test_a_missing_key_is_named(tmp_path, missing):
    path = tmp_path / 'mine.yaml'
    path.write_text(yaml.safe_dump({k: v for k, v in GOOD.items() if k != missing}))
    with pytest.raises(ConfigError, match=missing):
        load_mapping(str(path))


def test_an_unknown_pad_is_an_error_with_the_pads_that_there_are():
    assert {'xbox', 'ps4', 'ps5', 'f710', 'generic', 'spacemouse'} <= set(mapping_names())
    with pytest.raises(ConfigError, match=r"'x-box'.*Did you mean 'xbox'.*generic"):
        load_mapping('x-box')


def test_a_file_that_is_not_there_is_an_error_with_its_path(tmp_path):
    with pytest.raises(ConfigError, match='nothing.yaml'):
        load_mapping(str(tmp_path / 'nothing.yaml'))
