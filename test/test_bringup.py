"""What runs: one description, read by the launch file and by ``vla-ros up``."""

from __future__ import annotations

import importlib.util
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from vla_ros.bringup import ARGUMENTS, Bringup, ProcessSpec
from vla_ros.core.errors import ConfigError

SOME_ARGUMENTS: list[dict[str, str]] = [
    {},
    {'robot': 'ur5e', 'instruction': 'hang the insulator on the hook'},
    {'sim': 'false'},
    {'sim': 'false', 'use_sim_time': 'true'},
    {'use_sim_time': 'false', 'third_person_topic': '/front/image', 'wrist_topic': '/hand/image'},
    {'panel': 'true', 'wrist_topic': '/hand/image'},
    # Words that YAML would take for something else than text.
    {'instruction': 'true'},
    {'instruction': "don't: [stop] # now"},
]


def _by_name(**given: str) -> dict[str, ProcessSpec]:
    return {spec.name: spec for spec in Bringup.from_arguments(given).processes()}


def test_by_default_the_simulation_the_control_and_the_policy_run() -> None:
    specs = Bringup.from_arguments({}).processes()
    assert [spec.name for spec in specs] == ['sim_node', 'control_node', 'policy_node']
    assert [spec.module for spec in specs] == [
        'vla_ros.ros.sim_node', 'vla_ros.ros.control_node', 'vla_ros.ros.policy_node']
    assert all(spec.params_file is None for spec in specs)


def test_without_the_simulation_the_nodes_take_what_is_there() -> None:
    specs = _by_name(sim='false')
    assert list(specs) == ['control_node', 'policy_node']
    assert all(spec.parameters['use_sim_time'] is False for spec in specs.values())


@pytest.mark.parametrize(('sim', 'given'), list(
    product(('true', 'false'), ('auto', 'true', 'false'))))
def test_time_is_simulated_where_there_is_a_simulation_or_where_it_is_asked_for(
        sim: str, given: str) -> None:
    specs = _by_name(sim=sim, use_sim_time=given)
    expected = {'auto': sim == 'true', 'true': True, 'false': False}[given]
    assert specs['control_node'].parameters['use_sim_time'] is expected
    assert specs['policy_node'].parameters['use_sim_time'] is expected
    if sim == 'true':
        assert specs['sim_node'].parameters['use_sim_time'] is False, 'it makes the time'


def test_the_panel_runs_when_it_is_asked_for_and_the_arm_does_not_need_it() -> None:
    assert 'operator_node' not in _by_name()
    panel = _by_name(panel='true', wrist_topic='/hand/image', instruction='pick')['operator_node']
    assert panel.parameters == {'robot': 'piper', 'driver': 'sim', 'use_sim_time': False,
                                'wrist_topic': '/hand/image'}
    assert not panel.required
    assert panel.without == 'what it held is given back'
    assert 'driver' not in _by_name(panel='true', sim='false')['operator_node'].parameters
@pytest.mark.parametrize('given', ['', 'false', '0'])
def test_nothing_is_recorded_unless_it_is_asked_for(given: str) -> None:
    assert 'record_node' not in _by_name(record=given)


def test_a_recorder_is_the_last_to_stop_and_nothing_ends_with_it(tmp_path: Path) -> None:
    specs = _by_name(record=str(tmp_path), robot='ur5e', third_person_topic='/front/image')
    recorder = specs['record_node']
    assert recorder.parameters == {
        'robot': 'ur5e', 'driver': 'sim', 'use_sim_time': True, 'folder': str(tmp_path),
        'third_person_topic': '/front/image'}
    assert not recorder.required
    assert all(recorder.stop_order > spec.stop_order for name, spec in specs.items()
               if name != 'record_node')
    assert recorder.stop_timeout_s > 30.0, 'a slow disk has time to take what waits'


def test_recording_without_a_folder_leaves_the_folder_to_the_node() -> None:
    assert 'folder' not in _by_name(record='true')['record_node'].parameters


def test_a_folder_for_recordings_is_found_from_any_working_directory(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert _by_name(record='bags')['record_node'].parameters['folder'] == str(tmp_path / 'bags')
    (tmp_path / 'file').write_text('')
    with pytest.raises(ConfigError, match='record: not a folder'):
        Bringup.from_arguments({'record': 'file'})


def test_every_process_is_told_the_same_robot_and_parameter_file(tmp_path: Path) -> None:
    file = tmp_path / 'mine.yaml'
    file.write_text('/**: {ros__parameters: {}}\n')
    specs = _by_name(robot='ur10e', params_file=str(file))
    assert {spec.parameters['robot'] for spec in specs.values()} == {'ur10e'}
    assert {spec.params_file for spec in specs.values()} == {file}


@pytest.mark.parametrize('name', ['instruction', 'third_person_topic', 'wrist_topic',
                                  'unnorm_key', 'quantization', 'device'])
def test_what_only_the_policy_needs_goes_to_it_alone_and_only_when_given(name: str) -> None:
    specs = _by_name(**{name: 'something'})
    assert specs['policy_node'].parameters[name] == 'something'
    assert name not in specs['control_node'].parameters
    assert name not in _by_name()['policy_node'].parameters


def test_a_checkpoint_goes_to_the_policy_with_its_whole_path(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'model').mkdir()
    monkeypatch.chdir(tmp_path)
    specs = _by_name(policy='openvla_oft', model_path='model')
    assert specs['policy_node'].parameters['model_path'] == str(tmp_path / 'model')
    assert 'model_path' not in specs['control_node'].parameters


def test_a_configuration_goes_to_the_policy_by_its_name_or_with_its_whole_path(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'mine.yaml').write_text('dt: 0.1\n')
    monkeypatch.chdir(tmp_path)
    for given, passed in (('openvla_oft_libero', 'openvla_oft_libero'),
                          ('mine.yaml', str(tmp_path / 'mine.yaml')),
                          (str(tmp_path / 'mine.yaml'), str(tmp_path / 'mine.yaml'))):
        specs = _by_name(policy='openvla_oft', policy_config=given)
        assert specs['policy_node'].parameters['policy_config'] == passed
        assert 'policy_config' not in specs['control_node'].parameters
    assert 'policy_config' not in _by_name()['policy_node'].parameters


@pytest.mark.parametrize('teleop', ['joystick', 'spacemouse', 'leader'])
def test_a_humans_input_is_started_with_its_mapping_and_is_not_required(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, teleop: str) -> None:
    assert 'teleop_node' not in _by_name()
    spec = _by_name(teleop=teleop, robot='ur5e')['teleop_node']
    assert spec.parameters == {'robot': 'ur5e', 'driver': 'sim', 'use_sim_time': True,
                               'input': teleop}
    assert not spec.required
    assert 'given back' in spec.without
    (tmp_path / 'mine.yaml').write_text('{}')
    monkeypatch.chdir(tmp_path)
    for given, passed in (('ps5', 'ps5'), ('mine.yaml', str(tmp_path / 'mine.yaml'))):
        spec = _by_name(teleop=teleop, teleop_mapping=given)['teleop_node']
        assert spec.parameters[f'{teleop}_mapping'] == passed


def test_the_arm_is_stopped_first_and_its_driver_last() -> None:
    specs = _by_name()
    order = sorted(specs.values(), key=lambda spec: spec.stop_order)
    assert [spec.name for spec in order] == ['control_node', 'policy_node', 'sim_node']


def test_all_but_the_policy_are_required() -> None:
    assert {name: spec.required for name, spec in _by_name().items()} == {
        'sim_node': True, 'control_node': True, 'policy_node': False}


@pytest.mark.parametrize(('given', 'parts'), [
    ({'robot': 'pipr'}, ["unknown robot 'pipr'", "Did you mean 'piper'?", 'ur5e']),
    ({'teleop': 'joystik'}, ["unknown teleop 'joystik'", "Did you mean 'joystick'?", 'leader']),
    ({'teleop': 'keyboard', 'robot': 'ur5e'}, [
        'terminal of its own',
        'ros2 run vla_ros teleop_node --ros-args -p input:=keyboard -p robot:=ur5e']),
    ({'teleop_mapping': 'ps5'}, ['teleop_mapping', 'spacemouse']),
    ({'teleop': 'joystick', 'teleop_mapping': '/no/such.yaml'}, ['/no/such.yaml']),
    ({'policy': 'scriptd'}, ["unknown policy 'scriptd'", "Did you mean 'scripted'?"]),
    ({'robbot': 'piper'}, ["unknown argument 'robbot'", "Did you mean 'robot'?", 'wrist_topic']),
    ({'sim': 'maybe'}, ["sim: expected true or false, found 'maybe'"]),
    ({'panel': 'yes'}, ["panel: expected true or false, found 'yes'"]),
    ({'use_sim_time': 'maybe'}, ["use_sim_time: expected true or false or auto, found 'maybe'"]),
    ({'model_path': '/no/such'}, ['model_path: no such directory: /no/such']),
    ({'policy_config': '/no/such.yaml'}, ['policy_config: no such file: /no/such.yaml']),
    ({'policy': 'openvla_oft', 'policy_config': 'openvla_oft_libro'},
     ["unknown policy_config", "Did you mean 'openvla_oft_libero'?"]),
    ({'policy_config': 'openvla_oft'}, ["unknown policy_config", 'Choices: scripted']),
    ({'params_file': '/no/such.yaml'}, ['params_file: no such file: /no/such.yaml']),
])
def test_a_wrong_argument_is_an_error_that_says_what_would_do(
        given: dict[str, str], parts: list[str]) -> None:
    with pytest.raises(ConfigError) as raised:
        Bringup.from_arguments(given)
    for part in parts:
        assert part in str(raised.value)


def test_a_profile_with_a_missing_key_is_named_with_the_key(
        tmp_path: Path, repo_root: Path) -> None:
    text = (repo_root / 'config/robots/piper.yaml').read_text()
    assert '  speed: 0.10\n' in text
    (tmp_path / 'mine.yaml').write_text(text.replace('  speed: 0.10\n', '', 1))
    with pytest.raises(ConfigError, match=r"mine\.yaml: missing key 'gripper\.speed'"):
        Bringup.from_arguments({'robot': str(tmp_path / 'mine.yaml')})


# The launch file

needs_launch = pytest.mark.skipif(
    importlib.util.find_spec('launch_ros') is None,
    reason='launch_ros is not installed (it comes with ROS, not with the PyPI wheels)')


@needs_launch
@pytest.mark.parametrize('given', SOME_ARGUMENTS, ids=str)
def test_the_launch_file_starts_the_same_processes_with_the_same_parameters(
        repo_root: Path, given: dict[str, str]) -> None:
    found = {name: parameters for name, (parameters, _) in _launched(repo_root, given).items()}
    assert found == {spec.name: dict(spec.parameters)
                     for spec in Bringup.from_arguments(given).processes()}


@needs_launch
def test_the_launch_file_lets_its_arguments_win_over_the_parameter_file(
        repo_root: Path, tmp_path: Path) -> None:
    file = tmp_path / 'mine.yaml'
    file.write_text('/**: {ros__parameters: {robot: ur3e, rate_hz: 50.0}}\n')
    for parameters, files in _launched(repo_root, {'params_file': str(file)}).values():
        assert files[0] == str(file)
        assert len(files) == 2, 'later files win, so the arguments must come second'
        assert parameters['robot'] == 'piper'


@needs_launch
def test_the_launch_file_takes_the_arguments_of_the_bring_up(repo_root: Path) -> None:
    from launch.actions import DeclareLaunchArgument

    description, context = _description(repo_root)
    declared = {e.name: e for e in description.entities if isinstance(e, DeclareLaunchArgument)}
    assert list(declared) == [a.name for a in ARGUMENTS]
    for argument in ARGUMENTS:
        default = declared[argument.name].default_value
        assert ''.join(s.perform(context) for s in default) == argument.default
        assert declared[argument.name].description == argument.description


@needs_launch
def test_the_launch_file_refuses_what_the_bring_up_refuses(repo_root: Path) -> None:
    with pytest.raises(ConfigError, match='Did you mean'):
        _launched(repo_root, {'robot': 'pipr'})


@needs_launch
@pytest.mark.parametrize(('name', 'stops'), [
    ('sim_node', True), ('control_node', True), ('policy_node', False)])
def test_the_launch_file_stops_the_rest_when_a_required_process_ends(
        repo_root: Path, name: str, stops: bool) -> None:
    from launch.actions import EmitEvent, LogInfo, RegisterEventHandler

    description, context = _description(repo_root)
    entities = _expanded(description, context, {})
    nodes = {e.node_executable: e for e in entities if hasattr(e, 'node_executable')}
    handlers = [e.event_handler for e in entities if isinstance(e, RegisterEventHandler)]
    event = _exit_event(nodes[name])
    consequences = [action for handler in handlers if handler.matches(event)
                    for action in handler.handle(event, context) or []]
    said = [''.join(s.perform(context) for s in a.msg) for a in consequences
            if isinstance(a, LogInfo)]
    assert len(said) == 1
    assert said[0].startswith(f'{name} ended')
    assert any(isinstance(a, EmitEvent) for a in consequences) is stops


def _description(repo_root: Path) -> tuple[Any, Any]:
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    from launch import LaunchContext

    context = LaunchContext()
    source = PythonLaunchDescriptionSource(str(repo_root / 'launch/bringup.launch.py'))
    return source.get_launch_description(context), context


def _expanded(description: Any, context: Any, given: dict[str, str]) -> list[Any]:
    from launch.actions import DeclareLaunchArgument, OpaqueFunction

    context.launch_configurations.update(given)
    entities: list[Any] = []
    for entity in description.entities:
        if isinstance(entity, DeclareLaunchArgument):
            entity.execute(context)
        elif isinstance(entity, OpaqueFunction):
            entities += entity.execute(context) or []
        else:
            entities.append(entity)
    return entities


def _launched(repo_root: Path,
              given: dict[str, str]) -> dict[str, tuple[dict[str, Any], list[str]]]:
    """Return executable -> (its parameters, its parameter files), as launch would start it."""
    description, context = _description(repo_root)
    found = {}
    for node in _expanded(description, context, given):
        if not hasattr(node, 'node_executable'):
            continue
        assert node.node_package == 'vla_ros'
        node._perform_substitutions(context)
        words = [''.join(getattr(s, 'text', '') for s in word) for word in node.cmd]
        files = [words[i + 1] for i, word in enumerate(words) if word == '--params-file']
        parameters: dict[str, Any] = {}
        for file in files:
            for section in yaml.safe_load(Path(file).read_text()).values():
                parameters.update(section['ros__parameters'])
        found[node.node_executable] = parameters, files
    return found


def _exit_event(node: Any) -> Any:
    from launch.events.process import ProcessExited

    return ProcessExited(action=node, name='x', cmd=[], cwd=None, env=None, pid=1, returncode=1)
