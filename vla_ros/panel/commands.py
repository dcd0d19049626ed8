"""What a page may say: each message is checked, field by field, before anything is done with it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vla_ros.core.errors import InputError
from vla_ros.core.override_gripper import GripperOverrideMode
from vla_ros.panel.port import SERVICES

LONGEST_INSTRUCTION = 500  # characters
_LARGEST_NUMBER = 2**53  # beyond it a page's numbers are no longer exact
_MODES = tuple(mode.value for mode in GripperOverrideMode)
_GRIPPER_WORDS = ('close', 'open', 'release')
_ARM_WORDS = ('takeover', 'hold', 'release')
_FRAMES = ('base', 'tool')


@dataclass(frozen=True)
class Limits:
    """What the robot allows a panel to ask for.

    Attributes
    ----------
    widths : tuple[float, float]
        Closed and open [m].
    speed, rotation_speed : float
        Of the tool, moved by hand [m/s, rad/s].

    """

    widths: tuple[float, float]
    speed: float
    rotation_speed: float


@dataclass(frozen=True)
class Command:
    """One message, checked.

    Attributes
    ----------
    do : str
        What: a key of :data:`FIELDS`.
    values : dict[str, Any]
        Its fields.
    id : int
        By which it is answered; -1: not at all.
    seq : int
        Number of the newest state that the page had when it said so; -1: none.

    """

    do: str
    values: dict[str, Any]
    id: int = -1
    seq: int = -1


def parse(text: str | bytes, limits: Limits) -> Command:
    """Return the command of a message.

    Raises
    ------
    InputError
        When it is anything but that; the message says in words what is wrong.

    """
    if not isinstance(text, str):
        raise InputError('a message is text, found bytes')
    try:
        message = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise InputError('a message is a JSON object, this one cannot be read') from None
    if not isinstance(message, dict):
        raise InputError(f'a message is a JSON object, found {_kind(message)}')
    do = message.pop('do', None)
    if not isinstance(do, str) or do not in FIELDS:
        raise InputError(f'do: expected one of {", ".join(FIELDS)}, found {_shown(do)}')
    id, seq = (_whole(name, message.pop(name, -1)) for name in ('id', 'seq'))
    fields = FIELDS[do]
    for name in message:
        if name not in fields:
            raise InputError(f'{do}: unknown field {_shown(name)}; '
                             f'known: {", ".join(fields) or "none"}')
    values = {}
    for name, check in fields.items():
        if name not in message:
            raise InputError(f'{do}: {name} is missing')
        values[name] = check(f'{do}: {name}', message[name], limits)
    return Command(do, values, id, seq)


Check = Callable[[str, Any, Limits], Any]


def _word(*words: str) -> Check:
    def check(where: str, value: Any, limits: Limits) -> str:
        if not isinstance(value, str) or value not in words:
            raise InputError(f'{where}: expected one of {", ".join(words)}, found {_shown(value)}')
        return value
    return check


def _gripper_target(where: str, value: Any, limits: Limits) -> str | float:
    if isinstance(value, str):
        return str(_word(*_GRIPPER_WORDS)(where, value, limits))
    width = _number(where, value)
    low, high = limits.widths
    if not low <= width <= high:
        raise InputError(f'{where}: the width must be {low:g} to {high:g} m, found {width:g}')
    return width


def _velocity(where: str, value: Any, limits: Limits) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) != 6:
        raise InputError(f'{where}: expected six numbers, found {_shown(value)}')
    numbers = tuple(_number(where, item) for item in value)
    for at, largest, unit in ((slice(0, 3), limits.speed, 'm/s'),
                              (slice(3, 6), limits.rotation_speed, 'rad/s')):
        length = math.hypot(*numbers[at])
        # A page computes with other roundings than this machine.
        if not length <= largest * (1.0 + 1e-6):
            raise InputError(f'{where}: at most {largest:g} {unit}, found {length:g}')
    return numbers


def _instruction(where: str, value: Any, limits: Limits) -> str:
    if not isinstance(value, str):
        raise InputError(f'{where}: expected text, found {_kind(value)}')
    if not len(value) <= LONGEST_INSTRUCTION:
        raise InputError(f'{where}: at most {LONGEST_INSTRUCTION} characters, found {len(value)}')
    # ROS strings end at a null character, and a lone surrogate is no text at all.
    if not all(c.isprintable() for c in value):
        raise InputError(f'{where}: has characters that cannot be printed')
    return value.strip()


def _token(where: str, value: Any, limits: Limits) -> str:
    if not isinstance(value, str):
        raise InputError(f'{where}: expected text, found {_kind(value)}')
    return value


def _camera(where: str, value: Any, limits: Limits) -> int:
    return _whole(where, value)


FIELDS: dict[str, dict[str, Check]] = {
    'hello': {'token': _token},
    'beat': {},
    'seen': {'camera': _camera},
    'estop': {},
    'gripper': {'to': _gripper_target, 'mode': _word(*_MODES)},
    'arm': {'word': _word(*_ARM_WORDS)},
    'twist': {'velocity': _velocity, 'frame': _word(*_FRAMES)},
    'instruction': {'text': _instruction},
    'call': {'service': _word(*SERVICES)},
}
"""What can be said, and the fields of each."""


def _number(where: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InputError(f'{where}: expected a number, found {_shown(value)}')
    if not abs(value) <= _LARGEST_NUMBER:
        raise InputError(f'{where}: expected a finite number of a usual size')
    return float(value)


def _whole(where: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not (
            -1 <= value <= _LARGEST_NUMBER):
        raise InputError(f'{where}: expected a whole number from 0 on, found {_shown(value)}')
    return value


def _no_constant(name: str) -> float:
    raise ValueError(name)  # NaN and Infinity are no JSON


def _kind(value: Any) -> str:
    return {dict: 'an object', list: 'a list', str: 'text', bool: 'true or false',
            type(None): 'nothing'}.get(type(value), 'a number')


def _shown(value: Any) -> str:
    return repr(value[:40]) if isinstance(value, str) else _kind(value)
