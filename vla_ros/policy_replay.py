"""Puts a policy, an arm and a bag together for a replay; the only place that knows all three."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from vla_ros.core.errors import ConfigError, InputError, unknown_choice
from vla_ros.core.ingest import IngestConfig, arm_state
from vla_ros.core.joint_states import JointStateReader
from vla_ros.core.policy_identity import PolicyIdentity
from vla_ros.core.stamps import to_ns
from vla_ros.ik import load_ik
from vla_ros.policy import Policy, load_policy
from vla_ros.policy.identity import identity_of
from vla_ros.replay.bag import Bag
from vla_ros.replay.bag_observations import (
    BagObservations,
    BagReaders,
    StateReader,
    recorded_sources,
)
from vla_ros.replay.named_robot import named_driver, named_robot
from vla_ros.replay.open_loop.recorded_chunks import RecordedChunks, read_chunks
from vla_ros.replay.open_loop.recorded_motion import read_motion
from vla_ros.replay.open_loop.result import OpenLoopResult
from vla_ros.replay.open_loop.run import Pace, Reference
from vla_ros.replay.open_loop.session import Session
from vla_ros.replay.open_loop.settings import open_loop_settings
from vla_ros.replay.recorded_vector import vector_readers
from vla_ros.replay.replay_topics import ReplayTopics, replay_topics
from vla_ros.replay.stamps import header_ns
from vla_ros.robots import RobotProfile, load_profile, robot_names
from vla_ros.robots.adapters import DRIVERS, Driver, load_driver
from vla_ros.robots.adapters.arm_state import ArmStateReader

AGAINST = ('auto', 'chunks', 'commands', 'states')

_PICTURES_FOR_RATE = 100


@dataclass(frozen=True)
class ReplayRequest:
    """What to replay, and how.

    Attributes
    ----------
    bag : Path
        Of the recording.
    policy : str
        One of ``vla_ros.policy.POLICIES``.
    ingest : IngestConfig
        Tolerances and latencies, those of the policy node.
    rate_hz : float
        Inferences a second, where chunks are not compared with.
    options : Mapping[str, Any]
        Of the policy.
    default_robot, robot : str
        Profile of the arm: ``robot``, or, where that is empty, see :func:`robot_of`.
    driver : str
        Of the arm, as for the nodes.
    topics : Mapping[str, str]
        Input -> topic, where names do not say which is which.
    against : str
        One of ``AGAINST``.
    instruction : str | None
        Said instead of what was recorded.
    ablate : bool
        Whether inputs are taken away.
    quiet : bool
        Whether no progress is shown.

    """

    bag: Path
    policy: str
    ingest: IngestConfig
    rate_hz: float
    default_robot: str
    options: Mapping[str, Any] = field(default_factory=dict)
    robot: str = ''
    driver: str = ''
    topics: Mapping[str, str] = field(default_factory=dict)
    against: str = 'auto'
    instruction: str | None = None
    ablate: bool = False
    quiet: bool = False


def replay_policy(request: ReplayRequest) -> tuple[OpenLoopResult, PolicyIdentity]:
    """Replay a bag open loop; return the result and which policy it was.

    Raises
    ------
    ConfigError
        When an argument, the policy or a topic is wrong.
    InputError
        When the bag cannot be read, lacks something, or nothing can be compared.

    """
    if request.against not in AGAINST:
        raise unknown_choice('reference', request.against, AGAINST)
    if not 0.0 < request.rate_hz <= 1000.0:
        raise ConfigError(f'rate: expected more than 0 and up to 1000 Hz, found {request.rate_hz}')
    with Bag(request.bag) as bag:
        policy = load_policy(request.policy, **request.options)
        policy.warm_up()
        spec = policy.spec
        topics = replay_topics(bag, spec.cameras, spec.privileged, request.topics,
                               request.instruction is None)
        _check_instruction(bag, topics, policy, request.instruction)
        robot = robot_of(bag, request.robot, request.default_robot)
        readers = bag_readers(bag, topics, load_profile(robot), request.driver)
        reference, why, notes = choose_reference(bag, topics, readers, policy, request.against)
        if not request.robot and robot != request.default_robot:
            notes = (f'the arm is {robot}, as the bag says', *notes)
        chunks = reference if isinstance(reference, RecordedChunks) else None
        total = (len(set(chunks.stamps_ns)) if chunks
                 else round(bag.duration_s * request.rate_hz) + 1)
        sources = recorded_sources(bag, topics.observation) if chunks else None
        identity = identity_of(policy)
        result = Session(
            bag, lambda: BagObservations(bag, topics, request.ingest, readers,
                                         request.instruction, sources),
            policy, {'label': spec.label, **identity.as_dict()}, reference, why,
            Pace(chunks.stamps_ns if chunks else None, request.rate_hz, total),
            open_loop_settings(), request.ablate, _other_statistics(policy),
            getattr(policy, 'image_objection', lambda camera, size: ''),
            chunks.dt_ns if chunks else None, _picture_hz(bag, topics), notes,
            request.quiet).run()
    return result, identity


def robot_of(bag: Bag, given: str, default: str) -> str:
    """Return the robot that was asked for, else the one that the bag names, else the default.

    A bag may name one that this version or this machine does not have.
    """
    named = given or named_robot(bag)
    return named if given or named in robot_names() else default


def bag_readers(bag: Bag, topics: ReplayTopics, profile: RobotProfile,
                driver: str) -> BagReaders:
    """Return how a bag's state is read: as an arm's, by its joints' names, or as bare numbers."""
    names = tuple(bag.message(next(bag.records([topics.state]))).name)
    chosen = driver_of(names, topics.state, profile, driver, '' if driver else named_driver(bag))
    if chosen is None:
        if not names:
            raise InputError(f'{bag.path}: {topics.state}: the state has no names')
        others = [name for name in robot_names()
                  if set(load_profile(name).joints.names) <= set(names)]
        if others:
            raise InputError(f'{bag.path}: {topics.state} has no joints of {profile.name}; '
                             f'say of which arm they are with --robot: {", ".join(others)}')
        return vector_readers(names, topics.state)
    forward = load_ik('pinocchio', profile).forward
    gripper = profile.gripper
    arm = ArmStateReader(chosen)

    def state(message: Any) -> tuple[int, np.ndarray, float | None] | None:
        found = arm.read(message)
        if found is not None and found[2] is None:
            raise InputError(f'{topics.state}: no opening width of the gripper')
        return found

    def opening(numbers: np.ndarray, width: float | None) -> float | None:
        if width is None:
            return None
        share = (width - gripper.closed) / (gripper.open - gripper.closed)
        return float(np.clip(share, 0.0, 1.0))

    return BagReaders(state, arm_state(forward), opening, _command_reader(profile, topics),
                      forward, profile.joints.names)


def driver_of(names: tuple[str, ...], topic: str, profile: RobotProfile, driver: str,
              recorded: str = '') -> Driver | None:
    """Return the driver that published these joints; None: no driver of this arm.

    It is the one asked for, else the recorded one where it fits, else the profile's own or the
    simulated arm's: one whose gripper is among the joints before one whose is not, and then
    whichever publishes on such a topic. They may call the joints the same and scale them
    differently.
    """
    if driver:
        asked = load_driver(profile, driver)
        if not set(asked.joints.names) <= set(names):
            raise InputError(f'{topic} has {", ".join(names)}, not the joints of driver '
                             f'{driver!r}: {", ".join(asked.joints.names)}')
        return asked
    known = [load_driver(profile, name) for name in (recorded, '', 'sim')
             if name in ('', 'sim') or name in DRIVERS]
    fitting = [found for found in known if set(found.joints.names) <= set(names)]
    if recorded and fitting and fitting[0].type == recorded:
        return fitting[0]
    whole = [found for found in fitting if found.gripper is not None
             and found.gripper.mapping.joint in names]
    named = [found for found in whole or fitting
             if topic.endswith('/' + found.states.lstrip('/'))]
    return next(iter([*named, *whole, *fitting]), None)


def _command_reader(profile: RobotProfile, topics: ReplayTopics) -> StateReader | None:
    if topics.commands is None:
        return None
    joints = JointStateReader(profile.joints.names, topics.commands)
    gripper = profile.gripper.joint

    def command(message: Any) -> tuple[int, np.ndarray, float | None]:
        q = joints.position(message)
        names = list(message.name)
        width = float(message.position[names.index(gripper)]) if gripper in names else None
        return to_ns(message.header.stamp), q, width

    return command


def choose_reference(bag: Bag, topics: ReplayTopics, readers: BagReaders, policy: Policy,
                     against: str) -> tuple[Reference, str, tuple[str, ...]]:
    """Return what is compared with, why that, and what was said of the others.

    Raises
    ------
    InputError
        When what was asked for, or anything at all, cannot be compared with.

    """
    spec = policy.spec

    def chunks() -> Reference:
        if topics.chunks is None:
            raise InputError('chunks: the bag has no action chunks')
        return read_chunks(bag, topics.chunks, topics.policy).fitted(spec.dims, spec.convention)

    def commands() -> Reference:
        if topics.commands is None or readers.command is None:
            raise InputError('commands: the bag has no joint commands of this arm')
        return read_motion('commands', bag, topics.commands, readers,
                           readers.command).fitted(spec.dims, spec.convention)

    def states() -> Reference:
        return read_motion('states', bag, topics.state, readers,
                           readers.state).fitted(spec.dims, spec.convention)

    kinds: dict[str, Callable[[], Reference]] = {'chunks': chunks, 'commands': commands,
                                                 'states': states}
    if against != 'auto':
        return kinds[against](), 'as asked for', ()
    refused = []
    for kind, make in kinds.items():
        try:
            reference = make()
        except InputError as error:
            refused.append(str(error))
            continue
        why = {'chunks': 'the bag has action chunks in the numbers of this policy',
               'commands': 'there are no chunks to compare with',
               'states': 'there are neither chunks nor commands to compare with'}[kind]
        return reference, why, tuple(refused)
    raise InputError(f'{bag.path}: nothing to compare with: {"; ".join(refused)}')


def _check_instruction(bag: Bag, topics: ReplayTopics, policy: Policy,
                       instruction: str | None) -> None:
    """Refuse at once what the policy would refuse at every step."""
    said = ([instruction] if instruction is not None or topics.instruction is None else
            [bag.message(record).data for record in bag.records([topics.instruction])])
    texts = [text for text in said if text and text.strip()]
    if not texts:
        raise InputError(f'{bag.path}: no instruction was recorded on {topics.instruction}; '
                         'give one')
    for text in dict.fromkeys(texts):
        policy.check_instruction(text)


def _other_statistics(policy: Policy) -> dict[str, Policy]:
    """Return the policy with each of the other statistics of its checkpoint that fit it."""
    found: dict[str, Policy] = {}
    current = getattr(getattr(policy, 'parts', None), 'key', None)
    for key in getattr(policy, 'statistics_keys', ()):
        if key != current:
            try:
                found[key] = policy.with_statistics(key)  # type: ignore[attr-defined]
            except ConfigError:
                continue  # of another robot
    return found


def _picture_hz(bag: Bag, topics: ReplayTopics) -> float | None:
    """Return the rate of the slowest camera, by the stamps of its first pictures."""
    slowest = None
    for topic in dict.fromkeys(topics.cameras.values()):
        stamps = [header_ns(record.data)
                  for record in islice(bag.records([topic]), _PICTURES_FOR_RATE)]
        gap = float(np.median(np.diff(stamps))) if len(stamps) > 1 else 0.0
        if gap > 0 and (slowest is None or 1e9 / gap < slowest):
            slowest = 1e9 / gap
    return slowest
