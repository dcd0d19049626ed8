"""One thing that a report found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes
    ----------
    severity : str
        ``bad``, ``middle``, ``note`` or ``good``.
    topic : str
        What it is about, in a word.
    text, why : str
        What happened, and the cause as far as the recording shows it.
    time_s : float | None
        When, or when first, on the report's time line.

    """

    severity: str
    topic: str
    text: str
    why: str = ''
    time_s: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return dict(vars(self))
