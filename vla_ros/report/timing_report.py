"""A closed-timing replay's report: page, numbers and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from vla_ros.page import document as page
from vla_ros.report.files import Rows, rows_of, write_report
from vla_ros.report.replay_numbers import as_numbers
from vla_ros.report.replay_page import checks_section
from vla_ros.report.timing_figures import draw_levels, draw_scores

Numbers = Mapping[str, Any]

# title -> score -> (column, scale, format)
_TABLES: dict[str, dict[str, tuple[str, float, str]]] = {
    'Supply': {
        'not_running': ('not RUNNING [%]', 100.0, '.1f'), 'starved': ('starved [%]', 100.0, '.1f'),
        'starved_longest': ('longest [s]', 1.0, '.2f'), 'limited': ('limited [%]', 100.0, '.1f'),
        'mode_changes': ('changes', 1.0, '.0f'), 'chunks_used': ('chunks used', 1.0, '.0f'),
        'chunks_lost': ('lost', 1.0, '.0f')},
    'Motion': {
        'tool_jerk_rms': ('jerk rms [m/s³]', 1.0, '.2f'),
        'joint_jerk_rms': ('joint jerk rms [rad/s³]', 1.0, '.1f'),
        'boundary_step_max': ('largest step [mm/s]', 1e3, '.1f'),
        'path_rms': ('path rms [mm]', 1e3, '.1f'), 'path_max': ('path max [mm]', 1e3, '.1f'),
        'gripper_changes': ('gripper changes', 1.0, '.0f')}}
_MOST_CHANGES = 30


def write_timing_report(result: Any, out: str | Path, checks: Sequence[Any] = ()) -> Path:
    """Write the report of a closed-timing replay and return the path of the page.

    Parameters
    ----------
    result : Any
        A :class:`~vla_ros.replay.closed_timing.comparison.Comparison`, its JSON, or that parsed.
    out : str | Path
        Folder for ``report.html``, ``report.json`` and the tables as CSV.
    checks : Sequence[Any]
        Limits with ``name``, ``found``, ``limit`` and ``kept``: objects or mappings.

    Raises
    ------
    ConfigError
        When ``out`` cannot be written to.
    InputError
        When the result is none.

    """
    report = as_numbers(result)
    report['kind'] = 'closed_timing'
    report['checks'] = [dict(c) if isinstance(c, Mapping) else dict(vars(c)) for c in checks]
    return write_report(out, render_timing(report), report, tables(report))


def render_timing(report: Numbers) -> str:
    """Return the page."""
    parts = [_header(report), page.section('What the cases say', _sentences(report)),
             checks_section(report['checks']),
             page.section('Who had the arm', draw_levels(report) + page.note(
                 'RUNNING follows the policy, SLOW what it said last at reduced speed, HOLD keeps '
                 'the measured joints, STOPPED until somebody starts it.')),
             _table(report), page.section('Scores', draw_scores(report)),
             *[_case(case) for case in report['cases']]]
    return page.document(f'Closed-timing replay: {report["bag"]}', parts)


def tables(report: Numbers) -> dict[str, Rows]:
    """Return the report's tables for CSV files."""
    cases = report['cases']
    names = list(cases[0]['scores']) if cases else []
    return {
        'cases': (('case', *names, 'sha256'), [
            (case['name'], *(case['scores'][name] for name in names), case['sha256'])
            for case in cases]),
        'changes': (('case', 'time_s', 'level', 'reason'), [
            (case['name'], c['time_s'], c['level'], c['reason'])
            for case in cases for c in case['changes']]),
        'limiters': (('case', 'limiter', 'share'), [
            (case['name'], name, share) for case in cases
            for name, share in case['limiters'].items()]),
        'expectations': rows_of(report['checks'], ('name', 'found', 'limit', 'kept'))}


def _sentences(report: Numbers) -> str:
    """Return what is said of each case below its name, then the notes."""
    left, body = list(report['sentences']), ''
    for case in report['cases']:
        start = f'{case["name"]}: '
        own = [text for text in left if text.startswith(start)]
        left = [text for text in left if text not in own]
        if own:
            body += f'<h3>{escape(case["name"])}</h3>' + page.findings(
                [{'severity': 'middle', 'text': text.removeprefix(start)} for text in own])
    if not body and not left:
        body = page.findings([{'severity': 'good', 'text': 'Nothing is worth a word.'}])
    rest = [{'severity': 'middle', 'text': text} for text in left]
    rest += [{'severity': 'note', 'text': text} for text in report['notes']]
    return body + (page.findings(rest) if rest else '')


def _header(report: Numbers) -> str:
    failed = [c for c in report['checks'] if not c['kept']]
    if failed:
        kind, word = '', 'FAILED'
        reason = (f'{len(failed)} of {len(report["checks"])} limits not kept: {failed[0]["name"]} '
                  f'is {failed[0]["found"]}, expected {failed[0]["limit"]}')
    elif report['checks']:
        kind, word, reason = 'good', 'PASSED', f'all {len(report["checks"])} limits kept'
    else:
        kind, word, reason = 'plain', 'Closed-timing replay', ''
    first = report['sentences'][0] if report['sentences'] else ''
    settings = ', '.join(f'{name}={value}' for name, value in (report['settings'] or {}).items())
    return page.header(kind, word, [reason, first], [
        f'{report["bag"]} · {report["seconds"]:.1f} s · {len(report["cases"])} cases · seed '
        f'{report["seed"]}', f'arm: {report["arm"]}' + (f' · {settings}' if settings else '')])


def _table(report: Numbers) -> str:
    body = ''
    for title, columns in _TABLES.items():
        rows = [(escape(case['name']), *(page.number(case['scores'][key], form, scale)
                                         for key, (_, scale, form) in columns.items()))
                for case in report['cases']]
        body += f'<h3>{title}</h3>' + page.table(
            ('case', *(f'#{name}' for name, _, _ in columns.values())), rows)
    return page.section('Cases', body + page.note(
        'Shares are of the time since the first chunk. Starved: no chunk has a step due. Largest '
        'step: of the velocity, where another set of chunks is followed. Path: distance of the '
        'commanded tool to that of the first case.'))


def _case(case: Numbers) -> str:
    changes = case['changes']
    rows = [(page.number(c['time_s'], '.2f'), page.pill(c['level'], good={'RUNNING'}),
             escape(c['reason']) or '&ndash;') for c in changes[:_MOST_CHANGES]]
    facts = {
        'chunks': ', '.join(f'{n} {word}' for word, n in {
            **case['verdicts'], **case['lost']}.items()),
        'latency': f'median {case["latency_median_s"]:.3f} s, longest '
                   f'{case["latency_longest_s"]:.3f} s; longest gap between chunks '
                   f'{case["gap_longest_s"]:.3f} s; a chunk lasts {case["span_s"]:.2f} s',
        'not RUNNING because': '; '.join(f'{why} ({100 * share:.1f} %)'
                                         for why, share in case['reasons'].items()),
        'limiters': ', '.join(f'{name} {100 * share:.1f} %'
                              for name, share in case['limiters'].items()),
        'commands': case['sha256'][:16]}
    more = (page.note(f'The first {_MOST_CHANGES} of {len(changes)}; all are in changes.csv.')
            if len(changes) > _MOST_CHANGES else '')
    return page.section(case['name'], page.facts(facts) + (
        f'<details><summary>{len(changes)} changes of the level</summary>'
        + page.table(('#at [s]', 'level', 'why'), rows) + more + '</details>' if rows else ''))
