"""A page's parts: text is escaped, numbers are honest, plots follow light and dark."""

from __future__ import annotations

import re

import pytest

from vla_ros.page import document as page
from vla_ros.page.style import BANDS, COLOURS, css


def test_what_comes_from_outside_is_escaped():
    evil = '<script>"&'
    for html in (page.header('', evil, [evil], [evil]), page.pill(evil), page.facts({evil: evil}),
                 page.section(evil, ''), page.table((evil,), []), page.mode_bar([(evil, 0, 1)]),
                 page.findings([{'severity': evil, 'text': evil, 'why': evil}]),
                 page.document(evil, [])):
        assert '<script' not in html


def test_a_number_that_is_unknown_is_a_dash_and_zero_has_no_minus():
    assert page.number(None, '.1f') == '&ndash;'
    assert page.number(-0.0001, '.1f') == '0.0'
    assert page.number(0.5, '.0f', 100.0) == '50'


def test_every_colour_has_a_dark_twin_and_the_print_stays_light():
    text = css()
    dark = text[text.index('prefers-color-scheme: dark'):]
    for name, (light, other) in COLOURS.items():
        assert light != other
        assert f'--{name}: {light};' in text and f'--{name}: {other};' in dark
    assert '@media screen and (prefers-color-scheme: dark)' in text
    assert len({pair[0] for pair in [*COLOURS.values(), *BANDS.values()]}) == len(COLOURS) + len(
        BANDS), 'a drawn colour must stand for one variable'


@pytest.mark.parametrize('which', [0, 1])
def test_text_is_readable_on_its_ground(which):
    """WCAG: a contrast of 4.5 for text, 3 for curves."""
    card = COLOURS['card'][which]
    assert contrast(COLOURS['ink'][which], card) > 7
    assert contrast(COLOURS['pale'][which], card) > 4.5
    for mode in BANDS.values():
        assert contrast(COLOURS['ink'][which], mode[which]) > 4.5
        for curve in ('blue', 'red'):
            assert contrast(COLOURS[curve][which], mode[which]) > 2.7


def test_an_svg_has_its_text_as_text_and_its_colours_as_variables():
    figure = pytest.importorskip('vla_ros.page.figure')
    drawing = figure.new_figure(2.0)
    ax = drawing.subplots()
    ax.plot([0, 1], [0.3251, 0.3259], color=figure.MEASURED)
    ax.set_yticks([0.325, 0.3255])
    figure.dress(ax, 'joint <1>', xlabel='time [s]')
    figure.shade_modes([ax], [('HOLD', 0.0, 0.5)])
    svg = figure.to_svg(drawing, 'a "plot"')
    assert svg.startswith('<svg class="plot"') and svg.endswith('</svg>')
    assert 'joint &lt;1&gt;' in svg and '0.3255' in svg, 'labels are not rounded'
    assert 'var(--blue)' in svg and 'var(--band-HOLD)' in svg and 'var(--pale)' in svg
    assert not re.search(r'#(?!m|p|C|D)[0-9a-f]{6}\b', svg.replace('xlink:href="#', '')), (
        'a colour that does not follow the page')
    assert 'http' not in re.sub(r'xmlns(:\w+)?="[^"]*"', '', svg)


def test_the_same_figure_gives_the_same_bytes():
    figure = pytest.importorskip('vla_ros.page.figure')

    def draw() -> str:
        drawing = figure.new_figure(1.0)
        drawing.subplots().plot([0, 1], [0, 1])
        return figure.to_svg(drawing, 'x')

    assert draw() == draw()


def luminance(colour: str) -> float:
    channels = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)
