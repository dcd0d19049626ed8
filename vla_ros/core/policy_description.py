"""What the policy node says about its policy, once, on the topic ``policy`` (JSON)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from vla_ros.core.errors import ConfigError, InputError, unknown_choice
from vla_ros.core.policy_identity import PolicyIdentity
from vla_ros.core.types import (
    EE_DIMS,
    GRIPPER_DIM,
    ActionConvention,
    ActionFrame,
    ActionSpace,
    Rotation,
    check_dims,
)

_ENUMS: dict[str, type[ActionSpace | ActionFrame | Rotation]] = {
    'space': ActionSpace, 'frame': ActionFrame, 'rotation': Rotation}


@dataclass(frozen=True)
class PolicyDescription:
    """A running policy, as the control node needs to know it to read its chunks.

    Attributes
    ----------
    name : str
        Which policy (``scripted``, ``openvla_oft``, …).
    label : str
        How people shall see it, e.g. ``scripted expert (privileged)``.
    convention : ActionConvention
        How to read the numbers of a chunk.
    dt_ns : int
        Time between two steps of a chunk [ns].
    horizon : int
        Steps in a chunk.
    dims : tuple[str, ...]
        Names of the columns of an action.
    identity : PolicyIdentity | None
        Which policy exactly; None: it does not say.

    """

    name: str
    label: str
    convention: ActionConvention
    dt_ns: int
    horizon: int
    dims: tuple[str, ...] = (*EE_DIMS, GRIPPER_DIM)
    identity: PolicyIdentity | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise ConfigError('policy description: the name is empty')
        for what in ('dt_ns', 'horizon'):
            value = getattr(self, what)
            if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
                raise ConfigError(f'policy description of {self.name!r}: {what} must be a positive '
                                  f'integer, found {value!r}')
        check_dims(self.dims, self.convention)

    def to_json(self) -> str:
        """Return the description as one line of JSON."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        values['convention'] = _convention_dict(self.convention)
        values['identity'] = self.identity.as_dict() if self.identity is not None else None
        return json.dumps(values)

    @classmethod
    def from_json(cls, text: str, topic: str = 'policy') -> PolicyDescription:
        """Return the description that :meth:`to_json` wrote.

        Raises
        ------
        InputError
            When it is not JSON, a key is missing, unknown or of the wrong type, or the parts do
            not fit each other. The message names the topic.

        """
        # Recordings of older versions do not have it.
        values = {'identity': None, **_object(text, topic, 'a policy description')}
        _check_keys(values, [f.name for f in fields(cls)], topic, 'policy description')
        convention = _convention_from_dict(values['convention'], topic)
        dims = values['dims']
        if not isinstance(dims, list) or not all(isinstance(d, str) for d in dims):
            raise InputError(f'{topic}: dims must be a list of names, found {dims!r}')
        for key in ('name', 'label'):
            if not isinstance(values[key], str):
                raise InputError(f'{topic}: {key} must be a string, found {values[key]!r}')
        identity = values['identity']
        if identity is not None:
            identity = PolicyIdentity.of(identity, f'{topic}: identity')
        try:
            return cls(values['name'], values['label'], convention, values['dt_ns'],
                       values['horizon'], tuple(dims), identity)
        except ConfigError as error:
            raise InputError(f'{topic}: {error}') from error


def convention_to_json(convention: ActionConvention) -> str:
    """Return an action convention as one line of JSON."""
    return json.dumps(_convention_dict(convention))


def convention_from_json(text: str, topic: str = 'policy') -> ActionConvention:
    """Return the convention that :func:`convention_to_json` wrote, or raise InputError."""
    return _convention_from_dict(_object(text, topic, 'an action convention'), topic)


def _convention_dict(convention: ActionConvention) -> dict[str, Any]:
    values = asdict(convention)
    return {**values, **{key: values[key].value for key in _ENUMS}}


def _convention_from_dict(values: Any, topic: str) -> ActionConvention:
    if not isinstance(values, Mapping):
        raise InputError(f'{topic}: convention must be a JSON object, found {values!r}')
    _check_keys(values, [f.name for f in fields(ActionConvention)], topic, 'action convention')
    parsed: dict[str, Any] = {}
    try:
        for key, value in values.items():
            if key in _ENUMS:
                choices = [member.value for member in _ENUMS[key]]
                if value not in choices:
                    raise unknown_choice(f'action {key}', value, choices)
                parsed[key] = _ENUMS[key](value)
            elif isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ConfigError(f'action convention: {key} must be a number, found {value!r}')
            else:
                parsed[key] = float(value)
        return ActionConvention(**parsed)
    except ConfigError as error:
        raise InputError(f'{topic}: {error}') from error


def _object(text: str, topic: str, what: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f'{topic}: expected {what} as JSON: {error}') from error
    if not isinstance(values, dict):
        raise InputError(f'{topic}: expected {what} as a JSON object, '
                         f'found {type(values).__name__}')
    return values


def _check_keys(values: Mapping[str, Any], expected: list[str], topic: str, what: str) -> None:
    missing = [key for key in expected if key not in values]
    unknown = [key for key in values if key not in expected]
    for problem, keys in (('is missing', missing), ('has unknown keys', unknown)):
        if keys:
            raise InputError(f'{topic}: {what} {problem}: {", ".join(map(str, keys))}. '
                             f'Expected: {", ".join(expected)}')
