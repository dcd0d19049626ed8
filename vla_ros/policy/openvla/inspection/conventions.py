"""Which ready-made file of ``config/policies`` fits a checkpoint's statistics.

Statistics know ranges, not meanings: frame, kind of rotation and which end of the gripper's range
is open stand nowhere in a checkpoint. So a file fits when nothing speaks against it and the data
set has its name; without the name it is only possible.

Some objections are certain: no robot moves so, and no gripper has such numbers. Such a checkpoint
is refused at load, unless the settings say that it is accepted; the others are warnings.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vla_ros.core.errors import ConfigError
from vla_ros.core.types import EE_DIMS, GRIPPER_DIM, ActionSpace
from vla_ros.policy.openvla.statistics import Bounds
from vla_ros.resources import share_directory
from vla_ros.section import Section

if TYPE_CHECKING:  # needs torch
    from vla_ros.policy.openvla.settings import PolicySettings

TEMPLATE = 'openvla_oft_template'


class Limit(NamedTuple):
    """Of one kind of number in the training data, 99 % of which stay below it.

    Beyond ``doubtful`` the units are probably others, beyond ``impossible``, or ``speed`` a second,
    they are.
    """

    doubtful: float
    impossible: float
    speed: float = math.inf


_TURN_A_STEP = Limit(1.6, math.pi, 20.0)  # rad; half a turn in a step has no direction
LIMITS: dict[str, dict[str, Limit]] = {
    ActionSpace.EE_DELTA: {'translation': Limit(0.3, 0.5, 5.0), 'rotation': _TURN_A_STEP},
    ActionSpace.EE_POSE: {'translation': Limit(2.0, 5.0), 'rotation': Limit(2.1 * math.pi,
                                                                           4.0 * math.pi)},
    ActionSpace.JOINT_DELTA: {'joint': _TURN_A_STEP},
    ActionSpace.JOINT_POSITION: {'joint': Limit(2.1 * math.pi, 4.0 * math.pi)},
}
"""Limits [m, rad] of each space. Arms move at 1 to 3 m/s and up to 6 rad/s at most, and people who
demonstrate with them far below; joints of some turn once around in either direction."""


class Objection(NamedTuple):
    """What speaks against a convention, and whether that is certain."""

    text: str
    certain: bool = False

    def __str__(self) -> str:
        return self.text


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
        found.append(Match(convention.name, policy, key, verdict, tuple(map(str, reasons)),
                           motion))
    return sorted(found, key=lambda match: ('fits', 'possible', 'no').index(match.verdict))


def objections(convention: Convention, action: Bounds, chunk: int | None = None,
               proprio: int | None = None) -> list[Objection]:
    """Return what speaks against reading a data set's actions by a convention."""
    if action.size != len(convention.dims):
        return [Objection(f'actions: expected {len(convention.dims)} numbers '
                          f'({" ".join(convention.dims)}), found {action.size}', certain=True)]
    reasons = []
    if chunk is not None and convention.chunk not in (None, chunk):
        reasons.append(Objection(f'chunk length: expected {convention.chunk}, found {chunk}',
                                 certain=True))
    if None not in (proprio, convention.proprio) and proprio != convention.proprio:
        reasons.append(Objection(f'proprioception: expected {convention.proprio} numbers, found '
                                 f'{proprio}', certain=True))
    reasons += _units(convention, action)
    if GRIPPER_DIM in convention.dims:
        reasons += _gripper(convention, action)
    return reasons


def _units(convention: Convention, action: Bounds) -> Iterator[Objection]:
    delta = convention.space in (ActionSpace.EE_DELTA, ActionSpace.JOINT_DELTA)
    for what, limit in LIMITS[convention.space].items():
        value = _largest(convention, action)[what]
        speed = value / convention.dt if delta else 0.0
        certain = not (value <= limit.impossible and speed <= limit.speed)
        if value <= limit.doubtful and not certain:
            continue
        unit = 'm' if what == 'translation' else 'rad'
        scaled = '' if what == 'joint' else f' with its {what}_scale'
        expected = f'at most {limit.doubtful:.3g} {unit}{" a step" if delta else ""}'
        if speed > limit.speed:
            expected += f' and {limit.speed:g} {unit}/s'
        yield Objection(f'{what}: expected {expected}, found {value:.2g} {unit}{scaled}'
                        f'{f", {speed:.2g} {unit}/s" if delta else ""}: other units'
                        f'{" or another dt" if delta else ""}', certain)


def _gripper(convention: Convention, action: Bounds) -> list[Objection]:
    at = convention.dims.index(GRIPPER_DIM)
    low, high = float(action.low[at]), float(action.high[at])
    ends = sorted((convention.gripper_closed, convention.gripper_open))
    span = ends[1] - ends[0]
    inside = ends[0] - 0.25 * span <= low and high <= ends[1] + 0.25 * span
    if inside and high - low >= 0.75 * span:
        return []
    # Too narrow a range may be that of a task: certain are only numbers that the convention lacks.
    certain = (low < ends[0] - 0.5 * span or high > ends[1] + 0.5 * span
               or low > ends[1] or high < ends[0])
    return [Objection(f'gripper: expected {convention.gripper_closed:g} (closed) to '
                      f'{convention.gripper_open:g} (open), found {low:.3g} to {high:.3g}',
                      certain)]


def _largest(convention: Convention, action: Bounds) -> dict[str, float]:
    """Return the largest translation [m], rotation and joint angle [rad] along one axis."""
    reach = np.maximum(abs(action.low), abs(action.high))

    def over(names: Sequence[str]) -> float:
        picked = [reach[i] for i, dim in enumerate(convention.dims) if dim in names]
        return float(max(picked, default=0.0))

    joints = [dim for dim in convention.dims if dim not in (*EE_DIMS, GRIPPER_DIM)]
    return {'translation': over(EE_DIMS[:3]) * abs(convention.translation_scale),
            'rotation': over(EE_DIMS[3:]) * abs(convention.rotation_scale),
            'joint': over(joints)}


def _motion(convention: Convention, action: Bounds) -> str:
    if convention.space != ActionSpace.EE_DELTA:
        return ''
    largest = _largest(convention, action)
    step, turn = largest['translation'], largest['rotation']
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
