"""Which policy exactly: what has to be the same for two runs to be runs of the same policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from vla_ros.core.errors import InputError


@dataclass(frozen=True)
class PolicyIdentity:
    """Names and hashes; empty where a policy has no such thing.

    Attributes
    ----------
    name : str
        Which policy (``scripted``, ``openvla_oft``, …).
    model : str
        Name of the checkpoint's directory, for people; two copies are the same policy.
    weights : str
        Hash of the files with weights.
    statistics : str
        Dataset key and hash of its statistics.
    settings : str
        Hash of how the policy is fed and its actions are read.
    quantization, dtype : str
        Precision.

    """

    name: str
    model: str = ''
    weights: str = ''
    statistics: str = ''
    settings: str = ''
    quantization: str = ''
    dtype: str = ''

    def differences(self, other: PolicyIdentity) -> list[str]:
        """Return in words what makes the other one another policy."""
        return [f'{field.name} {getattr(self, field.name) or "none"} is not '
                f'{getattr(other, field.name) or "none"}'
                for field in fields(self) if field.name != 'model'
                and getattr(self, field.name) != getattr(other, field.name)]

    def as_dict(self) -> dict[str, str]:
        """Return the fields by name."""
        return asdict(self)

    @classmethod
    def of(cls, values: Any, source: str) -> PolicyIdentity:
        """Return the identity of a mapping as :meth:`as_dict` gives it.

        Raises
        ------
        InputError
            When a key is missing or unknown, or a value is no text; names the source.

        """
        names = [field.name for field in fields(cls)]
        if not isinstance(values, Mapping) or set(values) != set(names):
            found = ', '.join(map(str, values)) if isinstance(values, Mapping) else repr(values)
            raise InputError(f'{source}: expected the identity of a policy with '
                             f'{", ".join(names)}, found {found or "nothing"}')
        for key, value in values.items():
            if not isinstance(value, str):
                raise InputError(f'{source}: {key} must be a string, found {value!r}')
        return cls(**values)
