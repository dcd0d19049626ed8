"""A bag as a run of events in time, and how they are given out at a rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.replay.bag import Bag, Record
from vla_ros.replay.bag_time import BagTime
from vla_ros.replay.pictures import PICTURE_TYPES
from vla_ros.replay.play_topics import PlayTopic
from vla_ros.replay.stamps import header_ns
from vla_ros.replay.topic_choice import JOINT_STATE

_SLIP_S = 0.2  # behind by more: the rest is given out later instead of in a burst
_KEPT = 20_000  # delays, at most, of which the report makes its percentiles


@dataclass(frozen=True)
class PlayEvent:
    """Something to publish.

    Attributes
    ----------
    at_ns : int
        When, from the start [ns of the bag's time].
    clock_ns : int
        What time it is then on the clock of the nodes [ns]; 0 while the bag does not tell.
    topic : PlayTopic | None
        None: only the time.
    data : bytes
        The message as CDR.

    """

    at_ns: int
    clock_ns: int
    topic: PlayTopic | None = None
    data: bytes = b''


@dataclass(frozen=True)
class PlayReport:
    """How it went.

    Attributes
    ----------
    messages : int
        That were published, without ``/clock``.
    duration_s : float
        Of the bag that was played [s].
    took_s : float
        Real time [s].
    slipped_s : float
        Real time that it took longer than the rate asks for [s].
    late_ms : tuple[float, float, float]
        Median, 99th percentile and largest delay of an event behind its time [ms].

    """

    messages: int
    duration_s: float
    took_s: float
    slipped_s: float
    late_ms: tuple[float, float, float]

    def text(self, rate: float) -> str:
        """Return it in words."""
        found = (f'{self.messages} messages of {self.duration_s:.2f} s in {self.took_s:.2f} s, '
                 f'late by {self.late_ms[0]:.2f} ms (median), {self.late_ms[1]:.2f} ms (99 %), '
                 f'{self.late_ms[2]:.2f} ms at most')
        if self.slipped_s:
            reached = self.duration_s / self.took_s if self.took_s else 0.0
            found += (f'. The rate {rate:g} could not be kept: {reached:.2f} was reached, '
                      f'{self.slipped_s:.2f} s were lost')
        return found


def events(bag: Bag, topics: Sequence[PlayTopic], start_s: float = 0.0,
           duration_s: float = math.inf, clock_ns: int = 5_000_000) -> Iterator[PlayEvent]:
    """Yield what is published of a bag, in time order, and the time between.

    Parameters
    ----------
    bag : Bag
        Open.
    topics : Sequence[PlayTopic]
        What.
    start_s, duration_s : float
        Which part of the bag [s]. What was latched before comes first.
    clock_ns : int
        The time is said at least this often [ns].

    Raises
    ------
    ConfigError
        When the start lies behind the end of the bag.

    """
    if not 0.0 <= start_s < max(bag.duration_s, 1e-9):
        raise ConfigError(f'start-offset: {start_s:g} s is not in the bag, which has '
                          f'{bag.duration_s:.3f} s')
    start_ns = bag.start_ns + round(start_s * 1e9)
    stop_ns = (None if math.isinf(duration_s)
               else start_ns + max(round(duration_s * 1e9), 1))
    by_name = {topic.recorded: topic for topic in topics}
    time = _time(bag, topics)
    if start_ns > bag.start_ns:
        yield from _latched_before(bag, topics, start_ns)
    last = 0
    beat = start_ns
    own = time is None or time.kind == 'receive'
    extra = () if time is None else time.topics
    for record in bag.records(list(dict.fromkeys((*by_name, *extra))), start_ns, stop_ns):
        while own and beat < record.receive_ns:
            yield PlayEvent(beat - start_ns, beat)
            beat += clock_ns
        now_ns = record.receive_ns if own else _now_ns(time, record)
        topic = by_name.get(record.topic)
        if topic is None and now_ns == last:
            continue
        last = now_ns
        yield PlayEvent(record.receive_ns - start_ns, now_ns, topic,
                        record.data if topic is not None else b'')


class Player:
    """Gives out events at their time.

    Parameters
    ----------
    rate : float
        Seconds of the bag in a real second.
    publish : Callable[[PlayEvent], None]
        Gets each.
    monotonic : Callable[[], float]
        The clock [s].
    wait : Callable[[float], bool]
        Waits so many seconds; True: stop.

    """

    def __init__(self, rate: float, publish: Callable[[PlayEvent], None],
                 monotonic: Callable[[], float], wait: Callable[[float], bool]) -> None:
        if not 0.0 < rate < math.inf:
            raise ConfigError(f'rate: expected a positive number, found {rate}')
        self.rate = rate
        self.slipped_s = 0.0
        self._publish = publish
        self._monotonic = monotonic
        self._wait = wait

    def play(self, run: Iterable[PlayEvent]) -> PlayReport:
        """Publish every event, and return how it went; ends early when told to stop."""
        began = self._monotonic()
        start, messages, at_s = began, 0, 0.0
        self.slipped_s = 0.0
        worst = 0.0
        seen: list[float] = []
        for event in run:
            at_s = event.at_ns * 1e-9
            due = start + at_s / self.rate
            ahead = due - self._monotonic()
            if self._wait(max(ahead, 0.0)):
                break
            behind = self._monotonic() - due
            if behind > _SLIP_S:
                self.slipped_s += behind
                start += behind
            self._publish(event)
            if event.topic is not None:
                messages += 1
                seen.append(behind)
                if len(seen) > _KEPT:
                    seen = seen[::2]
                worst = max(worst, behind)
        return PlayReport(messages, at_s, self._monotonic() - began, self.slipped_s,
                          (*_percentiles(seen), worst * 1e3))


def _percentiles(seen: list[float]) -> tuple[float, float]:
    """Return median and 99th percentile [ms] of delays [s]."""
    if not seen:
        return 0.0, 0.0
    ordered = sorted(max(value, 0.0) * 1e3 for value in seen)
    return ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]


def _time(bag: Bag, topics: Sequence[PlayTopic]) -> BagTime | None:
    """Return the clock of the bag; None where nothing has a stamp to judge it by."""
    stamped = next((topic.recorded for kinds in ((JOINT_STATE,), PICTURE_TYPES)
                    for topic in topics if topic.type in kinds), None)
    return None if stamped is None else BagTime(bag, stamped)


def _now_ns(time: BagTime | None, record: Record) -> int:
    assert time is not None
    kinds = (JOINT_STATE, *PICTURE_TYPES)
    return time.now_ns(record, header_ns(record.data) if record.type in kinds else None)


def _latched_before(bag: Bag, topics: Sequence[PlayTopic], start_ns: int) -> Iterator[PlayEvent]:
    by_name = {topic.recorded: topic for topic in topics if topic.latched}
    newest: dict[str, Record] = {}
    try:
        for record in bag.records(list(by_name), None, start_ns) if by_name else ():
            newest[record.topic] = record
    except InputError:
        return  # none of them has a message at all
    for record in newest.values():
        yield PlayEvent(0, 0, by_name[record.topic], record.data)
