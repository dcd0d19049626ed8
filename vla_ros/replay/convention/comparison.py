"""Holds what a recording says against what a policy says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vla_ros.core.types import ActionConvention, ActionSpace
from vla_ros.replay.convention.estimate import Estimate
from vla_ros.replay.convention.finding import ABOUT, Finding, Verdict

SCALE_WITHIN = 1.4
"""Factor up to which two scales agree; beyond ``ABOUT`` they disagree, between cannot be told."""

_DT_WITHIN = 1.2
_GRIPPER_WITHIN = 0.25  # of the way from closed to open
_TOOL = (ActionSpace.EE_DELTA, ActionSpace.EE_POSE)


@dataclass(frozen=True)
class PolicyConvention:
    """What a policy's configuration says.

    Attributes
    ----------
    name : str
        For people.
    convention : ActionConvention
        How its actions are read.
    dt : float
        Time between two steps [s].
    proprio : tuple[str, ...] | None
        Names of the state's numbers; None: it takes none, or the robot's state as it is.
    action_range : tuple[np.ndarray, np.ndarray] | None
        Lowest and highest action (D,) of the training data; None: not known.

    """

    name: str
    convention: ActionConvention
    dt: float
    proprio: tuple[str, ...] | None = None
    action_range: tuple[np.ndarray, np.ndarray] | None = None


def compared(estimate: Estimate, policy: PolicyConvention,
             actions: Sequence[np.ndarray] = ()) -> Estimate:
    """Return the estimate with the policy's words and a verdict on each property.

    ``actions`` are the recordings' (N, D), held against the range of the training data where that
    is known.
    """
    convention = policy.convention
    tool = convention.space in _TOOL
    action = 'delta' if convention.space in (ActionSpace.EE_DELTA,
                                             ActionSpace.JOINT_DELTA) else 'absolute'
    words: dict[str, object] = {'action': action, 'space': convention.space.value}
    if tool:
        words.update(frame=convention.frame.value, rotation=convention.rotation.value)
    if policy.proprio is not None:
        words['proprio'] = _as_found(policy.proprio, estimate)
    found = {name: _same(finding, words[name]) if name in words else finding
             for name, finding in estimate.findings.items()}
    for name, scale in (('translation_scale', convention.translation_scale),
                        ('rotation_scale', convention.rotation_scale),
                        ('joint_scale', convention.rotation_scale)):
        if name in found and (name == 'joint_scale') != tool:
            found[name] = _scale(found[name], scale)
    if 'dt' in found:
        found['dt'] = _dt(found['dt'], policy.dt)
    found['gripper'] = _gripper(found['gripper'], convention)
    if 'proprio' in found and found['proprio'].text.startswith('joints'):
        # The node makes a policy's vector from joints; the state's own order is of no matter.
        found['proprio'] = replace(found['proprio'], expected=None, verdict=Verdict.NOT_COMPARED)
    if policy.action_range is not None and len(actions):
        found['statistics'] = _statistics(np.concatenate(list(actions)), *policy.action_range)
    notes = [*estimate.notes, *_mix_up(found)]
    return Estimate(found, estimate.actions, estimate.seconds, notes)


def verdict_of(estimate: Estimate) -> Verdict:
    """Return the verdict on the whole: one property that disagrees is enough."""
    verdicts = [finding.verdict for finding in estimate.findings.values()]
    if Verdict.DISAGREE in verdicts:
        return Verdict.DISAGREE
    # A recording that does not even say whether its actions are deltas confirms nothing.
    return (Verdict.AGREE if estimate.findings['space'].verdict is Verdict.AGREE
            else Verdict.CANNOT_TELL)


def _as_found(proprio: Sequence[str], estimate: Estimate) -> list[str]:
    """Return the names as the estimate has them: up to half a turn the two kinds of rotation
    vectors are the same numbers.
    """
    found = estimate.value('proprio') or []
    longer = any(name.startswith('robosuite_') for name in found)
    return [name if longer else name.removeprefix('robosuite_') for name in proprio]


def _same(finding: Finding, expected: object) -> Finding:
    if finding.value is None:
        return replace(finding, expected=expected, verdict=Verdict.CANNOT_TELL)
    same = finding.value == expected
    if not same and finding.name == 'rotation' and finding.text.startswith('by the state'):
        return replace(finding, expected=expected, verdict=Verdict.CANNOT_TELL)
    return replace(finding, expected=expected,
                   verdict=Verdict.AGREE if same else Verdict.DISAGREE)


def _scale(finding: Finding, expected: float) -> Finding:
    if finding.value is None or finding.interval is None:
        return replace(finding, expected=expected, verdict=Verdict.CANNOT_TELL)
    low, high = sorted(end / expected for end in finding.interval)
    if 'differ by axis' in finding.text or high < 1.0 / ABOUT or low > ABOUT:
        verdict = Verdict.DISAGREE
    elif 1.0 / SCALE_WITHIN <= finding.value / expected <= SCALE_WITHIN:
        verdict = Verdict.AGREE
    else:
        verdict = Verdict.CANNOT_TELL
    return replace(finding, expected=expected, verdict=verdict)


def _dt(finding: Finding, expected: float) -> Finding:
    if finding.value is None:
        return replace(finding, expected=expected, verdict=Verdict.CANNOT_TELL)
    ratio = finding.value / expected
    same = 1.0 / _DT_WITHIN <= ratio <= _DT_WITHIN
    return replace(finding, expected=expected, text=finding.text + (
        '' if same else f'; the policy says {1.0 / expected:.3g} Hz: the arm would move '
        f'{ratio:.2g} times as fast as it was recorded'),
        verdict=Verdict.AGREE if same else Verdict.DISAGREE)


def _gripper(finding: Finding, convention: ActionConvention) -> Finding:
    expected = {'open': convention.gripper_open, 'closed': convention.gripper_closed}
    if finding.value is None:
        return replace(finding, expected=expected, verdict=Verdict.CANNOT_TELL)
    span = convention.gripper_open - convention.gripper_closed
    ends = ((finding.value[end] - convention.gripper_closed) / span for end in ('open', 'closed'))
    opened, closed = ends
    if opened < closed:
        return replace(finding, expected=expected, verdict=Verdict.DISAGREE,
                       text=f'{finding.text}: the wrong way round for the policy')
    good = abs(opened - 1.0) <= _GRIPPER_WITHIN and abs(closed) <= _GRIPPER_WITHIN
    return replace(finding, expected=expected,
                   verdict=Verdict.AGREE if good else Verdict.DISAGREE,
                   text=finding.text if good else f'{finding.text}: another range')


def _statistics(actions: np.ndarray, low: np.ndarray, high: np.ndarray) -> Finding:
    """Return whether the actions look like those that the statistics were made from."""
    if actions.shape[1] != len(low):
        return Finding('statistics', None, f'an action has {actions.shape[1]} numbers, the '
                       f'statistics {len(low)}', verdict=Verdict.DISAGREE)
    inside = float(((actions >= low) & (actions <= high)).mean())
    own = np.quantile(np.abs(actions), 0.99, axis=0)
    width = np.maximum(np.abs(low), np.abs(high))
    ratio = float(np.median(own[width > 0] / width[width > 0])) if (width > 0).any() else 1.0
    good = inside >= 0.9 and ratio >= 0.1
    text = (f'{100 * inside:.0f} % of the numbers are within the range of the training data; '
            f'their size is {ratio:.2g} of it')
    return Finding('statistics', inside, text,
                   verdict=Verdict.AGREE if good else Verdict.DISAGREE)


def _mix_up(found: dict[str, Finding]) -> list[str]:
    """Return a note when both scales are wrong by one factor, as a wrong rate makes them."""
    scales = [found[name] for name in ('translation_scale', 'rotation_scale') if name in found]
    ratios = [finding.value / finding.expected for finding in scales
              if finding.value is not None and finding.expected]
    if len(ratios) < 2 or not all(finding.verdict is Verdict.DISAGREE for finding in scales):
        return []
    factor = float(np.sqrt(max(ratios[0] * ratios[1], 0.0)))
    if factor > 0.0 and max(ratios) <= 1.25 * min(ratios) and 0.2 <= factor <= 5.0:
        return [f'translations and rotations are both {factor:.2g} times what the policy says: '
                f'rather a rate mix-up ({factor:.2g} times the time between two actions) than '
                'other units']
    return []
