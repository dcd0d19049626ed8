"""From ticks to intervals: who did what, from when until when. For time lines and training data."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from vla_ros.core.intervention import Intervention, Kind, parse
from vla_ros.core.provenance.records import TickRecord

GAP_NS = 500_000_000
"""Two ticks further apart than this have nothing between them: records were lost, or none made."""

AUTONOMOUS = 'autonomous'
IDLE = 'idle'
_MOST_HUMAN = (Kind.TAKEOVER, Kind.HOLD, Kind.GRIPPER_OVERRIDE)

K = TypeVar('K', bound=Hashable)


@dataclass(frozen=True)
class Interval:
    """What was so from ``start_ns`` until just before ``end_ns`` [ns].

    Attributes
    ----------
    start_ns, end_ns : int
        First tick of which it is true, and first of which it is not any more; the last tick itself
        where nothing follows it (within ``GAP_NS``).
    kind : str
        ``takeover``, ``hold`` or ``gripper override``; from :func:`segments` also ``autonomous``
        and ``idle``.
    source, mode : str
        Who, and how: see :class:`~vla_ros.core.intervention.Intervention`. Empty when no human.

    """

    start_ns: int
    end_ns: int
    kind: str
    source: str = ''
    mode: str = ''

    @property
    def duration_s(self) -> float:
        """How long it lasted [s]."""
        return (self.end_ns - self.start_ns) * 1e-9


@dataclass(frozen=True)
class ModeInterval:
    """A control mode (``HOLD``, ``AUTONOMOUS``, …), and the reason that it began with."""

    start_ns: int
    end_ns: int
    mode: str
    reason: str = ''

    @property
    def duration_s(self) -> float:
        """How long it lasted [s]."""
        return (self.end_ns - self.start_ns) * 1e-9


def intervals(records: Iterable[TickRecord]) -> list[Interval]:
    """Return what humans did, by its beginning. The arm's and the gripper's may overlap.

    A change of source or mode begins a new one: a takeover that is moved is ``waiting``, ``twist``,
    ``waiting``.

    Raises
    ------
    InputError
        When a record's ``intervention`` cannot be understood.

    """
    ticks = list(records)
    found: list[Interval] = []
    for channel in (_arm, _gripper):
        found += [Interval(start, end, what.kind.value, what.source, what.mode)
                  for start, end, what, _ in _runs(ticks, _memo(channel)) if what is not None]
    return sorted(found, key=lambda i: (i.start_ns, i.kind))


def segments(records: Iterable[TickRecord]) -> list[Interval]:
    """Return the whole recording in pieces, each with one label: what DAgger learns from.

    The label is the most that a human did: ``takeover``, else ``hold``, else ``gripper override``
    (the arm is the policy's then). Without a human it is ``autonomous`` while the policy moves the
    arm, and ``idle`` while nobody does.

    Raises
    ------
    InputError
        When a record's ``intervention`` cannot be understood.

    """
    parsed = _memo(_most_human)

    def label(tick: TickRecord) -> tuple[str, str, str]:
        human = parsed(tick)
        if human is not None:
            return human.kind.value, human.source, human.mode
        return (AUTONOMOUS if tick.mode == 'AUTONOMOUS' else IDLE), '', ''

    return [Interval(start, end, *what) for start, end, what, _ in _runs(list(records), label)]


def mode_intervals(records: Iterable[TickRecord]) -> list[ModeInterval]:
    """Return the control modes in their order."""
    return [ModeInterval(start, end, mode, first.reason)
            for start, end, mode, first in _runs(list(records), lambda tick: tick.mode)]


def _arm(found: tuple[Intervention, ...]) -> Intervention | None:
    return next((i for i in found if i.kind is not Kind.GRIPPER_OVERRIDE), None)


def _gripper(found: tuple[Intervention, ...]) -> Intervention | None:
    return next((i for i in found if i.kind is Kind.GRIPPER_OVERRIDE), None)


def _most_human(found: tuple[Intervention, ...]) -> Intervention | None:
    return min(found, key=lambda i: _MOST_HUMAN.index(i.kind), default=None)


def _memo(choose: Callable[[tuple[Intervention, ...]], Intervention | None],
          ) -> Callable[[TickRecord], Intervention | None]:
    """Return ``choose`` of a tick's interventions; a long recording has few different texts."""
    known: dict[str | None, Intervention | None] = {}

    def look(tick: TickRecord) -> Intervention | None:
        text = tick.intervention
        if text not in known:
            known[text] = choose(parse(text))
        return known[text]

    return look


def _runs(ticks: list[TickRecord], key: Callable[[TickRecord], K],
          ) -> Iterator[tuple[int, int, K, TickRecord]]:
    """Yield (start, end, key, first tick) of ticks in a row with the same key and no gap."""
    run: list[TickRecord] = []
    for tick in ticks:
        if run:
            gap = not 0 <= tick.stamp_ns - run[-1].stamp_ns <= GAP_NS
            if gap or key(tick) != key(run[0]):
                end_ns = run[-1].stamp_ns if gap else tick.stamp_ns
                yield run[0].stamp_ns, end_ns, key(run[0]), run[0]
                run = []
        run.append(tick)
    if run:
        yield run[0].stamp_ns, run[-1].stamp_ns, key(run[0]), run[0]
