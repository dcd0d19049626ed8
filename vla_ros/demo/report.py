"""The demo's numbers as one plain dictionary: ``report.json``, and what the page is made from."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from vla_ros.core.errors import InputError
from vla_ros.core.intervention import totals_of
from vla_ros.demo.recording import Recording, Stream
from vla_ros.demo.sequence import TaskResult
from vla_ros.demo.verdict import Verdict

_MS = 1e3


def build_report(verdict: Verdict, results: Sequence[TaskResult], recording: Recording,
                 run: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return the report.

    Times are simulated seconds since the first instruction. Ages, gaps and latencies are in
    milliseconds, rates in Hz of simulated time.

    Parameters
    ----------
    verdict : Verdict
        The end.
    results : Sequence[TaskResult]
        What came of each task.
    recording : Recording
        What was seen.
    run : Mapping[str, Any]
        What was run, and on what.
    more
        Further sections, as they are (``processes``, ``video``, …).

    """
    return {
        'verdict': {'word': verdict.word, 'success': verdict.success, 'reason': verdict.reason,
                    'exit_status': verdict.status},
        'run': {**run, 'policy': {'name': recording.policy_name, 'label': recording.policy_label}},
        'tasks': [_task(result, recording.start_ns) for result in results],
        'real_time_factor': recording.real_time_factor(),
        'streams': {name: _stream(stream) for name, stream in recording.streams.items()},
        'policy_ms': _milliseconds(recording, 'policy_node: inference'),
        'control_loop': _values(recording, 'control_node: loop'),
        'tracking': recording.tracking(),
        'limiters': _counts(recording, 'limiters'),
        'chunks': _counts(recording, 'chunks'),
        'modes': _modes(recording),
        'interventions': [{'time_s': (start - recording.start_ns) * 1e-9, 'what': what,
                           'duration_s': (end - start) * 1e-9}
                          for start, end, what in recording.interventions()],
        'intervention_totals': _intervention_totals(recording),
        'warnings': {name: {'level': status.level, 'message': status.message}
                     for name, status in recording.worst.items()},
        **more,
    }


def _task(result: TaskResult, start_ns: int) -> dict[str, Any]:
    return {'instruction': result.instruction, 'outcome': result.outcome.value,
            'start_s': None if result.start_ns is None else (result.start_ns - start_ns) * 1e-9,
            'duration_s': result.duration_s, 'detail': result.detail}


def _stream(stream: Stream) -> dict[str, Any]:
    return {'messages': stream.count, 'rate_hz': stream.rate_hz,
            'gap_ms': _scaled(stream.gaps), 'age_ms': _scaled(stream.ages)}


def _scaled(numbers: Mapping[str, float] | None) -> dict[str, float] | None:
    return None if numbers is None else {name: value * _MS for name, value in numbers.items()}


def _modes(recording: Recording) -> list[dict[str, Any]]:
    ends = [*(change.time_ns for change in recording.modes[1:]), recording.end_ns()]
    return [{'time_s': (change.time_ns - recording.start_ns) * 1e-9, 'mode': change.mode,
             'reason': change.reason, 'duration_s': max(end - change.time_ns, 0) * 1e-9}
            for change, end in zip(recording.modes, ends)]


def _intervention_totals(recording: Recording) -> list[dict[str, Any]]:
    """Return how often and how long each human did each thing; nothing where that is not clear."""
    try:
        totals = totals_of(recording.overrides, recording.end_ns())
    except InputError:
        return []
    return [{'what': kind.value, 'source': source, 'count': total.count,
             'duration_s': total.duration_ns * 1e-9} for (kind, source), total in totals.items()]


def _values(recording: Recording, name: str) -> dict[str, str]:
    status = recording.statuses.get(name)
    return dict(status.values) if status else {}


def _milliseconds(recording: Recording, name: str) -> dict[str, float]:
    """Return the values of a report that are times, by name without the unit."""
    found = {}
    for key, value in _values(recording, name).items():
        if '_ms' in key:
            try:
                found[key.replace('_ms', '').strip()] = float(value)
            except ValueError:
                continue
    return found


def _counts(recording: Recording, key: str) -> dict[str, int]:
    """Return the counters that the control node reports as text, e.g. ``{'accepted': 12}``."""
    text = _values(recording, 'control_node: mode').get(key, '')
    try:
        counts = ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return {}
    return {str(k): int(v) for k, v in counts.items()} if isinstance(counts, dict) else {}
