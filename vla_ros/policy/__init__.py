"""Policies: one protocol, backends in a typed dict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vla_ros.core.errors import unknown_choice
from vla_ros.policy.protocol import Policy, PolicySpec
from vla_ros.policy.scripted import load_scripted

__all__ = ['POLICIES', 'Policy', 'PolicySpec', 'load_policy']

POLICIES: dict[str, Callable[..., Policy]] = {
    'scripted': load_scripted,
}


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
