"""From numbers to words: a table of causes, each with its evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vla_ros.replay.open_loop.causes import Fit
from vla_ros.replay.open_loop.result import Ablation, Counterfactual, Metrics, Suggestion
from vla_ros.replay.open_loop.settings import OpenLoopSettings


@dataclass(frozen=True)
class Evidence:
    """Everything that the rules look at.

    Attributes
    ----------
    metrics : Metrics
        Of the replay.
    settings : OpenLoopSettings
        What counts as little and as much.
    dt_ns, horizon : int
        Of the policy's chunks.
    dims : tuple[str, ...]
        Of an action.
    recorded_dt_ns : int | None
        Time between two recorded steps [ns]; None where no chunks were compared with.
    picture_hz : float | None
        Rate of the slowest camera of the bag.
    counterfactuals : Sequence[Counterfactual]
        What undoing a mistake did.
    scales : Sequence[tuple[float, Counterfactual]]
        Common factors of the deltas.
    fits : Sequence[Fit]
        Lines from recorded to predicted, by number.
    ablations : Sequence[Ablation]
        What taking an input away did.
    image_objections : Sequence[str]
        What the policy says of the pictures' sizes.

    """

    metrics: Metrics
    settings: OpenLoopSettings
    dt_ns: int
    horizon: int
    dims: tuple[str, ...]
    recorded_dt_ns: int | None = None
    picture_hz: float | None = None
    counterfactuals: Sequence[Counterfactual] = ()
    scales: Sequence[tuple[float, Counterfactual]] = ()
    fits: Sequence[Fit] = ()
    ablations: Sequence[Ablation] = ()
    image_objections: Sequence[str] = ()

    def explains(self, before: float, after: float) -> bool:
        """Return whether undoing something explains an error that is worth it."""
        s = self.settings
        return before > s.worth_naming and after <= s.named_below * before

    def best(self, cause: str) -> Counterfactual | None:
        """Return the counterfactual of a cause that leaves least, if it explains the error."""
        tried = [c for c in self.counterfactuals if c.name == cause]
        if not tried:
            return None
        least = min(tried, key=lambda c: c.after)
        return least if self.explains(least.before, least.after) else None

    def input_explains_more(self, before: float, after: float) -> bool:
        """Return whether undoing a mistake in the input leaves less of the error than this."""
        found = [c for cause in _INPUTS if (c := self.best(cause)) is not None]
        return any(c.after * before < after * c.before for c in found)


Rule = Callable[[Evidence], 'Suggestion | None']

_INPUTS = ('channels', 'cameras', 'upside_down', 'statistics_key')

_UNDONE = {
    'channels': 'channels look swapped (BGR for RGB)',
    'cameras': 'cameras look swapped',
    'upside_down': 'pictures look upside down',
    'statistics_key': 'the statistics key looks wrong',
    'gripper': 'the gripper sign looks flipped',
}


def _numbers(counterfactual: Counterfactual) -> str:
    return (f'with {counterfactual.detail} the error falls from {counterfactual.before:.3g} to '
            f'{counterfactual.after:.3g} of the spread')


def _undone(cause: str, looks: str) -> Rule:
    def rule(e: Evidence) -> Suggestion | None:
        found = e.best(cause)
        return None if found is None else Suggestion(cause, f'{looks}: {_numbers(found)}', True)

    return rule


def _dt(e: Evidence) -> Suggestion | None:
    """The time of a step differs from what was recorded, and the error with it."""
    policy_hz = 1e9 / e.dt_ns
    recorded = e.recorded_dt_ns
    if recorded is not None and abs(recorded - e.dt_ns) > 0.1 * e.dt_ns:
        found = e.best('dt')
        text = (f'the bag runs at {1e9 / recorded:g} Hz, the policy expects {policy_hz:g} Hz: its '
                f'steps are {e.dt_ns * 1e-9:g} s, the recorded ones {recorded * 1e-9:g} s')
        return Suggestion('rate', text + (f'; {_numbers(found)}' if found else ''), True)
    if recorded is not None:
        return None
    found = e.best('dt')
    slow = e.picture_hz is not None and e.picture_hz < 0.75 * policy_hz
    if slow and found is not None:
        return Suggestion('rate', f'the bag runs at {e.picture_hz:.3g} Hz, the policy expects '
                          f'{policy_hz:g} Hz; {_numbers(found)}', True)
    if slow:
        return Suggestion('rate', f'the pictures come at {e.picture_hz:.3g} Hz, the policy has '
                          f'{policy_hz:g} steps a second', False)
    if found is not None:
        return Suggestion('rate', f'the time of a step (dt) looks wrong: {_numbers(found)}', False)
    return None


def _scale(e: Evidence) -> Suggestion | None:
    if _dt(e) is not None:
        return None  # steps twice as long are twice as large: one cause, not two
    explaining = [(factor, c) for factor, c in e.scales
                  if e.explains(c.before, c.after) and abs(factor - 1.0) > 0.1]
    if not explaining:
        return None
    factor, found = min(explaining, key=lambda pair: pair[1].after / pair[1].before)
    if e.input_explains_more(found.before, found.after):
        return None
    if factor < 0:
        return Suggestion('mirrored', f'the actions point the other way (factor {factor:.3g}): '
                          f'which frame? {_numbers(found)}', True)
    much = (f'{factor:.3g} times too large' if factor > 1 else
            f'{1 / factor:.3g} times too small')
    return Suggestion('scale', f'actions are about {much}: statistics key, or translation_scale '
                      f'and rotation_scale of the convention? {_numbers(found)}', True)


def _statistics(e: Evidence) -> Suggestion | None:
    """Single numbers are a line of what was recorded: their statistics differ."""
    if _dt(e) is not None or _scale(e) is not None or e.best('statistics_key') is not None:
        return None
    # A line always fits somewhat better; wrong statistics make it fit nearly to the last digit.
    odd = [fit for fit in e.fits if e.explains(fit.before, fit.after)
           and fit.after <= e.settings.line_below * fit.before
           and not e.input_explains_more(fit.before, fit.after)]
    if not odd:
        return None
    lines = [f'{fit.name} is {fit.slope:.3g} × the recorded {fit.offset:+.3g} (error '
             f'{fit.before:.3g} of the spread, {fit.after:.3g} without that)' for fit in odd]
    which = 'of this number' if len(odd) == 1 else 'of these numbers'
    return Suggestion('statistics', f'the statistics {which} look wrong (q01 and q99, or min and '
                      f'max, of dataset_statistics.json): {"; ".join(lines)}', True)


def _horizon(e: Evidence) -> Suggestion | None:
    m = e.metrics
    if not 0 < m.horizon < e.horizon:
        return None
    return Suggestion(
        'horizon', f'use fewer than {m.horizon + 1} steps of the chunk: the error is '
        f'{m.step_relative[0]:.3g} of the spread at step 1 and passes {m.threshold:g} at step '
        f'{m.horizon + 1} of {e.horizon} ({m.step_relative[m.horizon]:.3g})', True)


def _first_step(e: Evidence) -> Suggestion | None:
    if e.metrics.horizon or not e.metrics.compared:
        return None
    return Suggestion('first_step', f'already the first step of a chunk is off by '
                      f'{e.metrics.step_relative[0]:.3g} of the spread (limit '
                      f'{e.metrics.threshold:g})', True)


def _never_closes(e: Evidence) -> Suggestion | None:
    g = e.metrics.gripper
    if g is None or not g.hovers:
        return None
    return Suggestion('never_closes', f'never closes the gripper: the recording closes it '
                      f'{g.closings[1]} times, the policy opens it to {g.least_open:.2f} at least',
                      True)


def _gripper_late(e: Evidence) -> Suggestion | None:
    g = e.metrics.gripper
    if g is None or g.offset_s is None or abs(g.offset_s) * 1e9 <= e.dt_ns:
        return None
    return Suggestion('gripper_timing', f'the gripper acts {abs(g.offset_s):.2f} s '
                      f'{"late" if g.offset_s > 0 else "early"} on average', True)


def _stands_still(e: Evidence) -> Suggestion | None:
    ratio = e.metrics.motion_ratio
    if ratio is None or not ratio < e.settings.stands_still:
        return None
    return Suggestion('stands_still', f'stands still: it moves {ratio:.1%} of what was recorded',
                      True)


def _same_action(e: Evidence) -> Suggestion | None:
    ratio = e.metrics.answer_ratio
    if ratio is None or e.metrics.inferences < 3 or not ratio < e.settings.same_answer:
        return None
    return Suggestion('same_action', 'the same action for every input: its answers vary '
                      f'{ratio:.1%} of what the recorded ones do', True)


def _ignores(e: Evidence) -> Suggestion | None:
    # Not the state: many policies have none, and that is no fault.
    deaf = [a for a in e.ablations
            if a.name != 'first state' and a.relative < e.settings.ignored]
    if not deaf:
        return None
    texts = [f'{a.name}: the actions change by {a.relative:.2g} of the spread' for a in deaf]
    return Suggestion('ignores_input', f'does not look at an input; {"; ".join(texts)}', True)


def _picture_size(e: Evidence) -> Suggestion | None:
    if not e.image_objections:
        return None
    return Suggestion('picture_size', '; '.join(e.image_objections), False)


RULES: dict[str, Rule] = {
    'rate': _dt,
    **{cause: _undone(cause, looks) for cause, looks in _UNDONE.items()},
    'scale': _scale,
    'statistics': _statistics,
    'never_closes': _never_closes,
    'stands_still': _stands_still,
    'same_action': _same_action,
    'ignores_input': _ignores,
    'gripper_timing': _gripper_late,
    'first_step': _first_step,
    'horizon': _horizon,
    'picture_size': _picture_size,
}
"""Cause -> rule, the most telling first; ``docs/replay.md`` has the table for people."""


def suggestions(evidence: Evidence) -> tuple[Suggestion, ...]:
    """Return what the rules say, the certain ones first."""
    found = [said for rule in RULES.values() if (said := rule(evidence)) is not None]
    return tuple(sorted(found, key=lambda said: not said.certain))
