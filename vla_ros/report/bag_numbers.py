"""Everything that a recording's report says, as one plain dictionary: ``report.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from vla_ros.core.errors import InputError
from vla_ros.core.intervention import parse
from vla_ros.report.finding import Finding
from vla_ros.report.findings import find, interventions
from vla_ros.report.gather import Gathered
from vla_ros.report.mode_findings import mode_spans
from vla_ros.report.tally import Histogram

_YEAR_2000_NS = 946_684_800_000_000_000


def bag_numbers(g: Gathered, tool: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the report of a recording.

    Times (``…_s``) are seconds after the first message, in the nodes' time. Curves are pairs of
    lists ``time_s`` and ``value``, thinned so that extremes stay; None breaks a line.

    Parameters
    ----------
    g : Gathered
        What was read.
    tool : Mapping[str, Any] | None
        The tool's path, as of :meth:`vla_ros.report.tool_path.ToolPath.as_dict`.

    """
    found = find(g)
    bag = g.bag
    return {
        'kind': 'recording',
        'verdict': verdict(found),
        'bag': {'path': str(g.path), 'storage': bag.storage, 'messages': bag.message_count,
                'duration_s': bag.duration_s, 'start': _date(bag.start_ns), 'notes': bag.notes,
                'custom': bag.custom},
        'robot': g.robot, 'policy': g.policy, 'recording': g.recording,
        'instructions': [{'time_s': g.seconds(t), 'text': text} for t, text in g.instructions],
        'findings': [f.as_dict() for f in found],
        'modes': [{'time_s': g.seconds(s.start_ns), 'duration_s': s.duration_s,
                   'mode': s.what[0], 'reason': s.what[1]} for s in mode_spans(g)],
        'mode_totals': _mode_totals(g),
        'interventions': [{'time_s': g.seconds(s.start_ns), 'duration_s': s.duration_s,
                           'channel': channel, 'what': s.what, **_who(s.what)}
                          for channel, s in interventions(g)],
        'intervention_totals': _totals([(channel, s.duration_s)
                                        for channel, s in interventions(g)]),
        'estops': [{'topic': topic, 'time_s': g.seconds(s.start_ns), 'duration_s': s.duration_s}
                   for topic, spans in g.estops.items() for s in spans.found],
        'gripper_events': [{'time_s': g.seconds(t), 'what': what, 'who': who}
                           for t, what, who in g.ticks.gripper.events],
        'freezes': [{'topic': f.topic, 'time_s': g.seconds(f.start_ns), 'duration_s': f.duration_s,
                     'pictures': f.pictures, 'travel_rad': f.travel}
                    for camera in g.cameras.values() for f in camera.freezes],
        'curves': _curves(g), 'tool': tool,
        'limiters': g.ticks.limits.as_dict(),
        'inputs': {name: stream.as_dict(g.start_ns) for name, stream in g.streams.items()},
        'latencies': latencies(g),
        'chunks': _chunks(g),
        'ticks': {'recorded': g.ticks.ticks, 'lost': g.ticks.lost},
        'diagnostics': g.statuses,
    }


def verdict(found: Sequence[Finding]) -> dict[str, Any]:
    """Return the word that a report begins with, and how many of what it found."""
    bad = sum(f.severity == 'bad' for f in found)
    middle = sum(f.severity == 'middle' for f in found)
    if bad:
        word, kind = f'{bad} problem{"s" * (bad > 1)}', 'bad'
    elif middle:
        word, kind = f'{middle} thing{"s" * (middle > 1)} to look at', 'middle'
    elif any(f.severity == 'good' for f in found):
        word, kind = 'Nothing wrong found', 'good'
    else:
        word, kind = 'No verdict', 'plain'
    shown = 'note' if kind == 'plain' else kind
    first = next((f.text for f in found if f.severity == shown), '')
    return {'word': word, 'kind': kind, 'bad': bad, 'middle': middle, 'first': first}


def latencies(g: Gathered) -> dict[str, Any]:
    """Return the distributions of times [ms] by name; those without a sample are left out."""
    named: dict[str, Histogram] = {
        'inference': g.chunks.inference,
        'observation to chunk at the ' + ('control node' if g.told_by_control else 'recorder'):
            g.chunks.arrival,
        'age of the joint state at a tick': g.ticks.joint_state_age,
        'skew of the cameras': g.chunks.skew,
        **{f'age of {name} in the observation': h for name, h in g.chunks.input_ages.items()}}
    return {name: values for name, histogram in named.items()
            if (values := histogram.as_dict()) is not None}


def _chunks(g: Gathered) -> dict[str, Any]:
    """Return the counts of chunks; None for what the recording does not tell."""
    chunks, told = g.chunks, g.told_by_control
    return {'count': chunks.count, 'arrived': chunks.arrived if told else None,
            'used': g.ticks.used_chunks if told else None,
            'late_for_half': chunks.late if chunks.arrived else None,
            'late_for_all': chunks.past if chunks.arrived else None,
            'steps': chunks.steps, 'dt_s': chunks.dt_ns * 1e-9,
            'asked_closed': chunks.asked_closed if chunks.convention is not None else None}


def _curves(g: Gathered) -> dict[str, Any]:
    measured: dict[str, Any] = {}
    for envelope in g.joints.measured.values():
        for name, curve in envelope.as_dict().items():
            measured.setdefault(name, curve)
    told = g.ticks.commanded or g.joints.commanded
    commanded = told.as_dict() if told is not None else {}
    found = {'measured': measured, 'commanded': commanded}
    for name, envelope in (('lead', g.ticks.lead), ('policy_gripper', g.chunks.gripper),
                           ('policy_actions', g.chunks.actions)):
        if envelope is not None:
            found[name] = envelope.as_dict()
    return found


def _who(what: str) -> dict[str, str]:
    """Return kind, source and mode of an intervention's words; empty where they are others."""
    try:
        found = parse(what)
    except InputError:  # of another version of this package
        return {'kind': '', 'source': '', 'mode': ''}
    return {'kind': found[0].kind.value, 'source': found[0].source, 'mode': found[0].mode}


def _mode_totals(g: Gathered) -> dict[str, dict[str, float]]:
    return _totals([(s.what[0], s.duration_s) for s in mode_spans(g)])


def _totals(entries: Sequence[tuple[str, float]]) -> dict[str, dict[str, float]]:
    totals: dict[str, dict[str, float]] = {}
    for name, duration in entries:
        total = totals.setdefault(name, {'count': 0, 'duration_s': 0.0})
        total['count'] += 1
        total['duration_s'] += duration
    return totals


def _date(time_ns: int) -> str:
    """Return a time of reception as a date; simulated time has none."""
    if time_ns < _YEAR_2000_NS:
        return ''
    return datetime.fromtimestamp(time_ns * 1e-9, timezone.utc).strftime('%Y-%m-%d %H:%M:%S UTC')
