"""Why the arm held or was stopped, and what else the recording shows of the cause."""

from __future__ import annotations

from vla_ros.report.finding import Finding
from vla_ros.report.gather import Gathered
from vla_ros.report.spans import Span
from vla_ros.report.tally import StreamTally
from vla_ros.report.ticks import kind_of

_SLACK_NS = 1_000_000_000


def mode_spans(g: Gathered) -> list[Span[tuple[str, str]]]:
    """Return the modes with their reasons: those of the ticks, or those that were announced."""
    return g.ticks.modes.found or g.told_modes.found


def mode_findings(g: Gathered) -> list[Finding]:
    """Return why the arm did not follow the policy: equal reasons added up."""
    spans = mode_spans(g)
    if not spans:
        return [Finding('note', 'mode', 'The recording has neither provenance nor modes: who moved '
                        'the arm, and why it held, cannot be told.')]
    started = next((i for i, span in enumerate(spans) if span.what[0] == 'AUTONOMOUS'), None)
    found = []
    if started is None:
        longest = max(spans, key=lambda s: s.duration_s)
        found.append(Finding('bad', 'mode', 'The policy never moved the arm: it was '
                             f'{longest.what[0]} all the time'
                             + (f': {longest.what[1]}' if longest.what[1] else '.'),
                             time_s=g.seconds(longest.start_ns)))
    groups: dict[tuple[str, str], list[Span[tuple[str, str]]]] = {}
    for span in spans[started or 0:]:
        mode, reason = span.what
        if mode in ('HOLD', 'STOPPED') and started is not None:
            groups.setdefault((mode, kind_of(reason)), []).append(span)
    found += [_group(g, mode, group) for (mode, _), group in groups.items()]
    return found


def _group(g: Gathered, mode: str, group: list[Span[tuple[str, str]]]) -> Finding:
    total = sum(span.duration_s for span in group)
    longest = max(group, key=lambda s: s.duration_s)
    reason = longest.what[1] or 'no reason given'
    first = g.seconds(group[0].start_ns)
    if len(group) == 1:
        text = f'{mode} for {total:.1f} s at {first:.1f} s: {reason}'
    else:
        text = (f'{mode} {len(group)} times, {total:.1f} s in all: {reason} (first at {first:.1f} '
                f's, longest {longest.duration_s:.1f} s at {g.seconds(longest.start_ns):.1f} s)')
    severity = 'bad' if mode == 'STOPPED' else 'middle'
    # A handful of ticks between two chunks is no event for whoever watches the arm, and a node
    # that is told to end stops it.
    if (mode == 'HOLD' and total < 0.05) or reason == 'shutting down':
        severity = 'note'
    return Finding(severity, 'mode', text, _cause(g, reason, longest), first)


def _cause(g: Gathered, reason: str, span: Span[tuple[str, str]]) -> str:
    """Return what else the recording shows at that time that explains the reason."""
    if 'joint_states' in reason:
        return _why_joints(g, span)
    if reason == 'policy process is gone' and any(
            later.what[0] == 'AUTONOMOUS' and later.start_ns >= span.end_ns
            for later in mode_spans(g)):
        return ('It came back: the process or its machine was stalled for longer than its lease '
                '(policy_lease_s), it had not ended.')
    if 'action_chunk' in reason or 'no step is due' in reason:
        return _why_chunks(g, span)
    return ''


def _why_joints(g: Gathered, span: Span[tuple[str, str]]) -> str:
    topics = [s for s in g.streams.values() if s.name in g.joints.measured]
    for stream in topics:
        silence = _silence_at(stream, span)
        if silence is not None:
            return (f'{stream.name} has no message for {silence[0]:.2f} s from '
                    f'{g.seconds(silence[1]):.2f} s on: its driver did not send, or the network '
                    'lost them.')
    if topics and 'frozen' not in span.what[1]:
        return (f'{topics[0].name} is in the recording without a gap at that time: the messages '
                'were sent, and were late or lost on their way to the control node.')
    return ''



def _why_chunks(g: Gathered, span: Span[tuple[str, str]]) -> str:
    horizon = (g.chunks.steps - 1) * g.chunks.dt_ns * 1e-9
    words = []
    for stream in g.streams.values():
        if stream.type.endswith('JointTrajectory') and 'chunk' in stream.name:
            silence = _silence_at(stream, span)
            if silence is not None:
                words.append(f'no chunk was made of observations for {silence[0]:.2f} s from '
                             f'{g.seconds(silence[1]):.2f} s on')
    for refusal in g.refusals.found:
        if (refusal.start_ns <= span.end_ns + _SLACK_NS
                and refusal.end_ns >= span.start_ns - _SLACK_NS):
            words.append(f'the policy node said: {refusal.what}')
            break
    slowest = g.chunks.slowest
    if slowest and horizon > 0 and slowest[0] > 0.5 * horizon:
        words.append(f'the longest inference took {slowest[0]:.2f} s (observation of '
                     f'{g.seconds(slowest[1]):.1f} s); a chunk reaches {horizon:.2f} s ahead')
    text = '; '.join(words)
    return f'{text[0].upper()}{text[1:]}.' if text else ''


def _silence_at(stream: StreamTally, span: Span[tuple[str, str]]) -> tuple[float, int] | None:
    for gap, since_ns in stream.silences():
        if (since_ns <= span.end_ns + _SLACK_NS
                and since_ns + gap * 1e9 >= span.start_ns - _SLACK_NS):
            return gap, since_ns
    return None
