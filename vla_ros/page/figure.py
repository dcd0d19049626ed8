"""Figures with Matplotlib: one look, as SVG that follows the page's light or dark, or as PNG."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO

from vla_ros.core.errors import DependencyError
from vla_ros.page.style import BANDS, COLOURS, OTHER_BAND, variables

try:
    import matplotlib
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
except ImportError as error:  # pragma: no cover, depends on the machine
    raise DependencyError('the plots of a report need Matplotlib, which is not installed: '
                          "pip install 'vla_ros[report]' or apt install python3-matplotlib"
                          ) from error

INK, PALE, LINE, PANEL = (COLOURS[name][0] for name in ('ink', 'pale', 'line', 'panel'))
COMMANDED, MEASURED = COLOURS['red'][0], COLOURS['blue'][0]
SERIES = tuple(COLOURS[name][0] for name in ('blue', 'red', 'green', 'purple', 'orange', 'sky'))
"""Colours of curves that have no meaning of their own, in order."""

DASHED = (0, (4, 2))

_DECIMALS = re.compile(r'\d+\.\d{3,}')  # of places on paper; text is not touched
_WIDTH_IN = 10.8  # the text of a page is 1036 px wide: a point is a point at full width
_STYLE = {'svg.fonttype': 'none', 'svg.hashsalt': 'vla_ros', 'font.family': 'DejaVu Sans',
          'path.simplify': True, 'path.simplify_threshold': 0.3, 'axes.formatter.useoffset': False}


def new_figure(height: float, width: float = _WIDTH_IN) -> Figure:
    """Return an empty figure of this size [inches]."""
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def band(mode: str) -> str:
    """Return the colour that stands for a mode."""
    return BANDS.get(mode, OTHER_BAND)[0]


def dress(ax: Axes, title: str = '', ylabel: str = '', xlabel: str = '') -> None:
    """Give axes the look of this package: a pale panel, no frame, the title at the left."""
    ax.set_facecolor(PANEL)
    ax.set_axisbelow(True)
    ax.grid(True, color=LINE, linewidth=0.8)
    ax.tick_params(labelsize=8, colors=PALE, length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    if title:
        ax.set_title(title, fontsize=9, loc='left', pad=4, color=INK)
    if ylabel:
        ax.set_ylabel(ylabel, fontsize=8.5, color=PALE)
    if xlabel:
        ax.set_xlabel(xlabel, fontsize=8.5, color=PALE)


def shade_modes(axes: Sequence[Axes], spans: Sequence[tuple[str, float, float]]) -> list[str]:
    """Paint (mode, from, until) [s] behind curves; return the modes that were painted."""
    shown: dict[str, None] = {}
    for mode, start, end in spans:
        if not end > start:
            continue
        shown[mode] = None
        for ax in axes:
            ax.axvspan(start, end, color=band(mode), linewidth=0, zorder=0)
    return list(shown)


def to_png(figure: Figure, dpi: int = 110) -> bytes:
    """Return the figure as PNG on a white ground."""
    figure.set_facecolor('white')
    buffer = BytesIO()
    with _style():
        figure.savefig(buffer, format='png', dpi=dpi)
    return buffer.getvalue()


def to_svg(figure: Figure, alt: str) -> str:
    """Return the figure as an ``<svg>`` for a page of :mod:`vla_ros.page.document`.

    Its text stays text, and its colours are the page's variables, so that it is readable on a
    dark ground, too.
    """
    figure.patch.set_visible(False)
    buffer = BytesIO()
    with _style():
        figure.savefig(buffer, format='svg', metadata={'Date': None, 'Creator': None})
    text = buffer.getvalue().decode('utf-8')
    text = text[text.index('<svg'):]
    text = re.sub(r'<metadata>.*?</metadata>', '', text, flags=re.DOTALL)
    text = re.sub(r'<!--.*?-->\s*', '', text, flags=re.DOTALL)
    text = re.sub(r'<[^>]*>', lambda tag: _DECIMALS.sub(_shorter, tag[0]), text)
    for colour, variable in variables().items():
        text = text.replace(colour, variable)
    return re.sub(r'<svg[^>]*?(viewBox="[^"]*")[^>]*>',
                  rf'<svg class="plot" role="img" aria-label="{_attribute(alt)}" \1 '
                  'xmlns:xlink="http://www.w3.org/1999/xlink">', text, count=1).strip()


def _shorter(number: re.Match[str]) -> str:
    return f'{float(number[0]):.2f}'.rstrip('0').rstrip('.')


def _attribute(text: str) -> str:
    return text.replace('&', '&amp;').replace('"', '&quot;').replace('<', '&lt;')


@contextmanager
def _style() -> Iterator[None]:
    with matplotlib.rc_context(_STYLE):
        yield
