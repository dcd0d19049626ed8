"""One thing that the check of an arm found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Level(Enum):
    """How bad it is; the check fails with one ``FAIL``."""

    OK = 'ok'
    NOTE = 'note'
    WARN = 'warn'
    FAIL = 'FAIL'


@dataclass(frozen=True)
class Finding:
    """What was looked at, how it is, in words and in numbers (SI units, named with them)."""

    level: Level
    check: str
    text: str
    values: Mapping[str, object] = field(default_factory=dict)
