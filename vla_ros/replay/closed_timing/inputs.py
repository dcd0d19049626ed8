"""What came to the control side of a recording, and when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.chunk_message import chunk_frame_id, chunk_from_message
from vla_ros.core.errors import InputError
from vla_ros.core.policy_description import PolicyDescription
from vla_ros.core.types import ActionChunk
from vla_ros.replay.bag import Bag
from vla_ros.replay.bag_time import BagTime
from vla_ros.replay.stamps import header_ns, to_ns

Array = NDArray[np.float64]
_LEAD_NS = 200_000_000

ReadState = Callable[[Any], 'tuple[int, Array, float | None] | None']


@dataclass(frozen=True, eq=False)
class JointSample:
    """One joint state: ``q`` (n,) [rad] and opening ``width`` [m] (None: not told) at a stamp."""

    stamp_ns: int
    arrival_ns: int
    q: Array
    width: float | None


@dataclass(frozen=True, eq=False)
class ChunkArrival:
    """A chunk, or a withdrawal (``chunk`` None), and when it came."""

    stamp_ns: int
    arrival_ns: int
    chunk: ActionChunk | None

    @property
    def latency_s(self) -> float:
        """Time from the observation to the arrival [s]."""
        return (self.arrival_ns - self.stamp_ns) * 1e-9


@dataclass(frozen=True, eq=False)
class Inputs:
    """Everything that the control side takes in.

    Attributes
    ----------
    joints : tuple[JointSample, ...]
        In the order of their stamps.
    chunks : tuple[ChunkArrival, ...]
        In the order of their arrivals.
    started_ns : tuple[int, ...]
        When a policy announced itself anew.
    notes : tuple[str, ...]
        What a reader should know of them.
    commands : tuple[tuple[int, np.ndarray], ...]
        When joints (n,) [rad] were commanded, and which.

    """

    joints: tuple[JointSample, ...]
    chunks: tuple[ChunkArrival, ...]
    started_ns: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    commands: tuple[tuple[int, Array], ...] = ()

    @property
    def latencies_s(self) -> list[float]:
        """Recorded latencies of the chunks [s]."""
        return [c.latency_s for c in self.chunks if c.chunk is not None]


@dataclass(frozen=True)
class Reader:
    """How messages of a bag are read; the arm's part comes from who knows the arm.

    Attributes
    ----------
    state, command : callable
        JointState -> (stamp [ns], q, width); ``command`` may be None.
    base_frame, tool_frame : str
        Of the arm.
    policy : PolicyDescription | None
        Says how to read the chunks instead of what the bag says.
    repeat : int
        How often the one action of a chunk of one step stands in it.

    """

    state: ReadState
    command: ReadState | None
    base_frame: str
    tool_frame: str
    policy: PolicyDescription | None = None
    repeat: int = 1


@dataclass(frozen=True)
class Topics:
    """Topics of a bag; ``state``, ``commands`` and ``policy`` may be None."""

    chunks: str
    state: str | None = None
    commands: str | None = None
    policy: str | None = None


def read_inputs(bag: Bag, topics: Topics, reader: Reader) -> Inputs:
    """Return what a bag has for the control side.

    Raises
    ------
    InputError
        When there are no chunks or joint states that can be used, or nobody says how to read them.

    """
    time = BagTime(bag, topics.state or topics.chunks)
    wanted = [topic for topic in (topics.chunks, topics.state, topics.commands, topics.policy)
              if topic is not None]
    described, announced = reader.policy, 0
    if described is None and topics.policy is not None:
        # It is latched: who began to record later has it behind the first chunks.
        first = bag.message(next(bag.records([topics.policy])))
        described = PolicyDescription.from_json(first.data, topics.policy)
    joints: list[JointSample] = []
    chunks: list[ChunkArrival] = []
    commands: list[tuple[int, Array]] = []
    started: list[int] = []
    refused: dict[str, int] = {}
    for record in bag.records(list(dict.fromkeys((*wanted, *time.topics)))):
        stamped = record.topic in (topics.chunks, topics.state, topics.commands)
        now_ns = time.now_ns(record, header_ns(record.data) if stamped else None)
        message = bag.message(record)
        try:
            if record.topic == topics.policy:
                if announced:
                    started.append(now_ns)
                announced += 1
                described = reader.policy or PolicyDescription.from_json(message.data,
                                                                         record.topic)
            elif record.topic == topics.state:
                _add_joints(joints, reader.state(message), now_ns)
            elif record.topic == topics.commands and reader.command is not None:
                command = reader.command(message)
                if command is not None:
                    commands.append((now_ns, command[1]))
            elif record.topic == topics.chunks:
                chunks.append(_chunk(message, described, reader, topics, bag, now_ns))
        except InputError as error:
            if record.topic == topics.chunks and described is None:
                raise
            refused[str(error)] = refused.get(str(error), 0) + 1
    if not any(arrival.chunk for arrival in chunks):
        raise InputError(f'{bag.path}: {topics.chunks}: no action chunk that can be used'
                         + ''.join(f'; {count} times: {why}' for why, count in refused.items()))
    notes = [f'{count} messages refused: {why}' for why, count in sorted(refused.items())]
    notes += [time.note] if time.note else []
    return Inputs(tuple(joints), _with_dt(chunks, reader), tuple(started), tuple(notes),
                  tuple(commands))


def _add_joints(joints: list[JointSample], found: tuple[int, Array, float | None] | None,
                now_ns: int) -> None:
    if found is None:
        return
    stamp, q, width = found
    if not joints or stamp > joints[-1].stamp_ns:
        joints.append(JointSample(stamp, max(now_ns, stamp), q, width))


def _chunk(message: Any, described: PolicyDescription | None, reader: Reader, topics: Topics,
           bag: Bag, now_ns: int) -> ChunkArrival:
    stamp = to_ns(message.header.stamp)
    if not message.points:
        return ChunkArrival(stamp, now_ns, None)
    if described is None:
        raise InputError(
            f'{bag.path}: {topics.chunks}: nobody says how to read it: the bag has no topic '
            'policy with a description before it; name a convention (a file of config/policies)')
    frame = chunk_frame_id(described.convention, reader.base_frame, reader.tool_frame)
    chunk = chunk_from_message(message, described, frame, topics.chunks)
    return ChunkArrival(stamp, max(now_ns, stamp), chunk)


def _with_dt(chunks: list[ChunkArrival], reader: Reader) -> tuple[ChunkArrival, ...]:
    """Repeat the one action of chunks of one step, as their policy would."""
    if reader.repeat == 1:
        return tuple(chunks)
    return tuple(replace(arrival, chunk=replace(
        arrival.chunk, actions=arrival.chunk.actions.repeat(reader.repeat, axis=0)))
        if arrival.chunk is not None and arrival.chunk.horizon == 1 else arrival
        for arrival in chunks)


def from_first_chunk(inputs: Inputs) -> Inputs:
    """Return the inputs from a little before the first chunk's observation on.

    What moved the arm before that is not in the recording, so an arm that follows begins where the
    recorded one was then.
    """
    first = min(arrival.stamp_ns for arrival in inputs.chunks) - _LEAD_NS
    joints = tuple(sample for sample in inputs.joints if sample.stamp_ns >= first)
    return replace(inputs, joints=joints or inputs.joints)


def without_arm(inputs: Inputs, home: Array, width: float, period_ns: int, tail_ns: int) -> Inputs:
    """Return the inputs with joint states of an arm that starts at ``home`` (n,) [rad].

    They come when they are stamped, from the first chunk's observation to ``tail_ns`` after the
    last chunk's end.
    """
    first = min(arrival.stamp_ns for arrival in inputs.chunks) - period_ns
    last = max(arrival.chunk.end_ns for arrival in inputs.chunks
               if arrival.chunk is not None) + tail_ns
    joints = tuple(JointSample(stamp, stamp, home, width)
                   for stamp in range(first, last + 1, period_ns))
    return replace(inputs, joints=joints)
