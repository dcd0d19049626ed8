"""What a case says in words: what happened, which setting caused it, and what would help."""

from __future__ import annotations

import math

from vla_ros.core.pipeline_config import PipelineConfig
from vla_ros.replay.closed_timing.scores import CaseResult
from vla_ros.replay.closed_timing.settings import ClosedTimingSettings


def words(case: CaseResult, config: PipelineConfig, settings: ClosedTimingSettings) -> list[str]:
    """Return sentences; none when there is nothing worth one."""
    found = [*_slow(case, config, settings), *_held(case, config, settings),
             *_lost(case), *_limited(case, settings)]
    return [f'{case.name}: {sentence}' for sentence in found]


def _percent(share: float) -> str:
    return f'{100.0 * share:.0f} %' if share >= 0.01 else f'{100.0 * share:.1f} %'


def _slow(case: CaseResult, config: PipelineConfig, settings: ClosedTimingSettings) -> list[str]:
    share, ladder = case.scores.slow, config.ladder
    if not share >= settings.worth_saying:
        return []
    gap, lasts = case.gap_longest_s, case.span_s - case.latency_median_s
    text = (f'the arm was SLOW {_percent(share)} of the time: chunks came up to {gap:.2f} s apart, '
            f'slow_after_s is {ladder.slow_after:g}. ')
    if gap <= lasts:
        return [f'{text}Raise slow_after_s above {gap:.2f}: a chunk lasts {lasts:.2f} s from when '
                'it comes']
    more = (f'Raise slow_after_s up to {lasts:.2f}, for which a chunk lasts from when it comes, '
            'and beyond that ' if ladder.slow_after < lasts else '')
    return [f'{text}{more or "Raising it does not help, "}{_longer(case)}']


def _longer(case: CaseResult) -> str:
    """Return how many steps of a chunk would last."""
    if not case.dt_s > 0.0:
        return 'make the chunks longer'
    steps = math.ceil((case.latency_longest_s + case.gap_longest_s) / case.dt_s - 1e-9)
    return (f'make the chunks longer ({steps} steps of {case.dt_s:g} s for the longest gap) or ask '
            'more often')


def _held(case: CaseResult, config: PipelineConfig, settings: ClosedTimingSettings) -> list[str]:
    found = []
    for reason, share in case.reasons.items():
        if not share >= settings.worth_saying or reason.startswith('action_chunk: late'):
            continue
        text = f'the arm held {_percent(share)} of the time ({reason})'
        found.append(text + _advice(reason, case, config))
    return found


def _advice(reason: str, case: CaseResult, config: PipelineConfig) -> str:
    gap, latency = case.gap_longest_s, case.latency_longest_s
    if reason == 'action_chunk: no step is due':
        if latency + gap > case.span_s:
            return (f': a chunk of {case.span_s:.2f} s is used up before the next one comes, up '
                    f'to {latency:.2f} s late and {gap:.2f} s after it: {_longer(case)}')
        return ': the chunks that came had nothing for that time'
    if reason == 'action_chunk: none received yet' and not case.scores.chunks_used:
        return ': no chunk came in time to be used'
    if reason.startswith('action_chunk: none for'):
        return (f': chunk_timeout_s is {config.ladder.chunk_timeout:g}, chunks came up to '
                f'{gap:.2f} s apart. Raise it above that only if the chunks last that long '
                f'({case.span_s:.2f} s)')
    if reason.startswith('joint_states: older'):
        return (f': joint_state_timeout_s is {config.joint_state_timeout:g}. Find why the joint '
                'states are late rather than raising it')
    if reason.startswith('joint_states: frozen'):
        return ': the driver repeats an old state'
    if reason.startswith('held for'):
        return ': stop_after_s; it waits for ~/start'
    return ''


def _lost(case: CaseResult) -> list[str]:
    total = case.scores.chunks_used + case.scores.chunks_lost
    found = [f'{count} of {total} chunks were not made: {reason}'
             for reason, count in case.lost.items() if ':' in reason and 'busy' not in reason]
    late = case.verdicts.get('late', 0)
    if late:
        found.append(f'{late} of {total} chunks came when their last step was over: the latency '
                     f'(up to {case.latency_longest_s:.2f} s) is longer than the chunk '
                     f'({case.span_s:.2f} s)')
    found += [f'{count} of {total} chunks were {verdict}' for verdict, count
              in case.verdicts.items() if verdict.startswith('refused')]
    return found


def _limited(case: CaseResult, settings: ClosedTimingSettings) -> list[str]:
    return [f'limiter {name!r} acted {_percent(share)} of the time'
            for name, share in case.limiters.items() if share >= settings.limited_above]
