"""``vla-ros teleop``: the teleop node by a short name; in a terminal, with the keyboard."""

from __future__ import annotations

import argparse
import importlib

from vla_ros.core.errors import ConfigError, DependencyError

INPUTS = ('keyboard', 'joystick', 'spacemouse', 'leader')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the input, the robot and parameters of the node as ``name:=value``."""
    parser.add_argument('input', nargs='?', default='keyboard', choices=INPUTS,
                        help='what you have in hand (default: keyboard)')
    parser.add_argument('parameters', nargs='*', metavar='name:=value',
                        help='parameters of teleop_node, as with ros2 run: robot:=ur5e '
                             'driver:=sim linear_speed:=0.05 (see docs/teleop.md)')


def run(args: argparse.Namespace) -> int:
    """Run the node until it is told to quit; return its exit status."""
    words = [word for name, value in {**parse(args.parameters), 'input': args.input}.items()
             for word in ('-p', f'{name}:={value}')]
    try:
        node = importlib.import_module('vla_ros.ros.teleop_node')
    except ModuleNotFoundError as error:
        if (error.name or '').startswith('vla_ros'):
            raise
        raise DependencyError(f'this needs {error.name}, which is not installed: source a ROS 2 '
                              "installation, or pip install 'vla_ros[ros]'") from error
    return int(node.main(['teleop_node', '--ros-args', *words]))


def parse(parameters: list[str]) -> dict[str, str]:
    """Return ``name:=value`` texts as a dict; the node checks what they say."""
    given = {}
    for text in parameters:
        name, separator, value = text.partition(':=')
        if not separator or not name:
            raise ConfigError(f'expected a parameter of teleop_node as name:=value, found {text!r}')
        given[name] = value
    return given
