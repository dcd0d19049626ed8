"""Policies: one protocol, backends in a typed dict."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from vla_ros.core.errors import DependencyError, unknown_choice
from vla_ros.policy.hover import load_hover
from vla_ros.policy.protocol import Policy, PolicySpec
from vla_ros.policy.scripted import load_scripted

__all__ = ['LEARNED', 'POLICIES', 'Policy', 'PolicySpec', 'load_policy']


def _lazy(function: str) -> Callable[..., Policy]:
    """Return a loader of ``vla_ros.policy.openvla`` that imports torch when it is called."""

    def load(**options: Any) -> Policy:
        try:
            loader = getattr(importlib.import_module('vla_ros.policy.openvla'), function)
        except ModuleNotFoundError as error:
            if (error.name or '').startswith('vla_ros'):
                raise
            raise DependencyError(f'this policy needs {error.name}, which is not installed: '
                                  f"pip install 'vla_ros[policy]'") from error
        return loader(**options)

    return load


POLICIES: dict[str, Callable[..., Policy]] = {
    'hover': load_hover,
    'openvla': _lazy('load_openvla'),
    'openvla_oft': _lazy('load_openvla_oft'),
    'scripted': load_scripted,
}

LEARNED = ('openvla', 'openvla_oft')
"""Those that need a checkpoint: the option ``model_path``."""


def load_policy(name: str, **options: Any) -> Policy:
    """Return a policy, ready to be warmed up.

    ``options`` are the policy's own; an unknown one is an error that lists the known ones.

    Raises
    ------
    ConfigError
        When the policy or an option is unknown, or its configuration cannot be used.

    """
    try:
        load = POLICIES[name]
    except KeyError:
        raise unknown_choice('policy', name, POLICIES) from None
    return load(**options)
