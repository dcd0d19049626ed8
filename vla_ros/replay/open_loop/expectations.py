"""Limits of a replay in a YAML file, and which of them are kept. A number that is NaN keeps none.

====================== ============================================================
``relative``           most mean error by the spread, all steps
``executed_relative``  the same of the executed steps
``l1``, ``l1_max``,    most error in action units: a number for all dimensions, or a
``executed_l1``,       mapping of dimensions to numbers
``executed_max``
``horizon``            fewest steps of a chunk below the threshold
``gripper_precision``, fewest, 0 to 1
``gripper_recall``,
``gripper_agreement``
``gripper_offset``     most time between a predicted and a recorded event [s]
``motion_ratio``,      [least, most]
``answer_ratio``
``compared``           fewest observations that were compared
``missed``             most observations that could not be made or answered
``latency``            stage -> most time at the 99th percentile [ms]
``golden``             of ``--against``: ``relative``, ``l1``, ``l1_max`` as above, and
                       ``lacking``, most observations that only the golden run has
====================== ============================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from vla_ros.core.errors import ConfigError, unknown_choice
from vla_ros.replay.open_loop.golden import other_precision
from vla_ros.replay.open_loop.result import Check, Golden, OpenLoopResult
from vla_ros.replay.open_loop.settings import OpenLoopSettings
from vla_ros.section import Section

Limit = float | tuple[float, float] | dict[str, float]

_BY_DIMENSION = ('l1', 'l1_max', 'executed_l1', 'executed_max')
_GRIPPER_LEAST = ('gripper_precision', 'gripper_recall', 'gripper_agreement')
_RANGES = ('motion_ratio', 'answer_ratio')
_LEAST = ('horizon', 'compared')
_WHOLE = (*_LEAST, 'missed', 'lacking')
KEYS = ('relative', 'executed_relative', *_BY_DIMENSION, *_GRIPPER_LEAST, 'gripper_offset',
        *_RANGES, *_LEAST, 'missed', 'latency', 'golden')
GOLDEN_KEYS = ('relative', 'l1', 'l1_max', 'lacking')


class Expectations:
    """The limits of a file; keys and values are checked when it is read.

    Raises
    ------
    ConfigError
        When it cannot be read, is empty, or has a key or value that is not known; lists the keys.

    """

    def __init__(self, path: Path) -> None:
        top = Section.open(path)
        if not top.keys():
            raise ConfigError(f'{path}: no expectation. Keys: {", ".join(KEYS)}', path=path)
        self.path = path
        self._limits = {key: _limit(top, key, KEYS) for key in top.keys()}  # noqa: SIM118
        self._golden: dict[str, Limit] = {}
        if self._limits.pop('golden', None) is not None:
            section = top.section('golden')
            self._golden = {key: _limit(section, key, GOLDEN_KEYS) for key in section.keys()}  # noqa: SIM118

    @property
    def has_golden(self) -> bool:
        """Whether there are limits of a comparison with a golden run."""
        return bool(self._golden)

    def checks(self, result: OpenLoopResult) -> tuple[Check, ...]:
        """Return all limits, those that are not kept first.

        Raises
        ------
        ConfigError
            When a dimension or stage is not one of the result's, or ``golden`` has nothing to be
            compared with.

        """
        found = [check for key, limit in self._limits.items()
                 for check in self._of(key, limit, result)]
        if self._golden:
            if result.golden is None:
                raise ConfigError(f'{self.path}: golden: there is no golden run; give one with '
                                  '--against', path=self.path)
            found += [check for key, limit in self._golden.items()
                      for check in self._of_golden(key, limit, result.golden)]
        return tuple(sorted(found, key=lambda check: check.kept))

    def _of(self, key: str, limit: Limit, result: OpenLoopResult) -> list[Check]:
        m = result.metrics
        if key in _BY_DIMENSION:
            return self._named(key, limit, {d.name: getattr(d, key) for d in m.dimensions}, key)
        if key == 'latency':
            return self._named(key, limit, {name: stage.p99 for name, stage in m.latency.items()},
                               'latency p99 [ms]')
        if key in _RANGES:
            low, high = limit  # type: ignore[misc]
            value = getattr(m, key)
            return [Check(key, _shown(value), f'{low:g} to {high:g}',
                          value is not None and low <= value <= high)]
        assert isinstance(limit, float)
        if key == 'gripper_offset':
            g = m.gripper
            offset = None if g is None or g.offset_max_s is None else abs(g.offset_max_s)
            return [_most(key, offset, limit)]
        if key in _GRIPPER_LEAST:
            value = None if m.gripper is None else getattr(m.gripper, key.removeprefix('gripper_'))
            return [_least(key, value, limit)]
        return [(_least if key in _LEAST else _most)(key, getattr(m, key), limit)]

    def _of_golden(self, key: str, limit: Limit, golden: Golden) -> list[Check]:
        if key in ('l1', 'l1_max'):
            return self._named(f'golden.{key}', limit,
                               {d.name: getattr(d, key) for d in golden.dimensions},
                               f'golden {key}')
        assert isinstance(limit, float)
        return [_most(f'golden {key}', getattr(golden, key), limit)]

    def _named(self, key: str, limit: Limit, values: Mapping[str, float],
               shown: str) -> list[Check]:
        if isinstance(limit, float):
            return [_most(f'{shown} {name}', value, limit) for name, value in values.items()]
        assert isinstance(limit, Mapping)
        for name in limit:
            if name not in values:
                raise unknown_choice(f'name in {self.path}: {key}:', name, values)
        return [_most(f'{shown} {name}', values[name], most) for name, most in limit.items()]


def golden_checks(result: OpenLoopResult, settings: OpenLoopSettings) -> tuple[Check, ...]:
    """Return the limits of a comparison for which nobody gave any."""
    golden = result.golden
    assert golden is not None
    limit = (settings.golden_precision if other_precision(result, golden)
             else settings.golden_same)
    found = [_most(f'golden {d.name} l1 / spread',
                   d.relative if d.relative is not None else d.l1, limit)
             for d in golden.dimensions]
    found.append(_most('golden lacking', golden.lacking, 0))
    return tuple(sorted(found, key=lambda check: check.kept))


def _limit(section: Section, key: str, known: Sequence[str]) -> Limit:
    """Return the limit under a key: a number, one for each name, or the least and the most."""
    if key not in known:
        raise unknown_choice(f'expectation in {section.path}:', key, known)
    if key == 'golden':
        section.mapping(key)
        return 0.0
    if key in _RANGES:
        low, high = section.numbers(key, 2)
        return float(low), float(high)
    if key in (*_BY_DIMENSION, 'latency'):
        try:
            names = list(section.mapping(key))
        except ConfigError:
            if key == 'latency':
                raise
            return section.number(key, least=0.0)
        part = section.section(key)
        return {name: part.number(name, least=0.0) for name in names}
    if key in _WHOLE:
        return float(section.whole_number(key, least=0))
    return section.number(key, least=0.0)


def _most(name: str, value: float | None, limit: float) -> Check:
    return _check(name, value, f'<= {limit:g}', lambda v: v <= limit)


def _least(name: str, value: float | None, limit: float) -> Check:
    return _check(name, value, f'>= {limit:g}', lambda v: v >= limit)


def _check(name: str, value: float | None, limit: str, kept: Callable[[float], bool]) -> Check:
    return Check(name, _shown(value), limit, value is not None and bool(kept(value)))


def _shown(value: float | None) -> str:
    return 'not known' if value is None else f'{value:.6g}'
