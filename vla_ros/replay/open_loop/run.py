"""The replay itself: observations to the policy, its chunks beside what was recorded."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from vla_ros.core.errors import InputError
from vla_ros.core.types import ActionChunk, ActionConvention, Observation
from vla_ros.progress import Progress
from vla_ros.replay.bag_observations import BagObservations, Seen
from vla_ros.replay.open_loop.result import Inference, Missed

_NUMBER = re.compile(r'\d+\.\d+')


class ReplayedSpec(Protocol):
    """What is needed to know of a policy."""

    @property
    def name(self) -> str: ...
    @property
    def cameras(self) -> tuple[str, ...]: ...
    @property
    def dims(self) -> tuple[str, ...]: ...
    @property
    def convention(self) -> ActionConvention: ...
    @property
    def dt_ns(self) -> int: ...
    @property
    def horizon(self) -> int: ...


class ReplayedPolicy(Protocol):
    """What answers; the replay knows no policy, it is given one."""

    @property
    def spec(self) -> ReplayedSpec: ...

    def infer(self, observation: Observation) -> ActionChunk:
        """Return the actions for an observation, or raise InputError."""


class Reference(Protocol):
    """What was recorded, in the policy's numbers."""

    kind: str

    def actions(self, stamp_ns: int, horizon: int, dt_ns: int) -> np.ndarray:
        """Return (horizon, D) for the steps of a chunk; NaN where nothing was recorded."""


@dataclass(frozen=True, eq=False)
class Pace:
    """Which observations are asked about.

    Attributes
    ----------
    stamps_ns : Sequence[int] | None
        Those with these stamps; None: those of a rate.
    rate_hz : float
        Inferences a second.
    total : int
        How many there will be, about.

    """

    stamps_ns: Sequence[int] | None
    rate_hz: float
    total: int

    def seen(self, observations: BagObservations) -> Iterator[Seen]:
        """Yield them."""
        if self.stamps_ns is None:
            return observations.at_rate(self.rate_hz)
        return observations.at_stamps(self.stamps_ns)


@dataclass
class Answers:
    """What a pass over the bag gave.

    Attributes
    ----------
    rows : list[Inference]
        In time order.
    missed : list[Missed]
        Observations that could not be made or answered.
    sizes : dict[str, tuple[int, int]]
        Camera -> (height, width) of its pictures [px].
    notes : list[str]
        About the bag's time and messages.

    """

    rows: list[Inference] = field(default_factory=list)
    missed: list[Missed] = field(default_factory=list)
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def ask_all(observations: BagObservations, policy: ReplayedPolicy, reference: Reference,
            pace: Pace, quiet: bool = False) -> Answers:
    """Ask the policy about every observation of a bag.

    Raises
    ------
    InputError
        When there is no answer at all; says why.

    """
    spec = policy.spec
    out = Answers()
    with Progress('replaying', pace.total, 'inferences', quiet) as progress:
        for seen in pace.seen(observations):
            progress.advance()
            if seen.observation is None:
                out.missed.append(Missed(seen.now_ns, seen.wanted_ns, seen.problem))
                continue
            try:
                chunk, timings = timed(policy, seen.observation)
            except InputError as error:
                out.missed.append(Missed(seen.now_ns, seen.observation.stamp_ns, str(error)))
                continue
            if not out.sizes:
                out.sizes = {camera: (image.shape[0], image.shape[1])
                             for camera, image in seen.observation.images.items()}
            stamp = seen.wanted_ns or chunk.stamp_ns
            out.rows.append(Inference(
                stamp, chunk.actions, reference.actions(stamp, chunk.horizon, spec.dt_ns), 1,
                timings, seen.observation.instruction))
    out.notes += [note for note in (observations.time.note,) if note]
    out.notes += [f'{count} messages could not be used: {why}'
                  for why, count in observations.refused.items()]
    if observations.other_samples:
        out.notes.append(f'{observations.other_samples} observations were made from other samples '
                         'than the recorded policy saw: the recorder heard of the messages in '
                         'another order, or missed some')
    if not out.rows:
        raise InputError('no observation could be made and answered: '
                         + '; '.join(reasons(out.missed)[:3] + out.notes))
    out.rows = _with_executed(_of_one_horizon(out), spec.dt_ns)
    return out


def timed(policy: ReplayedPolicy, observation: Observation) -> tuple[ActionChunk,
                                                                     Mapping[str, float]]:
    """Return a policy's answer and how long its stages took [ms]."""
    begun = time.perf_counter()
    chunk = policy.infer(observation)
    infer = (time.perf_counter() - begun) * 1e3
    stages = {name: ms for name, ms in getattr(policy, 'timings', {}).items() if name != 'total'}
    return chunk, {**stages, 'infer': infer}


def reasons(missed: Sequence[Missed]) -> list[str]:
    """Return why observations are missing, the most frequent reason first."""
    kinds: dict[str, list[str]] = {}
    for one in missed:
        # Ages differ from one to the next, the reason does not.
        kinds.setdefault(_NUMBER.sub('#', one.reason), []).append(one.reason)
    ordered = sorted(kinds.values(), key=len, reverse=True)
    return [f'{len(whys)} × such as: {whys[0]}' if len(whys) > 1 else whys[0]
            for whys in ordered] or ['none came']


def _of_one_horizon(answers: Answers) -> list[Inference]:
    """Return the rows, chunks shorter than the longest filled up with NaN."""
    longest = max(len(row.predicted) for row in answers.rows)

    def filled(values: np.ndarray) -> np.ndarray:
        return np.pad(values, ((0, longest - len(values)), (0, 0)), constant_values=np.nan)

    return [row if len(row.predicted) == longest else
            Inference(row.stamp_ns, filled(row.predicted), filled(row.reference), row.executed,
                      row.timings_ms, row.instruction) for row in answers.rows]


def _with_executed(rows: list[Inference], dt_ns: int) -> list[Inference]:
    """Say of each row how many of its steps are over when the next inference's begin."""
    stamps = np.array([row.stamp_ns for row in rows], dtype=np.int64)
    gaps = np.diff(stamps)
    usual = int(np.median(gaps)) if gaps.size else dt_ns
    return [Inference(row.stamp_ns, row.predicted, row.reference,
                      int(np.clip(round(gap / dt_ns), 1, len(row.predicted))), row.timings_ms,
                      row.instruction)
            for row, gap in zip(rows, [*gaps.tolist(), usual], strict=True)]


def sample(rows: Sequence[Inference], count: int) -> list[Inference]:
    """Return at most ``count`` rows, evenly spread."""
    if len(rows) <= count:
        return list(rows)
    return [rows[i] for i in np.unique(np.linspace(0, len(rows) - 1, count).round().astype(int))]
