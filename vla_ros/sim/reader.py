"""Reads a mapping into a frozen dataclass: every field present, nothing else, of the right type."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import yaml

from vla_ros.core.errors import ConfigError

Pair = tuple[float, float]
Triple = tuple[float, float, float]
T = TypeVar('T')


def read(path: Path, kind: type[T]) -> T:
    """Return the dataclass ``kind`` that a YAML file holds.

    Raises
    ------
    ConfigError
        See :func:`build`; also when the file is not YAML.

    """
    try:
        values = yaml.safe_load(path.read_text(encoding='utf-8'))
    except yaml.YAMLError as error:
        raise ConfigError(f'{path}: not valid YAML: {error}', path=path) from error
    return build(kind, values, path, '')


def build(kind: type[T], values: object, path: object, key: str) -> T:
    """Return dataclass ``kind`` made of a mapping.

    Fields may be ``float``, ``str``, tuples of floats, mappings of names to such tuples, and
    dataclasses of these.

    Raises
    ------
    ConfigError
        A key is missing, unknown or badly typed; the message names ``path`` and the dotted key.

    """
    if not isinstance(values, Mapping):
        raise _wrong(path, key, 'a mapping', values)
    types = get_type_hints(kind)
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    for name in values:
        if name not in names:
            raise ConfigError(f'{path}: unknown key {_dotted(key, name)!r}. Keys here: '
                              + ', '.join(names), path=path, key=_dotted(key, name))
    found: dict[str, Any] = {}
    for name in names:
        dotted = _dotted(key, name)
        if name not in values:
            raise ConfigError(f'{path}: missing key {dotted!r}', path=path, key=dotted)
        found[name] = _value(types[name], values[name], path, dotted)
    return kind(**found)


def _value(kind: Any, value: object, path: object, key: str) -> Any:
    if is_dataclass(kind):
        return build(kind, value, path, key)  # type: ignore[arg-type]
    if kind is str:
        if not isinstance(value, str) or not value:
            raise _wrong(path, key, 'text', value)
        return value
    if kind is float:
        if not _is_number(value):
            raise _wrong(path, key, 'a finite number', value)
        return float(value)  # type: ignore[arg-type]
    if get_origin(kind) is tuple:
        return _numbers(kind, value, path, key)
    if not isinstance(value, Mapping) or not value:
        raise _wrong(path, key, 'a mapping that is not empty', value)
    item = get_args(kind)[1]
    return {str(name): _value(item, entry, path, _dotted(key, name))
            for name, entry in value.items()}


def _numbers(kind: Any, value: object, path: object, key: str) -> tuple[float, ...]:
    arguments = get_args(kind)
    length = None if Ellipsis in arguments else len(arguments)
    valid = isinstance(value, (list, tuple)) and all(_is_number(number) for number in value)
    if not valid or not value or len(value) != (length or len(value)):  # type: ignore[arg-type]
        expected = f'a list of {length or "at least one"} finite numbers'
        raise _wrong(path, key, expected, value)
    return tuple(float(number) for number in value)  # type: ignore[attr-defined]


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _dotted(key: str, name: object) -> str:
    return f'{key}.{name}' if key else str(name)


def _wrong(path: object, key: str, expected: str, value: object) -> ConfigError:
    return ConfigError(f'{path}: {key or "top"}: expected {expected}, found {value!r}',
                       path=path, key=key, value=value)
