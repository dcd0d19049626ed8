"""Parameters on real nodes: what a user gets wrong is named, with unit, range and right name."""

from __future__ import annotations

import pytest
from rclpy.parameter import Parameter

from vla_ros.core.errors import ConfigError
from vla_ros.resources import share_names
from vla_ros.ros.parameter_spec import load_specs, table
from vla_ros.ros.parameters import NodeParameters

SPEC = """
rate_hz: {default: 100.0, unit: Hz, range: [1.0, 1000.0], description: Rate.}
gain: {default: 0.5, unit: 1/s, range: [0.0, 1.0], dynamic: true, description: Gain.}
steps: {default: 8, range: [1, 64], dynamic: true, description: Steps.}
robot: {default: piper, description: Robot.}
mode: {default: mean, choices: [mean, newest], dynamic: true, description: Mode.}
verbose: {default: false, dynamic: true, description: Talk.}
cameras: {default: [third_person, wrist], description: Cameras.}
weights: {default: [1.0, 2.0], range: [0.0, 9.0], dynamic: true, description: Weights.}
extra: {default: [], type: string list, description: More.}
"""


@pytest.fixture
def spec_file(tmp_path):
    path = tmp_path / 'some_node.yaml'
    path.write_text(SPEC)
    return path


@pytest.fixture
def declare(make_node, spec_file):
    """Return ``declare('rate_hz:=5')``: the parameters of a node with that command line."""
    def declare(*assignments):
        arguments = [word for a in assignments for word in ('-p', a)]
        node = make_node('some_node', *arguments)
        return node, NodeParameters(node, spec_file)
    return declare


def test_defaults_come_from_the_file(declare):
    node, params = declare()
    assert params.as_dict() == {
        'rate_hz': 100.0, 'gain': 0.5, 'steps': 8, 'robot': 'piper', 'mode': 'mean',
        'verbose': False, 'cameras': ['third_person', 'wrist'], 'weights': [1.0, 2.0], 'extra': []}
    assert node.get_parameter('rate_hz').value == 100.0
    assert list(node.get_parameter('cameras').value) == ['third_person', 'wrist']


def test_command_line_wins_and_a_whole_number_will_do_for_a_float(declare):
    node, params = declare('rate_hz:=50', 'weights:=[1, 2]', 'cameras:=[left]', 'verbose:=true')
    assert (params.rate_hz, type(params.rate_hz)) == (50.0, float)
    assert params.weights == [1.0, 2.0]
    assert params.cameras == ['left']
    assert params.verbose is True
    assert node.get_parameter('rate_hz').value == 50.0


def test_parameter_file_is_checked_too(make_node, spec_file, tmp_path):
    given = tmp_path / 'params.yaml'
    given.write_text('some_node:\n  ros__parameters:\n    rate_hz: 5000.0\n')
    with pytest.raises(ConfigError, match=r"'rate_hz' must be 1.0 to 1000.0 Hz, found 5000.0"):
        NodeParameters(make_node('some_node', '--params-file', str(given)), spec_file)


@pytest.mark.parametrize(('assignment', 'words'), [
    ('rate_hz:=0.5', r"'rate_hz' must be 1.0 to 1000.0 Hz, found 0.5"),
    ('rate_hz:=.nan', r"'rate_hz' must be a finite number \(1.0 to 1000.0 Hz\), found nan"),
    ('rate_hz:=.inf', 'finite'),
    ('rate_hz:=fast', r"'rate_hz' must be a number \(1.0 to 1000.0 Hz\), found 'fast'"),
    ('rate_hz:=true', "'rate_hz' must be a number"),
    ('steps:=8.5', "'steps' must be a whole number"),
    ('robot:=5', "'robot' must be a string, found 5"),
    ('verbose:=1', "'verbose' must be true or false"),
    ('mode:=newset', "Did you mean 'newest'"),
    ('cameras:=wrist', "'cameras' must be a list of strings"),
    ('weights:=[1.0, 10.0]', "'weights' must be 0.0 to 9.0, found 10.0"),
    ('rate_hzz:=5.0', r"unknown parameter 'rate_hzz' \(did you mean 'rate_hz'\?\)"),
])
def test_wrong_value_at_the_start_is_named(declare, assignment, words):
    with pytest.raises(ConfigError, match=words):
        declare(assignment)


def test_all_typing_errors_are_named_at_once(declare):
    with pytest.raises(ConfigError, match=r"parameters 'stepps' .*'steps'.*, 'robt' .*'robot'"):
        declare('stepps:=3', 'robt:=piper')


def test_what_ros_or_another_node_of_ours_knows_is_no_typing_error(declare):
    other = next(name for name in load_specs('sim_node') if name not in ('robot', 'rate_hz'))
    declare('use_sim_time:=false', f'{other}:=3')


def test_dynamic_parameter_follows_and_tells_its_listeners(declare):
    node, params = declare()
    heard = []
    params.on_change(lambda name, value: heard.append((name, value)))
    results = node.set_parameters([Parameter('gain', value=1), Parameter('steps', value=16)])
    assert all(r.successful for r in results)
    assert (params.gain, type(params.gain), params.steps) == (1.0, float, 16)
    assert heard == [('gain', 1.0), ('steps', 16)]


@pytest.mark.parametrize(('name', 'value', 'words'), [
    ('gain', 1.5, "'gain' must be 0.0 to 1.0 1/s, found 1.5"),
    ('gain', float('nan'), 'finite'),
    ('gain', 'high', 'a number'),
    ('steps', 65, '1 to 64'),
    ('mode', 'median', 'Choices: mean, newest'),
    ('rate_hz', 50.0, 'read-only'),
])
def test_wrong_change_is_refused_and_the_old_value_stays(declare, name, value, words):
    node, params = declare()
    before = params.as_dict()
    result = node.set_parameters([Parameter(name, value=value)])[0]
    assert not result.successful
    assert words in result.reason
    assert params.as_dict() == before


def test_changes_that_are_set_together_are_taken_together_or_not_at_all(declare):
    node, params = declare()
    result = node.set_parameters_atomically(
        [Parameter('gain', value=0.9), Parameter('steps', value=1000)])
    assert not result.successful
    assert (params.gain, params.steps) == (0.5, 8)


def test_listener_may_refuse_a_change(declare):
    node, params = declare()

    def refuse(name, value):
        raise ConfigError('not now')

    params.on_change(refuse)
    result = node.set_parameters([Parameter('gain', value=0.9)])[0]
    assert (result.successful, result.reason, params.gain) == (False, 'not now', 0.5)


def test_tools_see_description_unit_and_range(declare):
    node, _ = declare()
    rate = node.describe_parameter('rate_hz')
    assert 'Hz' in rate.description
    assert rate.floating_point_range[0].to_value == 1000.0
    assert rate.read_only
    assert node.describe_parameter('gain').additional_constraints == '0.0 to 1.0 1/s'
    assert not node.describe_parameter('gain').read_only


def test_unknown_attribute_lists_the_parameters(declare):
    _, params = declare()
    with pytest.raises(AttributeError, match='rate_hz'):
        _ = params.rate


@pytest.mark.parametrize(('text', 'words'), [
    ('rate: {default: 1.0}', "rate: missing key 'description'"),
    ('rate: {description: x}', "rate: missing key 'default'"),
    ('rate: {default: 1.0, description: x, units: Hz}', "Did you mean 'unit'"),
    ('rate: {default: 1.0, description: x, range: [2.0, 1.0]}', r'range must be \[lowest, highest'),
    ('rate: {default: 1.0, description: x, range: [2.0, 3.0]}', "default of parameter 'rate' must"),
    ('rate: {default: [], description: x}', 'type'),
    ('rate: {default: 1.0, description: x, type: double}', "unknown .* type 'double'"),
    ('rate: 5', 'expected a mapping'),
    ('- rate', 'expected parameters by name'),
    ('rate: {', 'cannot be read'),
])
def test_wrong_specification_names_file_and_key(tmp_path, text, words):
    path = tmp_path / 'wrong.yaml'
    path.write_text(text)
    with pytest.raises(ConfigError, match=words) as error:
        load_specs(path)
    assert str(path) in str(error.value)


def test_unknown_node_lists_the_nodes():
    with pytest.raises(ConfigError, match=r"Did you mean 'sim_node'.*control_node"):
        load_specs('sim_nod')


@pytest.mark.parametrize('kind', share_names('config/nodes', '.yaml'))
def test_every_node_of_ours_can_declare_its_parameters(make_node, kind):
    node = make_node(kind)
    params = NodeParameters(node, kind)
    assert params.as_dict() == {name: spec.default for name, spec in load_specs(kind).items()}


def test_table_shows_every_parameter_with_unit_and_range(spec_file):
    lines = table(spec_file).splitlines()
    assert len(lines) == 2 + len(load_specs(spec_file))
    assert lines[2] == '| `rate_hz` | float | `100.0` | Hz | 1 to 1000 | Rate. |'
    mode = '| `mode` | string | `mean` |  | `mean`, `newest` | Mode. (can change at run time) |'
    assert mode in lines
