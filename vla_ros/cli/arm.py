"""``vla-ros arm check``: what a live or simulated arm says of itself, and whether it is right."""

from __future__ import annotations

import argparse
import importlib
import json
import math

from vla_ros.core.errors import ConfigError, DependencyError, unknown_choice
from vla_ros.robots import load_profile
from vla_ros.robots.adapters import DRIVERS, Driver, load_driver
from vla_ros.robots.check import Finding, Level, examine

ARGUMENTS = {
    'robot': 'piper',
    'driver': '',
    'use_sim_time': 'auto',
}
"""Name -> default of what is given as ``name:=value``, as with ``vla-ros up``."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take what to do with an arm, and its arguments."""
    actions = parser.add_subparsers(dest='action', required=True, metavar='ACTION')
    text = ('listen to an arm for some seconds and say what is wrong with topics, rates, names, '
            'limits, clock, model and gripper; sends nothing')
    check = actions.add_parser(
        'check', help=text, description=text, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog='arguments (name:=value):\n'
               '  robot:=piper       robot profile: a name from config/robots or a YAML file\n'
               f'  driver:=...        {", ".join(DRIVERS)} or a YAML file; empty: the profile\'s\n'
               '  use_sim_time:=auto true, false, or auto: true for driver:=sim\n\n'
               'Move the arm and the gripper meanwhile (by hand, pendant or teleoperation): what '
               'does not move\ncannot be checked.\n\n'
               'exit status: 0 nothing is wrong, 1 something is, 2 a wrong argument')
    check.add_argument('arguments', nargs='*', metavar='name:=value')
    check.add_argument('--seconds', type=float, default=5.0, metavar='N', help='how long to listen')
    check.add_argument('--json', action='store_true', help='everything, for programs')


def run(args: argparse.Namespace) -> int:
    """Listen, print what was found; return 1 when something is wrong, else 0."""
    given = parse(args.arguments)
    if not 0.5 <= args.seconds <= 3600.0:
        raise ConfigError(f'--seconds: expected 0.5 to 3600, found {args.seconds}')
    profile = load_profile(given['robot'])
    driver = load_driver(profile, given['driver'])
    try:
        arm_check = importlib.import_module('vla_ros.ros.arm_check')
    except ModuleNotFoundError as error:
        if (error.name or '').startswith('vla_ros'):
            raise
        raise DependencyError(f'this needs {error.name}, which is not installed: source a ROS 2 '
                              "installation, or pip install 'vla_ros[ros]'") from error
    heard = arm_check.listen(profile, driver, args.seconds,
                             use_sim_time=_simulated(given['use_sim_time'], driver))
    findings = examine(profile, driver, heard)
    right = not any(finding.level is Level.FAIL for finding in findings)
    if args.json:
        print(json.dumps(_for_programs(profile.name, driver, args.seconds, right, findings),
                         indent=2))
    else:
        print(as_text(profile.name, driver, findings))
    return 0 if right else 1


def parse(arguments: list[str]) -> dict[str, str]:
    """Return the arguments with their defaults; raise ConfigError for anything unknown."""
    values = dict(ARGUMENTS)
    for text in arguments:
        name, separator, value = text.partition(':=')
        if not separator or not name:
            raise ConfigError(f'expected name:=value, found {text!r}. Choices: '
                              f'{", ".join(ARGUMENTS)}')
        if name not in ARGUMENTS:
            raise unknown_choice('argument', name, ARGUMENTS)
        values[name] = value
    return values


def as_text(robot: str, driver: Driver, findings: list[Finding]) -> str:
    """Return the findings as lines, each with its level first."""
    lines = [f'{robot} through {driver.type} ({driver.description})']
    lines += [f'{finding.level.value:>5}  {finding.check}: {finding.text}' for finding in findings]
    wrong = sum(finding.level is Level.FAIL for finding in findings)
    doubtful = sum(finding.level is Level.WARN for finding in findings)
    lines.append(f'{wrong} wrong, {doubtful} doubtful')
    return '\n'.join(lines)


def _simulated(text: str, driver: Driver) -> bool:
    known = {'auto': driver.type == 'sim', 'true': True, 'false': False}
    if text not in known:
        raise ConfigError(f'use_sim_time: expected true, false or auto, found {text!r}')
    return known[text]


def _for_programs(robot: str, driver: Driver, seconds: float, right: bool,
                  findings: list[Finding]) -> dict[str, object]:
    return {
        'robot': robot, 'driver': driver.type, 'seconds': seconds, 'ok': right,
        'findings': [{'level': finding.level.value.lower(), 'check': finding.check,
                      'text': finding.text, 'values': _finite(finding.values)}
                     for finding in findings]}


def _finite(values: object) -> object:
    """Return the values with None for numbers that JSON has not."""
    if isinstance(values, float):
        return values if math.isfinite(values) else None
    if isinstance(values, dict):
        return {key: _finite(value) for key, value in values.items()}
    if isinstance(values, list):
        return [_finite(value) for value in values]
    return values
