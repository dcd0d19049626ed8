"""A recording's report, from the bag to the files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vla_ros.core.errors import ConfigError
from vla_ros.progress import Progress
from vla_ros.replay.bag import Bag
from vla_ros.replay.named_robot import named_robot
from vla_ros.report.bag_numbers import bag_numbers
from vla_ros.report.bag_page import render_bag
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
from vla_ros.report.gather import Gathered, gather, node_clock
from vla_ros.report.moments import Moment, chosen
from vla_ros.report.thumbnails import thumbnails, without_pictures
from vla_ros.report.tool_path import ToolPath
from vla_ros.robots import RobotProfile, load_profile, robot_names

_FEW = 3


def write_bag_report(bag_path: str | Path, out: str | Path, robot: str = '',
                     quiet: bool = False) -> Path:
    """Read a bag, write its report and return the path of the page.

    Parameters
    ----------
    bag_path : str | Path
        The bag.
    out : str | Path
        Folder for ``report.html``, ``report.json`` and the tables as CSV.
    robot : str
        Whose kinematics draw the tool's path; empty: the one that the recording names, if it is
        known here.
    quiet : bool
        Whether to show no progress.

    Raises
    ------
    ConfigError
        When there is no such bag or robot, or ``out`` cannot be written to.
    InputError
        When the bag cannot be read.

    """
    profile = load_profile(robot) if robot else None
    prepare(out)
    with Bag(bag_path) as bag:
        found, tool = read(bag, profile, quiet)
        report = bag_numbers(found, tool)
        moments = chosen(all_moments(found))
        with Progress('pictures', len(moments), quiet=quiet) as bar:
            shots = thumbnails(bag, moments, bar)
    for shot in shots:
        shot['time_s'] = found.seconds(shot['time_ns'])
    report['moments'] = [without_pictures(shot) for shot in shots]
    return write_report(out, render_bag(report, shots), report, tables(report))


def read(bag: Bag, profile: RobotProfile | None = None,
         quiet: bool = False) -> tuple[Gathered, dict[str, Any] | None]:
    """Return what a bag tells, and its tool's path where the kinematics are known."""
    profile = profile or named_profile(bag)
    tool = ToolPath(profile, node_clock(bag).start_ns) if profile is not None else None
    with Progress('reading', bag.message_count, 'messages', quiet) as bar:
        found = gather(bag, tool.add if tool is not None else None, bar)
    return found, tool.as_dict() if tool is not None else None


def named_profile(bag: Bag) -> RobotProfile | None:
    """Return the profile of the robot that the control node names in the bag, if it is known."""
    robot = named_robot(bag)
    if robot not in robot_names():
        return None
    try:
        return load_profile(robot)
    except ConfigError:  # of another version; the report does without
        return None


def all_moments(found: Gathered) -> list[Moment]:
    """Return every moment that is worth a picture."""
    frozen = [Moment(f.start_ns, f.receive_ns, 'frozen', f'{f.topic} froze', 7.0)
              for camera in found.cameras.values() for f in camera.freezes]
    moments = [*found.ticks.moments, *found.chunks.moments, *frozen]
    if len(moments) < _FEW:  # then at least what it looked like
        length = found.bag.end_ns - found.bag.start_ns
        moments += [Moment(found.clock.time_ns(at), at, kind, f'{kind} of the recording', 0.1)
                    for kind, share in (('start', 0.0), ('middle', 0.5), ('end', 1.0))
                    for at in (found.bag.start_ns + round(share * length),)]
    return moments


def tables(report: Mapping[str, Any]) -> dict[str, Rows]:
    """Return the report's tables for CSV files."""
    curves = dict(report['curves'])
    if report['tool']:
        curves['tool'] = report['tool']['curves']
    limiters = report['limiters']
    return {
        'findings': rows_of(report['findings'], ('severity', 'topic', 'time_s', 'text', 'why')),
        'modes': rows_of(report['modes'], ('time_s', 'duration_s', 'mode', 'reason')),
        'interventions': rows_of(report['interventions'], (
            'time_s', 'duration_s', 'channel', 'kind', 'source', 'mode', 'what')),
        'gripper_events': rows_of(report['gripper_events'], ('time_s', 'what', 'who')),
        'limiters': (('limiter', 'ticks', 'of_ticks'), [
            (name, entry['ticks'], limiters['ticks'])
            for name, entry in limiters['limiters'].items()]),
        'inputs': (('topic', 'type', 'messages', 'rate_hz', 'longest_gap_s', 'longest_gap_at_s'), [
            (name, *(s[key] for key in ('type', 'messages', 'rate_hz', 'longest_gap_s',
                                        'longest_gap_at_s')))
            for name, s in report['inputs'].items()]),
        'latencies': (LATENCY_COLUMNS, latency_rows(report['latencies'])),
        'histograms': (('name', 'from_ms', 'to_ms', 'count'),
                       histogram_rows(report['latencies'])),
        'curves': (('group', 'name', 'time_s', 'value'), curve_rows(curves)),
    }
