"""Observations assembled at one moment from streams that arrive when they like."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import ConfigError, InvariantError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class StreamSpec:
    """One input.

    Attributes
    ----------
    max_age_ns : int
        Older than this is stale [ns].
    reference : bool
        Whether the observation's time is taken from this stream (cameras).
    interpolate : bool
        Whether a value between two samples is their linear mean (joints), not the nearest one.
    keep : int
        Samples kept.

    """

    max_age_ns: int
    reference: bool = False
    interpolate: bool = False
    keep: int = 50


@dataclass(frozen=True, eq=False)
class Moment:
    """The value of every stream at one time, and how old each was when it was asked for.

    Attributes
    ----------
    stamp_ns : int
        The observation's time [ns].
    values : Mapping[str, Any]
        Stream -> value.
    ages_ns : Mapping[str, int]
        Stream -> age of its newest sample [ns].
    skew_ns : int
        Largest difference between the stamps of the reference streams' samples [ns].

    """

    stamp_ns: int
    values: Mapping[str, Any]
    ages_ns: Mapping[str, int]
    skew_ns: int


class ObservationBuffer:
    """Samples of every stream by stamp.

    The observation's time is the newest one that every reference stream has reached: with two
    cameras, the older of their newest images. The other streams are read at that time, so the
    state belongs to the pictures, as in the recordings that policies are trained on.

    A stamp that goes back a little (out of order) is dropped and counted. One that goes back by
    more than ``jump_ns`` means that the clock jumped (a restarted simulation, a looping bag): the
    stream's older samples are forgotten.
    """

    def __init__(self, streams: Mapping[str, StreamSpec], jump_ns: int = 1_000_000_000) -> None:
        if not streams:
            raise ConfigError('an observation needs at least one stream')
        self.streams = dict(streams)
        self.jump_ns = jump_ns
        self.counts: Counter[str] = Counter()
        self._samples: dict[str, deque[tuple[int, Any]]] = {
            name: deque(maxlen=spec.keep) for name, spec in streams.items()}

    def add(self, stream: str, stamp_ns: int, value: Any) -> None:
        """Take in a sample of a stream."""
        samples = self._samples[stream]
        if samples and stamp_ns <= samples[-1][0]:
            if samples[-1][0] - stamp_ns < self.jump_ns:
                self.counts[f'{stream}: out of order'] += 1
                return
            self.counts[f'{stream}: clock jumped back'] += 1
            samples.clear()
        samples.append((stamp_ns, value))

    def problems(self, now_ns: int) -> list[str]:
        """Return what is missing or stale at this time, by name; empty when all is well."""
        found = []
        for name, spec in self.streams.items():
            samples = self._samples[name]
            if not samples:
                found.append(f'{name}: none received yet')
                continue
            age = now_ns - samples[-1][0]
            if not age <= spec.max_age_ns:
                found.append(f'{name}: {age * 1e-9:.2f} s old > {spec.max_age_ns * 1e-9:g} s')
            elif not age >= -self.jump_ns:
                found.append(f'{name}: stamped {-age * 1e-9:.2f} s in the future')
        return found

    def at(self, now_ns: int) -> Moment:
        """Return the newest moment for which every stream has a sample.

        Only to be called when :meth:`problems` found none.
        """
        newest = {name: samples[-1][0] for name, samples in self._samples.items() if samples}
        if len(newest) != len(self.streams):
            raise InvariantError('an observation was assembled with a stream missing')
        references = [name for name, spec in self.streams.items() if spec.reference]
        stamp = min(newest[name] for name in references or newest)
        values, used = {}, {}
        for name, spec in self.streams.items():
            used[name], values[name] = _sample_at(self._samples[name], stamp, spec.interpolate)
        stamps = [used[name] for name in references]
        return Moment(stamp, values, {name: now_ns - t for name, t in newest.items()},
                      max(stamps) - min(stamps) if stamps else 0)


def _sample_at(samples: deque[tuple[int, Any]], stamp: int, interpolate: bool) -> tuple[int, Any]:
    """Return (stamp, value) nearest to a time, or interpolated at it between its neighbours."""
    after = samples[-1]
    if after[0] <= stamp:
        return after
    for before in reversed(samples):
        if before[0] > stamp:
            after = before
            continue
        if interpolate:
            fraction = (stamp - before[0]) / (after[0] - before[0])
            return stamp, before[1] + fraction * (after[1] - before[1])
        return before if stamp - before[0] <= after[0] - stamp else after
    return after  # every sample is newer than the time
