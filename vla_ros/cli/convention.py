"""``vla-ros convention``: which action convention recordings have, and whether a policy's fits."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vla_ros.core.errors import ConfigError

if TYPE_CHECKING:
    from vla_ros.replay.convention.comparison import PolicyConvention
    from vla_ros.replay.convention.evidence import ArmModel

_TOPICS = ('state', 'tool_pose', 'chunks', 'commands')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the recordings and the policy."""
    parser.epilog = ('exit status: 0 the policy agrees (or none was given), 1 it does not, or the '
                     'recordings do not tell, 2 a wrong argument')
    parser.add_argument('bags', metavar='BAG', type=Path, nargs='+',
                        help='folder of a bag with states and actions; several of the same kind '
                             'are taken together')
    parser.add_argument('--policy', metavar='NAME', help='policy to compare with')
    parser.add_argument('--policy-config', metavar='NAME|FILE',
                        help='its configuration: a name in config/policies or a YAML file')
    parser.add_argument('--model-path', metavar='DIR', type=Path,
                        help='its checkpoint directory: the actions are held against its '
                             'statistics')
    parser.add_argument('--unnorm-key', metavar='KEY',
                        help='dataset of the statistics, where the checkpoint has several')
    parser.add_argument('--robot', metavar='NAME|FILE',
                        help='robot profile, for a state with joints: its kinematics give the '
                             'tool pose; default: the one that the bag names')
    parser.add_argument('--actions', default='auto', metavar='WHAT',
                        help='chunks, commands, or auto: the chunks, else the commands')
    parser.add_argument('--json', action='store_true', help='everything, for programs')
    parser.add_argument('--yaml', action='store_true',
                        help='print only the block for a file of config/policies')
    for name in _TOPICS:
        parser.add_argument(f'--{name.replace("_", "-")}', dest=name, metavar='TOPIC',
                            help=f'topic of the {name.replace("_", " ")}')


def run(args: argparse.Namespace) -> int:
    """Print what was found; return 1 unless the given policy agrees."""
    from vla_ros.replay.convention.comparison import compared, verdict_of
    from vla_ros.replay.convention.estimate import estimate
    from vla_ros.replay.convention.finding import Verdict
    from vla_ros.replay.convention.recording import read_recording
    from vla_ros.replay.convention.report import as_dict, as_text, as_yaml

    if args.json and args.yaml:
        raise ConfigError('--json and --yaml: give one of them')
    policy = _policy(args)
    given = {name: getattr(args, name) for name in _TOPICS if getattr(args, name)}
    recordings = [read_recording(path, given, args.actions) for path in args.bags]
    arm = _arm_model(args.robot or _named_robot(args.bags), recordings[0].state_names)
    found = estimate(recordings, arm)
    if policy is not None:
        found = compared(found, policy, [recording.actions for recording in recordings])
    name = policy.name if policy is not None else ''
    if args.yaml:
        print(as_yaml(found), end='')
    elif args.json:
        print(json.dumps(as_dict(found, name), indent=2))
    else:
        print(as_text(found, name))
    return 0 if policy is None or verdict_of(found) is Verdict.AGREE else 1


def _policy(args: argparse.Namespace) -> PolicyConvention | None:
    """Return what the given policy's configuration says; None when none is given."""
    if args.policy is None:
        for name in ('policy_config', 'model_path', 'unnorm_key'):
            if getattr(args, name):
                raise ConfigError(f'--{name.replace("_", "-")} needs --policy')
        return None
    if args.unnorm_key and not args.model_path:
        raise ConfigError('--unnorm-key needs --model-path: the statistics are in the checkpoint')
    return policy_convention(args.policy, args.policy_config, args.model_path, args.unnorm_key)


def policy_convention(policy: str, config: str | None = None, model_path: Path | None = None,
                      unnorm_key: str | None = None) -> PolicyConvention:
    """Return how the actions of a policy are to be read; loads no model.

    Raises
    ------
    ConfigError
        When the policy, its file or the statistics cannot be used.

    """
    from vla_ros.core.errors import unknown_choice
    from vla_ros.policy import LEARNED, POLICIES, load_policy
    from vla_ros.policy.action_convention import read_convention
    from vla_ros.policy.config_file import config_file
    from vla_ros.replay.convention.comparison import PolicyConvention
    from vla_ros.section import Section

    if policy not in POLICIES:
        raise unknown_choice('policy', policy, POLICIES)
    if policy not in LEARNED:
        if model_path is not None:
            raise ConfigError(f'--model-path: policy {policy!r} has no checkpoint')
        spec = load_policy(policy, **({'config': config} if config else {})).spec
        return PolicyConvention(config or policy, spec.convention, spec.dt_ns * 1e-9)
    path = config_file(policy, config)
    top = Section.open(path)
    convention = top.checked(lambda: read_convention(top.section('convention')))
    proprio = None
    keys = top.keys()
    if 'proprio' in keys:
        try:
            proprio = top.texts('proprio')
        except ConfigError:  # given: the caller makes the vector
            proprio = None
    bounds = None
    if model_path is not None:
        from vla_ros.policy.openvla.statistics import Normalization, Statistics

        config_path = model_path / 'config.json'
        values = json.loads(config_path.read_text(encoding='utf-8')) if (
            config_path.is_file()) else {}
        statistics = Statistics.of_directory(model_path, values)
        chosen = statistics.bounds(statistics.choose(unnorm_key), 'action',
                                   Normalization.BOUNDS)
        bounds = chosen.low, chosen.high
    return PolicyConvention(path.stem, convention, top.number('dt', positive=True), proprio,
                            bounds)


def _named_robot(bags: Sequence[Path]) -> str:
    """Return the robot that the recordings name, if all name the same one and it is known here."""
    from vla_ros.replay.bag import Bag
    from vla_ros.replay.named_robot import named_robot
    from vla_ros.robots import robot_names

    names = set()
    for path in bags:
        with Bag(path) as bag:
            names.add(named_robot(bag))
    return names.pop() if len(names) == 1 and names <= set(robot_names()) else ''


def _arm_model(robot: str, state_names: Sequence[str]) -> ArmModel | None:
    """Return the arm of a robot profile; without one, None, or an error where one is needed."""
    from vla_ros.robots import load_profile, robot_names

    if not robot:
        fitting = [name for name in robot_names()
                   if set(load_profile(name).joints.names) <= set(state_names)]
        if fitting:
            raise ConfigError('the state has joints; say of which arm with --robot. Those with '
                              f'joints of these names: {", ".join(fitting)}')
        return None
    from vla_ros.ik import load_ik
    from vla_ros.replay.convention.evidence import ArmModel

    profile = load_profile(robot)
    missing = [name for name in profile.joints.names if name not in state_names]
    if missing:
        raise ConfigError(f'--robot {robot}: the state has no {", ".join(missing)}; it has '
                          f'{", ".join(state_names) or "nothing"}')
    return ArmModel(tuple(profile.joints.names), profile.gripper.joint,
                    load_ik('analytic', profile).forward)
