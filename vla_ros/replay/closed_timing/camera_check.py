"""Which observations the ingest would have refused with a camera that lags or is frozen."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from vla_ros.replay.bag import Bag, Record
from vla_ros.replay.bag_observations import BagObservations, Seen
from vla_ros.replay.closed_timing.disturbance import CameraDisturbance
from vla_ros.replay.stamps import header_ns

_NS_PER_S = 1_000_000_000
_NUMBER = re.compile(r'\d+(\.\d+)?')
_ENDIAN = {0: '>iI', 1: '<iI'}


class DisturbedBag:
    """A bag in which the pictures of some topics are older than they were, or stand still.

    It has what :class:`BagObservations` asks of a bag. Pictures come when they came; a skew makes
    their stamps that much older, and a frozen camera repeats the picture with which it began.

    Parameters
    ----------
    bag : Bag
        Open.
    disturbances : dict[str, CameraDisturbance]
        Topic -> what is done to it.
    start_ns : int
        From which time the spans count [ns].

    """

    def __init__(self, bag: Bag, disturbances: dict[str, CameraDisturbance],
                 start_ns: int) -> None:
        self.path, self.topics = bag.path, bag.topics
        self._bag = bag
        self._disturbances = disturbances
        self._start_ns = start_ns

    def message(self, record: Record) -> Any:
        """Return the message of a record."""
        return self._bag.message(record)

    def records(self, topics: Collection[str] | None = None) -> Iterator[Record]:
        """Yield the messages as they come."""
        frozen: dict[str, bytes] = {}
        for record in self._bag.records(topics):
            disturbance = self._disturbances.get(record.topic)
            yield record if disturbance is None else self._changed(record, disturbance, frozen)

    def _changed(self, record: Record, disturbance: CameraDisturbance,
                 frozen: dict[str, bytes]) -> Record:
        stamp = header_ns(record.data)
        data = record.data
        span = disturbance.freeze
        since = (stamp - self._start_ns) * 1e-9
        if span is not None and span.start_s <= since < span.start_s + span.duration_s:
            data = frozen.setdefault(record.topic, data)
        older = max(stamp - round(disturbance.skew_s * 1e9), 1)
        return record._replace(data=_stamped(data, older))


def _stamped(data: bytes, stamp_ns: int) -> bytes:
    """Return the CDR of a message with a header, stamped anew."""
    out = bytearray(data)
    struct.pack_into(_ENDIAN[out[1] & 1], out, 4, *divmod(stamp_ns, _NS_PER_S))
    return bytes(out)


class _ObservationsAtTimes(BagObservations):
    """Asks at given times, whatever the newest observation is then."""

    def at_times(self, times_ns: Sequence[int]) -> Iterator[Seen]:
        """Yield what is seen at each of these times [ns], which do not go back."""
        pending = list(times_ns)
        for record, now_ns in self._records():
            while pending and now_ns > pending[0]:
                yield self._seen(pending.pop(0))
            if now_ns:
                self._tell(record, now_ns)
        for at in pending:
            yield self._seen(at)

    def _seen(self, at_ns: int) -> Seen:
        seen = self._ask(at_ns, None, None)
        assert seen is not None  # only an observation that is asked for again is None
        return seen


def refused_observations(
    bag: Bag, observations: Callable[[Any], tuple[Any, ...]],
    disturbances: dict[str, CameraDisturbance], times_ns: Sequence[int], start_ns: int,
) -> dict[int, str]:
    """Return at which times an observation is refused with a disturbance that was not without.

    Parameters
    ----------
    bag : Bag
        Open.
    observations : callable
        Bag -> the arguments of :class:`BagObservations` for it.
    disturbances : dict[str, CameraDisturbance]
        Topic -> what is done to it.
    times_ns : Sequence[int]
        When the answers to the observations came [ns]: what a policy saw was there by then.
    start_ns : int
        From which time the spans count [ns].

    Returns
    -------
    dict[int, str]
        Time -> why it is refused, without the numbers.

    """
    times = sorted(set(times_ns))
    before, after = (
        list(_ObservationsAtTimes(*observations(one)).at_times(times))
        for one in (bag, DisturbedBag(bag, disturbances, start_ns)))
    return {at: without_numbers(disturbed.problem)
            for at, plain, disturbed in zip(times, before, after, strict=True)
            if disturbed.problem and not plain.problem}


def without_numbers(reason: str) -> str:
    """Return the first reason of several with its numbers left out, so that equal ones add up."""
    topic, colon, text = reason.split('; ')[0].partition(': ')
    return topic + colon + _NUMBER.sub('…', text)
