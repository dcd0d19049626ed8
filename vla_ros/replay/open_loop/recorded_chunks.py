"""The action chunks of a bag, as what a policy's chunks are compared with."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vla_ros.core.errors import InputError
from vla_ros.core.policy_description import PolicyDescription
from vla_ros.core.types import EE_DIMS, GRIPPER_DIM, ActionConvention, ActionSpace
from vla_ros.replay.bag import Bag
from vla_ros.replay.stamps import to_ns

_SAME_NS = 1_000_000


@dataclass(frozen=True, eq=False)
class RecordedChunk:
    """One chunk: (H, D) actions, step i due at ``stamp_ns + i * dt_ns``."""

    stamp_ns: int
    dt_ns: int
    actions: np.ndarray

    @property
    def end_ns(self) -> int:
        """When its last step is over [ns]."""
        return self.stamp_ns + len(self.actions) * self.dt_ns


class RecordedChunks:
    """The chunks of a topic by their observation's stamp.

    The step that is due at a time is one of the chunk of the observation that is asked for, and
    after its end one of the newest chunk of that time: what was then done.

    Parameters
    ----------
    chunks : Sequence[RecordedChunk]
        At least one.
    dims : tuple[str, ...]
        Names of the numbers.
    convention : ActionConvention | None
        How they were meant; None where the recording does not say.
    topic : str
        For messages.

    """

    kind = 'chunks'

    def __init__(self, chunks: Sequence[RecordedChunk], dims: tuple[str, ...],
                 convention: ActionConvention | None, topic: str) -> None:
        self.chunks = sorted(chunks, key=lambda chunk: chunk.stamp_ns)
        self.dims, self.convention, self.topic = dims, convention, topic
        self._stamps = [chunk.stamp_ns for chunk in self.chunks]
        self._delta = True

    @property
    def stamps_ns(self) -> list[int]:
        """Stamps of the observations that the chunks answer [ns]."""
        return self._stamps

    @property
    def dt_ns(self) -> int:
        """Time between two steps [ns], that of most chunks."""
        return int(np.median([chunk.dt_ns for chunk in self.chunks]))

    def fitted(self, dims: tuple[str, ...], convention: ActionConvention) -> RecordedChunks:
        """Return the chunks in another convention: its units and its gripper.

        Raises
        ------
        InputError
            When the numbers are not of the same kind: other dimensions, space, frame or rotation.

        """
        if dims != self.dims:
            raise InputError(f'{self.topic}: its dimensions {" ".join(self.dims)} are not those of '
                             f'the policy, {" ".join(dims)}')
        recorded = self.convention
        chunks: Sequence[RecordedChunk] = self.chunks
        if recorded is not None:
            for what in ('space', 'frame', 'rotation'):
                ours, theirs = getattr(convention, what), getattr(recorded, what)
                if ours is not theirs:
                    raise InputError(f'{self.topic}: recorded with {what} {theirs.value}, the '
                                     f'policy has {ours.value}')
            chunks = [RecordedChunk(c.stamp_ns, c.dt_ns,
                                    _converted(c.actions, dims, recorded, convention))
                      for c in self.chunks]
        out = RecordedChunks(chunks, dims, recorded, self.topic)
        out._delta = convention.space in (ActionSpace.EE_DELTA, ActionSpace.JOINT_DELTA)
        return out

    def actions(self, stamp_ns: int, horizon: int, dt_ns: int) -> np.ndarray:
        """Return (horizon, D) what was recorded for the steps of a chunk; NaN where nothing was.

        Where the steps are not as long as the recorded ones, changes (deltas) are those within the
        step, in proportion, and everything else is what is due when the step begins.
        """
        out = np.full((horizon, len(self.dims)), np.nan)
        own = self._at(stamp_ns + _SAME_NS)
        if own is None or abs(own.stamp_ns - stamp_ns) > _SAME_NS:
            own = None
        for i in range(horizon):
            # By the recorded chunk's own stamp, which may differ by the rounding of a clock.
            begin = (own.stamp_ns if own else stamp_ns) + i * dt_ns
            out[i] = self._step(own, begin, dt_ns)
        return out

    def _step(self, own: RecordedChunk | None, begin: int, dt_ns: int) -> np.ndarray:
        place = self._place(own, begin)
        if place is None:
            return np.full(len(self.dims), np.nan)
        chunk, index = place
        row = chunk.actions[index]
        if not self._delta or (chunk.dt_ns == dt_ns and begin == chunk.stamp_ns + index * dt_ns):
            return row
        return self._summed(own, begin, dt_ns, row)

    def _summed(self, own: RecordedChunk | None, begin: int, dt_ns: int,
                first: np.ndarray) -> np.ndarray:
        total, at = np.zeros(len(self.dims)), begin
        while at < begin + dt_ns:
            place = self._place(own, at)
            if place is None:
                return np.full(len(self.dims), np.nan)
            chunk, index = place
            until = min(chunk.stamp_ns + (index + 1) * chunk.dt_ns, begin + dt_ns)
            total += chunk.actions[index] * ((until - at) / chunk.dt_ns)
            at = until
        if self.dims[-1] == GRIPPER_DIM:
            total[-1] = first[-1]
        return total

    def _place(self, own: RecordedChunk | None, at: int) -> tuple[RecordedChunk, int] | None:
        chunk = own if own is not None and own.stamp_ns <= at < own.end_ns else self._at(at)
        if chunk is None or not at < chunk.end_ns:
            return None
        return chunk, (at - chunk.stamp_ns) // chunk.dt_ns

    def _at(self, at: int) -> RecordedChunk | None:
        """Return the newest chunk whose observation is not after this time."""
        place = bisect_right(self._stamps, at) - 1
        return self.chunks[place] if place >= 0 else None


def read_chunks(bag: Bag, topic: str, described: str | None = None) -> RecordedChunks:
    """Return the chunks of a topic; messages without steps take chunks back and are passed over.

    ``described`` is the topic on which the policy said what its numbers mean.

    Raises
    ------
    InputError
        When there is no chunk, a value is not finite, the dimensions change, or the steps are not
        evenly apart.

    """
    found: list[RecordedChunk] = []
    dims: tuple[str, ...] = ()
    for record in bag.records([topic]):
        message = bag.message(record)
        if not message.points:
            continue
        names = tuple(message.joint_names)
        if dims and names != dims:
            raise InputError(f'{bag.path}: {topic}: the dimensions change from {" ".join(dims)} to '
                             f'{" ".join(names)}')
        dims = names
        due = np.array([to_ns(point.time_from_start) for point in message.points])
        actions = np.array([point.positions for point in message.points], dtype=np.float64)
        if actions.shape != (len(due), len(dims)) or not np.isfinite(actions).all():
            raise InputError(f'{bag.path}: {topic}: a chunk of shape {actions.shape} for the '
                             f'{len(dims)} dimensions {" ".join(dims)}, or with a value that is '
                             'not finite')
        gaps = np.diff(due)
        if due[0] != 0 or (gaps.size and (gaps.min() <= 0 or np.ptp(gaps) > 2000)):
            raise InputError(f'{bag.path}: {topic}: the steps of a chunk are not evenly apart from '
                             '0 on')
        dt = int(gaps[0]) if gaps.size else 0
        found.append(RecordedChunk(to_ns(message.header.stamp), dt, actions))
    if not found:
        raise InputError(f'{bag.path}: {topic}: no chunk with steps')
    return RecordedChunks(_with_dt(found, bag, topic), dims, _convention(bag, described), topic)


def _with_dt(chunks: list[RecordedChunk], bag: Bag, topic: str) -> list[RecordedChunk]:
    """Give chunks of one step their time: until the next one, as most of them."""
    if all(chunk.dt_ns for chunk in chunks):
        return chunks
    known = [chunk.dt_ns for chunk in chunks if chunk.dt_ns]
    gaps = np.diff(sorted({chunk.stamp_ns for chunk in chunks}))
    if not known and not gaps.size:
        raise InputError(f'{bag.path}: {topic}: a single chunk of one step does not say how long a '
                         'step is')
    dt = int(np.median(known)) if known else int(np.median(gaps))
    return [RecordedChunk(c.stamp_ns, c.dt_ns or dt, c.actions) for c in chunks]


def _convention(bag: Bag, described: str | None) -> ActionConvention | None:
    """Return what the recorded policy said of its numbers, the last time."""
    found = None
    if described is not None:
        for record in bag.records([described]):
            found = PolicyDescription.from_json(bag.message(record).data, described).convention
    return found


def _converted(actions: np.ndarray, dims: tuple[str, ...], old: ActionConvention,
               new: ActionConvention) -> np.ndarray:
    out = actions.copy()
    scales = {True: (old.translation_scale, new.translation_scale),
              False: (old.rotation_scale, new.rotation_scale)}
    for d, name in enumerate(dims):
        if name == GRIPPER_DIM:
            ends = (old.gripper_open, old.gripper_closed), (new.gripper_open, new.gripper_closed)
            if ends[0] != ends[1]:
                share = (out[:, d] - ends[0][1]) / (ends[0][0] - ends[0][1])
                out[:, d] = ends[1][1] + share * (ends[1][0] - ends[1][1])
            continue
        before, after = scales[name in EE_DIMS[:3]]
        if before != after:
            out[:, d] *= before / after
    return out
