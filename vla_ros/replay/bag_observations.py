"""The observations of a bag, made as the live node makes them: by the same ingest.

The messages are told to :class:`~vla_ros.core.ingest.ObservationIngest` in the order in which they
were received, each at its time. Pictures are decoded when they are used; none is kept longer than
the ingest needs it, so memory does not grow with the bag.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from vla_ros.core.errors import InputError
from vla_ros.core.frame_markers import frames_from_markers
from vla_ros.core.ingest import IngestConfig, ObservationIngest, Readers
from vla_ros.core.observation import Moment
from vla_ros.core.observation_record import ObservationRecord
from vla_ros.core.types import Observation
from vla_ros.image_codec import rgb_from_compressed, rgb_from_image
from vla_ros.replay.bag import Bag, Record
from vla_ros.replay.bag_time import BagTime
from vla_ros.replay.pictures import IMAGE
from vla_ros.replay.replay_topics import ReplayTopics
from vla_ros.replay.stamps import header_ns, to_ns

NO_INSTRUCTION = 'no instruction yet'

_SAME_NS = 1_000_000  # a chunk and a picture that are stamped closer than this belong together

StateReader = Callable[[Any], 'tuple[int, np.ndarray, float | None] | None']
"""JointState -> (stamp [ns], numbers (n,), gripper width [m] or None), None for others' joints."""


@dataclass(frozen=True, eq=False)
class BagReaders:
    """What the arm's part of an observation is made with; another layer knows the arm.

    Attributes
    ----------
    state : StateReader
        Reads messages of the state's topic; may raise InputError.
    observed : Callable[[np.ndarray], Mapping[str, np.ndarray]]
        The state's vector -> ``Observation.state``.
    opening : Callable[[np.ndarray, float | None], float | None]
        (numbers, gripper width [m]) -> how far the gripper is open, 0 to 1; None: not known.
    command : StateReader | None
        As ``state``, of the commands' topic; None: the commands cannot be read.
    tool_pose : Callable[[np.ndarray], np.ndarray] | None
        Numbers -> T_base_tool (4, 4); None where they do not tell it.
    joints : tuple[str, ...]
        Names of the numbers, where they are joints [rad]; empty otherwise.
    angles : tuple[int, ...]
        Which of the numbers jump by a whole turn.

    """

    state: StateReader
    observed: Callable[[np.ndarray], Mapping[str, np.ndarray]]
    opening: Callable[[np.ndarray, float | None], float | None] = lambda numbers, width: None
    command: StateReader | None = None
    tool_pose: Callable[[np.ndarray], np.ndarray] | None = None
    joints: tuple[str, ...] = ()
    angles: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Seen:
    """What a policy would have seen, or why nothing.

    Attributes
    ----------
    now_ns : int
        When it was asked for, on the node's clock [ns].
    wanted_ns : int | None
        The observation's stamp that was asked for [ns]; None where it was the newest.
    observation : Observation | None
        None when there was none.
    moment : Moment | None
        From which samples it was made.
    problem : str
        Why there is none; empty when there is one.

    """

    now_ns: int
    wanted_ns: int | None
    observation: Observation | None
    moment: Moment | None
    problem: str = ''


class _Picture:
    """A picture's message, read when it is looked at."""

    def __init__(self, bag: Bag, record: Record) -> None:
        self._bag, self._record = bag, record
        self._decoding: Future[np.ndarray] | None = None

    @cached_property
    def message(self) -> Any:
        return self._bag.message(self._record)

    @property
    def data(self) -> Any:
        return self.message.data

    def begin(self, pool: ThreadPoolExecutor, topic: str) -> None:
        """Have it decoded in a thread, which OpenCV does without holding the interpreter."""
        decode = rgb_from_image if self._record.type == IMAGE else rgb_from_compressed
        self._decoding = pool.submit(decode, self.message, topic)

    def decoded(self, topic: str) -> np.ndarray:
        assert self._decoding is not None
        # Let go of: the ingest may keep the message for a while, the pixels are the caller's.
        decoding, self._decoding = self._decoding, None
        return decoding.result()


class BagObservations:
    """Walks a bag and gives observations.

    Parameters
    ----------
    bag : Bag
        Open.
    topics : ReplayTopics
        Which topics are what.
    config : IngestConfig
        Tolerances and latencies, as those of the live node.
    readers : BagReaders
        The arm.
    instruction : str | None
        Said instead of what was recorded; None: as recorded.
    sources : Mapping[int, Mapping[str, int]] | None
        Observation's stamp -> topic -> time of the sample that the live node used [ns], where it
        was recorded: then that very sample is taken.

    Attributes
    ----------
    time : BagTime
        On which clock it runs.
    refused : dict[str, int]
        What was wrong with messages that could not be used -> how many.
    other_samples : int
        Observations made from other samples than the live node used: the recorder heard of the
        messages in another order, or not at all.

    """

    def __init__(self, bag: Bag, topics: ReplayTopics, config: IngestConfig, readers: BagReaders,
                 instruction: str | None = None,
                 sources: Mapping[int, Mapping[str, int]] | None = None) -> None:
        self._sources = sources or {}
        # Its threads end with it.
        self._pool = ThreadPoolExecutor(max(len(topics.cameras), 1), thread_name_prefix='decode')
        self._bag = bag
        self._topics = topics
        self._readers = readers
        self._given = instruction
        self._instruction = instruction
        self.ingest = ObservationIngest(
            topics.cameras, topics.objects is not None, config,
            Readers(_Picture.decoded, readers.observed, frames_from_markers))
        self.time = BagTime(bag, topics.state)
        self.refused: dict[str, int] = {}
        self.other_samples = 0

    def at_rate(self, rate_hz: float) -> Iterator[Seen]:
        """Yield what the policy would see, asked at a rate; the same pictures only once.

        Until there is a first observation nothing is said: that inputs come one after the other
        at the start is no fault.
        """
        period = round(1e9 / rate_hz)
        due: int | None = None
        before: int | None = None
        begun = False
        for record, now_ns in self._records():
            if due is None and now_ns > 0:
                due = now_ns
            while due is not None and due < now_ns:
                seen = self._ask(due, None, before)
                if seen is not None and (begun or not seen.problem):
                    begun = True
                    before = before if seen.moment is None else seen.moment.stamp_ns
                    yield seen
                due += period
            self._tell(record, now_ns)
        if due is not None and (seen := self._ask(due, None, before)) is not None:
            yield seen

    def at_stamps(self, stamps_ns: Sequence[int]) -> Iterator[Seen]:
        """Yield the observation of each of these stamps [ns], in their order; all are answered.

        It is asked for when no later message changes it, at the latest before the picture that
        follows. How old the inputs are is judged by the newest stamp: that the recorder heard of
        all of them late is no fault of the observation, which was made.
        """
        pending = sorted(set(stamps_ns))
        now_ns = 0
        for record, at in self._records():
            if record.topic in self.ingest.image_topics and pending:
                yield from self._reached(pending, now_ns, settled=False)
            now_ns = at
            self._tell(record, now_ns)
            if pending:
                yield from self._reached(pending, now_ns, settled=True)
        yield from self._reached(pending, now_ns, settled=False)
        for stamp in pending:
            yield Seen(now_ns, stamp, None, None, 'no pictures belong to it')

    def _reached(self, pending: list[int], now_ns: int, settled: bool) -> Iterator[Seen]:
        reference = self.ingest.reference_ns()
        if reference is None:
            return
        place = bisect_left(pending, reference - _SAME_NS)
        for stamp in pending[:place]:
            yield Seen(now_ns, stamp, None, None, 'no pictures belong to it')
        del pending[:place]
        if not pending or pending[0] > reference + _SAME_NS:
            return
        now_ns = min(now_ns, self.ingest.latest_ns())
        sources = self._sources.get(pending[0])
        if settled and not (self.ingest.settled(reference)
                            or (sources is not None and self._used(now_ns) == sources)):
            return
        seen = self._ask(now_ns, pending[0], None)
        if seen is not None:
            used = None if seen.moment is None else _without_slash(seen.moment.stamps_ns)
            self.other_samples += None not in (sources, used) and used != sources
            del pending[0]
            yield seen

    def _used(self, now_ns: int) -> dict[str, int] | None:
        """Return from which samples an observation would be made now; None: there is none."""
        try:
            return _without_slash(self.ingest.moment(now_ns).stamps_ns)
        except InputError:
            return None

    def _ask(self, now_ns: int, wanted_ns: int | None, before: int | None) -> Seen | None:
        """Return what is seen now; None when it is what was seen before."""
        if not (self._instruction or '').strip():
            self.ingest.pause()
            return Seen(now_ns, wanted_ns, None, None, NO_INSTRUCTION)
        try:
            moment = self.ingest.moment(now_ns)
            if moment.stamp_ns == before:
                return None
            for topic in self.ingest.image_topics:
                moment.values[topic].begin(self._pool, topic)
            observation = self.ingest.observation(moment, self._instruction or '')
        except InputError as error:
            return Seen(now_ns, wanted_ns, None, None, str(error))
        return Seen(now_ns, wanted_ns, observation, moment)

    def _records(self) -> Iterator[tuple[Record, int]]:
        stamped = {*self._topics.cameras.values(), self._topics.state, self._topics.commands}
        topics = dict.fromkeys((*self._topics.observed, *self.time.topics))
        for record in self._bag.records(list(topics)):
            stamp = header_ns(record.data) if record.topic in stamped else None
            yield record, self.time.now_ns(record, stamp)

    def _tell(self, record: Record, now_ns: int) -> None:
        """Tell the ingest of a record."""
        topics, topic = self._topics, record.topic
        if topic in self.ingest.image_topics:
            self.ingest.add_image(topic, header_ns(record.data), _Picture(self._bag, record),
                                  now_ns)
            return
        message = self._bag.message(record)
        try:
            if topic == topics.state:
                state = self._readers.state(message)
                if state is not None:
                    self.ingest.add_state(*state, now_ns)
            elif topic == topics.commands and self._readers.command is not None:
                command = self._readers.command(message)
                if command is not None:
                    self.ingest.add_command(command[1], now_ns)
            elif topic == topics.objects and message.markers:
                self.ingest.add_objects(to_ns(message.markers[0].header.stamp), message, now_ns)
            elif topic == topics.instruction and self._given is None:
                self._instruction = message.data
        except InputError as error:
            self.refused[str(error)] = self.refused.get(str(error), 0) + 1


def recorded_sources(bag: Bag, topic: str | None) -> dict[int, dict[str, int]]:
    """Return, by an observation's stamp, topic (without its first /) -> stamp that was used [ns].

    ``topic`` is that of the observation records; None, or other texts: nothing is known.
    """
    found: dict[int, dict[str, int]] = {}
    for record in bag.records([topic]) if topic is not None else ():
        try:
            one = ObservationRecord.from_json(bag.message(record).data, record.topic)
        except InputError:
            continue
        found[one.stamp_ns] = _without_slash(one.sources)
    return found


def _without_slash(stamps_ns: Mapping[str, int]) -> dict[str, int]:
    return {name.lstrip('/'): stamp for name, stamp in stamps_ns.items()}
