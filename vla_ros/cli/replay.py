"""``vla-ros replay``: a policy sees a recording, and its chunks are compared with what was done."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vla_ros.cli.bag import add_topic_arguments, given_topics
from vla_ros.core.errors import ConfigError, unknown_choice

if TYPE_CHECKING:
    from vla_ros.core.policy_identity import PolicyIdentity
    from vla_ros.policy_replay import ReplayRequest
    from vla_ros.replay.open_loop.result import OpenLoopResult

POLICY_OPTIONS = ('model_path', 'base_path', 'unnorm_key', 'quantization', 'device', 'dtype')
"""Given to the policy, which knows its own; those that are not given are left out."""

_CLI_ONLY = ('chunks', 'commands')

STATUS = ('exit status: 0 replayed, and every limit kept; 1 a limit was not kept, or the bag was '
          'refused or lacks something; 2 a wrong argument or file of limits')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take what to replay, with which policy, and what to hold it against."""
    parser.epilog = STATUS
    parser.add_argument('bag', metavar='BAG', type=Path,
                        help='folder of the bag, or one storage file')
    policy = parser.add_argument_group('policy')
    policy.add_argument('--policy', required=True, metavar='NAME', help='which policy answers')
    policy.add_argument('--model-path', metavar='DIR', help='checkpoint of a learned policy')
    policy.add_argument('--base-path', metavar='DIR',
                        help='base model of a checkpoint that was not merged')
    policy.add_argument('--policy-config', metavar='FILE',
                        help='how it is fed and read: a name in config/policies, or a YAML file')
    policy.add_argument('--unnorm-key', metavar='KEY', help='data set whose statistics are used')
    policy.add_argument('--quantization', metavar='KIND', help='none, int8 or nf4')
    policy.add_argument('--device', metavar='NAME', help='cpu, cuda, auto')
    policy.add_argument('--dtype', metavar='NAME', help='float32, bfloat16, float16 or auto')
    arm = parser.add_argument_group('bag')
    arm.add_argument('--robot', metavar='NAME', default='',
                     help='robot profile; default: the one that the bag names, else that of '
                          'the nodes')
    arm.add_argument('--driver', default='', metavar='NAME', help='driver of the recorded states')
    add_topic_arguments(arm)
    for name in _CLI_ONLY:
        arm.add_argument(f'--{name}', metavar='TOPIC', help=f'topic of the {name}')
    arm.add_argument('--camera', action='append', default=[], metavar='NAME=TOPIC',
                     help='topic of another camera of the policy; may be given again')
    arm.add_argument('--task', metavar='TEXT', help='instruction, instead of the recorded one')
    arm.add_argument('--rate', type=float, metavar='HZ',
                     help='inferences a second, where chunks are not compared with; default: that '
                          'of the policy node')
    arm.add_argument('--parameter', action='append', default=[], metavar='NAME=VALUE',
                     help='of the policy node (image_timeout_s, …); may be given again')
    compare = parser.add_argument_group('comparison')
    compare.add_argument('--against-recorded', default='auto', metavar='WHAT',
                         help='chunks, commands, states, or auto: the first that there is')
    compare.add_argument('--ablate', action='store_true',
                         help='also take inputs away: black pictures, another instruction, the '
                              'first state')
    compare.add_argument('--expect', type=Path, metavar='FILE', help='limits, YAML')
    compare.add_argument('--save', type=Path, metavar='FILE', help='write the result, JSON')
    compare.add_argument('--against', type=Path, metavar='FILE',
                         help='a golden run that --save wrote')
    compare.add_argument('--verdict', type=Path, metavar='FILE',
                         help='write whether the limits were kept, for arming_report of the '
                              'control node')
    parser.add_argument('--report', type=Path, metavar='DIR',
                        help='write a page, its numbers as JSON and its tables as CSV')
    parser.add_argument('--json', action='store_true', help='the result, for programs')
    parser.add_argument('--quiet', action='store_true', help='no progress')


def run(args: argparse.Namespace) -> int:
    """Replay, print the report, and return 1 when a limit was not kept."""
    from vla_ros.replay.open_loop.text import as_text, check_table

    result = replay_and_write(args)
    print(result.to_json() if args.json else as_text(result))
    if result.checks and not args.json:
        print(f'\n{check_table(result.checks)}')
    return 0 if all(check.kept for check in result.checks) else 1


def replay_checked(options: Mapping[str, Any]) -> OpenLoopResult:
    """Return the result of a replay with options by name, as the command takes them.

    Raises
    ------
    ConfigError
        When an option is unknown or one that is needed is missing; lists them.

    """
    parser = argparse.ArgumentParser(prog='vla-ros replay')
    add_arguments(parser)
    values = {action.dest: action.default for action in parser._actions if action.dest != 'help'}
    for name in options:
        if name not in values or name == 'json':
            raise unknown_choice('option of a replay', name, [n for n in values if n != 'json'])
    for name in ('bag', 'policy'):
        if not options.get(name):
            raise ConfigError(f'{name} is missing; a replay needs bag and policy')
    args = argparse.Namespace(**{**values, 'quiet': True, **options})
    for name in ('bag', 'expect', 'save', 'against', 'verdict'):
        if getattr(args, name) is not None:
            setattr(args, name, Path(getattr(args, name)))
    return replay_and_write(args)


def replay_and_write(args: argparse.Namespace) -> OpenLoopResult:
    """Replay, hold the result against the limits, and write the files that are asked for."""
    from vla_ros.replay.open_loop.expectations import Expectations
    from vla_ros.replay.open_loop.result import OpenLoopResult

    # What is wrong with the arguments is said before anything long begins.
    expected = Expectations(args.expect) if args.expect else None
    frozen = OpenLoopResult.load(args.against) if args.against else None
    if args.verdict and not (expected or frozen):
        raise ConfigError('--verdict needs limits: --expect, --against or both')
    if expected is not None and expected.has_golden and frozen is None:
        raise ConfigError(f'{args.expect}: golden: there is no golden run; give one with --against')
    for path in (args.save, args.verdict):
        if path and not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
            raise ConfigError(f'{path}: no folder here that can be written to', path=path)
    if args.report:
        from vla_ros.report import prepare, write_replay_report

        prepare(args.report)
    result, identity = replay(args)
    result = checked(result, expected, frozen, str(args.against))
    if args.save:
        write(args.save, result.to_json())
    if args.report:
        write_replay_report(result, args.bag, args.report)
    if args.verdict:
        write(args.verdict, verdict(result, identity))
    return result


def replay(args: argparse.Namespace) -> tuple[OpenLoopResult, PolicyIdentity]:
    """Return what a replay with these arguments gives."""
    from vla_ros.policy_replay import replay_policy

    return replay_policy(request(args))


def request(args: argparse.Namespace) -> ReplayRequest:
    """Return what is asked for; what is not given is as for the policy node."""
    from vla_ros.core.ingest import IngestConfig
    from vla_ros.policy_replay import ReplayRequest

    parameters = node_parameters(args.parameter)
    options: dict[str, Any] = {name: value for name in POLICY_OPTIONS
                               if (value := getattr(args, name))}
    if args.policy_config:
        options['config'] = args.policy_config
    topics = {**given_topics(args),
              **{name: getattr(args, name) for name in _CLI_ONLY if getattr(args, name)},
              **_pairs('--camera', args.camera, 'NAME=TOPIC')}
    rate = parameters['inference_rate_hz'] if args.rate is None else args.rate
    return ReplayRequest(
        args.bag, args.policy, IngestConfig.of_parameters(parameters), rate, parameters['robot'],
        options,
        given_robot(args), args.driver, topics, args.against_recorded, args.task,
        args.ablate, args.quiet)


def given_robot(args: argparse.Namespace) -> str:
    """Return the robot that the arguments name; empty when they name none."""
    return args.robot or _pairs('--parameter', args.parameter, 'NAME=VALUE').get('robot', '')


def node_parameters(given: Sequence[str]) -> dict[str, Any]:
    """Return the policy node's parameters, some of them as given (``NAME=VALUE``)."""
    import yaml

    from vla_ros.ros.parameter_spec import load_specs

    specs = load_specs('policy_node')
    values = {name: spec.default for name, spec in specs.items()}
    for name, text in _pairs('--parameter', given, 'NAME=VALUE').items():
        if name not in specs:
            raise unknown_choice('parameter of policy_node', name, specs)
        values[name] = specs[name].check(yaml.safe_load(text), 'policy_node: ')
    return values


def checked(result: OpenLoopResult, expected: Any, frozen: OpenLoopResult | None,
            source: str) -> OpenLoopResult:
    """Return the result with the golden comparison and the limits."""
    from vla_ros.replay.open_loop.expectations import golden_checks
    from vla_ros.replay.open_loop.golden import compare_with_golden
    from vla_ros.replay.open_loop.settings import open_loop_settings

    if frozen is not None:
        result = replace(result, golden=compare_with_golden(result, frozen, source))
    found = expected.checks(result) if expected is not None else ()
    if frozen is not None and (expected is None or not expected.has_golden):
        found = (*found, *golden_checks(result, open_loop_settings()))
    return replace(result, checks=tuple(sorted(found, key=lambda check: check.kept)))


def verdict(result: OpenLoopResult, identity: PolicyIdentity) -> str:
    """Return the arming report of a result with limits."""
    from vla_ros.core.arming_report import ArmingReport

    words = [(check.kept, f'{check.name}: {check.found}, expected {check.limit}')
             for check in result.checks]
    short = tuple(text for kept, text in words if not kept)
    return ArmingReport(not short, identity, result.bag, short,
                        tuple(text for _, text in words)).to_json()


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    unfinished = path.with_name(f'{path.name}.new')
    try:
        unfinished.write_text(text, encoding='utf-8')
        os.replace(unfinished, path)
    except OSError as error:
        raise ConfigError(f'{path}: cannot be written: {error}', path=path) from error


def _pairs(option: str, given: Sequence[str], form: str) -> dict[str, str]:
    found = {}
    for text in given:
        name, equals, value = text.partition('=')
        if not (name and equals and value):
            raise ConfigError(f'{option}: expected {form}, found {text!r}')
        found[name] = value
    return found
