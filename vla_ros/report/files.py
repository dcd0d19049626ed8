"""What a report leaves in its folder: the page, its numbers as JSON, its tables as CSV."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vla_ros.core.errors import ConfigError

PAGE, NUMBERS = 'report.html', 'report.json'

Rows = tuple[Sequence[str], Iterable[Sequence[Any]]]


def prepare(out: str | Path) -> None:
    """Make the folder of a report: what cannot be written shall fail before the long work.

    Raises
    ------
    ConfigError
        When it cannot be made.

    """
    try:
        Path(out).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f'out: cannot write to {out}: {error}', path=out) from error


def write_report(out: str | Path, page: str, numbers: Mapping[str, Any],
                 tables: Mapping[str, Rows]) -> Path:
    """Write everything and return the path of the page.

    Parameters
    ----------
    out : str | Path
        The folder; made when it is not there. Files of an earlier report are replaced.
    page : str
        HTML.
    numbers : Mapping[str, Any]
        For ``report.json``; numbers that are not finite become null.
    tables : Mapping[str, Rows]
        Name without ``.csv`` -> (columns, rows); an empty one is written, too.

    Raises
    ------
    ConfigError
        When the folder cannot be written to.

    """
    folder = Path(out)
    prepare(folder)
    try:
        (folder / PAGE).write_text(page, encoding='utf-8')
        (folder / NUMBERS).write_text(
            json.dumps(finite(numbers), indent=1, ensure_ascii=False, allow_nan=False) + '\n',
            encoding='utf-8')
        for name, (columns, rows) in tables.items():
            with (folder / f'{name}.csv').open('w', newline='', encoding='utf-8') as file:
                writer = csv.writer(file)
                writer.writerow(columns)
                writer.writerows(rows)
    except OSError as error:
        raise ConfigError(f'out: cannot write to {folder}: {error}', path=folder) from error
    return folder / PAGE


def finite(value: Any) -> Any:
    """Return the same without NaN and infinity, which JSON does not have, and plain."""
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    if hasattr(value, 'tolist'):  # arrays and numbers of numpy
        return finite(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def rows_of(entries: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> Rows:
    """Return a table of these keys of mappings; a key that is absent is empty."""
    return columns, [[entry.get(key) for key in columns] for entry in entries]


def curve_rows(curves: Mapping[str, Mapping[str, Any]]) -> Iterable[Sequence[Any]]:
    """Yield (group, name, time_s, value) of nested curves; breaks are left out."""
    for group, named in curves.items():
        for name, curve in named.items():
            for time_s, value in zip(curve['time_s'], curve['value'], strict=True):
                if value is not None:
                    yield group, name, time_s, value


def histogram_rows(latencies: Mapping[str, Mapping[str, Any]]) -> Iterable[Sequence[Any]]:
    """Yield (name, from_ms, to_ms, count) of every bar."""
    for name, values in latencies.items():
        edges = values['edges_ms']
        for low, high, count in zip(edges, edges[1:], values['counts']):
            yield name, low, high, count


LATENCY_COLUMNS = ('name', 'count', 'least_ms', 'mean_ms', 'p50_ms', 'p90_ms', 'p99_ms', 'most_ms')


def latency_rows(latencies: Mapping[str, Mapping[str, Any]]) -> Iterable[Sequence[Any]]:
    """Yield the quantiles of every distribution, as :data:`LATENCY_COLUMNS` says."""
    for name, values in latencies.items():
        yield name, *(values[key] for key in LATENCY_COLUMNS[1:])
