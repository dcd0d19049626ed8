"""``vla-ros``: one command with verbs."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from vla_ros import __version__
from vla_ros.core.errors import ConfigError, VlaRosError

VERBS: dict[str, str] = {
    'up': 'start the nodes, without ros2 launch',
    'demo': 'let a simulated arm do a task, and leave a video and a report',
    'arm': 'check: listen to an arm and say what is wrong with it; sends nothing',
    'bag': 'info: say what is in a recording, and whether a policy can be replayed on it',
    'convention': 'say which action convention a recording has, and whether a policy fits it',
    'episode': 'list, import, export: episodes of data sets to bags and back',
    'record': 'write a run into bags, or keep its last seconds until they are asked for',
    'play': "publish a recording's sensors with /clock, so that the real nodes run against it",
    'report': 'say what went wrong in a recording, and why, as one page',
    'replay': 'let a policy answer a recording, and compare its chunks with what was recorded',
    'teleop': 'override the gripper or the arm with a keyboard, pad, 3D mouse or leader arm',
    'policy': 'inspect: say what is in a checkpoint directory, and whether it will load',
    'timing': 'run the control side on a recording with other latencies, drops and delays',
}
"""Verb -> help. ``vla_ros.cli.<verb>`` is imported only when used: each needs other libraries."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit status: 0 success, 1 failure, 2 a wrong argument."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog='vla-ros', description='Drive an arm with a VLA.')
    parser.add_argument('--version', action='version', version=f'%(prog)s {__version__}')
    verbs = parser.add_subparsers(dest='verb', required=True, metavar='VERB')
    chosen = next((a for a in arguments if not a.startswith('-')), None)
    run = None
    for name, text in VERBS.items():
        sub = verbs.add_parser(name, help=text, description=text)
        if name == chosen:
            module = importlib.import_module(f'vla_ros.cli.{name}')
            module.add_arguments(sub)
            run = module.run
    parsed = parser.parse_args(arguments)
    assert run is not None  # argparse has refused any other verb
    try:
        return int(run(parsed))
    except VlaRosError as error:
        print(f'vla-ros {parsed.verb}: error: {error}', file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1


if __name__ == '__main__':
    sys.exit(main())
