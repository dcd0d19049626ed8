"""Limits of a closed-timing replay in a YAML file.

At the top: score -> most, of every case. Under ``cases``: case -> the same of that case alone, by
its name in the table (``as recorded``, ``latency 0.2 s``). Scores are those of
:class:`~vla_ros.replay.closed_timing.scores.Scores`; of ``chunks_used`` it is the fewest. A number
that is NaN keeps no limit.
"""

from __future__ import annotations

from pathlib import Path

from vla_ros.core.errors import ConfigError, unknown_choice
from vla_ros.replay.closed_timing.comparison import Comparison
from vla_ros.replay.closed_timing.scores import SCORES, as_values
from vla_ros.replay.open_loop.result import Check
from vla_ros.section import Section

_LEAST = ('chunks_used',)
_CASES = 'cases'


class TimingExpectations:
    """The limits of a file, checked when it is read.

    Raises
    ------
    ConfigError
        When it cannot be read, is empty, or has a key or value that is not known.

    """

    def __init__(self, path: Path) -> None:
        top = Section.open(path)
        keys = top.keys()
        self.path = path
        self._all = {key: _limit(top, key) for key in keys if key != _CASES}
        self._cases: dict[str, dict[str, float]] = {}
        if _CASES in keys:
            section = top.section(_CASES)
            for name in section.keys():  # noqa: SIM118
                part = section.section(name)
                self._cases[name] = {key: _limit(part, key) for key in part.keys()}  # noqa: SIM118
        if not self._all and not any(self._cases.values()):
            raise ConfigError(f'{path}: no expectation. Keys: {", ".join((*SCORES, _CASES))}',
                              path=path)

    def checks(self, comparison: Comparison) -> tuple[Check, ...]:
        """Return all limits, those that are not kept first.

        Raises
        ------
        ConfigError
            When a case is not one of the comparison's.

        """
        names = [case.name for case in comparison.cases]
        for name in self._cases:
            if name not in names:
                raise unknown_choice(f'case in {self.path}:', name, names)
        found = []
        for case in comparison.cases:
            values = as_values(case.scores)
            limits = {**self._all, **self._cases.get(case.name, {})}
            found += [_check(f'{case.name}: {key}', values[key], limit, key in _LEAST)
                      for key, limit in limits.items()]
        return tuple(sorted(found, key=lambda check: check.kept))


def _limit(section: Section, key: str) -> float:
    if key not in SCORES:
        raise unknown_choice(f'expectation in {section.path}:', key, (*SCORES, _CASES))
    return section.number(key, least=0.0)


def _check(name: str, value: float, limit: float, least: bool) -> Check:
    kept = value >= limit if least else value <= limit
    return Check(name, f'{value:.6g}', f'{">=" if least else "<="} {limit:g}', bool(kept))
