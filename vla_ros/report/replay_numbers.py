"""What an open-loop replay's report shows beside its result: curves, events, worst moments."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vla_ros.core.errors import InputError
from vla_ros.report.curve import Envelope
from vla_ros.report.moments import Moment, Peaks
from vla_ros.report.tally import Histogram

_GRIPPER = 'gripper'
Numbers = Mapping[str, Any]


def as_numbers(result: Any) -> dict[str, Any]:
    """Return a result as a plain dictionary: it, its ``to_json()``, or that parsed.

    Raises
    ------
    InputError
        When it is none of them.

    """
    values = result.to_json() if hasattr(result, 'to_json') else result
    if isinstance(values, str):
        try:
            values = json.loads(values)
        except ValueError as error:
            raise InputError(f'result: not JSON: {error}') from error
    if not isinstance(values, Mapping):
        raise InputError(f'result: expected a mapping, found {type(values).__name__}')
    return dict(values)


def replay_numbers(result: Numbers) -> dict[str, Any]:
    """Return what is shown of a replay; ``inferences`` become curves.

    Times are seconds after the first observation.
    """
    rows = result['inferences']
    dims = tuple(result['dims'])
    first_ns = int(rows[0]['stamp_ns']) if rows else int(result['start_ns'])
    predicted, recorded = Envelope(dims, first_ns), Envelope(dims, first_ns)
    stages: dict[str, Histogram] = {}
    for row in rows:
        for k in range(int(row['executed'])):
            at_ns = int(row['stamp_ns']) + k * int(result['dt_ns'])
            predicted.add(at_ns, _row(row['predicted'][k]))
            recorded.add(at_ns, _row(row['reference'][k]))
        for stage, ms in row['timings_ms'].items():
            if ms is not None:
                stages.setdefault(stage, Histogram()).add(float(ms) * 1e-3)
    checks = result.get('checks') or ()
    report = {key: value for key, value in result.items() if key != 'inferences'}
    report.update({
        'first_ns': first_ns, 'verdict': verdict(result, checks),
        'curves': {'predicted': predicted.as_dict(), 'recorded': recorded.as_dict()},
        'latencies': {name: values for name, histogram in stages.items()
                      if (values := histogram.as_dict()) is not None},
        'gripper_events': gripper_events(result, first_ns)})
    return report


def verdict(result: Numbers, checks: Sequence[Numbers]) -> dict[str, Any]:
    """Return the word that the report begins with, its kind and the reason."""
    failed = [check for check in checks if not check['kept']]
    metrics, suggestions = result['metrics'], result.get('suggestions') or ()
    first = suggestions[0]['text'] if suggestions else ''
    if failed:
        return {'word': 'FAILED', 'kind': 'bad', 'reason': f'{len(failed)} of {len(checks)} '
                f'expectations not kept: {failed[0]["name"]} is {failed[0]["found"]}, expected '
                f'{failed[0]["limit"]}', 'first': first}
    if checks:
        return {'word': 'PASSED', 'kind': 'good', 'first': first,
                'reason': f'all {len(checks)} expectations kept'}
    if not metrics['compared']:
        return {'word': 'Nothing compared', 'kind': 'bad', 'first': first,
                'reason': 'no answer has anything recorded beside it'}
    return {'word': 'Open-loop replay', 'kind': 'middle' if suggestions else 'plain',
            'reason': f'{metrics["compared"]} answers compared; mean error '
                      f'{_percent(metrics["relative"])} of the spread, executed steps '
                      f'{_percent(metrics["executed_relative"])}', 'first': first}


def gripper_events(result: Numbers, first_ns: int) -> list[dict[str, Any]]:
    """Return closings and openings along the executed steps: ``time_s``, ``what``, ``whose``."""
    dims = result['dims']
    convention = result.get('convention') or {}
    if not dims or dims[-1] != _GRIPPER or 'gripper_open' not in convention:
        return []
    middle = 0.5 * (convention['gripper_open'] + convention['gripper_closed'])
    sign = 1.0 if convention['gripper_open'] > convention['gripper_closed'] else -1.0
    found = []
    for whose, key in (('policy', 'predicted'), ('recording', 'reference')):
        last: bool | None = None
        for row in result['inferences']:
            for k in range(int(row['executed'])):
                value = row[key][k][-1]
                if value is None or not np.isfinite(value):
                    continue
                shut = bool(sign * (value - middle) < 0)
                if last is not None and shut != last:
                    at_ns = int(row['stamp_ns']) + k * int(result['dt_ns']) - first_ns
                    found.append({'time_s': round(at_ns * 1e-9, 4), 'whose': whose,
                                  'what': 'closes' if shut else 'opens'})
                last = shut
    return sorted(found, key=lambda event: event['time_s'])


def worst_moments(result: Numbers, offset_ns: int, most: int = 6) -> list[Moment]:
    """Return the observations whose executed steps are furthest from the recording.

    ``offset_ns`` is the time of reception less the nodes' time [ns].
    """
    dims, units = result['dims'], result['units']
    spread = np.array([d['spread'] for d in result['metrics']['dimensions']], np.float64)
    known = spread > 0
    if not known.any():
        return []
    peaks = Peaks(window_ns=1_500_000_000, most=most)
    worst: dict[int, str] = {}
    for row in result['inferences']:
        n = int(row['executed'])
        error = np.abs(np.array([_row(x) for x in row['predicted'][:n]])
                       - np.array([_row(x) for x in row['reference'][:n]]))
        if not np.isfinite(error[:, known]).any():
            continue
        by_dim = np.full(len(dims), -np.inf)
        by_dim[known] = np.nanmax(np.where(np.isfinite(error[:, known]), error[:, known], -1.0),
                                  axis=0) / spread[known]
        d = int(np.argmax(by_dim))
        stamp = int(row['stamp_ns'])
        worst[stamp] = (f'{dims[d]} is off by {by_dim[d] * spread[d]:.3g} {_short(units[d])} '
                        f'({_percent(float(by_dim[d]))} of its spread)')
        peaks.add(float(by_dim[d]), stamp, stamp + offset_ns)
    return [Moment(stamp, receive, 'error', worst[stamp], value)
            for value, stamp, receive in peaks.finish() if value > 0.01]


def _row(values: Sequence[Any]) -> list[float]:
    return [np.nan if value is None else float(value) for value in values]


def _percent(value: float | None) -> str:
    return 'not known' if value is None else f'{100 * value:.1f} %'


def _short(unit: str) -> str:
    return unit if len(unit) < 8 else ''
