"""A page as text: its frame, sections, tables and small parts. What is passed as HTML is HTML."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable, Mapping, Sequence
from html import escape
from typing import Any

from vla_ros.page.style import css

GOOD = frozenset({'SUCCESS', 'GRAPH OK', 'success', 'AUTONOMOUS', 'pass', 'OK'})
"""Words that a pill shows in green."""

BAD = frozenset({'FAILED', 'timeout', 'STOPPED', 'ERROR', 'fail'})
"""Words that a pill shows in red; all others are in between."""


def document(title: str, parts: Iterable[str]) -> str:
    """Return the page of these parts; empty ones are left out."""
    return ('<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<title>{escape(title)}</title>\n<style>{css()}</style>\n</head>\n<body>\n<main>\n'
            + '\n'.join(part for part in parts if part) + '\n</main>\n</body>\n</html>\n')


def header(kind: str, word: str, lines: Sequence[str], small: Sequence[str] = ()) -> str:
    """Return the head of a page: ``kind`` is ``good``, ``middle``, ``plain`` or empty for bad."""
    return (f'<header class="{kind}"><h1>{escape(word)}</h1>'
            + ''.join(f'<p>{escape(line)}</p>' for line in lines if line)
            + ''.join(f'<small>{escape(line)}</small>' for line in small if line) + '</header>')


def section(title: str, body: str) -> str:
    """Return a section; ``body`` is HTML."""
    return f'<section><h2>{escape(title)}</h2>\n{body}\n</section>'


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], head: bool = True) -> str:
    """Return a table; a column whose name begins with # holds numbers. Cells are HTML already."""
    kinds = [' class="n"' if name.startswith('#') else '' for name in columns]
    names = ''.join(f'<th{kind}>{escape(name.lstrip("#"))}</th>'
                    for name, kind in zip(columns, kinds))
    lines = []
    for row in rows:
        cells = ''.join(f'<td{kind}>{cell}</td>' for cell, kind in zip(row, kinds))
        lines.append(f'<tr>{cells}</tr>')
    top = f'<thead><tr>{names}</tr></thead>' if head else ''
    body = '\n'.join(lines)
    return f'<table>{top}<tbody>{body}</tbody></table>'


def pill(text: str, good: Collection[str] = GOOD, bad: Collection[str] = BAD) -> str:
    """Return a word on a coloured ground."""
    kind = 'good' if text in good else 'bad' if text in bad else 'middle'
    return f'<span class="pill {kind}">{escape(text)}</span>'


def note(html: str) -> str:
    """Return a remark below a table or plot."""
    return f'<p class="note">{html}</p>'


def number(value: float | None, form: str, scale: float = 1.0) -> str:
    """Return a number as text, a dash for None; no minus before zero."""
    if value is None:
        return '&ndash;'
    text = format(value * scale, form)
    return text.lstrip('-') if float(text) == 0.0 else text


def picture(data: bytes, alt: str, kind: str = 'png') -> str:
    """Return a picture that lies inside the page."""
    text = base64.b64encode(data).decode('ascii')
    return f'<img alt="{escape(alt)}" src="data:image/{kind};base64,{text}">'


def mode_bar(spans: Sequence[tuple[str, float, float]]) -> str:
    """Return a bar of modes: (mode, from, until) in any unit of time."""
    total = sum(max(end - start, 0.0) for _, start, end in spans) or 1.0
    parts = ''.join(f'<i class="{escape(mode)}" title="{escape(mode)}" '
                    f'style="width:{100 * (end - start) / total:.2f}%"></i>'
                    for mode, start, end in spans if end > start)
    return f'<div class="bar">{parts}</div>'


def facts(rows: Mapping[str, Any]) -> str:
    """Return a table of names and values without a head; None and empty values are left out."""
    return table(('', ''), [(escape(name), escape(str(value))) for name, value in rows.items()
                            if value not in (None, '')], head=False)


def findings(found: Sequence[Mapping[str, Any]]) -> str:
    """Return what was found, in words: ``severity``, ``text`` and, where there is one, ``why``."""
    items = []
    for finding in found:
        kind = finding['severity'] if finding['severity'] in ('bad', 'middle', 'good') else ''
        why = finding.get('why') or ''
        items.append(f'<li class="{kind}">{escape(finding["text"])}'
                     + (f'<small>{escape(why)}</small>' if why else '') + '</li>')
    return f'<ul class="findings">{"".join(items)}</ul>'
