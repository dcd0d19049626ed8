"""Reads drivers: the defaults of ``config/drivers`` with what the profile says differently."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vla_ros.core.errors import ConfigError, unknown_choice
from vla_ros.resources import share_file
from vla_ros.robots.adapters.driver import PIPER_JOINTS, UR_JOINTS, Driver, EndPose, GripperLine
from vla_ros.robots.adapters.mapping import GripperMapping, JointMapping
from vla_ros.section import Section

if TYPE_CHECKING:
    from vla_ros.robots.profile import RobotProfile

_NONE = 'none'  # in the files: there is no such thing
_PIPER = ('piper_ros', 'agx_arm_ros')
_UR = ('ur_trajectory', 'ur_forward_position')

# Their entries are replaced as a whole; they are by joint name, there is nothing to misspell.
_OPEN_KEYS = ('rename', 'signs', 'offsets')


def load_driver(profile: RobotProfile, driver: str = '') -> Driver:
    """Return the driver of an arm.

    Parameters
    ----------
    profile : RobotProfile
        Its section ``driver`` has the type and what differs from ``config/drivers``.
    driver : str
        Used instead: another type (as ``config/drivers`` has it), or a YAML file with a section
        ``driver`` of the same form. Empty: the profile's.

    Raises
    ------
    ConfigError
        No such driver, or its settings are not complete and consistent; the message names the file,
        the key and what was expected there.

    """
    path, changes = profile.path, dict(profile.driver)
    if driver.endswith(('.yaml', '.yml')):
        path = Path(driver).expanduser()
        changes = _mapping(path)
        Section(path, 'driver', changes).text('type')
    elif driver and driver != changes['type']:
        if driver not in DRIVERS:
            raise unknown_choice('driver', driver, DRIVERS)
        changes = {'type': driver}
    kind = changes.pop('type')
    if kind not in DRIVERS:
        raise unknown_choice(f'{path}: driver.type:', kind, DRIVERS)
    values = _mapping(share_file('config', 'drivers', f'{kind}.yaml'))
    if kind == 'sim':  # it speaks the profile's own words
        topics, gripper = profile.topics, profile.gripper
        values |= {
            'states': topics.joint_states, 'command': topics.joint_command,
            'gripper': {'kind': 'joint', 'joint': gripper.joint, 'at_zero': 0.0, 'per_metre': 1.0,
                        'effort': gripper.force, 'effort_range': [0.0, gripper.force]}}
    merged = _merged(path, 'driver', values, changes)
    return _driver(Section(path, 'driver', merged), kind, profile)


def _mapping(path: Path) -> dict[str, Any]:
    """Return the mapping ``driver`` of a file, its only key."""
    top = Section.open(path)
    values = top.mapping('driver')
    top.close()
    return values


def _merged(path: Path, where: str, values: Mapping[str, Any],
            changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults with changes, section by section; a key that they lack is an error."""
    merged = dict(values)
    for key, value in changes.items():
        dotted = f'{where}.{key}'
        if key not in values:
            raise ConfigError(f'{path}: unknown key {dotted!r}. Keys here: type, '
                              f'{", ".join(sorted(values))}', path=path, key=dotted)
        old = values[key]
        same = (isinstance(old, Mapping) and isinstance(value, Mapping) and key not in _OPEN_KEYS
                and value.get('kind', old.get('kind')) == old.get('kind'))
        merged[key] = _merged(path, dotted, old, value) if same else value
    return merged


def _driver(section: Section, kind: str, profile: RobotProfile) -> Driver:
    fields: dict[str, Any] = {
        'type': kind,
        'description': section.text('description'),
        'states': section.text('states'),
        'hz': section.number('hz', positive=True),
        'joints': _joints(section.section('joints'), kind, profile),
        'gripper': _gripper(section.section('gripper')),
        'end_pose': _end_pose(section.section('end_pose')),
        'resume_tolerance': section.number('resume_tolerance', positive=True),
    }
    fields |= DRIVERS[kind](section)
    section.close()
    return Driver(**fields)


def _sim(section: Section) -> dict[str, Any]:
    return {'command': section.text('command')}


def _agx(section: Section) -> dict[str, Any]:
    percent = section.whole_number('speed_percent')
    if percent > 100:
        raise section.error('speed_percent', 'a whole number from 1 to 100', percent)
    return {'command': section.text('command'), 'status': section.text('status'),
            'speed_percent': percent}


def _piper(section: Section) -> dict[str, Any]:
    return {**_agx(section), 'gripper_multiple': section.number('gripper_multiple', positive=True)}


def _ur_status(section: Section) -> dict[str, Any]:
    found = {key: section.text(key) for key in ('robot_status', 'speed_scaling')}
    return {key: '' if text == _NONE else text for key, text in found.items()}


def _trajectory(section: Section) -> dict[str, Any]:
    lead = section.number('lead_s', positive=True)
    hz = section.number('send_hz', positive=True)
    if not lead * hz >= 2.0:
        raise section.error('lead_s', f'at least two periods of send_hz, {2.0 / hz:g} s, or the '
                            'arm would brake between two trajectories', lead)
    end = section.text('last_velocity')
    if end not in ('zero', 'commanded'):
        raise section.error('last_velocity', 'zero or commanded', end)
    return {'interface': 'trajectory', 'controllers': section.texts('controllers'),
            'send_hz': hz, 'lead_s': lead, 'last_velocity': end}


def _position(section: Section) -> dict[str, Any]:
    return {'interface': 'position', 'controllers': section.texts('controllers'),
            'least_hz': section.number('least_hz', positive=True)}


def _ros2_control(section: Section) -> dict[str, Any]:
    interface = section.text('interface')
    if interface not in ('trajectory', 'position'):
        raise section.error('interface', 'trajectory or position', interface)
    trajectory, position = _trajectory(section), _position(section)
    return {**trajectory, **position, 'interface': interface}


DRIVERS: dict[str, Callable[[Section], dict[str, Any]]] = {
    'sim': _sim,
    'piper_ros': _piper,
    'agx_arm_ros': _agx,
    'ur_trajectory': lambda section: _trajectory(section) | _ur_status(section),
    'ur_forward_position': lambda section: _position(section) | _ur_status(section),
    'ros2_control': _ros2_control,
}
"""Type -> what it reads from its section beside what all have."""


def _joints(section: Section, kind: str, profile: RobotProfile) -> JointMapping:
    names = profile.joints.names
    prefix = section.text('prefix')
    prefix = '' if prefix == _NONE else prefix
    renamed = section.section('rename')
    rename = {name: renamed.text(name) for name in _known(renamed, section, 'rename', names)}
    numbers: dict[str, np.ndarray] = {}
    for key, neutral in (('signs', 1.0), ('offsets', 0.0)):
        given = section.section(key)
        entries = _known(given, section, key, names)
        for name in entries:
            if key == 'signs' and given.number(name) not in (1.0, -1.0):
                raise given.error(name, '1 or -1', given.number(name))
        numbers[key] = np.array([given.number(name) if name in entries else neutral
                                 for name in names])
        numbers[key].flags.writeable = False
    mapping = JointMapping(
        tuple(rename.get(name, prefix + name) for name in names),
        numbers['signs'], numbers['offsets'],
        section.number('command_scale', positive=True),
        section.number('feedback_scale', positive=True))
    section.close()
    if kind in _PIPER and set(mapping.names) != set(PIPER_JOINTS):
        # A joint that they do not find in a command is driven to 0 rad.
        raise section.error('rename', f'the joints of {kind}, {", ".join(PIPER_JOINTS)}',
                            mapping.names)
    if kind in _UR and not all(any(name.endswith(end) for name in mapping.names)
                               for end in UR_JOINTS):
        raise section.error('rename', f'the joints of {kind}, {", ".join(UR_JOINTS)}',
                            mapping.names)
    if len(set(mapping.names)) != len(names):
        raise section.error('rename', 'a different name for each joint', rename)
    return mapping


def _known(given: Section, above: Section, key: str, names: tuple[str, ...]) -> list[str]:
    found = given.keys()
    for name in found:
        if name not in names:
            raise above.error(key, f'joints of the profile ({", ".join(names)})', name)
    return found


def _gripper(section: Section) -> GripperLine | None:
    kind = section.text('kind')
    if kind == _NONE:
        return None
    if kind not in ('joint', 'action'):
        raise section.error('kind', 'joint, action or none', kind)
    mapping = GripperMapping(section.text('joint'), section.number('at_zero'),
                             section.number('per_metre'))
    if mapping.per_metre == 0.0:
        raise section.error('per_metre', 'a number that is not 0', 0.0)
    low, high = (float(value) for value in section.numbers('effort_range', 2))
    effort = section.number('effort', least=0.0)
    if not 0.0 <= low <= effort <= high:
        raise section.error('effort', f'within effort_range [{low:g}, {high:g}]', effort)
    line = GripperLine(kind, mapping, effort, (low, high))
    if kind == 'action':
        interface = section.text('interface')
        if interface not in ('auto', 'gripper_command', 'parallel'):
            raise section.error('interface', 'auto, gripper_command or parallel', interface)
        line = dataclasses.replace(
            line, action=section.text('action'), interface=interface,
            hz=section.number('hz', positive=True),
            resolution=section.number('resolution', positive=True))
    section.close()
    return line


def _end_pose(section: Section) -> EndPose | None:
    topic = section.text('topic')
    if topic == _NONE:
        return None
    claims = section.text('claims')
    if claims not in ('flange', 'tool'):
        raise section.error('claims', 'flange or tool', claims)
    section.close()
    return EndPose(topic, claims)
