"""Finds the convention of recordings: a finding for each property."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from vla_ros.core.types import ActionFrame, ActionSpace, Rotation
from vla_ros.replay.convention.candidates import Candidate, Turning, samples
from vla_ros.replay.convention.evidence import ArmModel, Evidence, Reading
from vla_ros.replay.convention.finding import ABOUT, EXPLAINED, SURE, Finding
from vla_ros.replay.convention.gripper_evidence import gripper_evidence
from vla_ros.replay.convention.lag import find_lag
from vla_ros.replay.convention.recording import Recording
from vla_ros.replay.convention.rotation_kind import rotation_kind
from vla_ros.replay.convention.search import Answer, Search, Trial
from vla_ros.replay.convention.state_layout import NAMES
from vla_ros.replay.convention.turned_axes import turned_axes

_TURNED = 0.15  # explained variance that other axes must gain, having three parameters more

PROPERTIES = ('action', 'space', 'frame', 'rotation', 'translation_scale', 'rotation_scale',
              'joint_scale', 'lag', 'dt', 'gripper', 'gripper_kind', 'gripper_lag', 'proprio')


@dataclass(frozen=True)
class Estimate:
    """What recordings say of their convention.

    Attributes
    ----------
    findings : dict[str, Finding]
        By property, of ``PROPERTIES``; those that do not apply are left out.
    actions, seconds : int, float
        How much was looked at.
    notes : list[str]
        What else a person should know.

    """

    findings: dict[str, Finding]
    actions: int
    seconds: float
    notes: list[str] = field(default_factory=list)

    def value(self, name: str) -> Any:
        """Return what was found of a property; None: cannot be told, or does not apply."""
        return self.findings[name].value if name in self.findings else None


def estimate(recordings: Sequence[Recording], model: ArmModel | None = None) -> Estimate:
    """Return what recordings (at least one) say of their convention.

    Raises
    ------
    InputError
        When the recordings do not have the same states and actions.

    """
    evidence = Evidence(recordings, model)
    findings: list[Finding] = []
    notes: list[str] = []
    reading: Reading | None = None
    best: Trial | None = None
    if evidence.steps and evidence.moving:
        readings = {reading.name: reading for reading in evidence.readings()}
        search = Search(evidence.blocks)
        for one in readings.values():
            search.add(one.name, one.runs, one.candidates)
        best = search.best()
        if best is not None:
            reading = readings[best.reading]
            findings += _motion(search, best, reading, evidence, notes)
    if best is None:
        why = _why_nothing(evidence)
        findings += [Finding(name, None, why) for name in PROPERTIES[:5]]
    findings += _timing(evidence, best)
    findings += _gripper(evidence)
    findings.append(_proprio(evidence, reading, search if best else None, best))
    seconds = sum(float(r.state_ns[-1] - r.state_ns[0]) * 1e-9 for r in recordings
                  if len(r.state_ns))
    return Estimate({finding.name: finding for finding in findings}, evidence.steps, seconds, notes)


def _why_nothing(evidence: Evidence) -> str:
    if not evidence.steps:
        return 'there are no actions: neither action chunks nor commands'
    if not evidence.moving:
        return 'the arm does not move'
    if not evidence.readings():
        return (f'the state ({" ".join(evidence.first.state_names)}) is read neither as a pose nor '
                f'as the joints of an action of {evidence.arm} numbers')
    return 'too few actions with motion behind them'


def _motion(search: Search, best: Trial, reading: Reading, evidence: Evidence,
            notes: list[str]) -> list[Finding]:
    """Return what the arm's motion says."""
    space = search.answer(lambda trial: trial.candidate.space)
    absolute = search.answer(lambda trial: _action(trial.candidate))
    found = [_answered('action', absolute, str), _answered('space', space, lambda s: s.value)]
    candidate = best.candidate
    tool = candidate.space in (ActionSpace.EE_DELTA, ActionSpace.EE_POSE)
    if tool:
        found += [_frame(search, best, reading, notes),
                  _rotation(search, best, reading, evidence)]
    found += _scales(search, best, reading)
    found.append(_lag(best, reading, evidence))
    return found


def _lag(best: Trial, reading: Reading, evidence: Evidence) -> Finding:
    if not best.explained >= EXPLAINED:
        return Finding('lag', None, _weak(best.explained))
    lag = find_lag(reading.runs, best.candidate, tuple(best.fits), evidence.blocks)
    if lag is None:
        return Finding('lag', None, 'too few samples at different times')
    if lag.steps > -0.5:
        text = f'the motion comes {lag.steps * evidence.first.dt:.2f} s after its action'
        return Finding('lag', lag.steps, text, interval=lag.interval)
    # An alarming thing to say: only when hardly any resampling says something else.
    if lag.interval[1] > -0.5:
        return Finding('lag', None, f'{lag.steps:g} steps explains most, but little more than '
                                    'others do', interval=lag.interval)
    return Finding('lag', lag.steps, 'the actions describe motion that was already over',
                   interval=lag.interval)


def _action(candidate: Candidate) -> str:
    return 'delta' if candidate.space in (ActionSpace.EE_DELTA,
                                          ActionSpace.JOINT_DELTA) else 'absolute'


def _answered(name: str, answer: Answer, show: Callable[[Any], Any], text: str = '') -> Finding:
    told = answer.explained >= EXPLAINED and answer.sure >= SURE
    other = None if answer.next_value is None else show(answer.next_value)
    if not told:
        text = (_weak(answer.explained) if not answer.explained >= EXPLAINED else
                f'{show(answer.value)} and {other} explain about the same')
    return Finding(name, show(answer.value) if told else None, text, answer.explained, other,
                   answer.next_explained if other is not None else None, answer.sure)


def _weak(explained: float) -> str:
    return (f'the actions explain {max(explained, 0.0):.2f} of the motion at best, '
            f'less than {EXPLAINED:g}')


def _frame(search: Search, best: Trial, reading: Reading, notes: list[str]) -> Finding:
    turned = turned_axes(reading.runs)
    own = best.fits['translation'].explained if 'translation' in best.fits else 0.0
    if turned is not None and turned.explained >= max(own + _TURNED, EXPLAINED):
        return Finding('frame', 'other axes', f'deltas with {turned.words} of the state\'s frame',
                       turned.explained, best.candidate.frame.value, own)
    answer = search.answer(lambda trial: trial.candidate.frame, lambda trial: (
        trial.candidate.space is best.candidate.space))
    finding = _answered('frame', answer, lambda frame: frame.value)
    if best.candidate.turning is None or finding.value is None:
        return finding
    turning = search.answer(lambda trial: trial.candidate.turning, lambda trial: (
        trial.candidate.space is best.candidate.space
        and trial.candidate.frame is best.candidate.frame))
    usual = Turning.TOOL if best.candidate.frame is ActionFrame.TOOL else Turning.BASE
    if turning.value is not usual and turning.sure >= SURE:
        notes.append(f'translations are along {best.candidate.frame.value} axes, but rotations are '
                     f'{turning.value.value} (explained {turning.explained:.3f}, {usual.value} '
                     f'{turning.next_explained:.3f}): the control side has no such convention')
    return finding


def _rotation(search: Search, best: Trial, reading: Reading, evidence: Evidence) -> Finding:
    """Return which kind of numbers the rotation is."""
    if 'rotation' not in best.fits:
        return Finding('rotation', None, 'the tool does not turn')
    if best.candidate.rotation is not None:
        answer = search.answer(lambda trial: trial.candidate.rotation, lambda trial: (
            trial.candidate.space is best.candidate.space
            and trial.candidate.frame is best.candidate.frame))
        return _answered('rotation', answer, lambda rotation: rotation.value)
    fit = best.fits['rotation']
    if not fit.explained >= EXPLAINED:
        return Finding('rotation', None, _weak(fit.explained), fit.explained)
    if best.candidate.turning is Turning.ADDED:
        turning = search.answer(lambda trial: trial.candidate.turning, lambda trial: (
            trial.candidate.space is best.candidate.space
            and trial.candidate.frame is best.candidate.frame))
        told = _answered('rotation', turning, lambda turning: f'turns {turning.value}')
        return replace(told, value=Rotation.RPY.value if told.value else None,
                       text=str(told.value) if told.value else told.text)
    found = samples(reading.runs, best.candidate, best.lag)
    kind = rotation_kind(found.action[1], found.measured[1], found.block, evidence.blocks,
                         fit.scale)
    numbers = (f'beyond their first order the turns are {kind.share:.2f} ± {kind.error:.2f} of '
               'the way from axis_angle (0) to rpy (1)') if np.isfinite(kind.error) else (
                   'they do not show anything beyond their first order')
    if kind.rotation is not None:
        return Finding('rotation', kind.rotation.value, numbers)
    small = f'actions of at most {kind.largest:.2f} rad are too small to tell: {numbers}'
    if reading.layout.rotation in ('rpy', 'axis_angle'):
        by_state = _state_rotation(search, best)
        if by_state is not None:
            return Finding('rotation', by_state.value.partition(' ')[0],
                           f'by the state beside them, which is so; {small}',
                           by_state.explained, by_state.next_value, by_state.next_explained,
                           by_state.sure)
    return Finding('rotation', None, small)


def _state_rotation(search: Search, best: Trial) -> Answer | None:
    """Return how the state's rotation is to be read, when the motion says so for certain."""
    answer = search.answer(lambda trial: trial.reading,
                           lambda trial: trial.candidate == best.candidate)
    return answer if answer.sure >= SURE else None


def _scales(search: Search, best: Trial, reading: Reading) -> list[Finding]:
    names = {'translation': 'translation_scale', 'rotation': 'rotation_scale',
             'joints': 'joint_scale'}
    groups = (('joints',) if best.candidate.space in (
        ActionSpace.JOINT_DELTA, ActionSpace.JOINT_POSITION) else ('translation', 'rotation'))
    found = []
    for group in groups:
        fit = best.fits.get(group)
        if fit is None or not fit.explained >= EXPLAINED:
            found.append(Finding(names[group], None, 'too little motion' if fit is None else
                                 _weak(fit.explained)))
            continue
        unit = best.candidate.unit if group == 'rotation' else 1.0
        low, high = (unit * end for end in search.scale_interval(fit))
        scale = unit * fit.scale
        text = _unit(group, scale, _largest(reading, group))
        if search.axis_scales_differ(fit):
            text += ', which differ by axis: ' + ' '.join(
                f'{unit * one:.3g}' for one in fit.axis_scales)
        found.append(Finding(names[group], scale, text, fit.explained, interval=(low, high)))
    return found


def _largest(reading: Reading, group: str) -> float:
    columns = {'translation': slice(0, 3), 'rotation': slice(3, None), 'joints': slice(None)}
    return max(float(np.abs(run.actions[:, columns[group]]).max(initial=0.0))
               for run in reading.runs)


_UNITS: dict[str, tuple[tuple[float, str], ...]] = {
    'translation': ((1.0, 'm'), (0.01, 'cm'), (0.001, 'mm')),
    'rotation': ((1.0, 'rad'), (np.pi / 180.0, 'degrees')),
    'joints': ((1.0, 'rad'), (np.pi / 180.0, 'degrees')),
}


def _unit(group: str, scale: float, largest: float) -> str:
    for size, name in _UNITS[group]:
        if size / ABOUT <= scale <= size * ABOUT:
            return f'the numbers are {name}'
    if scale < 0.0:
        return 'the motion is opposite to the numbers'
    unit = 'm' if group == 'translation' else 'rad'
    if 0.3 <= largest <= 1.05:
        return f'normalised: 1 is {scale:.3g} {unit}'
    return f'scaled: 1 is {scale:.3g} {unit}'


def _timing(evidence: Evidence, best: Trial | None) -> list[Finding]:
    if not evidence.steps:
        return []
    first = evidence.first
    how = (f'steps of a chunk of {first.chunk_steps}' if first.chunk_steps > 1 else
           'from one action to the next')
    dts = [r.dt for r in evidence.recordings if r.dt > 0.0]
    if not dts:
        return [Finding('dt', None, 'one action alone has no rate')]
    dt = float(np.median(dts))
    return [Finding('dt', dt, f'{how}, {1.0 / dt:.3g} Hz')]


def _gripper(evidence: Evidence) -> list[Finding]:
    found = gripper_evidence(evidence.gripper_runs(), evidence.blocks)
    kind = ('binary' if found.binary else 'continuous') if np.isfinite(found.low) else None
    kinds = [] if kind is None or found.low == found.high else [Finding(
        'gripper_kind', kind, f'from {found.low:g} to {found.high:g}')]
    if found.problem:
        return [Finding('gripper', None, found.problem, found.explained or None,
                        sure=found.sure or None), *kinds]
    return [Finding('gripper', {'open': found.open_value, 'closed': found.closed_value},
                    f'{found.open_value:g} opens, {found.closed_value:g} closes',
                    found.explained, sure=found.sure),
            *kinds,
            Finding('gripper_lag', found.lag, f'{found.lag:.2f} s from the number to the opening')]


def _proprio(evidence: Evidence, reading: Reading | None, search: Search | None,
             best: Trial | None) -> Finding:
    size = len(evidence.first.state_names)
    if evidence.joints:
        layout, places = evidence.joints
        return Finding('proprio', list(layout.names(size, len(places))),
                       'joints, by their names')
    if reading is None or best is None or search is None or not best.explained >= EXPLAINED:
        return Finding('proprio', None, 'without motion that the actions explain, the numbers '
                       'cannot be told apart; they are called '
                       f'{" ".join(evidence.first.state_names) or "nothing"}')
    if reading.layout.rotation == 'joints':
        return Finding('proprio', list(reading.layout.names(size, evidence.arm)), 'joints')
    answer = search.answer(lambda trial: trial.reading)
    names = list(reading.layout.names(size, state=evidence.whole))
    if not answer.sure >= SURE:
        own = evidence.first.state_names
        named = reading.layout.start == 0 and set(own[:6]) <= {*'xyz', *NAMES['rpy'],
                                                               *NAMES['axis_angle']}
        return Finding('proprio', list(own) if named else None,
                       f'read as {answer.value} and as {answer.next_value} it explains about the '
                       'same' + ('; by the names in the bag' if named else ''), answer.explained,
                       answer.next_value, answer.next_explained, answer.sure)
    return Finding('proprio', names, f'by what the actions explain of it, read as {answer.value}',
                   answer.explained, answer.next_value, answer.next_explained, answer.sure)

