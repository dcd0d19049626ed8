"""Message types of packages that need not be installed where the control node runs."""

from __future__ import annotations

import importlib
from typing import Any

from vla_ros.core.errors import DependencyError


def optional_type(package: str, kind: str, name: str) -> Any | None:
    """Return a message, service or action type (``kind`` msg, srv, action), or None."""
    try:
        module = importlib.import_module(f'{package}.{kind}')
    except ImportError:
        return None
    return getattr(module, name, None)


def required_type(package: str, kind: str, name: str, needed_for: str) -> Any:
    """Return the type, or raise a DependencyError that says what it is for and how to get it."""
    found = optional_type(package, kind, name)
    if found is None:
        raise DependencyError(
            f'{needed_for} needs {package}/{kind}/{name}, which is not installed here: '
            f'apt install ros-<distro>-{package.replace("_", "-")}, or source the workspace that '
            'has it')
    return found
