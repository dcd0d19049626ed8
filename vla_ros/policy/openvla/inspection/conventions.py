"""Which ready-made file of ``config/policies`` fits a checkpoint's statistics.

Statistics know ranges, not meanings: frame, kind of rotation and which end of the gripper's range
is open stand nowhere in a checkpoint. So a file fits when nothing speaks against it and the data
set has its name; without the name it is only possible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vla_ros.core.errors import ConfigError
from vla_ros.core.types import EE_DIMS, GRIPPER_DIM, ActionSpace
from vla_ros.policy.openvla.statistics import Bounds
from vla_ros.resources import share_directory
from vla_ros.section import Section

if TYPE_CHECKING:  # needs torch
    from vla_ros.policy.openvla.settings import PolicySettings

TEMPLATE = 'openvla_oft_template'
LARGEST_STEP, LARGEST_TURN = 0.3, 1.6
"""More in one step, [m] and [rad], is no end-effector delta: the units are others."""


@dataclass(frozen=True)
class Convention:
    """What a file of ``config/policies`` says that a checkpoint can contradict."""

    name: str
    policy: str
    dims: tuple[str, ...]
    dt: float
    chunk: int | None
    space: str
    translation_scale: float
    rotation_scale: float
    gripper_open: float
    gripper_closed: float
    proprio: int | None = None

    @property
    def dataset(self) -> str:
        """Word that its data sets have in their names; nothing for a default or a template."""
        if self.name == TEMPLATE:
            return ''
        return self.name.removeprefix(self.policy).strip('_')


    @classmethod
    def of_settings(cls, policy: str, settings: PolicySettings) -> Convention:
        """Return what a policy's settings say, for :func:`objections` when it is loaded."""
        meaning = settings.convention
        return cls('', policy, settings.dims, settings.dt, settings.chunk_length,
                   meaning.space.value, meaning.translation_scale, meaning.rotation_scale,
                   meaning.gripper_open, meaning.gripper_closed,
                   len(settings.proprio.names) if settings.proprio else None)


@dataclass(frozen=True)
class Match:
    """A convention and a data set.

    Attributes
    ----------
    convention, policy : str
        Name of the file, and of the policy that it is for.
    key : str
        Of the statistics.
    verdict : str
        ``fits``, ``possible`` (nothing speaks against it) or ``no``.
    reasons : tuple[str, ...]
        What was expected and what was found, for ``no``.
    motion : str
        What 99 % of the training data's steps stay below, read by this convention.

    """

    convention: str
    policy: str
    key: str
    verdict: str
    reasons: tuple[str, ...]
    motion: str


def ready_made() -> list[Convention]:
    """Return the files of ``config/policies`` that are for these policies."""
    folder = share_directory() / 'config' / 'policies'
    return [_read(path) for path in sorted(folder.glob('openvla*.yaml'))]


def matches(policy: str, key: str, action: Bounds, chunk: int | None, proprio: int | None,
            name: str) -> list[Match]:
    """Return how each ready-made convention of a policy fits; the best first.

    Parameters
    ----------
    policy, key : str
        Policy that loads the checkpoint, and the data set.
    action : Bounds
        Ranges of a step's numbers.
    chunk, proprio : int, optional
        Steps of a chunk, where that is known, and numbers of proprioception, where it takes any.
    name : str
        Of the checkpoint directory.

    """
    text = f'{key} {name}'.lower()
    found = []
    for convention in ready_made():
        if convention.policy != policy or convention.name == TEMPLATE:
            continue
        reasons = objections(convention, action, chunk, proprio)
        named = bool(convention.dataset) and convention.dataset in text
        verdict = 'no' if reasons else 'fits' if named else 'possible'
        motion = '' if reasons and action.size != len(convention.dims) else _motion(
            convention, action)
        found.append(Match(convention.name, policy, key, verdict, tuple(reasons), motion))
    return sorted(found, key=lambda match: ('fits', 'possible', 'no').index(match.verdict))


def objections(convention: Convention, action: Bounds, chunk: int | None = None,
               proprio: int | None = None) -> list[str]:
    """Return what speaks against reading a data set's actions by a convention."""
    if action.size != len(convention.dims):
        return [f'actions: expected {len(convention.dims)} numbers '
                f'({" ".join(convention.dims)}), found {action.size}']
    reasons = []
    if chunk is not None and convention.chunk not in (None, chunk):
        reasons.append(f'chunk length: expected {convention.chunk}, found {chunk}')
    if None not in (proprio, convention.proprio) and proprio != convention.proprio:
        reasons.append(f'proprioception: expected {convention.proprio} numbers, found {proprio}')
    step, turn = _largest(convention, action)
    if convention.space == ActionSpace.EE_DELTA:
        for what, value, limit, unit in (('translation', step, LARGEST_STEP, 'm'),
                                         ('rotation', turn, LARGEST_TURN, 'rad')):
            if not value <= limit:
                reasons.append(f'{what}: expected at most {limit} {unit} a step, found '
                               f'{value:.2g} {unit} with its {what}_scale: other units')
    if GRIPPER_DIM in convention.dims:
        reasons += _gripper(convention, action)
    return reasons


def _gripper(convention: Convention, action: Bounds) -> list[str]:
    at = convention.dims.index(GRIPPER_DIM)
    low, high = float(action.low[at]), float(action.high[at])
    ends = sorted((convention.gripper_closed, convention.gripper_open))
    span = ends[1] - ends[0]
    inside = ends[0] - 0.25 * span <= low and high <= ends[1] + 0.25 * span
    if inside and high - low >= 0.75 * span:
        return []
    return [f'gripper: expected {convention.gripper_closed:g} (closed) to '
            f'{convention.gripper_open:g} (open), found {low:.3g} to {high:.3g}']


def _largest(convention: Convention, action: Bounds) -> tuple[float, float]:
    """Return the largest translation [m] and rotation [rad] along one axis, in a step."""
    reach = np.maximum(abs(action.low), abs(action.high))

    def over(names: Sequence[str]) -> float:
        picked = [reach[i] for i, dim in enumerate(convention.dims) if dim in names]
        return float(max(picked, default=0.0))

    return (over(EE_DIMS[:3]) * convention.translation_scale,
            over(EE_DIMS[3:]) * convention.rotation_scale)


def _motion(convention: Convention, action: Bounds) -> str:
    if convention.space != ActionSpace.EE_DELTA:
        return ''
    step, turn = _largest(convention, action)
    return (f'at most {step:.3g} m and {turn:.3g} rad a step and axis, '
            f'{step / convention.dt:.2g} m/s and {turn / convention.dt:.2g} rad/s')


def _read(path: Path) -> Convention:
    top = Section.open(path)
    meaning = top.section('convention')
    oft = 'chunk_length' in set(top.keys())
    chunk = _length(top) if oft else None
    proprio = _count(top) if oft else None
    return Convention(
        path.stem, 'openvla_oft' if oft else 'openvla', top.texts('dims'),
        top.number('dt', positive=True), chunk, meaning.text('space'),
        *(meaning.number(key) for key in ('translation_scale', 'rotation_scale', 'gripper_open',
                                          'gripper_closed')), proprio)


def _length(top: Section) -> int | None:
    """Return a whole number, or None for ``auto``."""
    try:
        return top.whole_number('chunk_length')
    except ConfigError:
        return None


def _count(top: Section) -> int | None:
    """Return how many numbers the proprioception has, or None for ``given``."""
    try:
        return len(top.texts('proprio'))
    except ConfigError:
        return None
