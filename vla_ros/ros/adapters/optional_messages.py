"""Message types of packages that need not be installed where the control node runs."""

from __future__ import annotations

import importlib
from typing import Any


def optional_type(package: str, kind: str, name: str) -> Any | None:
    """Return a message, service or action type (``kind`` msg, srv, action), or None."""
    try:
        module = importlib.import_module(f'{package}.{kind}')
    except ImportError:
        return None
    return getattr(module, name, None)
