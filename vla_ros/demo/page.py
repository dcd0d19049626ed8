"""The demo's report as one self-contained HTML page, made from what ``report.json`` holds."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

_STYLE = """
:root { --ink: #1d2733; --pale: #5d6b7a; --line: #e1e6eb; --ground: #f4f6f8; --card: #fff;
  --good: #1d7f4c; --bad: #b3362b; --middle: #a86a08; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 28px 20px 60px; }
header { border-radius: 12px; padding: 26px 30px; color: #fff; background: var(--bad); }
header.good { background: var(--good); }
header.middle { background: var(--middle); }
header h1 { margin: 0; font-size: 40px; line-height: 1.15; letter-spacing: .02em; }
header p { margin: 6px 0 0; font-size: 17px; }
header small { display: block; margin-top: 12px; opacity: .9; font-size: 14px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 18px 22px 20px; margin-top: 18px; overflow-x: auto; }
h2 { margin: 0 0 10px; font-size: 18px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th { text-align: left; color: var(--pale); font-weight: 600; border-bottom: 2px solid var(--line);
  padding: 4px 12px 4px 0; vertical-align: bottom; }
td { border-bottom: 1px solid var(--line); padding: 5px 12px 5px 0; vertical-align: top; }
tr:last-child td { border-bottom: 0; }
th.n, td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.group { color: var(--pale); font-weight: 600; }
code { font: 13px/1.45 ui-monospace, 'DejaVu Sans Mono', monospace; overflow-wrap: anywhere; }
video, img { display: block; width: 100%; height: auto; border-radius: 8px; }
video { background: #181c22; max-width: 860px; margin: 0 auto; }
.pill { display: inline-block; border-radius: 999px; padding: 1px 10px; font-size: 12.5px;
  font-weight: 700; color: #fff; background: #64707d; white-space: nowrap; }
.pill.good { background: var(--good); } .pill.bad { background: var(--bad); }
.pill.middle { background: var(--middle); }
.note { color: var(--pale); font-size: 13.5px; margin: 8px 0 0; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(380px, 1fr)); gap: 0 18px; }
.bar { display: flex; height: 18px; border-radius: 5px; overflow: hidden; margin: 2px 0 14px;
  background: var(--line); }
.bar i { display: block; } .AUTONOMOUS { background: #53b37f; } .HOLD { background: #e5ae44; }
.STOPPED { background: #cf5c50; } .INTERVENTION { background: #5a86c9; }
"""
_FACTS = {'robot': 'robot', 'seed': 'seed of the scene', 'simulated_s': 'simulated time [s]',
          'wall_s': 'real time, start and stop included [s]', 'ros_domain_id': 'ROS_DOMAIN_ID'}
_GOOD = {'SUCCESS', 'GRAPH OK', 'success', 'AUTONOMOUS'}
_BAD = {'FAILED', 'timeout', 'STOPPED'}


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
    return ('<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n'
            + '\n'.join(part for part in parts if part) + '\n</main>\n</body>\n</html>\n')


def _header(report: Mapping[str, Any]) -> str:
    verdict, run = report['verdict'], report['run']
    kind = 'good' if verdict['success'] else 'middle' if verdict['word'] == 'INTERRUPTED' else ''
    policy = run['policy']['label'] or 'unknown (it never announced itself)'
    return (f'<header class="{kind}"><h1>{escape(verdict["word"])}</h1>'
            f'<p>{escape(verdict["reason"])}</p>'
            + (f'<p>{escape(run["note"])}</p>' if run.get('note') else '') +
            f'<small>Simulated {escape(str(run.get("robot", "")))}, policy: {escape(policy)}'
            f' &middot; {escape(str(run.get("started", "")))}</small></header>')


def _video(video: str | None) -> str:
    if video is None:
        return ''
    return _section('What happened', f'<video src="{escape(video)}" controls muted playsinline '
                                     'preload="auto"></video>')


def _tasks(report: Mapping[str, Any]) -> str:
    rows = [(escape(task['instruction']), _pill(task['outcome']), _number(task['start_s'], '.1f'),
             _number(task['duration_s'], '.1f'), escape(task['detail']))
            for task in report['tasks']]
    return _section('Tasks', _table(
        ('instruction', 'outcome', '#given at [s]', '#took [s]', 'last judgement'), rows)
        + _note(escape(report['run'].get('note') or 'Judged from the simulated poses of tool and '
                       'objects, not by the policy.') + ' Times are simulated.'))


def _plot(png: bytes | None) -> str:
    if png is None:
        return ''
    data = base64.b64encode(png).decode('ascii')
    return _section('Commanded and measured',
                    '<img alt="Joint positions, gripper opening and heights over time" '
                    f'src="data:image/png;base64,{data}">')


def _mode_line(report: Mapping[str, Any]) -> str:
    modes = report['modes']
    if not modes:
        return _section('Modes', _note('The control node never announced a mode.'))
    # What came before the first instruction is in the table; the bar begins with it.
    spans = [(m['mode'], max(m['time_s'], 0.0), m['time_s'] + m['duration_s']) for m in modes]
    total = sum(max(end - start, 0.0) for _, start, end in spans) or 1.0
    bar = ''.join(f'<i class="{escape(mode)}" title="{escape(mode)}" '
                  f'style="width:{100 * (end - start) / total:.2f}%"></i>'
                  for mode, start, end in spans if end > start)
    rows = [(_number(m['time_s'], '.2f'), _pill(m['mode']), _number(m['duration_s'], '.2f'),
             escape(m['reason']) or '&ndash;') for m in modes]
    return _section('Modes', f'<div class="bar">{bar}</div>' + _table(
        ('#from [s]', 'mode', '#for [s]', 'reason'), rows))


def _interventions(report: Mapping[str, Any]) -> str:
    found = report['interventions']
    if not found:
        return ''
    rows = [(_number(i['time_s'], '.2f'), escape(i['what']), _number(i['duration_s'], '.2f'))
            for i in found]
    total = sum(i['duration_s'] for i in found)
    return _section('Interventions', _table(('#from [s]', 'what', '#for [s]'), rows)
                    + _note(f'{len(found)} in all, {_number(total, ".1f")} s together.'))


def _streams(report: Mapping[str, Any]) -> str:
    def cells(numbers: Mapping[str, float] | None) -> list[str]:
        return [_number((numbers or {}).get(key), '.1f') for key in ('p50', 'p99', 'max')]

    rows = [(f'<code>{escape(name)}</code>', str(s['messages']), _number(s['rate_hz'], '.1f'),
             *cells(s['age_ms']), *cells(s['gap_ms'])) for name, s in report['streams'].items()]
    factor = report['real_time_factor'] or {}
    timings = ', '.join(f'{escape(name)} {value:.1f} ms'
                        for name, value in report['policy_ms'].items())
    return _section('Rates, ages and gaps', _table(
        ('topic', '#messages', '#rate [Hz]', '#age p50 [ms]', '#p99', '#max', '#gap p50 [ms]',
         '#p99', '#max'), rows)
        + _note('Age: simulated time from the stamp to the arrival here, on a clock made from the '
                'joint states that came soonest. For <code>action_chunk</code> that is from the '
                'observation to the chunk. Gap: between two stamps.')
        + _note(f'Real-time factor: {_number(factor.get("mean"), ".3f")} on average, '
                f'{_number(factor.get("min"), ".3f")} in the worst second.')
        + (_note(f'The policy node&rsquo;s own last report: {timings}.') if timings else ''))


def _tracking(report: Mapping[str, Any]) -> str:
    rows = [(escape(name), _number(e['rms'] * 1e3, '.1f'), _number(e['max'] * 1e3, '.1f'))
            for name, e in report['tracking'].items()]
    if not rows:
        return ''
    return _section('Tracking error', _table(('joint', '#rms [mrad]', '#max [mrad]'), rows)
                    + _note('Measured minus commanded at the same moment.'))


def _control(report: Mapping[str, Any]) -> str:
    def rows(title: str, values: Mapping[str, Any]) -> list[tuple[str, str]]:
        return [(f'<span class="group">{title}:</span> {escape(str(name))}', escape(str(value)))
                for name, value in values.items()]

    found = (rows('limited ticks', report['limiters']) + rows('chunks', report['chunks'])
             + rows('loop', report['control_loop']))
    if not found:
        return ''
    return _section('Control node', _table(('counter', '#value'), found)
                    + _note('Since the node started. No limiter listed: none acted.'))


def _warnings(report: Mapping[str, Any]) -> str:
    rows = [(f'<code>{escape(name)}</code>',
             _pill({1: 'WARN', 2: 'ERROR', 3: 'STALE'}.get(w['level'], str(w['level']))),
             escape(w['message'])) for name, w in report['warnings'].items()]
    if not rows:
        return _section('Diagnostics', _note('Nothing above OK after the first instruction.'))
    return _section('Diagnostics', _table(('source', 'worst level', 'message'), rows))


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
    return _section('What ran', _table(('', ''), rows, head=False))


def _files(files: Sequence[str]) -> str:
    if not files:
        return ''
    links = ' &middot; '.join(f'<a href="{escape(f)}">{escape(f)}</a>' for f in files)
    return _section('Files', f'<p style="margin:0">{links}</p>')


def _section(title: str, body: str) -> str:
    return f'<section><h2>{escape(title)}</h2>\n{body}\n</section>'


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], head: bool = True) -> str:
    """Return a table; a column whose name begins with # holds numbers. Cells are HTML already."""
    kinds = [' class="n"' if name.startswith('#') else '' for name in columns]
    header = ''.join(f'<th{kind}>{escape(name.lstrip("#"))}</th>'
                     for name, kind in zip(columns, kinds))
    lines = []
    for row in rows:
        cells = ''.join(f'<td{kind}>{cell}</td>' for cell, kind in zip(row, kinds))
        lines.append(f'<tr>{cells}</tr>')
    header = f'<thead><tr>{header}</tr></thead>' if head else ''
    body = '\n'.join(lines)
    return f'<table>{header}<tbody>{body}</tbody></table>'


def _pill(text: str) -> str:
    kind = 'good' if text in _GOOD else 'bad' if text in _BAD | {'ERROR'} else 'middle'
    return f'<span class="pill {kind}">{escape(text)}</span>'


def _note(html: str) -> str:
    return f'<p class="note">{html}</p>'


def _number(value: float | None, form: str) -> str:
    if value is None:
        return '&ndash;'
    text = format(value, form)
    return text.lstrip('-') if float(text) == 0.0 else text
