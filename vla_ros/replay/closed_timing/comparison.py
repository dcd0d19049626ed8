"""Cases of one recording beside each other, as a table, as words and as bytes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from vla_ros.replay.closed_timing.scores import CaseResult

_DIGITS = 9
_COLUMNS: tuple[tuple[str, str, float, str], ...] = (
    ('not_running', 'not RUNNING %', 100.0, '.1f'), ('starved', 'starved %', 100.0, '.1f'),
    ('starved_longest', 'longest s', 1.0, '.2f'),
    ('boundary_step_max', 'step max mm/s', 1000.0, '.1f'),
    ('tool_jerk_rms', 'jerk rms m/s3', 1.0, '.2f'),
    ('tool_acceleration_max', 'acc max m/s2', 1.0, '.2f'),
    ('limited', 'limited %', 100.0, '.1f'), ('path_rms', 'path rms mm', 1000.0, '.1f'),
    ('path_max', 'path max mm', 1000.0, '.1f'), ('chunks_used', 'used', 1.0, '.0f'),
    ('chunks_lost', 'lost', 1.0, '.0f'))


@dataclass(frozen=True)
class Comparison:
    """The cases; the first one is as recorded.

    Attributes
    ----------
    bag : str
        Which recording.
    seconds : float
        How much of it.
    arm : str
        How the arm moved, in words.
    cases : tuple[CaseResult, ...]
        In order.
    sentences : tuple[str, ...]
        What they say.
    notes : tuple[str, ...]
        What a reader should know of the recording.
    settings : Mapping[str, Any]
        Parameters of the control side that were set.
    seed : int
        Of what is drawn.

    """

    bag: str
    seconds: float
    arm: str
    cases: tuple[CaseResult, ...]
    sentences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    settings: Mapping[str, Any] | None = None
    seed: int = 0

    def to_json(self) -> str:
        """Return everything as JSON; the same comparison gives the same bytes."""
        return json.dumps(_plain(asdict(self)), indent=1, sort_keys=True, allow_nan=False) + '\n'

    def as_text(self) -> str:
        """Return the table and the words."""
        setting = ''.join(f', {name}={value}' for name, value in (self.settings or {}).items())
        lines = [f'{self.bag}: {self.seconds:.2f} s, arm: {self.arm}{setting}, seed {self.seed}',
                 '', *_table(self.cases), '']
        for case in self.cases:
            lines += _of_case(case)
        lines += list(self.sentences) or ['nothing is worth a word']
        lines += [f'note: {note}' for note in self.notes]
        return '\n'.join(lines)


def _table(cases: Sequence[CaseResult]) -> list[str]:
    width = max(len(case.name) for case in cases)
    lines = [' ' * width + ''.join(f'  {title}' for _, title, _, _ in _COLUMNS)]
    for case in cases:
        cells = ''.join(f'  {getattr(case.scores, name) * scale:>{len(title)}{form}}'
                        for name, title, scale, form in _COLUMNS)
        lines.append(f'{case.name:<{width}}{cells}')
    return lines


def _of_case(case: CaseResult) -> list[str]:
    lines = [f'{case.name}:']
    lines += [f'  {change.time_s:8.2f} s  {change.level}'
              + (f'  {change.reason}' if change.reason else '') for change in case.changes]
    if case.limiters:
        lines.append('  limiters: ' + ', '.join(
            f'{name} {100.0 * share:.1f} %' for name, share in case.limiters.items()))
    chunks = [f'{count} {word}' for word, count in {**case.verdicts, **case.lost}.items()]
    lines.append(f'  chunks: {", ".join(chunks) or "none"}; commands {case.sha256[:16]}')
    return [*lines, '']


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return round(value, _DIGITS) + 0.0 if math.isfinite(value) else None
    return value
