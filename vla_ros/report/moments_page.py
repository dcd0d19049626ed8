"""The pictures of chosen moments on a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from vla_ros.page import document as page


def moments_section(moments: Sequence[Mapping[str, Any]], title: str = 'Moments') -> str:
    """Return the section; moments without any picture are left out."""
    shown = [m for m in moments if m['pictures']]
    if not shown:
        return ''
    return page.section(title, f'<div class="moments">{"".join(map(_moment, shown))}</div>')


def _moment(moment: Mapping[str, Any]) -> str:
    shots = ''.join(_shot(shot) for shot in moment['pictures'])
    offsets = ', '.join(f'{shot["camera"]} {shot["offset_s"] * 1e3:+.0f} ms'
                        for shot in moment['pictures'])
    return (f'<figure><div class="shots">{shots}</div><figcaption><b>{moment["time_s"]:.1f} s</b> '
            f'{escape(moment["text"])}<small>pictures: {escape(offsets)}</small></figcaption>'
            '</figure>')


def _shot(shot: Mapping[str, Any]) -> str:
    name = escape(shot['camera'])
    if 'jpeg' not in shot:
        return f'<small>{name}: {escape(shot["problem"])}</small>'
    return f'<img alt="{name}" title="{name}" src="data:image/jpeg;base64,{shot["jpeg"]}">'
