"""What a node's parameters are: read from ``config/nodes/<node>.yaml``, the place of defaults."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from vla_ros.core.errors import ConfigError, unknown_choice
from vla_ros.resources import share_file, share_names

_KEYS = ('default', 'type', 'unit', 'range', 'choices', 'description', 'dynamic')

TYPES: dict[str, str] = {
    'float': 'a number', 'int': 'a whole number', 'bool': 'true or false', 'string': 'a string',
    'string list': 'a list of strings', 'float list': 'a list of numbers',
}
"""The types of parameters, and what to call a value of each in an error."""


@dataclass(frozen=True)
class ParameterSpec:
    """One parameter of a node.

    Attributes
    ----------
    name : str
        As on the command line.
    type : str
        One of :data:`TYPES`.
    default : Any
        Value when the user gives none.
    description : str
        One sentence.
    unit : str
        Unit of the number, empty when it has none.
    range : tuple[float, float] | None
        Lowest and highest valid number (of each item, for a list).
    choices : tuple | None
        The valid values (of each item, for a list).
    dynamic : bool
        Whether it may change while the node runs.

    """

    name: str
    type: str
    default: Any
    description: str
    unit: str = ''
    range: tuple[float, float] | None = None
    choices: tuple[Any, ...] | None = None
    dynamic: bool = False

    def check(self, value: Any, source: str = '') -> Any:
        """Return ``value`` as the parameter's type (a whole number becomes a float where needed).

        Raises
        ------
        ConfigError
            When it has another type, is not finite, or is not in the range or among the choices.
            The message names the parameter, its unit and the valid values.

        """
        where = f'{source}parameter {self.name!r}'
        if self.type.endswith('list'):
            if isinstance(value, (str, bytes)) or not hasattr(value, '__iter__'):
                raise self._wrong_type(where, value)
            return [self._check_item(item, where) for item in value]
        return self._check_item(value, where)

    def valid_values(self) -> str:
        """Return the valid values in words, e.g. ``1.0 to 1000.0 Hz``; empty when any will do."""
        unit = f' {self.unit}' if self.unit else ''
        if self.choices is not None:
            return ', '.join(str(c) for c in self.choices) + unit
        if self.range is not None:
            return f'{self.range[0]} to {self.range[1]}{unit}'
        return ''

    def _check_item(self, value: Any, where: str) -> Any:
        kind = self.type.split()[0]
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if kind == 'float' and number:
            value = float(value)
            if not math.isfinite(value):
                raise ConfigError(f'{where} must be a finite number{self._expected()}, '
                                  f'found {value}')
        elif not ((kind == 'int' and number and isinstance(value, int))
                  or (kind == 'bool' and isinstance(value, bool))
                  or (kind == 'string' and isinstance(value, str))):
            raise self._wrong_type(where, value)
        if self.range is not None and not self.range[0] <= value <= self.range[1]:
            raise ConfigError(f'{where} must be {self.valid_values()}, found {value}',
                              parameter=self.name, value=value)
        if self.choices is not None and value not in self.choices:
            raise unknown_choice(where, value, [str(c) for c in self.choices])
        return value

    def _wrong_type(self, where: str, value: Any) -> ConfigError:
        return ConfigError(f'{where} must be {TYPES[self.type]}{self._expected()}, '
                           f'found {value!r}', parameter=self.name, value=value)

    def _expected(self) -> str:
        valid = self.valid_values()
        return f' ({valid})' if valid else f' [{self.unit}]' if self.unit else ''


def load_specs(node: str | Path) -> dict[str, ParameterSpec]:
    """Return the parameters of a node by name, in the order of its file.

    Parameters
    ----------
    node : str or Path
        Name of the node's kind (``control_node``), or a YAML file.

    Raises
    ------
    ConfigError
        When there is no such node, or its file is wrong; the message names file and key.

    """
    if isinstance(node, Path):
        path = node
    elif node in share_names('config/nodes', '.yaml'):
        path = share_file('config', 'nodes', f'{node}.yaml')
    else:
        raise unknown_choice('node', node, share_names('config/nodes', '.yaml'))
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f'{path}: cannot be read: {error}') from error
    if not isinstance(content, Mapping):
        raise ConfigError(f'{path}: expected parameters by name, found {content!r}')
    return {name: _spec(path, str(name), entry) for name, entry in content.items()}


def table(node: str | Path) -> str:
    """Return the parameters of a node as a Markdown table, for docs/nodes.md."""
    lines = ['| parameter | type | default | unit | valid | description |',
             '|---|---|---|---|---|---|']
    for spec in load_specs(node).values():
        valid = ', '.join(f'`{c}`' for c in spec.choices) if spec.choices else (
            f'{spec.range[0]:g} to {spec.range[1]:g}' if spec.range else '')
        default = str(spec.default).lower() if spec.type == 'bool' else spec.default
        shown = '`""`' if default == '' else f'`{default}`'
        note = ' (can change at run time)' if spec.dynamic else ''
        text = f'{spec.description}{note}'.replace('|', '\\|')
        lines.append(f'| `{spec.name}` | {spec.type} | {shown} | {spec.unit} | {valid} | {text} |')
    return '\n'.join(lines) + '\n'


def _spec(path: Path, name: str, entry: Any) -> ParameterSpec:
    where = f'{path}: {name}'
    if not isinstance(entry, Mapping):
        raise ConfigError(f'{where}: expected a mapping with {", ".join(_KEYS)}, found {entry!r}')
    for key in entry:
        if key not in _KEYS:
            raise unknown_choice(f'key of {where}:', key, _KEYS)
    for key in ('default', 'description'):
        if key not in entry:
            raise ConfigError(f'{where}: missing key {key!r}')
    kind = entry.get('type') or _type_of(entry['default'])
    if kind not in TYPES:
        raise unknown_choice(f'{where}: type', kind, TYPES)
    limits = entry.get('range')
    if limits is not None and not (isinstance(limits, list) and len(limits) == 2
                                   and limits[0] < limits[1]):
        raise ConfigError(f'{where}: range must be [lowest, highest], found {limits!r}')
    choices = entry.get('choices')
    spec = ParameterSpec(name, kind, entry['default'], str(entry['description']).strip(),
                         str(entry.get('unit') or ''), tuple(limits) if limits else None,
                         tuple(choices) if choices else None, bool(entry.get('dynamic', False)))
    spec.check(spec.default, f'{path}: default of ')
    return spec


def _type_of(default: Any) -> str | None:
    for kind, cls in (('bool', bool), ('int', int), ('float', float), ('string', str)):
        if isinstance(default, cls):
            return kind
    if isinstance(default, list) and default:
        return 'string list' if isinstance(default[0], str) else 'float list'
    return None  # an empty list says nothing: the file has to name the type
