"""The figures of a recording's report, from its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from vla_ros.page.figure import (
    COMMANDED,
    DASHED,
    INK,
    MEASURED,
    PALE,
    SERIES,
    band,
    dress,
    new_figure,
    shade_modes,
    to_svg,
)
from vla_ros.page.style import COLOURS, SOLID

_PERSON, _BAD = SERIES[0], COLOURS['maroon'][0]
_MOST_LIMITERS, _MOST_MODES_SHOWN = 8, 1500
_MARKED = 300  # points of a curve; more of them are a line anyway
_LENGTHS, _WIDEST = ('gripper', 'finger', 'width'), 0.3  # m

Numbers = Mapping[str, Any]


def mode_spans(report: Numbers) -> list[tuple[str, float, float]]:
    """Return (mode, from, until) [s]; neighbours that differ in their reason only are one."""
    spans: list[tuple[str, float, float]] = []
    for mode in report['modes'][:_MOST_MODES_SHOWN]:
        end = mode['time_s'] + mode['duration_s']
        if spans and spans[-1][0] == mode['mode'] and mode['time_s'] - spans[-1][2] < 0.05:
            spans[-1] = (mode['mode'], spans[-1][1], end)
        else:
            spans.append((mode['mode'], mode['time_s'], end))
    return spans


def draw_time_line(report: Numbers) -> str:
    """Return the time line: modes, people, emergency stops, gripper, limiters, silences."""
    rows = _rows(report)
    if not rows:
        return ''
    height = 0.75 + 0.27 * len(rows)
    figure = new_figure(height)
    ax = figure.add_axes((0.19, 0.42 / height, 0.80, 1.0 - 0.72 / height))
    dress(ax, xlabel='time after the first message [s]')
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlim(0.0, _end(report))
    ax.set_yticks(range(len(rows)), [name for name, _ in rows], fontsize=8, color=INK)
    ax.grid(axis='y', visible=False)
    for y, (_, draw) in enumerate(rows):
        draw(ax, y)
    shown = dict.fromkeys(mode for mode, _, _ in mode_spans(report))
    if shown:
        figure.legend(handles=[Patch(color=_solid(mode), label=mode) for mode in shown],
                      loc='upper right', ncol=len(shown), fontsize=8, frameon=False,
                      labelcolor=INK, bbox_to_anchor=(0.995, 1.0), borderpad=0.1)
    return to_svg(figure, 'Time line of modes, interventions and limiters')


def draw_joints(report: Numbers) -> str:
    """Return commanded and measured joints and gripper over time, the modes behind them."""
    curves = report['curves']
    names = list(dict.fromkeys([*curves['measured'], *curves['commanded']]))[:14]
    if not names:
        return ''
    rows = (len(names) + 1) // 2
    height = 0.75 + 1.35 * rows
    figure = new_figure(height)
    axes = np.atleast_2d(figure.subplots(rows, 2, sharex=True))
    shown = shade_modes(list(axes.flat), mode_spans(report))
    for ax, name in zip(axes.T.flat, names):
        measured, commanded = (curves[key].get(name) for key in ('measured', 'commanded'))
        scale, unit = unit_of(name, measured, commanded)
        _line(ax, measured, MEASURED, '-', scale)
        _line(ax, commanded, COMMANDED, DASHED, scale)
        _mark_people(ax, report)
        dress(ax, f'{name} [{unit}]')
        _calm(ax, unit)
    _finish_grid(figure, axes, len(names), report, height)
    figure.legend(handles=[Line2D([], [], color=MEASURED, label='measured'),
                           *([Line2D([], [], color=COMMANDED, linestyle=DASHED,
                                     label='commanded')] * bool(curves['commanded'])),
                           *([Patch(color=_PERSON, label='a person intervenes')]
                             * bool(report['interventions'])),
                           *(Patch(color=band(mode), label=mode) for mode in shown)],
                  loc='upper left', ncol=7, fontsize=8.5, frameon=False, labelcolor=INK,
                  bbox_to_anchor=(0.04, 1.0), borderpad=0.2)
    return to_svg(figure, 'Commanded and measured joints over time')


def draw_tool(report: Numbers) -> str:
    """Return the tool's way: x, y, z over time, and from above."""
    tool = report['tool']
    if not tool:
        return ''
    height = 3.4
    figure = new_figure(height)
    grid = figure.add_gridspec(3, 2, width_ratios=(1.75, 1.0), left=0.055, right=0.985,
                               top=1 - 0.3 / height, bottom=0.45 / height, hspace=0.5, wspace=0.17)
    axes = [figure.add_subplot(grid[i, 0]) for i in range(3)]
    shade_modes(axes, mode_spans(report))
    for ax, name in zip(axes, 'xyz'):
        _line(ax, tool['curves'].get(name), MEASURED, '-', 1.0)
        _mark_people(ax, report)
        dress(ax, f'tool {name} [m]')
        ax.set_xlim(0.0, _end(report))
        ax.margins(y=0.12)
        ax.tick_params(labelbottom=name == 'z')
    axes[-1].set_xlabel('time after the first message [s]', fontsize=8.5, color=PALE)
    above = figure.add_subplot(grid[:, 1])
    points = np.asarray(tool['points'])
    above.plot(points[:, 1], points[:, 2], color=MEASURED, linewidth=1.3, zorder=3)
    for k, (label, marker) in ((0, ('start', 'o')), (-1, ('end', 's'))):
        above.plot(points[k, 1], points[k, 2], marker, color=INK, markersize=5, zorder=4,
                   label=label, linestyle='')
    for event in report['gripper_events']:
        at = int(np.argmin(np.abs(points[:, 0] - event['time_s'])))
        above.plot(points[at, 1], points[at, 2], 'v' if event['what'] == 'closes' else '^',
                   color=COMMANDED, markersize=7, zorder=5, linestyle='',
                   label=f'gripper {event["what"]}')
    dress(above, 'tool from above, y [m] over x [m]')
    above.set_aspect('equal', adjustable='datalim')
    handles, labels = above.get_legend_handles_labels()
    unique = dict(zip(labels, handles))
    above.legend(unique.values(), unique.keys(), fontsize=8, frameon=False, loc='best',
                 labelcolor=INK)
    return to_svg(figure, 'Path of the tool')


def draw_policy(report: Numbers) -> str:
    """Return what the policy asked for: the first step of every chunk, by dimension."""
    actions = report['curves'].get('policy_actions')
    if not actions:
        return ''
    names = list(actions)[:14]
    rows = (len(names) + 1) // 2
    height = 0.7 + 1.1 * rows
    figure = new_figure(height)
    axes = np.atleast_2d(figure.subplots(rows, 2, sharex=True))
    shade_modes(list(axes.flat), mode_spans(report))
    for ax, name in zip(axes.T.flat, names):
        _line(ax, actions[name], SERIES[3], '-', 1.0, marker='.')
        _mark_people(ax, report)
        dress(ax, name)
        ax.margins(y=0.12)
    _finish_grid(figure, axes, len(names), report, height, top=0.25)
    return to_svg(figure, 'First step of every chunk')


def draw_lead(report: Numbers) -> str:
    """Return how far the command was ahead of the measured joints."""
    lead = report['curves'].get('lead')
    if not lead:
        return ''
    height = 1.6
    figure = new_figure(height)
    ax = figure.add_axes((0.055, 0.45 / height, 0.93, 1 - 0.75 / height))
    shade_modes([ax], mode_spans(report))
    _line(ax, lead['lead'], COMMANDED, '-', 1.0)
    _mark_people(ax, report)
    dress(ax, 'largest distance of a commanded joint from the measured one [rad]',
          xlabel='time after the first message [s]')
    ax.set_xlim(0.0, _end(report))
    ax.set_ylim(bottom=0.0)
    return to_svg(figure, 'Lead of the command over the measured joints')


# Parts


def unit_of(name: str, *curves: Numbers | None) -> tuple[float, str]:
    """Return the factor and the unit in which a joint of this name is shown.

    A gripper that opens further than any does is told in other units than metres.
    """
    if name in ('x', 'y', 'z'):
        return 1.0, 'm'
    if not any(word in name.lower() for word in _LENGTHS):
        return 1.0, 'rad'
    widest = max((abs(v) for curve in curves if curve for v in curve['value'] if v is not None),
                 default=0.0)
    return (1e3, 'mm') if widest <= _WIDEST else (1.0, 'as recorded')


def _end(report: Numbers) -> float:
    return max(report['bag']['duration_s'], 0.1)


def _line(ax: Axes, curve: Numbers | None, colour: str, style: Any, scale: float,
          marker: str = '') -> None:
    if not curve:
        return
    y = np.array([np.nan if v is None else v * scale for v in curve['value']])
    marker = marker if len(y) <= _MARKED else ''
    ax.plot(curve['time_s'], y, color=colour, linestyle=style, linewidth=1.2, zorder=3,
            marker=marker, markersize=2.5)


def _calm(ax: Axes, unit: str) -> None:
    """Show a joint at rest as a line, not as its noise."""
    ax.margins(y=0.14)
    low, high = ax.get_ylim()
    least = 0.05 if unit == 'rad' else 5.0 if unit == 'mm' else 0.02
    if high - low < least:
        ax.set_ylim((low + high - least) / 2, (low + high + least) / 2)


def _mark_people(ax: Axes, report: Numbers) -> None:
    for entry in report['interventions'][:500]:
        ax.axvspan(entry['time_s'], entry['time_s'] + entry['duration_s'], ymin=0.95,
                   color=_PERSON, linewidth=0, zorder=5)


def _finish_grid(figure: Any, axes: np.ndarray, used: int, report: Numbers, height: float,
                 top: float = 0.5) -> None:
    for ax in axes.T.flat[used:]:
        ax.set_visible(False)
    lowest = {id(column[max(i for i, ax in enumerate(column) if ax.get_visible())])
              for column in axes.T if any(ax.get_visible() for ax in column)}
    for ax in axes.flat:
        ax.set_xlim(0.0, _end(report))
        if id(ax) in lowest:
            ax.tick_params(labelbottom=True)
            ax.set_xlabel('time after the first message [s]', fontsize=8.5, color=PALE)
    figure.subplots_adjust(left=0.055, right=0.985, top=1 - top / height, bottom=0.45 / height,
                           hspace=0.42, wspace=0.12)


def _rows(report: Numbers) -> list[tuple[str, Any]]:
    """Return (name, function that draws it) for each row of the time line that has something."""
    rows: list[tuple[str, Any]] = []
    spans = mode_spans(report)
    if spans:
        rows.append(('mode', lambda ax, y: _bars(ax, y, [
            (start, end, _solid(mode)) for mode, start, end in spans])))
    for channel in dict.fromkeys(i['channel'] for i in report['interventions']):
        found = [(i['time_s'], i['time_s'] + i['duration_s'], _PERSON)
                 for i in report['interventions'] if i['channel'] == channel]
        rows.append((f'a person has the {channel}', lambda ax, y, f=found: _bars(ax, y, f)))
    if report['estops']:
        rows.append(('emergency stop', lambda ax, y: _bars(ax, y, [
            (e['time_s'], e['time_s'] + e['duration_s'], _BAD) for e in report['estops']])))
    if report['gripper_events']:
        rows.append(('gripper', lambda ax, y: _events(ax, y, report['gripper_events'])))
    if report['freezes']:
        rows.append(('camera frozen', lambda ax, y: _bars(ax, y, [
            (f['time_s'], f['time_s'] + f['duration_s'], _BAD) for f in report['freezes']])))
    silent = [(f['longest_gap_at_s'], f['longest_gap_at_s'] + f['longest_gap_s'], _BAD)
              for name, f in report['inputs'].items()
              if f['type'].endswith(('Image', 'JointState')) and 'command' not in name
              and f['gap'] and f['longest_gap_s'] > max(3e-3 * f['gap']['p50_ms'], 0.1)]
    if silent:
        rows.append(('longest silence of an input', lambda ax, y: _bars(ax, y, silent)))
    limiters = report['limiters']
    for name, entry in list(limiters['limiters'].items())[:_MOST_LIMITERS]:
        rows.append((_cut(name), lambda ax, y, e=entry: _area(
            ax, y, e['share'], limiters['bin_s'])))
    return rows


def _bars(ax: Axes, y: int, spans: Sequence[tuple[float, float, str]]) -> None:
    least = 0.0015 * ax.get_xlim()[1]  # what is shorter than a pixel shall be seen, too
    for start, end, colour in spans:
        ax.broken_barh([(start, max(end - start, least))], (y - 0.38, 0.76), color=colour,
                       linewidth=0, zorder=3)


def _events(ax: Axes, y: int, events: Sequence[Numbers]) -> None:
    for event in events:
        ax.plot(event['time_s'], y, 'v' if event['what'] == 'closes' else '^', markersize=7,
                color=_PERSON if event['who'] == 'a person' else INK, zorder=4)


def _area(ax: Axes, y: int, share: Sequence[float], bin_s: float) -> None:
    edges = np.arange(len(share) + 1) * bin_s
    tops = y + 0.42 - 0.84 * np.asarray(share)
    ax.fill_between(np.repeat(edges, 2)[1:-1], y + 0.42, np.repeat(tops, 2), color=SERIES[3],
                    linewidth=0, zorder=3)


def _solid(mode: str) -> str:
    return COLOURS[SOLID[mode]][0] if mode in SOLID else PALE


def _cut(text: str) -> str:
    return text if len(text) <= 30 else f'{text[:29]}…'


