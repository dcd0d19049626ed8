"""``vla-ros demo``: a simulated arm does tasks through the real graph, and a report is left."""

from __future__ import annotations

import argparse
import math
import os
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

from vla_ros.bringup import ARGUMENTS, MODEL_ARGUMENTS, Bringup
from vla_ros.cli.supervisor import Supervisor
from vla_ros.core.errors import ConfigError, DependencyError, unknown_choice
from vla_ros.core.override_gripper import GripperOverrideMode
from vla_ros.policy import LEARNED

_DEFAULTS = {a.name: a.default for a in ARGUMENTS}
_INTERVENE = 'until_agree'
_MODES = ', '.join(mode.value for mode in GripperOverrideMode)
_TASKS = 'pick up the insulator; hang the insulator on the hook'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = ('Exit status: 0 every task succeeded, 1 not, 2 a wrong argument, '
                     '130 after Ctrl-C. A report is left in every case but the third. A learned '
                     'policy without --model-path gets a tiny checkpoint of random weights: it '
                     'moves without purpose, and what is judged is the graph, not a task.')
    parser.add_argument('--robot', default=_DEFAULTS['robot'], help=_described('robot'))
    parser.add_argument('--policy', default=_DEFAULTS['policy'], help=_described('policy'))
    for name in MODEL_ARGUMENTS:
        parser.add_argument(f'--{name.replace("_", "-")}', default='', help=_described(name))
    parser.add_argument('--out', type=Path, default=Path('out/demo'), metavar='DIR',
                        help='folder for video, plot, report and logs (default: %(default)s)')
    parser.add_argument('--tasks', default=_TASKS, metavar='TEXT',
                        help='instructions, separated by ";" (default: %(default)s)')
    parser.add_argument('--timeout', type=float, default=90.0, metavar='S',
                        help='simulated seconds for each task (default: %(default)g)')
    parser.add_argument('--startup-timeout', type=float, default=60.0, metavar='S',
                        help='real seconds until every node must be up (default: %(default)g)')
    parser.add_argument('--seed', type=int, default=0, metavar='N',
                        help='seed of the scene (default: %(default)d)')
    parser.add_argument('--intervene', nargs='?', const=_INTERVENE, default='', metavar='MODE',
                        help='a scripted operator closes the gripper once when the arm hovers: '
                             f'{_MODES} (without a value: {_INTERVENE}); try it with --policy '
                             'hover')
    parser.add_argument('--panel', action='store_true',
                        help='serve the operator panel, a web page, meanwhile')
    parser.add_argument('--record', action='store_true',
                        help='record everything into a bag, DIR/bag (see vla-ros record)')
    parser.add_argument('--params-file', default='', metavar='FILE',
                        help=_described('params_file'))


def run(args: argparse.Namespace) -> int:
    """Run the demo and return its exit status."""
    bringup = Bringup.from_arguments({
        'robot': args.robot, 'policy': args.policy, 'params_file': args.params_file,
        'panel': str(args.panel).lower(),
        'record': str(args.out.absolute()) if args.record else '',
        **{name: getattr(args, name) for name in MODEL_ARGUMENTS}})
    if args.seed < 0:
        raise ConfigError(f'seed: expected a whole number from 0 on, found {args.seed}')
    for name in ('timeout', 'startup_timeout'):
        if not 0.0 < getattr(args, name) < math.inf:
            raise ConfigError(f'{name}: expected a positive number of seconds, '
                              f'found {getattr(args, name)}')
    modes = [mode.value for mode in GripperOverrideMode]
    if args.intervene and args.intervene not in modes:
        raise unknown_choice('intervene:', args.intervene, modes)
    try:  # only now, when the arguments are good: this takes a while, and needs the extras
        from vla_ros.demo.graph_check import has_random_weights
        from vla_ros.demo.operator import ScriptedOperator
        from vla_ros.demo.sequence import parse_tasks
        from vla_ros.demo.session import DemoOptions, run_demo
        from vla_ros.demo.table import Screen
        from vla_ros.ros.demo_node import open_demo_node
        from vla_ros.ros.parameter_spec import load_specs
    except ModuleNotFoundError as error:
        raise DependencyError(f'the demo needs {error.name}: source a ROS installation, or '
                              "pip install 'vla_ros[ros,ik,vision,sim,demo]'") from error
    if args.policy in LEARNED and not bringup.model_path:
        bringup = replace(bringup, model_path=str(_random_checkpoint(args.policy, args.out)))
    random = bool(bringup.model_path) and has_random_weights(bringup.model_path)
    if random:
        # Threads of tiny networks wait for each other most of the time; every process inherits it.
        os.environ.setdefault('OMP_NUM_THREADS', '1')
    options = DemoOptions(bringup, args.out, parse_tasks(args.tasks), args.timeout,
                          args.startup_timeout, args.seed, random)
    screen = Screen(sys.stdout, 'demo')
    if args.panel:
        port = load_specs('operator_node')['port'].default
        screen.say(f'panel: http://127.0.0.1:{port}/, or what a params_file says '
                   f'({args.out / "logs" / "operator_node.log"})')
    operator = ScriptedOperator(args.intervene) if args.intervene else None
    return run_demo(options, Supervisor, partial(open_demo_node, operator=operator),
                    screen)


def _described(name: str) -> str:
    argument = next(a for a in ARGUMENTS if a.name == name)
    default = f' (default: {argument.default})' if argument.default else ''
    return argument.description + default


def _random_checkpoint(policy: str, out: Path) -> Path:
    """Make a tiny checkpoint of random weights for a learned policy; return its directory."""
    try:
        from vla_ros.policy.openvla.tiny import write_demo_checkpoint
    except ModuleNotFoundError as error:
        raise DependencyError(f'the policy {policy} needs {error.name}: '
                              "pip install 'vla_ros[policy]'") from error
    path = (out / 'random_checkpoint').absolute()
    try:
        return write_demo_checkpoint(policy, path)
    except OSError as error:
        raise ConfigError(f'out: cannot write to {out}: {error}') from error
