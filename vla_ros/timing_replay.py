"""Puts an arm, its control side and a bag together for a closed-timing replay."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from vla_ros.assembly import Guards, build_pipeline
from vla_ros.core.errors import ConfigError, InputError, unknown_choice
from vla_ros.core.ingest import IngestConfig
from vla_ros.core.pipeline_config import PipelineConfig
from vla_ros.core.policy_description import PolicyDescription
from vla_ros.policy import Policy, load_policy
from vla_ros.policy.action_convention import read_convention
from vla_ros.policy.config_file import config_file
from vla_ros.policy_replay import bag_readers, robot_of
from vla_ros.progress import Progress
from vla_ros.replay.bag import Bag
from vla_ros.replay.bag_observations import BagObservations, recorded_sources
from vla_ros.replay.closed_timing.arm import FollowArm, Lag, RecordedArm, measured_lag
from vla_ros.replay.closed_timing.camera_check import refused_observations, without_numbers
from vla_ros.replay.closed_timing.comparison import Comparison
from vla_ros.replay.closed_timing.disturbance import CameraDisturbance, Disturbance
from vla_ros.replay.closed_timing.inputs import (
    ChunkArrival,
    Inputs,
    Reader,
    Topics,
    from_first_chunk,
    read_inputs,
    without_arm,
)
from vla_ros.replay.closed_timing.run import ClosedTimingRun, Trace
from vla_ros.replay.closed_timing.schedule import schedule
from vla_ros.replay.closed_timing.scores import CaseResult, scored
from vla_ros.replay.closed_timing.settings import closed_timing_settings
from vla_ros.replay.closed_timing.words import words
from vla_ros.replay.replay_topics import ReplayTopics, replay_topics
from vla_ros.replay.topic_choice import INPUTS, RECORDED, STRING, Input, choose
from vla_ros.robots import RobotProfile, load_profile
from vla_ros.section import Section

ARMS = ('follow', 'recorded')
STARTS = ('recorded', 'home')

_ANOTHER_PATH = 0.1  # rad
_TOPICS = {'state': INPUTS['state'], **RECORDED,
           'policy': Input((STRING,), ('/policy',), ('policy_node',))}


@dataclass(frozen=True)
class TimingRequest:
    """What to run, and how.

    Attributes
    ----------
    bag : Path
        Of the recording.
    config : PipelineConfig
        Of the control side.
    guards : Callable[[], Guards]
        Makes its guards, armed; called for each case.
    ik_backend : str
        One of ``vla_ros.ik.IK_BACKENDS``.
    ingest : IngestConfig
        Tolerances of the policy node, for cameras and ``policy``.
    disturbances : callable
        (recorded latencies [s]) -> the cases beside the one as recorded.
    default_robot, robot : str
        Profile of the arm: ``robot``, else the one that the bag names, else ``default_robot``.
    driver : str
        Of the arm.
    topics : Mapping[str, str]
        Input -> topic, where names do not say.
    arm, start : str
        One of ``ARMS``, of ``STARTS``.
    convention : str | None
        File of ``config/policies`` (or a path) that says how to read the chunks.
    policy : str | None
        Asked on the recorded observations instead of taking the recorded chunks.
    options : Mapping[str, Any]
        Of the policy.
    instruction : str | None
        Said to it instead of what was recorded.
    seed : int
        Of everything that is drawn.
    set : Mapping[str, Any]
        Parameters of the control side that were set, for the report.
    quiet : bool
        Whether no progress is shown.

    """

    bag: Path
    config: PipelineConfig
    guards: Callable[[], Guards]
    ik_backend: str
    ingest: IngestConfig
    disturbances: Callable[[list[float]], Sequence[Disturbance]]
    default_robot: str
    robot: str = ''
    driver: str = ''
    topics: Mapping[str, str] = field(default_factory=dict)
    arm: str = 'follow'
    start: str = 'recorded'
    convention: str | None = None
    policy: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    instruction: str | None = None
    seed: int = 0
    set: Mapping[str, Any] = field(default_factory=dict)
    quiet: bool = False


def replay_timing(request: TimingRequest) -> Comparison:
    """Run every case and return them beside each other.

    Raises
    ------
    ConfigError
        When an argument, a topic or the policy is wrong.
    InputError
        When the bag cannot be read or lacks something; the message says what would do instead.

    """
    for what, given, choices in (('arm', request.arm, ARMS), ('start', request.start, STARTS)):
        if given not in choices:
            raise unknown_choice(what, given, choices)
    if request.arm == 'recorded' and request.start == 'home':
        raise ConfigError('--arm recorded and --start home: there is no recorded arm that starts '
                          'elsewhere')
    with Bag(request.bag) as bag:
        profile = load_profile(robot_of(bag, request.robot, request.default_robot))
        source = _Source(request, bag, profile)
        inputs = source.inputs()
        cases = [Disturbance(), *request.disturbances(inputs.latencies_s)]
        lag, arm_words = _arm(request, inputs)
        results: list[CaseResult] = []
        first: Trace | None = None
        with Progress('cases', len(cases), quiet=request.quiet) as progress:
            for case in cases:
                refused = source.refused(case.cameras, inputs)
                trace = _run(request, profile, inputs, case, refused, lag)
                first = first or trace
                results.append(scored(case.name, trace, first, request.config.period))
                progress.advance()
    assert first is not None
    settings = closed_timing_settings()
    sentences = tuple(sentence for result in results
                      for sentence in words(result, request.config, settings))
    seconds = (inputs.joints[-1].stamp_ns - inputs.joints[0].stamp_ns) * 1e-9
    notes = (*inputs.notes, *_faithful(inputs, first))
    return Comparison(str(request.bag), seconds, arm_words, tuple(results), sentences, notes,
                      dict(request.set), request.seed)


def _faithful(inputs: Inputs, trace: Trace) -> tuple[str, ...]:
    """Return how near the undisturbed run is to the commands that were recorded."""
    sent = [tick for tick in trace.ticks if tick.q is not None]
    if not inputs.commands or not sent:
        return ()
    stamps = np.array([tick.stamp_ns for tick in sent])
    away = []
    for at, q in inputs.commands:
        place = min(max(int(np.searchsorted(stamps, at, side='right')) - 1, 0), len(stamps) - 1)
        if abs(int(stamps[place]) - at) <= 10_000_000:
            away.append(np.abs(np.asarray(sent[place].q) - q).max())
    if not away:
        return ()
    rms = float(np.sqrt(np.mean(np.square(away))))
    text = (f'as recorded, the commands are within {rms:.4f} rad rms (at most {max(away):.4f}) of '
            'those in the bag, in the joint that differs most')
    if rms > _ANOTHER_PATH:
        text += (': the replayed arm took another path, as after a recording that began in motion '
                 'or an intervention; --arm recorded keeps to the recorded joints')
    return (text,)


def _arm(request: TimingRequest, inputs: Inputs) -> tuple[Lag, str]:
    """Return how an arm follows, and in words how the arm of this replay moves."""
    settings = closed_timing_settings()
    lag = Lag(settings.arm_lag, settings.arm_delay)
    if request.arm == 'recorded':
        return lag, 'as recorded, whatever it is told'
    found = measured_lag(inputs.commands, inputs.joints) if request.start == 'recorded' else None
    if found is None:
        return lag, f'follows with {lag.lag:g} s of lag behind {lag.delay:g} s (not measured)'
    return found[0], (f'follows with {found[0].lag:g} s of lag behind {found[0].delay:g} s '
                      f'(measured, to {found[1]:.4f} rad rms)')


def _run(request: TimingRequest, profile: RobotProfile, inputs: Inputs, case: Disturbance,
         refused: Mapping[int, str], lag: Lag) -> Trace:
    pipeline = build_pipeline(profile, request.config, request.ik_backend,
                              guards=request.guards())
    arm = (RecordedArm() if request.arm == 'recorded' else
           FollowArm(inputs.joints[0], lag, profile.gripper.speed))
    places = {place: refused[arrival.arrival_ns] for place, arrival in enumerate(inputs.chunks)
              if arrival.chunk is not None and arrival.arrival_ns in refused}
    return ClosedTimingRun(pipeline, arm, inputs,
                           schedule(inputs, case, request.seed, places)).run()


class _Source:
    """One bag, read for one request."""

    def __init__(self, request: TimingRequest, bag: Bag, profile: RobotProfile) -> None:
        self._request, self._bag, self._profile = request, bag, profile
        self._policy: Policy | None = None
        if request.policy is not None:
            self._policy = load_policy(request.policy, **request.options)
        found = choose(bag.topics, _TOPICS, _without_cameras(request.topics))
        topic = {name: choice.topic for name, choice in found.items()}
        self._topics = ReplayTopics({}, topic['state'] or '', None, topic['commands'],
                                    topic['chunks'], None, topic['policy'])
        # An arm that starts at home needs no states, and they may be of another arm.
        home = request.start == 'home'
        self._readers = (None if home or topic['state'] is None else
                         bag_readers(bag, self._topics, profile, request.driver))

    def inputs(self) -> Inputs:
        """Return what the control side takes in."""
        request, topics = self._request, self._topics
        if topics.chunks is None:
            raise InputError(f'{self._bag.path}: closed-timing replay needs recorded action chunks '
                             '(with --policy for their stamps), and no topic of them was found or '
                             'given (--chunks)')
        home = request.start == 'home'
        if not home and (self._readers is None or not self._readers.joints):
            self._refuse_without_joints()
        described, repeat = self._described()
        found = read_inputs(
            self._bag,
            Topics(topics.chunks, None if home else topics.state,
                   None if home else topics.commands, topics.policy),
            Reader(self._readers.state if self._readers else _no_state,
                   self._readers.command if self._readers else None, self._profile.base_frame,
                   self._profile.tool_frame, described, repeat))
        if home:
            settings, gripper = closed_timing_settings(), self._profile.gripper
            found = without_arm(found, np.asarray(self._profile.joints.home), gripper.open,
                                round(1e9 / settings.joint_rate), round(settings.tail * 1e9))
        else:
            found = from_first_chunk(found)
        if not found.joints:
            raise InputError(f'{self._bag.path}: {topics.state}: no joint state that can be used'
                             + ''.join(f'; {note}' for note in found.notes))
        overrides = [name for name, topic in self._bag.topics.items()
                     if 'override/' in name and topic.count]
        if overrides:
            found = replace(found, notes=(*found.notes, 'interventions are not replayed: '
                                          + ', '.join(overrides)))
        return found if self._policy is None else self._asked(found)

    def refused(self, cameras: Sequence[CameraDisturbance], inputs: Inputs) -> dict[int, str]:
        """Return the observations that the ingest refuses: arrival of the answer -> why."""
        if not cameras:
            return {}
        if self._readers is None:
            raise ConfigError('--skew and --freeze need the recorded joint states, by which the '
                              'ingest judges pictures; --start home has none')
        names = (self._policy.spec.cameras if self._policy is not None
                 else tuple(name for name in ('third_person', 'wrist')
                            if name in self._cameras_there()))
        for one in cameras:
            if one.camera not in names:
                raise unknown_choice('camera', one.camera, names)
        topics = replay_topics(self._bag, names, False, self._request.topics)
        changed = {topics.cameras[one.camera]: one for one in cameras}
        times = [arrival.arrival_ns for arrival in inputs.chunks if arrival.chunk is not None]
        return refused_observations(
            self._bag, lambda bag: (bag, topics, self._request.ingest, self._readers,
                                    self._request.instruction),
            changed, times, inputs.joints[0].stamp_ns)

    def _cameras_there(self) -> tuple[str, ...]:
        found = choose(self._bag.topics, {name: INPUTS[name] for name in ('third_person', 'wrist')},
                       {name: topic for name, topic in self._request.topics.items()
                        if name in ('third_person', 'wrist')})
        return tuple(name for name, choice in found.items() if choice.topic)

    def _refuse_without_joints(self) -> None:
        topic = self._topics.state
        has = 'the bag has no topic of states, or several (--state says which)'
        if topic:
            names = self._bag.message(next(self._bag.records([topic]))).name
            has = f'{topic} has {", ".join(names)}'
        raise InputError(
            f'{self._bag.path}: closed-timing replay needs the joint states of {self._profile.name}'
            f' ({", ".join(self._profile.joints.names)}); {has}. '
            'With --start home the arm starts at its home and follows the chunks from there')

    def _described(self) -> tuple[PolicyDescription | None, int]:
        """Return how to read the chunks where that was said with the request."""
        name = self._request.convention
        if name is None:
            return None, 1
        top = Section.open(config_file('openvla', name))
        convention = top.checked(lambda: read_convention(top.section('convention')))
        keys = top.keys()
        repeat = top.whole_number('repeat') if 'repeat' in keys else 1
        dt_ns = round(top.number('dt', positive=True) * 1e9)
        return PolicyDescription(name, name, convention, dt_ns, repeat, top.texts('dims')), repeat

    def _asked(self, inputs: Inputs) -> Inputs:
        """Return the inputs with the policy's answers to the recorded observations."""
        policy = self._policy
        assert policy is not None
        if self._readers is None:
            raise ConfigError('--policy needs the recorded joint states; --start home has none')
        spec = policy.spec
        topics: ReplayTopics = replay_topics(self._bag, spec.cameras, spec.privileged,
                                             self._request.topics,
                                             self._request.instruction is None)
        policy.warm_up()
        stamps = [arrival.stamp_ns for arrival in inputs.chunks if arrival.chunk is not None]
        answers: dict[int, Any] = {}
        problems: dict[str, int] = {}
        seen_all = BagObservations(self._bag, topics, self._request.ingest, self._readers,
                                   self._request.instruction,
                                   recorded_sources(self._bag, topics.observation)
                                   ).at_stamps(stamps)
        with Progress('inferences', len(set(stamps)), quiet=self._request.quiet) as progress:
            for seen in seen_all:
                if seen.observation is None:
                    why = without_numbers(seen.problem)
                    problems[why] = problems.get(why, 0) + 1
                else:
                    answers[int(seen.wanted_ns or 0)] = policy.infer(seen.observation)
                progress.advance()
        if not answers:
            raise InputError(f'{self._bag.path}: {spec.name} could not be asked once: '
                             + '; '.join(problems))
        chunks = tuple(ChunkArrival(a.stamp_ns, a.arrival_ns, replace(
            answers[a.stamp_ns], stamp_ns=a.stamp_ns)) if a.chunk is not None else a
            for a in inputs.chunks if a.chunk is None or a.stamp_ns in answers)
        notes = [f'{count} observations could not be made: {why}'
                 for why, count in sorted(problems.items())]
        return replace(inputs, chunks=chunks, notes=(*inputs.notes, *notes))


def _no_state(message: Any) -> None:
    """Read nothing: the arm is not the recorded one."""


def _without_cameras(topics: Mapping[str, str]) -> dict[str, str]:
    return {name: topic for name, topic in topics.items()
            if name in ('state', 'commands', 'chunks', 'policy')}

