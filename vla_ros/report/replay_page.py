"""An open-loop replay's report as one page, made from what ``report.json`` holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from vla_ros.page import document as page
from vla_ros.report import replay_figures as figures
from vla_ros.report.bag_page import latency_section
from vla_ros.report.moments_page import moments_section

Numbers = Mapping[str, Any]
_MOST_ROWS = 40


def render_replay(report: Numbers, moments: Sequence[Numbers] = ()) -> str:
    """Return the page of :func:`vla_ros.report.replay_numbers.replay_numbers`."""
    parts = [_header(report), _suggestions(report), checks_section(report.get('checks') or ()),
             _golden(report), _steps(report), _table(report),
             page.section('Predicted against recorded', figures.draw_dimensions(report) + page.note(
                 'The executed steps of every chunk: those until the next inference. Triangles: '
                 'the gripper closes (down) or opens (up).')),
             moments_section(moments, 'Where the policy was furthest from the recording'),
             _gripper(report), _ablations(report), _counterfactuals(report),
             latency_section(report['latencies']), _missed(report), _what(report)]
    return page.document(f'{report["verdict"]["word"]}: {report["bag"]}', parts)


def _header(report: Numbers) -> str:
    verdict, metrics, policy = report['verdict'], report['metrics'], report['policy']
    kind = {'bad': '', 'middle': 'middle', 'good': 'good'}.get(verdict['kind'], 'plain')
    return page.header(kind, verdict['word'], [verdict['reason'], verdict['first']], [
        f'policy: {policy.get("label") or policy.get("name")} · {report["bag"]}',
        f'{metrics["inferences"]} answers over {metrics["duration_s"]:.1f} s, '
        f'{metrics["missed"]} observation{"s" * (metrics["missed"] != 1)} missed · '
        f'compared with {report["against"]}: {report["against_why"]}'])


def _suggestions(report: Numbers) -> str:
    found = [{'severity': 'middle' if s['certain'] else 'note', 'text': s['text'],
              'why': f'cause: {s["cause"]}' + ('' if s['certain'] else ' (likely, not shown)')}
             for s in report.get('suggestions') or ()]
    if not found:
        found = [{'severity': 'good', 'text': 'The numbers call for nothing.'}]
    found += [{'severity': 'note', 'text': text} for text in report.get('notes') or ()]
    return page.section('What the numbers say', page.findings(found))


def checks_section(checks: Sequence[Numbers]) -> str:
    """Return the expectations and which of them were kept; nothing where there are none."""
    if not checks:
        return ''
    rows = [(page.pill('pass' if c['kept'] else 'fail'), escape(c['name']), escape(str(c['found'])),
             escape(str(c['limit']))) for c in checks]
    return page.section('Expectations', page.table(('', 'number', '#found', '#expected'), rows))


def _golden(report: Numbers) -> str:
    golden = report.get('golden')
    if not golden:
        return ''
    rows = [(escape(d['name']), escape(d['unit']), page.number(d['l1'], '.3g'),
             page.number(d['l1_max'], '.3g'), page.number(d['relative'], '.2f', 100.0))
            for d in golden['dimensions']]
    differs = '; '.join(golden['differs']) or 'nothing: the same policy, the same numbers'
    return page.section('Against the golden run', page.table(
        ('dimension', 'unit', '#mean change', '#largest', '#% of the spread'), rows) + page.note(
        f'{escape(golden["source"])}: {golden["compared"]} observations in common, '
        f'{golden["lacking"]} of the golden run lacking here; mean change '
        f'{page.number(golden["relative"], ".2f", 100.0)} % of the spread. What differs: '
        f'{escape(differs)}.'))


def _steps(report: Numbers) -> str:
    svg = figures.draw_steps(report)
    metrics = report['metrics']
    return page.section('Error by step of the chunk', svg + page.note(
        f'{metrics["horizon"]} of {report["horizon"]} steps stay at or below '
        f'{100 * metrics["threshold"]:g} % of the spread; a step is '
        f'{report["dt_ns"] * 1e-9:.3g} s.')) if svg else ''


def _table(report: Numbers) -> str:
    def n(value: float | None) -> str:
        return page.number(value, '.3g')

    rows = [(escape(d['name']), escape(d['unit']), n(d['spread']), n(d['l1']), n(d['l1_max']),
             n(d['executed_l1']), n(d['executed_max']), page.number(d['relative'], '.1f', 100.0),
             n(d['bias'])) for d in report['metrics']['dimensions']]
    metrics = report['metrics']
    ratios = ', '.join(f'{label} {value:.2f}' for label, value in (
        ('motion', metrics['motion_ratio']), ('variety of the answers', metrics['answer_ratio']))
        if value is not None)
    return page.section('By dimension', page.table(
        ('dimension', 'unit', '#spread', '#L1', '#max', '#executed L1', '#executed max',
         '#L1 in % of spread', '#bias'), rows) + page.note(
        'In action units. Spread: 99th less first percentile of the recording. Executed: the '
        'steps until the next inference. Bias: predicted less recorded.')
        + (page.note(f'Predicted by recorded: {ratios}.') if ratios else ''))


def _gripper(report: Numbers) -> str:
    gripper = report['metrics'].get('gripper')
    if not gripper:
        return ''
    rows = [(escape(name), *(str(n) for n in gripper[key]))
            for name, key in (('closings', 'closings'), ('openings', 'openings'))]
    facts = {
        'precision': _share(gripper['precision']), 'recall': _share(gripper['recall']),
        'offset, mean': _seconds(gripper['offset_s']),
        'offset, largest': _seconds(gripper['offset_max_s']),
        'same side of half open': _share(gripper['agreement']),
        'most closed that was asked for': f'{100 * gripper["least_open"]:.0f} % open',
        'hovers': 'yes: the recording closes, the policy never does' if gripper['hovers'] else 'no'}
    events = report['gripper_events']
    listed = page.table(('#at [s]', 'who', 'what'), [
        (page.number(e['time_s'], '.2f'), escape(e['whose']), escape(e['what']))
        for e in events[:_MOST_ROWS]]) if events else ''
    return page.section('Gripper', page.table(
        ('', '#by the policy', '#recorded', '#matched'), rows) + page.facts(facts) + page.note(
        'Offset: the policy’s time less the recorded one.')
        + (f'<h3>Events</h3>{listed}' if listed else ''))


def _ablations(report: Numbers) -> str:
    svg = figures.draw_ablations(report)
    return page.section('Without an input', svg + page.note(
        'How much the answers change. Near zero: the policy does not look at it.')) if svg else ''


def _counterfactuals(report: Numbers) -> str:
    found = report.get('counterfactuals') or ()
    if not found:
        return ''
    rows = [(escape(c['name']), escape(c['detail']), page.number(c['before'], '.1f', 100.0),
             page.number(c['after'], '.1f', 100.0), str(c['count'])) for c in found]
    return page.section('What was tried to name a cause', page.table(
        ('cause', 'undone', '#error before [% of spread]', '#after', '#observations'), rows))


def _missed(report: Numbers) -> str:
    missed = report.get('missed') or ()
    if not missed:
        return ''
    rows = [(page.number((m['now_ns'] - report['first_ns']) * 1e-9, '.2f'), escape(m['reason']))
            for m in missed[:_MOST_ROWS]]
    more = f' The first {_MOST_ROWS} are shown.' if len(missed) > _MOST_ROWS else ''
    return page.section('Observations that could not be made', page.table(
        ('#at [s]', 'why'), rows) + page.note(f'{len(missed)} in all.{more}'))


def _what(report: Numbers) -> str:
    return page.section('What was replayed', page.facts({
        'bag': report['bag'], **{f'policy {k}': v for k, v in report['policy'].items()},
        **{f'convention {k}': v for k, v in (report.get('convention') or {}).items()},
        'chunk': f'{report["horizon"]} steps, one every {report["dt_ns"] * 1e-9:.3g} s'}))


def _share(value: float | None) -> str:
    return 'not known: no events' if value is None else f'{100 * value:.0f} %'


def _seconds(value: float | None) -> str:
    return '' if value is None else f'{value:+.2f} s'
