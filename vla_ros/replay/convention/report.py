"""The estimate as lines for people, as values for programs, and as a block of a policy's file."""

from __future__ import annotations

import math
from enum import Enum
from typing import Any

from vla_ros.replay.convention.comparison import verdict_of
from vla_ros.replay.convention.estimate import Estimate
from vla_ros.replay.convention.finding import ABOUT, Finding, Verdict

_UNITS = {'translation_scale': ' m', 'rotation_scale': ' rad', 'joint_scale': ' rad',
          'lag': ' steps', 'dt': ' s', 'gripper_lag': ' s'}


def as_text(estimate: Estimate, policy: str = '') -> str:
    """Return one line for each property, then the notes; ``policy`` is the name of what was
    compared, empty for nothing.
    """
    lines = [f'{estimate.actions} actions in {estimate.seconds:.1f} s']
    width = max(len(name) for name in estimate.findings)
    for finding in estimate.findings.values():
        head = f'{finding.verdict.value:<12}' if policy else ''
        expected = (f' (policy: {shown(finding.expected)})'
                    if finding.verdict in (Verdict.DISAGREE, Verdict.CANNOT_TELL)
                    and finding.expected is not None else '')
        value = 'cannot tell' if finding.value is None else (
            shown(finding.value) + _UNITS.get(finding.name, ''))
        lines.append(f'{head}{finding.name:<{width}}  {value}{expected}{_evidence(finding)}')
    lines += [f'note: {note}' for note in estimate.notes]
    if policy:
        lines.append(f'{policy}: {verdict_of(estimate).value}')
    return '\n'.join(lines)


def _evidence(finding: Finding) -> str:
    parts = [finding.text] if finding.text else []
    if finding.explained is not None:
        text = f'explains {finding.explained:.3f}'
        if finding.next_explained is not None:
            text += f', {shown(finding.next_value)} {finding.next_explained:.3f}'
        parts.append(text)
    if finding.sure is not None:
        parts.append(f'sure {finding.sure:.3f}')
    if finding.interval is not None:
        parts.append('95 % within {:.3g} to {:.3g}'.format(*finding.interval))
    return '  -- ' + '; '.join(parts) if parts else ''


def shown(value: Any) -> str:
    """Return a value as people read it."""
    if isinstance(value, float):
        return f'{value:.3g}'
    if isinstance(value, dict):
        return ', '.join(f'{key} {shown(item)}' for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ' '.join(map(str, value))
    return str(value.value if isinstance(value, Enum) else value)


def as_dict(estimate: Estimate, policy: str = '') -> dict[str, Any]:
    """Return everything, for programs."""
    return {
        'actions': estimate.actions, 'seconds': round(estimate.seconds, 6),
        'policy': policy or None,
        'verdict': verdict_of(estimate).value if policy else None,
        'findings': {finding.name: {
            'value': _plain(finding.value), 'text': finding.text,
            'explained': _plain(finding.explained), 'next': _plain(finding.next_value),
            'next_explained': _plain(finding.next_explained), 'margin': _plain(finding.margin),
            'sure': _plain(finding.sure), 'interval': _plain(finding.interval),
            'policy': _plain(finding.expected), 'verdict': finding.verdict.value or None,
        } for finding in estimate.findings.values()},
        'notes': list(estimate.notes)}


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return round(float(value), 6) if math.isfinite(value) else None
    return value


def as_yaml(estimate: Estimate) -> str:
    """Return the block for a file of ``config/policies``; what cannot be told is a comment.

    Scales are rounded to three digits, and to the unit itself where they are near one.
    """
    lines = []
    dt = estimate.value('dt')
    if dt is not None:
        lines.append(f'dt: {dt:.4g}')
    lines.append('convention:')
    gripper = estimate.value('gripper') or {}
    joint = estimate.value('space') in ('joint_position', 'joint_delta')
    values = {name: estimate.value(name) for name in ('space', 'frame', 'rotation',
                                                      'translation_scale', 'rotation_scale')}
    if joint:
        # Frame, rotation and translations must be there, but joint actions have none.
        values.update(frame='base', rotation='axis_angle', translation_scale=1.0,
                      rotation_scale=estimate.value('joint_scale'))
    values.update(gripper_open=gripper.get('open'), gripper_closed=gripper.get('closed'))
    for name, value in values.items():
        if value is None:
            lines.append(f'  # {name}: cannot be told')
        else:
            lines.append(f'  {name}: {_rounded(value) if isinstance(value, float) else value}')
    proprio = estimate.value('proprio')
    if proprio and '?' not in proprio:
        lines.append(f'proprio: [{", ".join(proprio)}]')
    return '\n'.join(lines) + '\n'


def _rounded(value: float) -> float:
    for unit in (1.0, 0.01, 0.001, math.pi / 180.0):
        if unit / ABOUT <= value <= unit * ABOUT:
            return round(unit, 7)
    return float(f'{value:.3g}')
