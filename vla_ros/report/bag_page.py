"""A recording's report as one page, made from what ``report.json`` holds and a few pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from vla_ros.page import document as page
from vla_ros.report import bag_figures as figures
from vla_ros.report.findings import LEVELS
from vla_ros.report.histogram_figure import draw_histograms
from vla_ros.report.moments_page import moments_section

_MOST_ROWS = 60

Numbers = Mapping[str, Any]


def render_bag(report: Numbers, moments: Sequence[Numbers] = ()) -> str:
    """Return the page.

    Parameters
    ----------
    report : Numbers
        As of :func:`vla_ros.report.bag_numbers.bag_numbers`.
    moments : Sequence[Numbers]
        As of :func:`vla_ros.report.thumbnails.thumbnails`, with ``time_s``.

    """
    parts = [_header(report),
             page.section('What went wrong, and why', page.findings(report['findings'])),
             _plot('Time line', figures.draw_time_line(report),
                   'Limiters: the part of the control ticks at which each acted. Triangles: the '
                   'gripper is told to close (down) or to open (up), blue by a person.'),
             moments_section(moments),
             _plot('Commanded and measured', figures.draw_joints(report)),
             _plot('The tool', figures.draw_tool(report)),
             _plot('How far the command was ahead', figures.draw_lead(report)),
             _plot('What the policy asked for', figures.draw_policy(report),
                   'First step of every chunk, in the policy’s own units.'),
             _modes(report), _people(report), _limiters(report),
             latency_section(report['latencies']),
             _inputs(report), _chunks(report), _diagnostics(report), _recording(report)]
    return page.document(f'{report["verdict"]["word"]}: {report["bag"]["path"]}', parts)


def _header(report: Numbers) -> str:
    verdict, bag, policy = report['verdict'], report['bag'], report['policy']
    kind = '' if verdict['kind'] == 'bad' else verdict['kind']
    people = sum(t['count'] for t in report['intervention_totals'].values())
    helped = sum(t['duration_s'] for t in report['intervention_totals'].values())
    modes = ', '.join(f'{mode} {total["duration_s"]:.1f} s'
                      for mode, total in report['mode_totals'].items())
    return page.header(
        kind, verdict['word'],
        [verdict['first'] if verdict['kind'] != 'good' else '',
         (f'{people} intervention{"s" * (people != 1)}, {helped:.1f} s together' if people else
          'No interventions') if report['modes'] else ''],
        [f'{bag["path"]} · {bag["duration_s"]:.1f} s · {bag["messages"]} messages'
         + (f' · {bag["start"]}' if bag['start'] else ''),
         ' · '.join(text for text in (
             f'robot: {report["robot"] or "not said"}',
             f'policy: {policy.get("label") or policy.get("name") or "not said"}', modes) if text),
         'instructions: ' + '; '.join(i['text'] for i in report['instructions'][:6])
         if report['instructions'] else '', identity(report['recording'])])


def identity(recording: Numbers) -> str:
    """Return versions and hashes of a recording in one line: what tells two runs apart."""
    version = (recording.get('versions') or {}).get('vla_ros')
    found = [f'vla_ros {version}'] if version else []
    for key, value in recording.items():
        if isinstance(value, str) and value:
            found.append(f'{key} {_short_hash(value)}')
        elif isinstance(value, Mapping):
            found += [f'{key} {name.rpartition("/")[2]} {_short_hash(text)}'
                      for name, text in value.items()
                      if isinstance(text, str) and text.startswith('sha256:')]
    return ' · '.join(found)


def _short_hash(text: str) -> str:
    head, colon, digest = text.rpartition(':')
    commit, dash, dirty = digest.partition('-')
    return f'{head}{colon}{commit[:10]}{dash}{dirty}' if len(commit) > 20 else text


def _plot(title: str, svg: str, note: str = '') -> str:
    return page.section(title, svg + (page.note(note) if note else '')) if svg else ''


def _modes(report: Numbers) -> str:
    modes = report['modes']
    if not modes:
        return ''
    totals = page.table(('mode', '#times', '#together [s]'), [
        (page.pill(mode), str(total['count']), page.number(total['duration_s'], '.2f'))
        for mode, total in report['mode_totals'].items()])
    rows = [(page.number(m['time_s'], '.2f'), page.pill(m['mode']),
             page.number(m['duration_s'], '.2f'), escape(m['reason']) or '&ndash;')
            for m in modes[:_MOST_ROWS]]
    return page.section('Modes', totals + '<h3>One by one</h3>' + page.table(
        ('#from [s]', 'mode', '#for [s]', 'reason'), rows) + _more(modes, 'modes.csv'))


def _people(report: Numbers) -> str:
    found = report['interventions']
    if not found and not report['estops']:
        return ''
    rows = [(page.number(i['time_s'], '.2f'), escape(i['channel']), escape(i['what']),
             page.number(i['duration_s'], '.2f')) for i in found[:_MOST_ROWS]]
    rows += [(page.number(e['time_s'], '.2f'), 'emergency stop', escape(e['topic']),
              page.number(e['duration_s'], '.2f')) for e in report['estops'][:_MOST_ROWS]]
    totals = '; '.join(f'{channel}: {total["count"]} in {total["duration_s"]:.1f} s'
                       for channel, total in report['intervention_totals'].items())
    return page.section('Interventions and emergency stops', page.table(
        ('#from [s]', 'of', 'what', '#for [s]'), rows) + _more(found, 'interventions.csv')
        + (page.note(escape(totals)) if totals else ''))


def _limiters(report: Numbers) -> str:
    limiters = report['limiters']
    if not limiters['ticks']:
        return ''
    rows = [(escape(name), str(entry['ticks']),
             page.number(100.0 * entry['ticks'] / limiters['ticks'], '.1f'))
            for name, entry in limiters['limiters'].items()]
    body = (page.table(('limiter', '#ticks', '#% of them'), rows) if rows
            else page.note('None acted.'))
    return page.section('Limiters', body + page.note(
        f'{limiters["ticks"]} ticks recorded, {report["ticks"]["lost"]} lost. Numbers in the '
        'names are replaced by #.'))


def latency_section(latencies: Numbers) -> str:
    """Return histograms and quantiles of times."""
    if not latencies:
        return ''
    svg = draw_histograms(latencies)
    rows = [(escape(name), str(v['count']), *(page.number(v[key], '.2f') for key in (
        'least_ms', 'p50_ms', 'p90_ms', 'p99_ms', 'most_ms'))) for name, v in latencies.items()]
    return page.section('Latencies', svg + (page.note(
        'Line: median; dotted: 99 % are below it.') + '<br>' if svg else '') + page.table(
        ('time', '#n', '#least [ms]', '#p50', '#p90', '#p99', '#most'), rows))


def _inputs(report: Numbers) -> str:
    def cells(values: Numbers | None) -> list[str]:
        return [page.number((values or {}).get(key), '.1f')
                for key in ('p50_ms', 'p99_ms', 'most_ms')]

    rows = [(f'<code>{escape(name)}</code>', str(s['messages']),
             page.number(s['rate_hz'], '.1f'), *cells(s['age']),
             *[page.number((s['gap'] or {}).get(key), '.1f') for key in ('p50_ms', 'p99_ms')],
             page.number(s['longest_gap_s'], '.2f'), page.number(s['longest_gap_at_s'], '.1f'))
            for name, s in report['inputs'].items()]
    return page.section('Rates, ages and gaps', page.table(
        ('topic', '#messages', '#rate [Hz]', '#age p50 [ms]', '#p99', '#most', '#gap p50 [ms]',
         '#p99', '#longest [s]', '#at [s]'), rows)
        + page.note('Age: from the stamp to the reception by the recorder. Gap: between two '
                    'messages, by their stamps.'))


def _chunks(report: Numbers) -> str:
    chunks = report['chunks']
    if not chunks['count']:
        return ''
    return page.section('Chunks', page.facts({
        'recorded': chunks['count'],
        'steps in a chunk': f'{chunks["steps"]}, one every {chunks["dt_s"]:.3g} s'
                            if chunks['steps'] > 1 else '1',
        'arrived at the control node': chunks['arrived'], 'moved the arm': chunks['used'],
        'came when half of their steps were past': chunks['late_for_half'],
        'came when all their steps were past': chunks['late_for_all'],
        'asked for a closed gripper': chunks['asked_closed']}))


def _diagnostics(report: Numbers) -> str:
    if not report['diagnostics']:
        return ''
    rows = [(f'<code>{escape(name)}</code>', page.pill(LEVELS.get(d['level'], str(d['level']))),
             str(d['count']), page.number(d['time_s'], '.1f'), escape(d['message']))
            for name, d in report['diagnostics'].items()]
    return page.section('Diagnostics above OK', page.table(
        ('source', 'worst level', '#reports', '#worst at [s]', 'message of the worst'), rows))


def _recording(report: Numbers) -> str:
    recording, bag = report['recording'], report['bag']
    versions = recording.get('versions') or {}
    found: dict[str, Any] = {
        'bag': f'{bag["path"]} ({bag["storage"]})', **bag['custom'],
        'versions': ', '.join(f'{name} {value}' for name, value in versions.items()),
        'machine': ', '.join(map(str, (recording.get('machine') or {}).values()))}
    for key, value in recording.items():
        if key in ('versions', 'machine', 'parameters'):
            continue
        if isinstance(value, Mapping):
            for name, text in value.items():
                found[f'{key} {name}'] = text
        elif value and key not in found:
            found[key] = ', '.join(map(str, value)) if isinstance(value, list) else value
    parameters = recording.get('parameters') or {}
    details = ''
    if parameters:
        details = '<h3>Parameters</h3>' + ''.join(
            f'<details><summary><code>{escape(node)}</code></summary>'
            f'{page.facts({k: str(v) for k, v in values.items()})}</details>'
            for node, values in parameters.items() if isinstance(values, Mapping))
    return page.section('What was recorded, with what', page.facts(found) + details)


def _more(entries: Sequence[Any], file: str) -> str:
    if len(entries) <= _MOST_ROWS:
        return ''
    return page.note(f'The first {_MOST_ROWS} of {len(entries)}; all are in {file}.')
