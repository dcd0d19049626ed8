"""The figures of a closed-timing replay's report: who had the arm when, and the scores by case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.patches import Patch

from vla_ros.page.figure import INK, MEASURED, PALE, dress, new_figure, to_svg
from vla_ros.page.style import COLOURS

Numbers = Mapping[str, Any]

_LEVELS = {'RUNNING': COLOURS['green'][0], 'SLOW': COLOURS['sky'][0], 'HOLD': COLOURS['amber'][0],
           'STOPPED': COLOURS['maroon'][0]}
_BARS = (('tool_jerk_rms', 'jerk of the tool, rms [m/s³]', 1.0),
         ('boundary_step_max', 'largest step between chunks [mm/s]', 1e3),
         ('starved', 'without a step that is due [%]', 100.0),
         ('not_running', 'not RUNNING [%]', 100.0),
         ('limited', 'a limiter acts [%]', 100.0),
         ('path_rms', 'off the undisturbed path, rms [mm]', 1e3))
_MOST = 40


def level_spans(case: Numbers, seconds: float) -> list[tuple[str, float, float]]:
    """Return (level, from, until) [s] of a case; the control side begins in HOLD."""
    spans, level, since = [], 'HOLD', 0.0
    for change in case['changes']:
        spans.append((level, since, change['time_s']))
        level, since = change['level'], change['time_s']
    spans.append((level, since, seconds))
    return [span for span in spans if span[2] > span[1]]


def draw_levels(report: Numbers) -> str:
    """Return the levels of every case over time."""
    cases = report['cases'][:_MOST]
    seconds = max(report['seconds'], 0.1)
    height = 0.75 + 0.28 * len(cases)
    figure = new_figure(height)
    ax = figure.add_axes((0.24, 0.42 / height, 0.75, 1.0 - 0.72 / height))
    dress(ax, xlabel='time [s]')
    ax.grid(axis='y', visible=False)
    ax.set_yticks(range(len(cases)), [_cut(case['name']) for case in cases], fontsize=8, color=INK)
    ax.set_ylim(len(cases) - 0.5, -0.5)
    ax.set_xlim(0.0, seconds)
    least = 0.0015 * seconds  # what is shorter than a pixel shall be seen, too
    for y, case in enumerate(cases):
        for level, start, end in level_spans(case, seconds):
            ax.broken_barh([(start, max(end - start, least))], (y - 0.38, 0.76), linewidth=0,
                           color=_LEVELS.get(level, PALE), zorder=3)
    figure.legend(handles=[Patch(color=colour, label=name) for name, colour in _LEVELS.items()],
                  loc='upper right', ncol=4, fontsize=8, frameon=False, labelcolor=INK,
                  bbox_to_anchor=(0.995, 1.0), borderpad=0.1)
    return to_svg(figure, 'Levels of the control side over time, by case')


def draw_scores(report: Numbers) -> str:
    """Return the scores that matter most, a bar for each case."""
    cases = report['cases'][:_MOST]
    rows = (len(_BARS) + 1) // 2
    panel = 0.55 + 0.2 * len(cases)
    height = 0.15 + panel * rows
    figure = new_figure(height)
    axes = np.atleast_2d(figure.subplots(rows, 2, sharey=True))
    for ax, (key, title, scale) in zip(axes.flat, _BARS):
        _bars(ax, [scale * float(case['scores'][key] or 0.0) for case in cases])
        dress(ax, title)
        ax.grid(axis='y', visible=False)
        ax.set_yticks(range(len(cases)), [_cut(case['name']) for case in cases])
        ax.tick_params(axis='y', labelsize=8, labelcolor=INK)
    axes[0, 0].set_ylim(len(cases) - 0.5, -0.5)
    figure.subplots_adjust(left=0.24, right=0.975, top=1 - 0.3 / height, bottom=0.25 / height,
                           hspace=0.55 / max(panel - 0.5, 0.2), wspace=0.08)
    return to_svg(figure, 'Scores by case')


def _bars(ax: Any, values: Sequence[float]) -> None:
    ax.barh(range(len(values)), values, height=0.66, color=MEASURED, zorder=3)
    top = max([*values, 0.0])
    ax.set_xlim(0.0, 1.18 * top if top > 0 else 1.0)
    for y, value in enumerate(values):
        ax.annotate(f'{value:.3g}', (value, y), (3, 0), textcoords='offset points', va='center',
                    fontsize=7.5, color=INK)


def _cut(text: str) -> str:
    return text if len(text) <= 40 else f'{text[:39]}…'
