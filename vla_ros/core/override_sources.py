"""Who may override, and who wins when two want the same channel."""

from __future__ import annotations

import re
from collections.abc import Sequence

from vla_ros.core.errors import ConfigError, InputError

SERVICES = 'topic'
"""The source that the control node's services act as; it must be among the sources."""

_NAME = re.compile(r'[a-z][a-z0-9_]*')


class Sources:
    """The names of everything that may override, highest priority first.

    Parameters
    ----------
    names : Sequence[str]
        Each becomes a part of topic names.

    Raises
    ------
    ConfigError
        When a name cannot be part of a topic, stands there twice, or ``topic`` is missing.

    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        for name in self.names:
            if not _NAME.fullmatch(name):
                raise ConfigError('override_sources: a source is a small letter and then small '
                                  f'letters, digits and underscores, found {name!r}')
        if len(set(self.names)) != len(self.names):
            raise ConfigError(f'override_sources: every source may stand there once, found '
                              f'{", ".join(self.names)}')
        if SERVICES not in self.names:
            raise ConfigError(f'override_sources: {SERVICES!r} is missing (the services of the '
                              f'control node act as it), found {", ".join(self.names) or "none"}')

    def check(self, source: str) -> None:
        """Raise InputError for a source that is not one of them."""
        if source not in self.names:
            raise InputError(f'override: unknown source {source!r}. '
                             f'Choices: {", ".join(self.names)}')

    def beats(self, source: str, holder: str) -> bool:
        """Return whether a source may act on what ``holder`` holds: its own, or a lower one's."""
        return self.names.index(source) <= self.names.index(holder)
