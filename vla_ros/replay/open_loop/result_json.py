"""Dataclasses of numbers, texts and arrays <-> plain JSON values, by their type hints."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from vla_ros.core.errors import InputError

T = TypeVar('T')

_PLAIN: dict[type, tuple[type, ...]] = {
    str: (str,), bool: (bool,), int: (int,), float: (int, float)}


def encoded(value: Any) -> Any:
    """Return a value for JSON: arrays are lists, what is not finite is None."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: encoded(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, np.ndarray | np.generic):
        return encoded(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): encoded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encoded(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def decoded(kind: type[T], value: Any, where: str) -> T:
    """Return what :func:`encoded` was given; a number that was not finite is NaN.

    Raises
    ------
    InputError
        When a key is unknown, or one without a default is missing, or a value is of another type;
        names the place.

    """
    if not isinstance(value, Mapping):
        raise InputError(f'{where}: expected an object, found {type(value).__name__}')
    hints = get_type_hints(kind)
    known = fields(kind)  # type: ignore[arg-type]
    names = [field.name for field in known]
    needed = {field.name for field in known
              if field.default is MISSING and field.default_factory is MISSING}
    for what, odd in (('unknown', {*value} - {*names}), ('missing', needed - {*value})):
        if odd:
            raise InputError(f'{where}: {what} key {min(odd)!r}. Keys here: {", ".join(names)}')
    return kind(**{name: _value(hints[name], value[name], f'{where}: {name}')
                   for name in names if name in value})


def _value(kind: Any, value: Any, where: str) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        return _value(next(one for one in inner if one is not type(None)), value, where)
    if is_dataclass(kind):
        return decoded(kind, value, where)  # type: ignore[arg-type]
    if kind is np.ndarray:
        return _array(value, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise InputError(f'{where}: expected a list, found {type(value).__name__}')
        kinds = [inner[0]] * len(value) if Ellipsis in inner else inner
        if len(kinds) != len(value):
            raise InputError(f'{where}: expected {len(kinds)} values, found {len(value)}')
        return tuple(_value(one, item, f'{where}[{i}]')
                     for i, (one, item) in enumerate(zip(kinds, value, strict=True)))
    if origin is not None:  # a mapping by name
        if not isinstance(value, Mapping):
            raise InputError(f'{where}: expected an object, found {type(value).__name__}')
        return {key: _value(inner[1], item, f'{where}.{key}') for key, item in value.items()}
    if kind is float and value is None:
        return math.nan
    if not isinstance(value, _PLAIN[kind]) or (kind is not bool and isinstance(value, bool)):
        raise InputError(f'{where}: expected {kind.__name__}, found {value!r:.60}')
    return kind(value)


def _array(value: Any, where: str) -> np.ndarray:
    try:
        return np.array(value, dtype=np.float64)  # None becomes NaN
    except (TypeError, ValueError) as error:
        raise InputError(f'{where}: expected numbers: {error}') from error
