"""``vla-ros policy inspect``: what a checkpoint directory is, and whether it will load."""

from __future__ import annotations

import argparse
import importlib

from vla_ros.core.errors import DependencyError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take what to do with a policy, and its arguments."""
    actions = parser.add_subparsers(dest='action', required=True, metavar='ACTION')
    text = ('say what is in a checkpoint directory, whether it will load and with how much memory; '
            'reads no weights')
    inspect = actions.add_parser(
        'inspect', help=text, description=text,
        epilog='exit status: 0 it will load, 1 it will not, 2 a wrong argument')
    inspect.add_argument('directory', metavar='DIR', help='checkpoint directory')
    inspect.add_argument('--base', metavar='DIR',
                         help='directory of the base model, when DIR has only an adapter')
    inspect.add_argument('--json', action='store_true', help='everything, for programs')


def run(args: argparse.Namespace) -> int:
    """Print the report; return 0 when the checkpoint will load, else 1."""
    try:
        inspection = importlib.import_module('vla_ros.policy.openvla.inspection')
    except ModuleNotFoundError as error:
        if (error.name or '').startswith('vla_ros'):
            raise
        raise DependencyError(f'this needs {error.name}, which is not installed: '
                              f"pip install 'vla_ros[policy]'") from error
    report = inspection.inspect(args.directory, args.base)
    print(inspection.as_json(report) if args.json else inspection.as_text(report))
    return 0 if report.loads else 1
