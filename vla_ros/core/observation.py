"""Observations assembled at one moment from streams that arrive when they like."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import ConfigError, InputError

Array = NDArray[np.float64]

ACCEPTED = 'accepted'
NO_STAMP = 'no stamp'
FUTURE = 'stamped in the future'
STANDS_STILL = 'stamp stands still'
OUT_OF_ORDER = 'out of order'
GAP = 'gap'
"""Counted beside ``accepted``: stamped more than ``max_age_ns`` after the sample before."""


@dataclass(frozen=True)
class StreamSpec:
    """One input.

    Attributes
    ----------
    max_age_ns : int
        A stream whose newest header stamp is older than this is stale [ns].
    max_offset_ns : int
        How far the sample that is used may be from the observation's time, and the samples of two
        reference streams from each other [ns].
    latency_ns : int
        How long after the truth the device stamps it [ns]: subtracted from the header's stamp.
    reference : bool
        Whether the observation's time is taken from this stream (cameras).
    interpolate : bool
        Whether a value between two samples is their linear mean (joints), not the nearest one.
    keep : int
        Samples kept at most. Only those that may still be used are kept in any case; this bounds
        them while another stream is silent.

    Raises
    ------
    ConfigError
        When a time is negative, or nothing would be fresh enough or kept.

    """

    max_age_ns: int
    max_offset_ns: int
    latency_ns: int = 0
    reference: bool = False
    interpolate: bool = False
    keep: int = 64

    def __post_init__(self) -> None:
        if not (self.max_age_ns > 0 and self.max_offset_ns >= 0 and self.latency_ns >= 0
                and self.keep >= 2):
            raise ConfigError('an observation stream needs max_age_ns > 0, max_offset_ns >= 0, '
                              f'latency_ns >= 0 and keep >= 2, found {self}')


@dataclass(frozen=True, eq=False)
class Moment:
    """The value of every stream at one time, and how old each was when it was asked for.

    Attributes
    ----------
    stamp_ns : int
        The observation's time [ns].
    values : Mapping[str, Any]
        Stream -> value.
    stamps_ns : Mapping[str, int]
        Stream -> time of that value [ns]; ``stamp_ns`` for one that is interpolated.
    ages_ns : Mapping[str, int]
        Stream -> age of its newest sample [ns], its latency included.
    skew_ns : int
        Largest difference between the stamps of the reference streams' samples [ns].

    """

    stamp_ns: int
    values: Mapping[str, Any]
    stamps_ns: Mapping[str, int]
    ages_ns: Mapping[str, int]
    skew_ns: int


class ObservationBuffer:
    """Samples of every stream by stamp.

    The observation's time is the newest one that every reference stream has reached: with two
    cameras, the older of their newest images. The other streams are read at that time, so the
    state belongs to the pictures, as in the recordings that policies are trained on.

    Stamps are corrected by each stream's latency when they come in, so that streams of devices
    with different latencies meet at the time of the truth; everything that is returned is in
    corrected time. Whether a stream is stale is judged by the header's stamp, since a latency that
    is known is no fault.

    A message without a stamp, with one in the future, or with one not later than the newest is
    dropped and counted. When the newest sample itself lies in the future, the clock was set back
    (a restarted simulation, a looping bag): all that is known is of a world that is gone, and is
    forgotten.

    The same calls give the same answers; not thread-safe.

    Parameters
    ----------
    streams : Mapping[str, StreamSpec]
        The inputs by name.
    max_future_ns : int
        How far a header's stamp may be ahead of the clock [ns]: clocks of two machines apart, or a
        simulated clock that is heard of after the image.

    """

    def __init__(self, streams: Mapping[str, StreamSpec], max_future_ns: int) -> None:
        if not streams:
            raise ConfigError('an observation needs at least one stream')
        self.streams = dict(streams)
        self.max_future_ns = max_future_ns
        self.counts: dict[str, Counter[str]] = {name: Counter() for name in streams}
        self.clock_jumps = 0  # how often the clock was set back
        self._samples: dict[str, deque[tuple[int, Any]]] = {
            name: deque(maxlen=spec.keep) for name, spec in streams.items()}
        self._dropped: dict[str, tuple[int, str]] = {}  # since the last sample: how many, why
        self._references = [n for n, s in streams.items() if s.reference] or list(streams)

    def add(self, stream: str, stamp_ns: int, value: Any, now_ns: int) -> str:
        """Take in a sample with its header's stamp that arrives now; return what became of it.

        The answer, ``accepted`` or why not, is also what is counted in ``counts``.
        """
        spec = self.streams[stream]
        self._notice_clock(now_ns)
        samples = self._samples[stream]
        newest = samples[-1][0] if samples else None
        corrected = stamp_ns - spec.latency_ns
        if stamp_ns <= 0:
            return self._drop(stream, NO_STAMP)
        if stamp_ns - now_ns > self.max_future_ns:
            return self._drop(stream, FUTURE)
        if newest is not None and corrected <= newest:
            return self._drop(stream, STANDS_STILL if corrected == newest else OUT_OF_ORDER)
        if newest is not None and corrected - newest > spec.max_age_ns:
            self.counts[stream][GAP] += 1
        samples.append((corrected, value))
        self._forget_unreachable(samples)
        self._dropped.pop(stream, None)
        self.counts[stream][ACCEPTED] += 1
        return ACCEPTED

    def newest_ns(self, stream: str) -> int | None:
        """Return the corrected stamp of a stream's newest sample [ns], or None without one."""
        samples = self._samples[stream]
        return samples[-1][0] if samples else None

    def problem(self, stream: str, now_ns: int) -> str:
        """Return why a stream is missing or stale at this time, by name; empty when it is well."""
        newest, spec = self.newest_ns(stream), self.streams[stream]
        if newest is None:
            return f'{stream}: none received yet{self._drops(stream)}'
        age = now_ns - (newest + spec.latency_ns)
        if not age <= spec.max_age_ns:
            return (f'{stream}: {age * 1e-9:.2f} s old > {spec.max_age_ns * 1e-9:g} s'
                    f'{self._drops(stream)}')
        if not -age <= self.max_future_ns:
            return f'{stream}: stamped {-age * 1e-9:.2f} s in the future (the clock was set back)'
        return ''

    def at(self, now_ns: int) -> Moment:
        """Return the newest moment for which every stream has a sample within its tolerance.

        Raises
        ------
        InputError
            When there is none: it names each stream and what is wrong with it.

        """
        problems = [p for name in self.streams if (p := self.problem(name, now_ns))]
        if problems:
            raise InputError('; '.join(problems))
        newest = {name: samples[-1][0] for name, samples in self._samples.items()}
        stamp = min(newest[name] for name in self._references)
        values, used = {}, {}
        for name, spec in self.streams.items():
            used[name], values[name] = _sample_at(self._samples[name], stamp, spec)
            if not spec.reference and abs(used[name] - stamp) > spec.max_offset_ns:
                problems.append(
                    f'{name}: the nearest sample is {abs(used[name] - stamp) * 1e-9:.3f} s from '
                    f"the observation's time > {spec.max_offset_ns * 1e-9:g} s")
        skew, too_far = self._skew(used)
        if too_far or problems:
            raise InputError('; '.join([*too_far, *problems]))
        return Moment(stamp, values, used, {name: now_ns - t for name, t in newest.items()}, skew)

    def _skew(self, used: Mapping[str, int]) -> tuple[int, list[str]]:
        """Return the skew of the reference streams [ns], and what is wrong with it in words."""
        stamps = {name: used[name] for name, spec in self.streams.items() if spec.reference}
        if not stamps:
            return 0, []
        first = min(stamps, key=lambda name: stamps[name])
        last = max(stamps, key=lambda name: stamps[name])
        skew = stamps[last] - stamps[first]
        limit = min(self.streams[name].max_offset_ns for name in stamps)
        if skew <= limit:
            return skew, []
        return skew, [f'{first} and {last}: their nearest images are {skew * 1e-9:.3f} s apart > '
                      f'{limit * 1e-9:g} s']

    def _drop(self, stream: str, why: str) -> str:
        self.counts[stream][why] += 1
        self._dropped[stream] = self._dropped.get(stream, (0, ''))[0] + 1, why
        return why

    def _drops(self, stream: str) -> str:
        if stream not in self._dropped:
            return ''
        count, why = self._dropped[stream]
        return f' ({count} dropped since, the last one: {why})'

    def _notice_clock(self, now_ns: int) -> None:
        # None was accepted that far ahead, so it is the clock that went back.
        for name, samples in self._samples.items():
            latency = self.streams[name].latency_ns
            if samples and samples[-1][0] + latency - now_ns > self.max_future_ns:
                self.clock_jumps += 1
                for each in self._samples.values():
                    each.clear()
                return

    def _forget_unreachable(self, samples: deque[tuple[int, Any]]) -> None:
        # The observation's time never goes back, so what lies before the sample that is next to it
        # cannot be asked for again.
        newest = [self._samples[name][-1][0] for name in self._references if self._samples[name]]
        if len(newest) < len(self._references):
            return
        stamp = min(newest)
        while len(samples) > 1 and samples[1][0] <= stamp:
            samples.popleft()


def _sample_at(samples: deque[tuple[int, Any]], stamp: int, spec: StreamSpec) -> tuple[int, Any]:
    """Return (stamp, value) nearest to a time, or interpolated at it between its neighbours."""
    after = samples[-1]
    if after[0] <= stamp:
        return after
    for before in reversed(samples):
        if before[0] > stamp:
            after = before
            continue
        near = min(stamp - before[0], after[0] - stamp)
        if spec.interpolate and max(stamp - before[0], after[0] - stamp) <= spec.max_offset_ns:
            fraction = (stamp - before[0]) / (after[0] - before[0])
            return stamp, before[1] + fraction * (after[1] - before[1])
        return before if stamp - before[0] == near else after
    return after  # every sample is newer than the time
