"""What happened in the last minutes: modes, and who overrode what, with counts and durations."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any


@dataclass
class _Row:
    """One row of the time line: since when which value; empty values are nothing special."""

    spans: deque[tuple[float, str]] = field(default_factory=deque)  # (begin [s], value)
    count: int = 0  # of values that are not empty
    closed_s: float = 0.0  # how long they were, without the present one

    def set(self, now: float, value: str) -> bool:
        if self.spans and self.spans[-1][1] == value:
            return False
        if self.spans and self.spans[-1][1]:
            self.closed_s += now - self.spans[-1][0]
        if value and not (self.spans and self.spans[-1][1]):
            self.count += 1
        self.spans.append((now, value))
        return True

    def total(self, now: float) -> float:
        current = now - self.spans[-1][0] if self.spans and self.spans[-1][1] else 0.0
        return self.closed_s + current


class Timeline:
    """Rows of what was when; seconds of any one clock that never goes back.

    Parameters
    ----------
    rows : tuple[str, ...]
        Names of the rows.
    keep_s : float
        How much of the past is kept [s].

    """

    def __init__(self, rows: tuple[str, ...], keep_s: float) -> None:
        self.version = 0
        self._rows = {name: _Row() for name in rows}
        self._keep_s = keep_s

    def set(self, now: float, row: str, value: str) -> None:
        """Take in that a row has this value from now on."""
        if self._rows[row].set(now, value):
            self.version += 1
        for kept in self._rows.values():
            # The span that reaches into what is kept stays.
            while len(kept.spans) > 1 and kept.spans[1][0] < now - self._keep_s:
                kept.spans.popleft()

    def view(self, now: float) -> dict[str, Any]:
        """Return the spans as ages [s], with how often and how long each row was not empty."""
        return {name: {'spans': [[round(now - begin, 2), value] for begin, value in row.spans],
                       'count': row.count, 'total_s': round(row.total(now), 1)}
                for name, row in self._rows.items()}
