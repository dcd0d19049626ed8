"""What went wrong and why, in words, from what the nodes themselves have recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from vla_ros.report.finding import Finding
from vla_ros.report.gather import Gathered
from vla_ros.report.mode_findings import mode_findings, mode_spans
from vla_ros.report.spans import Span
from vla_ros.report.ticks import GRIPPER

_ORDER = {'bad': 0, 'middle': 1, 'note': 2, 'good': 3}
LEVELS = {1: 'WARN', 2: 'ERROR', 3: 'STALE'}
"""Of a diagnostic status above OK."""

_LEAD = 0.15  # rad; further apart, and the arm does not follow
_MUCH = 0.10  # of the ticks; a limiter that acts more often shapes the motion
_AHEAD_S = 0.02


def find(g: Gathered) -> list[Finding]:
    """Return everything that was found, the worst first."""
    found: list[Finding] = []
    for look in _LOOKS:
        found += sorted(look(g), key=lambda f: float('inf') if f.time_s is None else f.time_s)
    if mode_spans(g) and not any(f.severity in ('bad', 'middle') for f in found):
        found.append(Finding('good', 'all', 'Nothing went wrong that this recording shows.'))
    return sorted(found, key=lambda f: _ORDER[f.severity])


# People


def interventions(g: Gathered) -> list[tuple[str, Span[str]]]:
    """Return (``arm`` or ``gripper``, span with its words), by their beginning."""
    found = [(name, span) for name, spans in g.ticks.people.items() for span in spans.found]
    if not g.ticks.ticks:
        found = [(GRIPPER if span.what.startswith(GRIPPER) else 'arm', span)
                 for span in g.told_overrides.found]
    return sorted(found, key=lambda entry: entry[1].start_ns)


def _people(g: Gathered) -> list[Finding]:
    spans = interventions(g)
    if not spans:
        return []
    total = sum(span.duration_s for _, span in spans)
    first = spans[0][1]
    text = (f'A person intervened once, for {total:.1f} s: {first.what}' if len(spans) == 1 else
            f'People intervened {len(spans)} times, {total:.1f} s in all (first at '
            f'{g.seconds(first.start_ns):.1f} s: {first.what})')
    return [Finding('middle', 'intervention', text, time_s=g.seconds(first.start_ns)),
            *_gripper_help(g)]


def _gripper_help(g: Gathered) -> list[Finding]:
    """Say whether the policy had wanted what a person did with the gripper."""
    closed = next((event for event in g.ticks.gripper.events
                   if event[1] == 'closes' and event[2] == 'a person'), None)
    if closed is None or g.chunks.convention is None or not g.chunks.count:
        return []
    at = g.seconds(closed[0])
    if not g.chunks.asked_closed:
        return [Finding('bad', 'gripper', 'The policy never asked to close the gripper; a person '
                        f'closed it at {at:.1f} s.',
                        f'None of {g.chunks.count} chunks has a step that closes it.', at)]
    first = g.chunks.first_closed_ns
    if first is not None and first > closed[0]:
        return [Finding('bad', 'gripper', f'A person closed the gripper at {at:.1f} s; the policy '
                        f'asked for it only {(first - closed[0]) * 1e-9:.1f} s later.', time_s=at)]
    return [Finding('note', 'gripper', f'A person closed the gripper at {at:.1f} s; the policy had '
                    f'asked for it from {g.seconds(first or closed[0]):.1f} s on.', time_s=at)]


# Inputs


def _freezes(g: Gathered) -> list[Finding]:
    return [Finding('bad', 'camera', f'{freeze.topic}: froze for {freeze.duration_s:.1f} s at '
                    f'{g.seconds(freeze.start_ns):.1f} s',
                    f'{freeze.pictures} pictures with new stamps and the same content, while a '
                    f'joint moved {freeze.travel:.2f} rad.', g.seconds(freeze.start_ns))
            for camera in g.cameras.values() for freeze in camera.freezes]


def _pictures(g: Gathered) -> list[Finding]:
    return [Finding('bad', 'camera', f'{topic}: its first picture cannot be used: {problem}')
            for topic, problem in g.undecodable.items()]


def _silences(g: Gathered) -> list[Finding]:
    found = []
    watched = set(g.cameras) | set(g.joints.measured)
    for stream in g.streams.values():
        silences = stream.silences() if stream.name in watched else []
        if not silences:
            continue
        gap, since_ns = silences[0]
        often = f'; {len(silences)} such gaps or more' if len(silences) > 1 else ''
        found.append(Finding(
            'middle' if gap >= 0.5 else 'note', 'input',
            f'{stream.name}: no message for {gap:.2f} s from {g.seconds(since_ns):.1f} s on{often}',
            f'Usually one every {stream.gaps.quantile(0.5) * 1e3:.0f} ms.', g.seconds(since_ns)))
    for stream in g.streams.values():
        if stream.backwards and stream.name in watched:
            found.append(Finding('middle', 'input', f'{stream.name}: {stream.backwards} stamps go '
                                 'back in time', 'Two publishers, or a clock that was set back.'))
        if stream.unstamped and stream.name in watched:
            found.append(Finding('middle', 'input', f'{stream.name}: {stream.unstamped} of '
                                 f'{stream.count} headers have no stamp',
                                 'The nodes refuse such messages.'))
        if stream.name in watched and stream.ages.low < -_AHEAD_S:
            found.append(Finding('middle', 'input', f'{stream.name}: stamps are up to '
                                 f'{-stream.ages.low * 1e3:.0f} ms later than their reception '
                                 f'({stream.ages.negative} of {stream.count})',
                                 'The clocks of the machines differ.'))
    return found


def _chunks(g: Gathered) -> list[Finding]:
    chunks, found = g.chunks, []
    horizon = (chunks.steps - 1) * chunks.dt_ns * 1e-9
    if chunks.past:
        found.append(Finding('bad', 'chunks', f'{chunks.past} of {chunks.arrived} chunks arrived '
                             'when all their steps were past', f'A chunk reaches {horizon:.2f} s '
                             f'ahead; the slowest came {chunks.arrival.high:.2f} s after its '
                             'observation.'))
    late = chunks.late - chunks.past
    if late > 0:
        found.append(Finding(
            'middle', 'chunks', f'{late} of {chunks.arrived} chunks arrived too late for half of '
            f'their {chunks.steps} steps', f'They reach {horizon:.2f} s ahead; half of the chunks '
            f'came later than {chunks.arrival.quantile(0.5):.2f} s after their observation.',
            g.seconds(chunks.late_at[0]) if chunks.late_at else None))
    if g.ticks.ticks and chunks.arrived:
        idle = chunks.arrived - g.ticks.used_chunks
        if idle > max(3, 0.1 * chunks.arrived):
            found.append(Finding('note', 'chunks', f'{idle} of {chunks.arrived} chunks never moved '
                                 'the arm', 'They came while it was held, a person had it, or a '
                                 'newer one was there already.'))
    if chunks.not_finite:
        found.append(Finding('bad', 'chunks', f'{chunks.not_finite} of {chunks.count} chunks have '
                             'numbers that are not finite'))
    return found


# Control


def _limiters(g: Gathered) -> list[Finding]:
    ticks = max(int(g.ticks.limits.ticks.sum()), 1)
    found = []
    for name, count in g.ticks.limits.totals.most_common():
        share = count / ticks
        if share >= _MUCH:
            found.append(Finding('note', 'limiter', f'Limiter “{name}” acted in {share:.0%} of '
                                 f'the ticks ({count} of {ticks})',
                                 'The arm did not do what the policy asked for then.'))
    lead = g.ticks.lead.extremes('lead') if g.ticks.lead is not None else None
    if lead is not None and lead[1] > _LEAD:
        worst = next((m for m in g.ticks.moments if m.kind == 'largest lead'), None)
        found.append(Finding('middle', 'tracking', 'The command led the measured joints by up to '
                             f'{lead[1]:.2f} rad', 'The arm did not follow: blocked, too slow, or '
                             'its joint states are late.',
                             g.seconds(worst.time_ns) if worst else None))
    if g.ticks.lost:
        found.append(Finding('note', 'provenance', f'{g.ticks.lost} ticks have no record: the node '
                             'could not publish them in time.'))
    return found


def _stops(g: Gathered) -> list[Finding]:
    found = []
    for topic, spans in g.estops.items():
        for span in spans.found:
            found.append(Finding('bad', 'estop', f'{topic}: emergency stop pressed for '
                                 f'{span.duration_s:.1f} s at {g.seconds(span.start_ns):.1f} s',
                                 time_s=g.seconds(span.start_ns)))
    return found


def _statuses(g: Gathered) -> list[Finding]:
    return [Finding('middle', 'diagnostics',
                    f'{name}: {LEVELS.get(status["level"], status["level"])}: {status["message"]}',
                    f'{status["count"]} reports above OK.', status['time_s'])
            for name, status in g.statuses.items()
            if (status['level'] >= 2 and not name.endswith(': mode')) or name.endswith(': arm')]


def _reading(g: Gathered) -> list[Finding]:
    found = [Finding('middle', 'reading', text, f'{count} times.' if count > 1 else '')
             for text, count in list(g.problems.items())[:10]]
    found += [Finding('note', 'bag', text) for text in g.bag.notes]
    if not g.clock.same:
        found.append(Finding('note', 'clock', 'Stamps and times of reception are of different '
                             'clocks (simulated time): ages on arrival cannot be told.'))
    return found


_LOOKS: tuple[Callable[[Gathered], Iterable[Finding]], ...] = (
    _stops, mode_findings, _people, _pictures, _freezes, _silences, _chunks, _limiters, _statuses,
    _reading)
