"""One exception root, with evidence; what a user got wrong is apart from what we got wrong."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class VlaRosError(Exception):
    """Root of every error raised on purpose by this package.

    ``evidence`` holds what was found (file, topic, value, …) for a caller that wants more than the
    message.
    """

    def __init__(self, message: str, **evidence: object) -> None:
        super().__init__(message)
        self.evidence = evidence


class ConfigError(VlaRosError):
    """A file, parameter or argument is wrong; the message names it and the valid choices."""


class InputError(VlaRosError):
    """A message from outside (image, joint state, chunk, instruction) cannot be used as it is."""


class DependencyError(VlaRosError):
    """An optional library is missing; the message says what needs it and how to install it."""


class InvariantError(VlaRosError):
    """Our own mistake: something that must hold did not."""


def unknown_choice(what: str, given: object, choices: Iterable[str]) -> ConfigError:
    """Return the error for a name that is not among ``choices``, with the nearest one named."""
    known = sorted(choices)
    near = difflib.get_close_matches(str(given), known, n=1)
    hint = f' Did you mean {near[0]!r}?' if near else ''
    return ConfigError(
        f'unknown {what} {given!r}.{hint} Choices: {", ".join(known) or "none"}',
        what=what, given=given, choices=known,
    )
