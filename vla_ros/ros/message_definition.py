"""The definition of a message type, from its Python class: a bag of an uncommon type needs it.

The class knows its fields wherever it was installed from; files with the original text exist only
in a ROS installation. Comments, constants and defaults are not part of it, nor of a type's hash.
"""

from __future__ import annotations

import importlib
import re
from typing import Any

from vla_ros.core.errors import InputError
from vla_ros.replay.message_types import KNOWN_TYPES, definition

_SEPARATOR = '=' * 80
_NAMES = {'boolean': 'bool', 'octet': 'byte', 'float': 'float32', 'double': 'float64'}
_SEQUENCE = re.compile(r'sequence<(.+?)(?:, (\d+))?>$')
_ARRAY = re.compile(r'(.+)\[(\d+)\]$')
_STRING = re.compile(r'(w?string)(?:<(\d+)>)?$')


def message_class(name: str) -> Any:
    """Return the class of a type ``pkg/msg/Name``.

    Raises
    ------
    InputError
        When the package is not installed here.

    """
    package, _, short = name.partition('/msg/')
    try:
        return getattr(importlib.import_module(f'{package}.msg'), short)
    except (ImportError, AttributeError) as error:
        raise InputError(f'{name} is not installed here: {error}') from error


def definition_for_bag(kind: Any, name: str) -> tuple[str, str] | None:
    """Return text and hash of a type for a bag; None for a common one, which needs none.

    Raises
    ------
    InputError
        When a type that it uses is not installed.

    """
    return None if name in KNOWN_TYPES.fielddefs else definition(definition_text(kind), name)


def definition_text(kind: Any) -> str:
    """Return the definition of a message class, with those of all that it uses."""
    parts: dict[str, str] = {}
    waiting: list[tuple[str, Any]] = [('', kind)]
    while waiting:
        name, found = waiting.pop(0)
        lines = []
        for field, text in found.get_fields_and_field_types().items():
            written, used = _type(text)
            lines.append(f'{written} {field}')
            if used is not None and used not in parts and used != name:
                package, _, short = used.partition('/')
                waiting.append((used, message_class(f'{package}/msg/{short}')))
        parts.setdefault(name, '\n'.join(lines) + '\n')
    return ''.join(text if not name else f'{_SEPARATOR}\nMSG: {name}\n{text}'
                   for name, text in parts.items())


def _type(text: str) -> tuple[str, str | None]:
    """Return a field's type as a definition has it, and the message type that it uses."""
    if match := _SEQUENCE.match(text):
        written, used = _type(match[1])
        return f'{written}[{f"<={match[2]}" if match[2] else ""}]', used
    if match := _ARRAY.match(text):
        written, used = _type(match[1])
        return f'{written}[{match[2]}]', used
    if match := _STRING.match(text):
        return match[1] + (f'<={match[2]}' if match[2] else ''), None
    return _NAMES.get(text, text), text if '/' in text else None
