"""What a tick's ``intervention`` says, taken apart, and how often and how long humans intervened.

The text is what the two channels of :mod:`vla_ros.core.override` call themselves, joined by ``; ``:
``takeover: joystick twist; gripper override: panel latched``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from vla_ros.core.errors import InputError

_SEPARATOR = '; '
_ARM = re.compile(r'(takeover|hold): ([a-z][a-z0-9_]*)(?: (waiting|twist|joints))?')
_GRIPPER = re.compile(r'gripper override: ([a-z][a-z0-9_]*) ([a-z_]+)(?: \(.*\))?')
_LONGEST_NS = 1_000_000_000


class Kind(str, Enum):
    """What a human does."""

    TAKEOVER = 'takeover'  # has the arm, and perhaps moves it
    HOLD = 'hold'  # has the arm hold
    GRIPPER_OVERRIDE = 'gripper override'  # has the gripper alone; the policy moves the arm


@dataclass(frozen=True)
class Intervention:
    """One thing that one human does.

    Attributes
    ----------
    kind : Kind
        What.
    source : str
        Who: ``panel``, ``joystick``, ….
    mode : str
        How. Of a takeover ``waiting`` (not moved yet, or no more), ``twist`` or ``joints``; of a
        gripper override ``momentary``, ``latched`` or ``until_agree``; of a hold empty.

    """

    kind: Kind
    source: str
    mode: str = ''


def parse(text: str | None) -> tuple[Intervention, ...]:
    """Return what a tick's ``intervention`` stands for: the arm first; empty when nothing.

    Raises
    ------
    InputError
        When it is not such a text.

    """
    return tuple(_parse_one(part) for part in text.split(_SEPARATOR)) if text else ()


def _parse_one(text: str) -> Intervention:
    if match := _ARM.fullmatch(text):
        return Intervention(Kind(match[1]), match[2], match[3] or '')
    if match := _GRIPPER.fullmatch(text):
        return Intervention(Kind.GRIPPER_OVERRIDE, match[1], match[2])
    raise InputError(f'intervention: expected "takeover: SOURCE waiting|twist|joints", "hold: '
                     f'SOURCE" or "gripper override: SOURCE MODE", found {text[:80]!r}')


@dataclass
class Total:
    """How often something was done, and how long altogether [ns]."""

    count: int = 0
    duration_ns: int = 0


@dataclass
class Tally:
    """Counts interventions tick by tick, in constant memory.

    A takeover counts once, however often it is moved and rests in between; so does a gripper
    override whose mode changes. Time that no tick covers counts to nobody.

    Attributes
    ----------
    longest_ns : int
        Two ticks further apart have no time between them: the loop stood still [ns].
    totals : dict[tuple[Kind, str], Total]
        By what was done and who did it.
    ticks, human_ticks : int
        How many ticks there were, and how many of them with any intervention.

    """

    longest_ns: int = _LONGEST_NS
    totals: dict[tuple[Kind, str], Total] = field(default_factory=dict)
    ticks: int = 0
    human_ticks: int = 0
    _text: str = ''
    _now: frozenset[tuple[Kind, str]] = frozenset()
    _last_ns: int | None = None

    def add(self, stamp_ns: int, text: str) -> None:
        """Take in one tick: its time [ns] and its ``intervention``.

        Raises
        ------
        InputError
            When the text is none.

        """
        before = self._last_ns
        if before is not None and 0 < stamp_ns - before <= self.longest_ns:
            for key in self._now:
                self.totals[key].duration_ns += stamp_ns - before
        self._last_ns = stamp_ns
        self.ticks += 1
        self.human_ticks += bool(text)
        if text == self._text:
            return
        now = frozenset((part.kind, part.source) for part in parse(text))
        for key in now - self._now:
            self.totals.setdefault(key, Total()).count += 1
        self._text, self._now = text, now

    def lines(self) -> list[str]:
        """Return the totals in words, the longest first; empty when nobody intervened."""
        return lines(self.totals)


def lines(totals: Mapping[tuple[Kind, str], Total]) -> list[str]:
    """Return totals in words: ``takeover by joystick: 2 times, 3.4 s``."""
    ordered = sorted(totals.items(), key=lambda item: -item[1].duration_ns)
    return [f'{kind.value} by {source}: {total.count} time{"s" * (total.count != 1)}, '
            f'{total.duration_ns * 1e-9:.1f} s' for (kind, source), total in ordered]
