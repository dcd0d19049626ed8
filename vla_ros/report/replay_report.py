"""An open-loop replay's report, from the result to the files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vla_ros.replay.bag import Bag
from vla_ros.report.files import (
    LATENCY_COLUMNS,
    Rows,
    curve_rows,
    histogram_rows,
    latency_rows,
    prepare,
    rows_of,
    write_report,
)
from vla_ros.report.gather import node_clock
from vla_ros.report.replay_numbers import as_numbers, replay_numbers, worst_moments
from vla_ros.report.replay_page import render_replay
from vla_ros.report.thumbnails import thumbnails, without_pictures

_DIMENSIONS = ('name', 'unit', 'spread', 'l1', 'l1_max', 'executed_l1', 'executed_max',
               'relative', 'bias', 'predicted_std', 'reference_std')


def write_replay_report(result: Any, bag_path: str | Path | None, out: str | Path) -> Path:
    """Write the report of an open-loop replay and return the path of the page.

    Parameters
    ----------
    result : Any
        An :class:`~vla_ros.replay.open_loop.result.OpenLoopResult`, its JSON, or that parsed.
    bag_path : str | Path | None
        The bag, for pictures of the worst moments; None: without.
    out : str | Path
        Folder for ``report.html``, ``report.json`` and the tables as CSV.

    Raises
    ------
    ConfigError
        When there is no such bag or ``out`` cannot be written to.
    InputError
        When the result is none, or the bag cannot be read.

    """
    numbers = as_numbers(result)
    prepare(out)
    report = replay_numbers(numbers)
    shots: list[dict[str, Any]] = []
    if bag_path is not None:
        with Bag(bag_path) as bag:
            offset_ns = bag.start_ns - node_clock(bag).start_ns
            shots = thumbnails(bag, sorted(worst_moments(numbers, offset_ns),
                                           key=lambda m: m.time_ns))
    for shot in shots:
        shot['time_s'] = (shot['time_ns'] - report['first_ns']) * 1e-9
    report['moments'] = [without_pictures(shot) for shot in shots]
    return write_report(out, render_replay(report, shots), report, tables(report))


def tables(report: Mapping[str, Any]) -> dict[str, Rows]:
    """Return the report's tables for CSV files."""
    metrics = report['metrics']
    names = [d['name'] for d in metrics['dimensions']]
    return {
        'dimensions': rows_of(metrics['dimensions'], _DIMENSIONS),
        'steps': (('step', 'relative', *names), [
            (k + 1, relative, *row) for k, (relative, row) in enumerate(
                zip(metrics['step_relative'], metrics['step_l1'], strict=True))]),
        'suggestions': rows_of(report.get('suggestions') or (), ('cause', 'certain', 'text')),
        'expectations': rows_of(report.get('checks') or (), ('name', 'found', 'limit', 'kept')),
        'gripper_events': rows_of(report['gripper_events'], ('time_s', 'whose', 'what')),
        'ablations': rows_of(report.get('ablations') or (), ('name', 'relative', 'count')),
        'latencies': (LATENCY_COLUMNS, latency_rows(report['latencies'])),
        'histograms': (('name', 'from_ms', 'to_ms', 'count'),
                       histogram_rows(report['latencies'])),
        'curves': (('group', 'name', 'time_s', 'value'), curve_rows(report['curves'])),
    }
