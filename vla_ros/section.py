"""Reads a YAML mapping strictly: every key known, present and of its type, or a clear error.

:class:`Section` is read key by key; :func:`build` reads a whole one into a frozen dataclass.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, NewType, TypeVar, get_args, get_origin, get_type_hints

import numpy as np
import yaml

from vla_ros.core.errors import ConfigError

Pair = tuple[float, float]
Triple = tuple[float, float, float]
T = TypeVar('T')
Positive = NewType('Positive', float)


class Section:
    """A mapping of a YAML file, read key by key, then closed.

    Every error names the file and the dotted key, and says what was expected and what was found.

    >>> top = Section.open(path)
    >>> name = top.text('name')
    >>> top.close()  # raises for keys that nobody asked for
    """

    def __init__(self, path: Path, key: str, values: Mapping[str, Any]) -> None:
        self.path = path
        self._key = key
        self._values = values
        self._read: set[str] = set()

    @classmethod
    def open(cls, path: Path) -> Section:
        """Read a YAML file whose top is a mapping.

        Raises
        ------
        ConfigError
            The file cannot be read, is not YAML, repeats a key, or is not a mapping.
        """
        try:
            values = yaml.load(path.read_text(encoding='utf-8'), Loader=_NoRepeatLoader)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f'{path}: cannot be read: {error}', path=path) from error
        except yaml.YAMLError as error:
            raise ConfigError(f'{path}: not valid YAML: {error}', path=path) from error
        if not isinstance(values, Mapping):
            raise ConfigError(f'{path}: expected a mapping, found {_show(values)}', path=path)
        return cls(path, '', values)

    def section(self, key: str) -> Section:
        """Return the mapping under ``key`` as a section of its own."""
        return Section(self.path, self._dotted(key), self.mapping(key))

    def mapping(self, key: str) -> dict[str, Any]:
        """Return the mapping under ``key``; its keys must be text."""
        value = self._get(key)
        if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
            raise self.error(key, 'a mapping', value)
        return dict(value)

    def text(self, key: str) -> str:
        """Return text that is not empty."""
        value = self._get(key)
        if not isinstance(value, str) or not value.strip():
            raise self.error(key, 'text that is not empty', value)
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of different, non-empty texts; at least one."""
        value = self._get(key)
        valid = isinstance(value, list) and all(isinstance(t, str) and t.strip() for t in value)
        if not valid or not value or len(set(value)) != len(value):
            raise self.error(key, 'a list of different names', value)
        return tuple(value)

    def number(self, key: str, least: float = -math.inf, positive: bool = False) -> float:
        """Return a finite number, at least ``least``, or above zero when ``positive``."""
        value = self._get(key)
        expected = 'a finite number'
        if positive:
            expected += ' > 0'
        elif least > -math.inf:
            expected += f' >= {least:g}'
        if not _is_number(value) or not value >= least or (positive and not value > 0):
            raise self.error(key, expected, value)
        return float(value)

    def flag(self, key: str) -> bool:
        """Return true or false."""
        value = self._get(key)
        if not isinstance(value, bool):
            raise self.error(key, 'true or false', value)
        return value

    def whole_number(self, key: str, least: int = 1) -> int:
        """Return a whole number, at least ``least``."""
        value = self._get(key)
        if isinstance(value, bool) or not isinstance(value, int) or not value >= least:
            raise self.error(key, f'a whole number >= {least}', value)
        return value

    def numbers(self, key: str, length: int | None, positive: bool = False) -> np.ndarray:
        """Return ``length`` finite numbers as a read-only float array ``(length,)``.

        ``length`` None takes any number of them, but at least one.
        """
        value = self._get(key)
        expected = (f'a list of {"at least one" if length is None else length} finite numbers'
                    + (' > 0' if positive else ''))
        if not isinstance(value, list) or not all(_is_number(number) for number in value):
            raise self.error(key, expected, value)
        if length is None and not value:
            raise self.error(key, expected, value)
        if length is not None and len(value) != length:
            raise self.error(key, expected, value, f'{len(value)} of them')
        if positive and not min(value) > 0:
            raise self.error(key, expected, value)
        array = np.array(value, dtype=float)
        array.flags.writeable = False
        return array

    def replaced(self, values: Mapping[str, Any]) -> Section:
        """Return this section with some values replaced."""
        return Section(self.path, self._key, {**self._values, **values})

    def keys(self) -> list[str]:
        """Return the keys that are there."""
        return [str(key) for key in self._values]

    def close(self) -> None:
        """Raise for keys that nobody has read: a misspelt key must not be a silent default."""
        for key in self._values:
            if key not in self._read:
                raise ConfigError(
                    f'{self.path}: unknown key {self._dotted(str(key))!r}.'
                    f'{_did_you_mean(key, self._read)} Keys here: {", ".join(sorted(self._read))}',
                    path=self.path, key=self._dotted(str(key)),
                )  # fmt: skip

    def error(self, key: str, expected: str, value: object, found: str = '') -> ConfigError:
        """Return the error for a value that is not what ``key`` needs."""
        return ConfigError(
            f'{self.path}: {self._dotted(key)}: expected {expected},'
            f' found {found or _show(value)}',
            path=self.path, key=self._dotted(key), value=value,
        )  # fmt: skip

    def checked(self, make: Callable[[], T]) -> T:
        """Return what ``make`` does; its ConfigError is told of this file and section."""
        try:
            return make()
        except ConfigError as error:
            where = f'{self.path}: {self._key}' if self._key else str(self.path)
            raise ConfigError(f'{where}: {error}', path=self.path, key=self._key) from error

    def _get(self, key: str) -> Any:
        self._read.add(key)
        if key not in self._values:
            unread = [str(other) for other in self._values if other not in self._read]
            hint = _did_you_mean(key, unread, ' Is {!r} a misspelling?')
            raise ConfigError(
                f'{self.path}: missing key {self._dotted(key)!r}.{hint}',
                path=self.path, key=self._dotted(key),
            )  # fmt: skip
        return self._values[key]

    def _dotted(self, key: str) -> str:
        return f'{self._key}.{key}' if self._key else key


def build(kind: type[T], section: Section) -> T:
    """Return the dataclass ``kind`` that a section holds: every field, and nothing else.

    Fields may be ``float``, ``Positive``, ``int`` (from 1), ``str``, tuples of floats, dataclasses,
    and mappings of names to any of these.

    Raises
    ------
    ConfigError
        A key is missing, unknown or badly typed; the message names the file and the dotted key.

    """
    types = get_type_hints(kind)
    found = {field.name: _field(section, field.name, types[field.name])
             for field in fields(kind)}  # type: ignore[arg-type]
    section.close()
    return section.checked(lambda: kind(**found))


def _field(section: Section, key: str, kind: Any) -> Any:
    if is_dataclass(kind):
        return build(kind, section.section(key))  # type: ignore[arg-type]
    if kind is str:
        return section.text(key)
    if kind is float or kind is Positive:
        return section.number(key, positive=kind is Positive)
    if kind is int:
        return section.whole_number(key)
    if get_origin(kind) is tuple:
        arguments = get_args(kind)
        length = None if Ellipsis in arguments else len(arguments)
        return tuple(float(number) for number in section.numbers(key, length))
    entries = section.section(key)
    names = entries.keys()
    if not names:
        raise section.error(key, 'a mapping that is not empty', {})
    return {name: _field(entries, name, get_args(kind)[1]) for name in names}


class _NoRepeatLoader(yaml.SafeLoader):
    """YAML's own loader lets the last of two equal keys win, silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                continue  # the parent class reports it
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f'key {key!r} stands there twice', key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _show(value: object) -> str:
    text = repr(value)
    kind = 'nothing' if value is None else f'{type(value).__name__} {text}'
    return kind if len(kind) <= 120 else kind[:117] + '...'


def _did_you_mean(given: object, known: Iterable[str], hint: str = ' Did you mean {!r}?') -> str:
    near = difflib.get_close_matches(str(given), list(known), n=1)
    return hint.format(near[0]) if near else ''
