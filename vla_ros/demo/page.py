"""The demo's report as one self-contained HTML page, made from what ``report.json`` holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from vla_ros.page.document import (
    document,
    header,
    mode_bar,
    note,
    number,
    picture,
    pill,
    section,
    table,
)

_FACTS = {'robot': 'robot', 'seed': 'seed of the scene', 'simulated_s': 'simulated time [s]',
          'wall_s': 'real time, start and stop included [s]', 'ros_domain_id': 'ROS_DOMAIN_ID'}


def render(report: Mapping[str, Any], joints_png: bytes | None, video: str | None,
           files: Sequence[str] = ()) -> str:
    """Return the page.

    Parameters
    ----------
    report : Mapping[str, Any]
        As of :func:`vla_ros.demo.report.build_report`.
    joints_png : bytes | None
        The plot, put inside the page.
    video : str | None
        Relative path of the video, which stays beside the page.
    files : Sequence[str]
        Relative paths of other files to point at.

    """
    run = report['run']
    parts = [_header(report), _video(video), _tasks(report), _plot(joints_png),
             _mode_line(report), _interventions(report), _streams(report),
             '<div class="two">', _tracking(report), _control(report), '</div>',
             _warnings(report), _run(report), _files(files)]
    title = f'{report["verdict"]["word"]}: vla_ros demo, {run.get("robot", "")}'
    return document(title, parts)


def _header(report: Mapping[str, Any]) -> str:
    verdict, run = report['verdict'], report['run']
    kind = 'good' if verdict['success'] else 'middle' if verdict['word'] == 'INTERRUPTED' else ''
    policy = run['policy']['label'] or 'unknown (it never announced itself)'
    return header(kind, verdict['word'], [verdict['reason'], run.get('note') or ''],
                  [f'Simulated {run.get("robot", "")}, policy: {policy} · '
                   f'{run.get("started", "")}'])


def _video(video: str | None) -> str:
    if video is None:
        return ''
    return section('What happened', f'<video src="{escape(video)}" controls muted playsinline '
                                    'preload="auto"></video>')


def _tasks(report: Mapping[str, Any]) -> str:
    rows = [(escape(task['instruction']), pill(task['outcome']), number(task['start_s'], '.1f'),
             number(task['duration_s'], '.1f'), escape(task['detail']))
            for task in report['tasks']]
    return section('Tasks', table(
        ('instruction', 'outcome', '#given at [s]', '#took [s]', 'last judgement'), rows)
        + note(escape(report['run'].get('note') or 'Judged from the simulated poses of tool and '
                      'objects, not by the policy.') + ' Times are simulated.'))


def _plot(png: bytes | None) -> str:
    if png is None:
        return ''
    return section('Commanded and measured',
                   picture(png, 'Joint positions, gripper opening and heights over time'))


def _mode_line(report: Mapping[str, Any]) -> str:
    modes = report['modes']
    if not modes:
        return section('Modes', note('The control node never announced a mode.'))
    # What came before the first instruction is in the table; the bar begins with it.
    spans = [(m['mode'], max(m['time_s'], 0.0), m['time_s'] + m['duration_s']) for m in modes]
    rows = [(number(m['time_s'], '.2f'), pill(m['mode']), number(m['duration_s'], '.2f'),
             escape(m['reason']) or '&ndash;') for m in modes]
    return section('Modes', mode_bar(spans) + table(
        ('#from [s]', 'mode', '#for [s]', 'reason'), rows))


def _interventions(report: Mapping[str, Any]) -> str:
    found = report['interventions']
    if not found:
        return ''
    rows = [(number(i['time_s'], '.2f'), escape(i['what']), number(i['duration_s'], '.2f'))
            for i in found]
    total = sum(i['duration_s'] for i in found)
    return section('Interventions', table(('#from [s]', 'what', '#for [s]'), rows)
                    + note(f'{len(found)} in all, {number(total, ".1f")} s together.'))


def _streams(report: Mapping[str, Any]) -> str:
    def cells(numbers: Mapping[str, float] | None) -> list[str]:
        return [number((numbers or {}).get(key), '.1f') for key in ('p50', 'p99', 'max')]

    rows = [(f'<code>{escape(name)}</code>', str(s['messages']), number(s['rate_hz'], '.1f'),
             *cells(s['age_ms']), *cells(s['gap_ms'])) for name, s in report['streams'].items()]
    factor = report['real_time_factor'] or {}
    timings = ', '.join(f'{escape(name)} {value:.1f} ms'
                        for name, value in report['policy_ms'].items())
    return section('Rates, ages and gaps', table(
        ('topic', '#messages', '#rate [Hz]', '#age p50 [ms]', '#p99', '#max', '#gap p50 [ms]',
         '#p99', '#max'), rows)
        + note('Age: simulated time from the stamp to the arrival here, on a clock made from the '
                'joint states that came soonest. For <code>action_chunk</code> that is from the '
                'observation to the chunk. Gap: between two stamps.')
        + note(f'Real-time factor: {number(factor.get("mean"), ".3f")} on average, '
                f'{number(factor.get("min"), ".3f")} in the worst second.')
        + (note(f'The policy node&rsquo;s own last report: {timings}.') if timings else ''))


def _tracking(report: Mapping[str, Any]) -> str:
    rows = [(escape(name), number(e['rms'] * 1e3, '.1f'), number(e['max'] * 1e3, '.1f'))
            for name, e in report['tracking'].items()]
    if not rows:
        return ''
    return section('Tracking error', table(('joint', '#rms [mrad]', '#max [mrad]'), rows)
                    + note('Measured minus commanded at the same moment.'))


def _control(report: Mapping[str, Any]) -> str:
    def rows(title: str, values: Mapping[str, Any]) -> list[tuple[str, str]]:
        return [(f'<span class="group">{title}:</span> {escape(str(name))}', escape(str(value)))
                for name, value in values.items()]

    found = (rows('limited ticks', report['limiters']) + rows('chunks', report['chunks'])
             + rows('loop', report['control_loop']))
    if not found:
        return ''
    return section('Control node', table(('counter', '#value'), found)
                    + note('Since the node started. No limiter listed: none acted.'))


def _warnings(report: Mapping[str, Any]) -> str:
    rows = [(f'<code>{escape(name)}</code>',
             pill({1: 'WARN', 2: 'ERROR', 3: 'STALE'}.get(w['level'], str(w['level']))),
             escape(w['message'])) for name, w in report['warnings'].items()]
    if not rows:
        return section('Diagnostics', note('Nothing above OK after the first instruction.'))
    return section('Diagnostics', table(('source', 'worst level', 'message'), rows))


def _run(report: Mapping[str, Any]) -> str:
    run = report['run']
    rows = [('command', f'<code>{escape(str(run.get("command", "")))}</code>')]
    rows += [(label, escape(str(run[key]))) for key, label in _FACTS.items()
             if run.get(key) is not None]
    rows += [('policy', escape(f'{run["policy"]["name"]}: {run["policy"]["label"]}'))]
    rows += [(escape(key), escape(value)) for key, value in run.get('machine', {}).items()]
    versions = ', '.join(f'{name} {value}' for name, value in run.get('versions', {}).items())
    rows += [('versions', escape(versions))]
    for name, process in report.get('processes', {}).items():
        share = process.get('cpu_percent')
        rows.append((f'process {escape(name)}', ', '.join(
            ([f'{share:.0f} % of a core'] if share is not None else [])
            + ([escape(process['ended'])] if process.get('ended') else [])) or '&ndash;'))
    video = report.get('video')
    if video:
        rows.append(('video', escape(f'{video["frames"]} frames, {video["dropped"]} dropped'
                                     + (f', {video["error"]}' if video.get('error') else ''))))
    return section('What ran', table(('', ''), rows, head=False))


def _files(files: Sequence[str]) -> str:
    if not files:
        return ''
    links = ' &middot; '.join(f'<a href="{escape(f)}">{escape(f)}</a>' for f in files)
    return section('Files', f'<p style="margin:0">{links}</p>')
