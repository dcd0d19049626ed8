"""The result of an open-loop replay as text for people."""

from __future__ import annotations

from collections.abc import Sequence

from vla_ros.replay.open_loop.result import (
    Check,
    GripperMetrics,
    OpenLoopResult,
)
from vla_ros.replay.open_loop.run import reasons

_STEPS_SHOWN = 12


def as_text(result: OpenLoopResult) -> str:
    """Return the whole report."""
    m = result.metrics
    lines = [
        f'{result.bag}: {m.inferences} inferences over {m.duration_s:.1f} s, {m.compared} compared '
        f'with the recorded {result.against} ({result.against_why})',
        f'policy: {result.policy.get("label", "")}; chunks of {result.horizon} steps, '
        f'{result.dt_ns * 1e-6:g} ms each']
    lines += [f'note: {note}' for note in result.notes]
    if result.missed:
        lines += [f'{m.missed} observations without an answer:',
                  *(f'  {reason}' for reason in reasons(result.missed)[:5])]
    lines += ['', *_dimension_table(result), '', *_steps(result)]
    if m.gripper is not None:
        lines += ['', _gripper(m.gripper)]
    if m.latency:
        lines += ['', *_latency_table(result)]
    if result.ablations:
        lines += ['', 'Change of the actions when an input is taken away (by the spread):',
                  *(f'  {a.name:<18} {a.relative:.4g}' for a in result.ablations)]
    if result.golden is not None:
        lines += ['', *_golden(result)]
    lines += ['', 'Suggestions:' if result.suggestions else 'Suggestions: none']
    lines += [f'  {"" if s.certain else "perhaps: "}{s.text} [{s.cause}]'
              for s in result.suggestions]
    return '\n'.join(lines)


def check_table(checks: Sequence[Check]) -> str:
    """Return the table of limits, those that were not kept first."""
    return '\n'.join(table(
        ('', 'limit', 'found', 'expected'),
        [('ok' if c.kept else 'FELL SHORT', c.name, c.found, c.limit) for c in checks]))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table; the first two columns are left-aligned, the rest right."""
    widths = [max(len(row[k]) for row in (head, *rows)) for k in range(len(head))]
    return ['  '.join(f'{cell:<{width}}' if k < 2 else f'{cell:>{width}}'
                      for k, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip()
            for row in (head, *rows)]


def _number(value: float | None) -> str:
    return '-' if value is None or value != value else f'{value:.4g}'


def _dimension_table(result: OpenLoopResult) -> list[str]:
    rows = [(d.name, d.unit, *(_number(value) for value in (
        d.l1, d.l1_max, d.executed_l1, d.executed_max, d.relative, d.bias, d.spread)))
        for d in result.metrics.dimensions]
    return table(('error of', 'unit', 'L1', 'max', 'executed', 'max', 'L1/spread', 'bias',
                  'spread'), rows)


def _steps(result: OpenLoopResult) -> list[str]:
    m = result.metrics
    count = len(m.step_relative)
    shown = (range(count) if count <= _STEPS_SHOWN else
             sorted({round(k * (count - 1) / (_STEPS_SHOWN - 1)) for k in range(_STEPS_SHOWN)}))
    return ['L1/spread by step of the chunk: '
            + '  '.join(f'{k + 1}: {_number(float(m.step_relative[k]))}' for k in shown),
            f'{m.horizon} of {count} steps stay at or below {m.threshold:g}']


def _gripper(g: GripperMetrics) -> str:
    def share(value: float | None) -> str:
        return '-' if value is None else f'{value:.0%}'

    offset = '' if g.offset_s is None else (f', {g.offset_s:+.3f} s on average (at most '
                                            f'{g.offset_max_s:+.3f} s)')
    return (f'gripper: closes {g.closings[0]} times (recorded {g.closings[1]}, together '
            f'{g.closings[2]}), opens {g.openings[0]} ({g.openings[1]}, {g.openings[2]}); '
            f'precision {share(g.precision)}, recall {share(g.recall)}{offset}; same side '
            f'{share(g.agreement)} of the time')


def _latency_table(result: OpenLoopResult) -> list[str]:
    rows = [(name, 'ms', *(f'{value:.2f}' for value in (s.mean, s.p50, s.p90, s.p99, s.max)))
            for name, s in result.metrics.latency.items()]
    return table(('stage', '', 'mean', 'p50', 'p90', 'p99', 'max'), rows)


def _golden(result: OpenLoopResult) -> list[str]:
    golden = result.golden
    assert golden is not None
    rows = [(d.name, d.unit, _number(d.l1), _number(d.l1_max), _number(d.relative))
            for d in golden.dimensions]
    return [f'Against {golden.source}, {golden.compared} observations'
            + (f' ({golden.lacking} more only there)' if golden.lacking else '') + ': '
            + ('; '.join(golden.differs) or 'the same policy'),
            *table(('change of', 'unit', 'L1', 'max', 'L1/spread'), rows)]
