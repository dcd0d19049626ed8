"""Distributions of times, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from vla_ros.page.figure import COMMANDED, INK, MEASURED, PALE, dress, new_figure, to_svg

_COLUMNS, _MOST, _LEAST_MS = 3, 12, 0.05


def draw_histograms(latencies: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a panel for each distribution of :class:`vla_ros.report.tally.Histogram`.

    Those that are as good as zero throughout have none.
    """
    names = [name for name, values in latencies.items() if values['most_ms'] > _LEAST_MS][:_MOST]
    if not names:
        return ''
    rows = -(-len(names) // _COLUMNS)
    height = 0.15 + 1.75 * rows
    figure = new_figure(height)
    axes = np.atleast_2d(figure.subplots(rows, _COLUMNS))
    for ax, name in zip(axes.flat, names):
        _panel(ax, name, latencies[name])
    for ax in axes.flat[len(names):]:
        ax.set_visible(False)
    figure.subplots_adjust(left=0.045, right=0.985, top=1 - 0.3 / height, bottom=0.48 / height,
                           hspace=0.75, wspace=0.14)
    return to_svg(figure, 'Distributions of times')


def _panel(ax: Any, name: str, values: Mapping[str, Any]) -> None:
    edges, counts = np.asarray(values['edges_ms']), np.asarray(values['counts'])
    share = 100.0 * counts / max(counts.sum(), 1)
    ax.stairs(share, edges, fill=True, color=MEASURED, linewidth=0, zorder=2)
    ax.set_xscale('log')
    low, high = edges[0] * 0.8, edges[-1] * 1.25
    if high / low < 12:  # a decade at least, so that the axis has numbers
        middle = np.sqrt(low * high)
        low, high = middle / 3.5, middle * 3.5
    ax.set_xlim(low, high)
    for key, style in (('p50_ms', '-'), ('p99_ms', ':')):
        ax.axvline(values[key], color=COMMANDED, linewidth=1.2, linestyle=style, zorder=3)
    dress(ax, name if len(name) < 46 else f'{name[:45]}…')
    ax.xaxis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 5.0) if high / low < 300 else (1.0,)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f'{x:g}'))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel(f'ms; n = {values["count"]}, p50 {values["p50_ms"]:.3g}, p99 '
                  f'{values["p99_ms"]:.3g}, most {values["most_ms"]:.3g}', fontsize=8, color=PALE)
    ax.set_ylabel('% of them', fontsize=8, color=PALE)
    ax.title.set_color(INK)
