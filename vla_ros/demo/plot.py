"""The demo's plot: commanded and measured joints, gripper and heights, over mode bands."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from vla_ros.demo.recording import Recording
from vla_ros.page.figure import (
    COMMANDED,
    DASHED,
    INK,
    MEASURED,
    SERIES,
    band,
    dress,
    new_figure,
    shade_modes,
    to_png,
)

_OVERRIDE = SERIES[0]
_HEIGHT_COLOURS = (SERIES[0], SERIES[4], SERIES[3])


def draw_joints(recording: Recording, title: str) -> bytes:
    """Return a PNG of everything that moved.

    Time is in simulated seconds since the first instruction; lengths in millimetres, angles in rad.
    """
    panels = [*recording.joints, recording.gripper, 'height']
    rows = (len(panels) + 1) // 2
    figure = new_figure(1.6 + 1.7 * rows, width=12.5)
    axes = np.atleast_2d(figure.subplots(rows, 2, sharex=True))
    end = max((recording.end_ns() - recording.start_ns) * 1e-9, 0.1)
    modes = _shade(list(axes.flat), recording, end)
    overridden = _mark_overrides(list(axes.flat), recording)
    for name, ax in zip(panels, axes.T.flat):
        if name == 'height':
            _heights(ax, recording)
        else:
            _joint(ax, recording, name)
        ax.set_xlim(min(-0.02 * end, 0.0), end)
        ax.margins(y=0.12)
    for ax in axes.T.flat[len(panels):]:
        ax.set_visible(False)
    for ax in axes[-1]:
        ax.set_xlabel('simulated time [s]', fontsize=9, color=INK)
    for ax in axes[0]:
        _name_instructions(ax, recording)
    height = figure.get_figheight()
    figure.suptitle(title, x=0.012, y=1.0 - 0.1 / height, ha='left', va='top', fontsize=12,
                    fontweight='bold', color=INK)
    figure.legend(
        handles=[Line2D([], [], color=COMMANDED, linestyle=DASHED, label='commanded'),
                 Line2D([], [], color=MEASURED, label='measured'),
                 Line2D([], [], color=INK, linestyle=':', label='new instruction'),
                 *([Patch(color=_OVERRIDE, label='override')] * bool(overridden)),
                 *(Patch(color=band(mode), label=mode) for mode in modes)],
        loc='upper left', ncol=7, fontsize=9, frameon=False, borderpad=0.0,
        bbox_to_anchor=(0.012, 1.0 - 0.38 / height))
    figure.subplots_adjust(left=0.05, right=0.99, top=1.0 - 1.08 / height, bottom=0.5 / height,
                           hspace=0.28, wspace=0.12)
    return to_png(figure)


def _seconds(recording: Recording, times: np.ndarray) -> np.ndarray:
    return (times - recording.start_ns) * 1e-9


def _shade(axes: list[Axes], recording: Recording, end: float) -> list[str]:
    """Paint the modes behind the curves and mark the instructions; return the modes shown."""
    edges = [*((c.time_ns - recording.start_ns) * 1e-9 for c in recording.modes), end]
    spans = [(change.mode, start, min(stop, end))
             for change, start, stop in zip(recording.modes, edges, edges[1:])
             if stop >= 0.0 and start < end]
    shown = shade_modes(axes, spans)
    for time_ns, _ in recording.instructions:
        for ax in axes:
            ax.axvline((time_ns - recording.start_ns) * 1e-9, color=INK, linewidth=1.1,
                       linestyle=':', zorder=4)
    return shown


def _mark_overrides(axes: list[Axes], recording: Recording) -> bool:
    """Paint a bar along the top while humans override something; return whether they did."""
    spans = recording.interventions()
    for start_ns, end_ns, _ in spans:
        for ax in axes:
            ax.axvspan((start_ns - recording.start_ns) * 1e-9, (end_ns - recording.start_ns) * 1e-9,
                       ymin=0.95, color=_OVERRIDE, linewidth=0, zorder=5)
    return bool(spans)


def _joint(ax: Axes, recording: Recording, name: str) -> None:
    gripper = name == recording.gripper
    scale, unit = (1e3, 'mm') if gripper else (1.0, 'rad')
    column = recording.measured.columns.index(name)
    for series, colour, line in ((recording.measured, MEASURED, '-'),
                                 (recording.commanded, COMMANDED, DASHED)):
        times, values = series.arrays()
        seen = times >= recording.start_ns
        ax.plot(_seconds(recording, times[seen]), values[seen, column] * scale, zorder=3,
                color=colour, linestyle=line, linewidth=1.4)
    _label(ax, f'{name} opening' if gripper else name, unit)
    low, high = ax.get_ylim()
    if not gripper and high - low < 0.1:  # a joint at rest is a line, not its noise
        ax.set_ylim((low + high) / 2 - 0.05, (low + high) / 2 + 0.05)


def _heights(ax: Axes, recording: Recording) -> None:
    times, values = recording.heights.arrays()
    seen = times >= recording.start_ns
    for i, name in enumerate(recording.heights.columns):
        ax.plot(_seconds(recording, times[seen]), values[seen, i] * 1e3, linewidth=1.5, zorder=3,
                color=_HEIGHT_COLOURS[i % len(_HEIGHT_COLOURS)],
                label='tool' if name == 'tcp' else name)
    _label(ax, 'height above the table', 'mm')
    ax.legend(fontsize=8, frameon=False, loc='best', ncol=2)


def _label(ax: Axes, name: str, unit: str) -> None:
    dress(ax, f'{name} [{unit}]')


def _name_instructions(ax: Axes, recording: Recording) -> None:
    for time_ns, text in recording.instructions:
        ax.annotate(text, ((time_ns - recording.start_ns) * 1e-9, 1.0), (3, 14),
                    xycoords=('data', 'axes fraction'), textcoords='offset points', fontsize=8,
                    color=INK, style='italic', annotation_clip=False)
