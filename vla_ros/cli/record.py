"""``vla-ros record``: write a run into bags, or keep its last seconds until they are asked for."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from vla_ros.core.errors import ConfigError, DependencyError

_QOS_FILE = 'record_qos.yaml'

# Option -> parameter of record_node; one that is not given leaves the parameter's default.
_PARAMETERS = {'out': 'folder', 'name': 'name', 'robot': 'robot', 'driver': 'driver',
               'third_person': 'third_person_topic', 'wrist': 'wrist_topic',
               'transport': 'image_transport', 'topics': 'additional_topics',
               'without': 'without_topics', 'keep_last': 'keep_last_s', 'split_mb': 'split_mb',
               'split_s': 'split_s', 'compress': 'compress'}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = ('Ctrl-C completes the bag. With --keep-last, Enter saves. Everything else is '
                     'a parameter of record_node, in --params-file. Exit status: 0 recorded, 1 the '
                     'disk was full or failed or nothing came, 2 a wrong argument.')
    option = parser.add_argument
    option('--out', metavar='DIR', help='folder for bags (default: out/recordings)')
    option('--name', help='name of the bag (default: date and time)')
    option('--robot', help='robot profile (default: piper)')
    option('--driver', help="driver of the arm, as that of the control node (default: the robot's)")
    option('--third-person', metavar='TOPIC', help='image topic of the third-person camera')
    option('--wrist', metavar='TOPIC', help='image topic of the wrist camera')
    option('--transport', metavar='WHICH', help='raw, compressed, both or none (default: raw)')
    option('--topics', nargs='+', metavar='TOPIC', help='further topics')
    option('--without', nargs='+', metavar='TOPIC', help='topics that are not recorded')
    option('--keep-last', type=float, metavar='S',
           help='keep the last S seconds in memory; write them at Enter, ~/save_last or a fault')
    option('--split-mb', type=float, metavar='MB', help='complete a file at this size')
    option('--split-s', type=float, metavar='S', help='complete a file after this time')
    option('--compress', action='store_true', default=None, help='compress the files (zstd)')
    option('--sim-time', action='store_true', help='times are those of /clock, which is recorded')
    option('--duration', type=float, metavar='S', help='end after S seconds of real time')
    option('--params-file', metavar='FILE', help='ROS parameters, as for the nodes')
    option('--json', metavar='FILE', help='write the summary of every bag there')
    option('--print-ros2-command', nargs='?', const=_QOS_FILE, metavar='QOS_FILE',
           help='record nothing: write QOS_FILE (default: %(const)s) and print the line with which '
                'ros2 bag records the same topics')


def run(args: argparse.Namespace) -> int:
    """Record until Ctrl-C and return the exit status."""
    if args.duration is not None and not 0.0 < args.duration < math.inf:
        raise ConfigError(f'duration: expected a positive number of seconds, found {args.duration}')
    if args.params_file and not Path(args.params_file).is_file():
        raise ConfigError(f'params-file: no such file: {args.params_file}')
    try:
        from vla_ros.replay.recorder import RecorderState
        from vla_ros.ros.context import run_node
        from vla_ros.ros.record_node import RecordNode
    except ModuleNotFoundError as error:
        raise DependencyError(f'recording needs {error.name}: source a ROS installation, and '
                              "pip install 'vla_ros[bags]'") from error
    if args.print_ros2_command:
        return _print_command(args)
    made: list[RecordNode] = []

    def factory(context: Any) -> RecordNode:
        made.append(RecordNode(context))
        if args.keep_last and sys.stdin is not None and sys.stdin.isatty():
            print('Enter saves the last seconds, Ctrl-C ends', flush=True)
            threading.Thread(target=_save_at_enter, args=(made[0],), daemon=True).start()
        if args.duration is not None:
            timer = threading.Timer(args.duration, os.kill, (os.getpid(), signal.SIGINT))
            timer.daemon = True
            timer.start()
        return made[0]

    status = run_node(factory, 'record_node', args=['record_node', *ros_arguments(args)])
    summaries = made[0].summaries if made else []
    for summary in summaries:
        print('\n'.join(summary.lines()), flush=True)
    if args.json:
        Path(args.json).write_text(json.dumps([s.as_dict() for s in summaries], indent=2) + '\n',
                                   encoding='utf-8')
    if status == 0 and not args.keep_last:
        good = summaries and all(s.state is RecorderState.STOPPED and s.messages
                                 for s in summaries)
        if not summaries:
            print('nothing was recorded' + (': /clock never came' if args.sim_time else ''),
                  file=sys.stderr)
        return 0 if good else 1
    return status


def ros_arguments(args: argparse.Namespace) -> list[str]:
    """Return the node's ROS arguments for the options that were given."""
    line = ['--ros-args']
    if args.params_file:
        line += ['--params-file', args.params_file]
    for option, parameter in _PARAMETERS.items():
        value = getattr(args, option)
        if value is not None:
            line += ['-p', f'{parameter}:={_yaml(value)}']
    if args.sim_time:
        line += ['-p', 'use_sim_time:=true']
    return line


def _yaml(value: object) -> str:
    return json.dumps(value)  # of text, numbers and lists of text, JSON is YAML


def _save_at_enter(node: Any) -> None:
    for _ in sys.stdin:
        print(f'saved: {node.save_last()}', flush=True)


def _print_command(args: argparse.Namespace) -> int:
    from vla_ros.replay.ros2_command import qos_overrides, ros2_command
    from vla_ros.ros.parameter_spec import load_specs
    from vla_ros.ros.record_settings import topics_of

    specs = load_specs('record_node')
    values = {name: spec.default for name, spec in specs.items()}
    for option, parameter in _PARAMETERS.items():
        if (value := getattr(args, option)) is not None:
            values[parameter] = specs[parameter].check(value)
    p = argparse.Namespace(**values)
    topics = [dataclasses.replace(topic, name='/' + topic.name.lstrip('/'))
              for topic in topics_of(p, args.sim_time)]
    try:
        Path(args.print_ros2_command).write_text(qos_overrides(topics), encoding='utf-8')
    except OSError as error:
        raise ConfigError(f'cannot write {args.print_ros2_command}: {error}') from error
    print(ros2_command(
        topics, str(Path(p.folder) / (p.name or 'bag')), args.print_ros2_command,
        part_bytes=round(p.split_mb * 1e6), part_s=round(p.split_s), compress=p.compress,
        simulated_time=args.sim_time, distro=os.environ.get('ROS_DISTRO', '')))
    return 0
