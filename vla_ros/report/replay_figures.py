"""The figures of an open-loop replay's report, from its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.lines import Line2D

from vla_ros.page.figure import (
    COMMANDED,
    DASHED,
    INK,
    MEASURED,
    PALE,
    SERIES,
    dress,
    new_figure,
    to_svg,
)
from vla_ros.page.style import COLOURS

_MOST = 16
_PREDICTED, _RECORDED = COMMANDED, MEASURED

Numbers = Mapping[str, Any]


def draw_dimensions(report: Numbers) -> str:
    """Return predicted against recorded, each number of an action along the executed steps."""
    predicted, recorded = (report['curves'][key] for key in ('predicted', 'recorded'))
    names = [name for name in report['dims'] if name in predicted or name in recorded][:_MOST]
    if not names:
        return ''
    units = dict(zip(report['dims'], report['units']))
    rows = (len(names) + 1) // 2
    height = 0.75 + 1.35 * rows
    figure = new_figure(height)
    axes = np.atleast_2d(figure.subplots(rows, 2, sharex=True))
    for ax, name in zip(axes.T.flat, names):
        for curve, colour, style in ((recorded.get(name), _RECORDED, '-'),
                                     (predicted.get(name), _PREDICTED, DASHED)):
            if curve:
                y = [np.nan if v is None else v for v in curve['value']]
                ax.plot(curve['time_s'], y, color=colour, linestyle=style, linewidth=1.2,
                        marker='.', markersize=2, zorder=3)
        dress(ax, f'{name} [{units[name]}]')
        ax.margins(x=0.01, y=0.14)
        if name == 'gripper':
            _mark_events(ax, report)
    for ax in axes.T.flat[len(names):]:
        ax.set_visible(False)
    for column in axes.T:
        shown = [ax for ax in column if ax.get_visible()]
        if shown:
            shown[-1].tick_params(labelbottom=True)
            shown[-1].set_xlabel('time after the first observation [s]', fontsize=8.5, color=PALE)
    figure.legend(handles=[Line2D([], [], color=_RECORDED, label=f'recorded '
                                  f'({report["against"]})'),
                           Line2D([], [], color=_PREDICTED, linestyle=DASHED,
                                  label='predicted by the policy')],
                  loc='upper left', ncol=2, fontsize=8.5, frameon=False, labelcolor=INK,
                  bbox_to_anchor=(0.04, 1.0), borderpad=0.2)
    figure.subplots_adjust(left=0.06, right=0.985, top=1 - 0.5 / height, bottom=0.45 / height,
                           hspace=0.42, wspace=0.13)
    return to_svg(figure, 'Predicted and recorded actions over time')


def draw_steps(report: Numbers) -> str:
    """Return the error by step of the chunk, with the horizon at which it passes the threshold."""
    metrics = report['metrics']
    relative = np.array([np.nan if v is None else v for v in metrics['step_relative']])
    if not np.isfinite(relative).any():
        return ''
    height = 2.9
    figure = new_figure(height)
    left, right = figure.subplots(1, 2)
    steps = np.arange(1, len(relative) + 1)
    left.plot(steps, 100 * relative, color=_PREDICTED, marker='o', markersize=4, linewidth=1.5,
              zorder=3)
    left.axhline(100 * metrics['threshold'], color=PALE, linestyle=':', linewidth=1.3, zorder=2)
    left.annotate(f'threshold {100 * metrics["threshold"]:g} %',
                  (1.0, 100 * metrics['threshold']), (-3, 3), xycoords=('axes fraction', 'data'),
                  textcoords='offset points', fontsize=8, color=PALE, ha='right')
    horizon = metrics['horizon']
    if 0 < horizon < len(relative):
        left.axvline(horizon + 0.5, color=COLOURS['green'][0], linewidth=1.4, zorder=2)
        left.annotate(f'use {horizon} of {len(relative)} steps', (horizon + 0.5, 0.97), (4, 0),
                      xycoords=('data', 'axes fraction'), textcoords='offset points', fontsize=8,
                      color=COLOURS['green'][0], va='top')
    highest = max(float(np.nanmax(relative)), metrics['threshold'])
    dress(left, 'mean error by step of the chunk, all dimensions [% of the spread]',
          xlabel='step of the chunk')
    step_l1 = np.array([[np.nan if v is None else v for v in row] for row in metrics['step_l1']])
    for d, dimension in enumerate(metrics['dimensions'][:_MOST]):
        if dimension['spread'] > 0 and step_l1.ndim == 2:
            right.plot(steps, 100 * step_l1[:, d] / dimension['spread'], linewidth=1.3, zorder=3,
                       color=SERIES[d % len(SERIES)], label=dimension['name'],
                       linestyle=('-', DASHED, ':')[d // len(SERIES) % 3])
    dress(right, 'by dimension [% of its spread]', xlabel='step of the chunk')
    right.legend(fontsize=8, frameon=False, ncol=2, loc='upper left', labelcolor=INK)
    for ax in (left, right):
        ax.margins(y=0.15)
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set_ylim(bottom=0.0)
    left.set_ylim(0.0, 118.0 * highest)
    figure.subplots_adjust(left=0.055, right=0.985, top=1 - 0.3 / height, bottom=0.48 / height,
                           wspace=0.13)
    return to_svg(figure, 'Error by step of the chunk')


def draw_ablations(report: Numbers) -> str:
    """Return how much the answers change without each input."""
    ablations = report.get('ablations') or ()
    if not ablations:
        return ''
    height = 0.65 + 0.3 * len(ablations)
    figure = new_figure(height)
    ax = figure.add_axes((0.19, 0.45 / height, 0.78, 1 - 0.55 / height))
    values = [100 * a['relative'] for a in ablations]
    ax.barh(range(len(values)), values, height=0.62, color=SERIES[0], zorder=3)
    ax.set_yticks(range(len(values)), [a['name'] for a in ablations])
    ax.set_ylim(len(values) - 0.5, -0.5)
    dress(ax, xlabel='change of the answers [% of the spread]')
    ax.tick_params(axis='y', labelsize=8.5, labelcolor=INK)
    ax.set_xlim(0.0, max(max(values) * 1.15, 1.0))
    for y, value in enumerate(values):
        ax.annotate(f'{value:.1f} %', (value, y), (4, 0), textcoords='offset points', va='center',
                    fontsize=8, color=INK)
    return to_svg(figure, 'Change of the answers without an input')


def _mark_events(ax: Any, report: Numbers) -> None:
    low, high = ax.get_ylim()
    ax.set_ylim(low - 0.12 * (high - low), high + 0.5 * (high - low))
    for event in report['gripper_events']:
        ours = event['whose'] == 'policy'
        ax.plot(event['time_s'], high + (0.14 if ours else 0.36) * (high - low), markersize=6,
                color=_PREDICTED if ours else _RECORDED,
                marker='v' if event['what'] == 'closes' else '^', zorder=5, clip_on=False)
