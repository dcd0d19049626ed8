"""``vla-ros timing``: the control side on a recording, with its timing disturbed."""

from __future__ import annotations

import argparse
import itertools
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vla_ros.cli.bag import add_topic_arguments, given_topics
from vla_ros.core.errors import ConfigError, unknown_choice

if TYPE_CHECKING:
    from vla_ros.replay.closed_timing.disturbance import (
        CameraDisturbance,
        Disturbance,
        Latency,
        Span,
    )
    from vla_ros.timing_replay import TimingRequest

POLICY_OPTIONS = ('model_path', 'base_path', 'unnorm_key', 'quantization', 'device', 'dtype')
MOST_CASES = 64
_SWEPT = {'jitter': 'S', 'drop': 'P', 'joint_delay': 'S', 'joint_jitter': 'S', 'joint_drop': 'P'}
_HELP = {
    'jitter': 'each chunk is late by another 0 to S, evenly distributed',
    'drop': 'share P of the chunks that never arrive',
    'joint_delay': 'joint states arrive S later',
    'joint_jitter': 'joint states are late by another 0 to S',
    'joint_drop': 'share P of the joint states that never arrive',
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the recording, what is done to its timing, and what it is held against."""
    parser.epilog = ('lists are separated by commas; every combination is a case beside the one as '
                     'recorded. exit status: 0 run, and every limit kept; 1 a limit was not kept, '
                     'or the bag was refused or lacks something; 2 a wrong argument')
    parser.add_argument('bag', metavar='BAG', type=Path, help='folder of the bag')
    timing = parser.add_argument_group('timing')
    timing.add_argument('--latency', default='', metavar='LIST',
                        help='from an observation to the arrival of its chunk: seconds, measured '
                             '(drawn from the recorded ones), or a JSON file with a list of '
                             'seconds (drawn from it)')
    for name, unit in _SWEPT.items():
        timing.add_argument(f'--{name.replace("_", "-")}', dest=name, default='', metavar=unit,
                            help=f'{_HELP[name]}; may be a list')
    timing.add_argument('--joint-outage', metavar='START+S',
                        help='no joint state arrives for S from START on, in s')
    timing.add_argument('--skew', action='append', default=[], metavar='CAMERA=S',
                        help='the pictures of a camera are S older; may be given again')
    timing.add_argument('--freeze', action='append', default=[], metavar='CAMERA=START+S',
                        help='a camera repeats one picture for S from START on')
    timing.add_argument('--seed', type=int, default=0, metavar='N', help='of what is drawn')
    arm = parser.add_argument_group('arm and control side')
    arm.add_argument('--arm', default='follow', metavar='WHAT',
                     help='follow: an arm that lags behind the commands, as measured in the bag; '
                          'recorded: the measured joints of the bag')
    arm.add_argument('--start', default='recorded', metavar='WHERE',
                     help='recorded, or home: for a bag without joint states')
    arm.add_argument('--robot', metavar='NAME', default='',
                     help='robot profile; default: the one that the bag names, else that of '
                          'the nodes')
    arm.add_argument('--driver', default='', metavar='NAME', help='driver of the recorded states')
    arm.add_argument('--convention', metavar='NAME|FILE',
                     help='how to read the chunks (config/policies), where the bag does not say')
    arm.add_argument('--set', action='append', default=[], metavar='NAME=VALUE',
                     help='parameter of the control node, such as slow_after_s; may be given again')
    policy = parser.add_argument_group('policy')
    policy.add_argument('--policy', metavar='NAME',
                        help='asked on the recorded observations; default: the recorded chunks')
    policy.add_argument('--policy-config', metavar='NAME|FILE', help='its configuration')
    for name in POLICY_OPTIONS:
        policy.add_argument(f'--{name.replace("_", "-")}', metavar='VALUE',
                            help=f'option {name} of the policy')
    policy.add_argument('--parameter', action='append', default=[], metavar='NAME=VALUE',
                        help='of the policy node (max_camera_skew_s, frozen_image_s, …); may be '
                             'given again')
    policy.add_argument('--task', metavar='TEXT', help='instruction, instead of the recorded one')
    add_topic_arguments(parser)
    for name in ('chunks', 'commands'):
        parser.add_argument(f'--{name}', metavar='TOPIC', help=f'topic of the {name}')
    parser.add_argument('--expect', type=Path, metavar='FILE', help='limits, YAML')
    parser.add_argument('--save', type=Path, metavar='FILE', help='write the result, JSON')
    parser.add_argument('--report', type=Path, metavar='DIR',
                        help='write a page, its numbers as JSON and its tables as CSV')
    parser.add_argument('--json', action='store_true', help='the result, for programs')
    parser.add_argument('--quiet', action='store_true', help='no progress')


def run(args: argparse.Namespace) -> int:
    """Run the cases, print them, and return 1 when a limit was not kept."""
    from vla_ros.cli.replay import write
    from vla_ros.replay.closed_timing.expectations import TimingExpectations
    from vla_ros.replay.open_loop.text import check_table
    from vla_ros.timing_replay import replay_timing

    expected = TimingExpectations(args.expect) if args.expect else None
    if args.report:
        from vla_ros.report import prepare, write_timing_report

        prepare(args.report)
    found = replay_timing(request(args))
    checks = expected.checks(found) if expected else ()
    if args.save:
        write(args.save, found.to_json())
    if args.report:
        write_timing_report(found, args.report, checks)
    print(found.to_json() if args.json else found.as_text(), end='' if args.json else '\n')
    if checks and not args.json:
        print(f'\n{check_table(checks)}')
    return 0 if all(check.kept for check in checks) else 1


def request(args: argparse.Namespace) -> TimingRequest:
    """Return what is asked for; parameters that are not given are those of the nodes."""
    from vla_ros.cli.replay import given_robot, node_parameters
    from vla_ros.core.ingest import IngestConfig
    from vla_ros.core.safety.estop import Interlock
    from vla_ros.ros.pipeline_config import guards, pipeline_config
    from vla_ros.timing_replay import TimingRequest

    values = control_parameters(args.set)
    options: dict[str, Any] = {name: getattr(args, name) for name in POLICY_OPTIONS
                               if getattr(args, name)}
    if args.policy_config:
        options['config'] = args.policy_config
    for name in ('task', *options):
        if args.policy is None and (name != 'task' or args.task):
            raise ConfigError(f'--{name.replace("_", "-")} needs --policy')
    topics = {**given_topics(args), **{name: getattr(args, name) for name in ('chunks', 'commands')
                                       if getattr(args, name)}}
    # Whoever runs this has armed it; the switches of a person are not in a bag.
    armed = guards({**values, 'auto_arm': True, 'dry_run': False, 'hold_to_run_timeout_s': 0.0})
    ingest = node_parameters(args.parameter)
    return TimingRequest(
        args.bag, pipeline_config(values), lambda: replace(
            armed, interlock=Interlock(armed=True)), values.get(
            'ik_backend', 'pinocchio'), IngestConfig.of_parameters(ingest), disturbances(args),
        ingest['robot'], given_robot(args), args.driver, topics, args.arm, args.start,
        args.convention,
        args.policy, options, args.task, args.seed, values, args.quiet)


def control_parameters(given: Sequence[str]) -> dict[str, Any]:
    """Return parameters of the control node as given (``NAME=VALUE``), checked."""
    import yaml

    from vla_ros.ros.parameter_spec import load_specs

    specs = load_specs('control_node') if given else {}
    values: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition('=')
        if not (name and equals and value):
            raise ConfigError(f'--set: expected NAME=VALUE, found {text!r}')
        if name not in specs:
            raise unknown_choice('parameter of control_node', name, specs)
        values[name] = specs[name].check(yaml.safe_load(value), 'control_node: ')
    return values


def disturbances(args: argparse.Namespace) -> Callable[[list[float]], Sequence[Disturbance]]:
    """Return what makes the cases of the arguments from the recorded latencies [s].

    What is wrong with the arguments is said here, before a bag is read.
    """
    from vla_ros.replay.closed_timing.disturbance import Disturbance

    swept = {name: _numbers(f'--{name.replace("_", "-")}', getattr(args, name)) or [0.0]
             for name in _SWEPT}
    outage = _span('--joint-outage', args.joint_outage) if args.joint_outage else None
    cameras = _cameras(args.skew, args.freeze)
    sources = [_latency(word) for word in filter(None, args.latency.split(','))] or [None]
    count = len(sources) * math.prod(map(len, swept.values()))
    if count > MOST_CASES:
        raise ConfigError(f'{count} combinations are more than {MOST_CASES} cases; give shorter '
                          'lists')

    def cases(recorded: list[float]) -> list[Disturbance]:
        found = []
        for source, *numbers in itertools.product(sources, *swept.values()):
            latency = source(recorded) if source is not None else None
            found.append(Disturbance(latency, *numbers, outage, cameras))
        return [case for case in found if case != Disturbance()]

    cases([0.0])
    return cases


def _latency(word: str) -> Callable[[list[float]], Latency]:
    from vla_ros.replay.closed_timing.disturbance import constant, distribution

    word = word.strip()
    if word == 'measured':
        return lambda recorded: distribution('measured', recorded)
    try:
        seconds = float(word)
    except ValueError:
        path = Path(word)
        try:
            values = json.loads(path.read_text(encoding='utf-8'))
        except (OSError, ValueError) as error:
            raise ConfigError(f'--latency: {word!r} is neither seconds, measured, nor a JSON file '
                              f'with a list of seconds: {error}') from None
        if not isinstance(values, list) or not all(
                isinstance(v, (int, float)) and not isinstance(v, bool) for v in values):
            raise ConfigError(f'--latency: {path}: expected a list of seconds', path=path) from None
        return lambda recorded: distribution(path.stem, values)
    return lambda recorded: constant(seconds)


def _numbers(option: str, text: str) -> list[float]:
    found = []
    for word in filter(None, text.split(',')):
        try:
            found.append(float(word))
        except ValueError:
            raise ConfigError(f'{option}: expected numbers with commas between them, found '
                              f'{text!r}') from None
    return found


def _span(option: str, text: str) -> Span:
    from vla_ros.replay.closed_timing.disturbance import Span

    start, _, duration = text.partition('+')
    try:
        return Span(float(start), float(duration))
    except ValueError:
        raise ConfigError(f'{option}: expected START+SECONDS, found {text!r}') from None


def _cameras(skews: Sequence[str], freezes: Sequence[str]) -> tuple[CameraDisturbance, ...]:
    from vla_ros.replay.closed_timing.disturbance import CameraDisturbance

    skew: dict[str, float] = {}
    freeze: dict[str, Span] = {}
    for option, given in (('--skew', skews), ('--freeze', freezes)):
        for text in given:
            camera, equals, value = text.partition('=')
            if not (camera and equals and value):
                raise ConfigError(f'{option}: expected CAMERA=…, found {text!r}')
            if option == '--freeze':
                freeze[camera] = _span(option, value)
            else:
                skew[camera] = (_numbers(option, value) or [math.nan])[0]
    return tuple(CameraDisturbance(camera, skew.get(camera, 0.0), freeze.get(camera))
                 for camera in sorted({*skew, *freeze}))
