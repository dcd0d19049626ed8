"""One property of a convention: what was found, how sure that is, and what a policy says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

SURE = 0.95
"""Least share of resamplings for an answer to count as told."""

EXPLAINED = 0.3
"""Least explained variance for an answer to count as told."""

ABOUT = 1.8
"""Factor within which a scale may still be a unit's.

An arm that follows a policy which looks at it moves less than it is asked to: the simulated one
0.6 to 0.75 of it. Twice (a rate mix-up) is beyond.
"""


class Verdict(str, Enum):
    """Whether a recording and a policy's convention say the same."""

    AGREE = 'agree'
    DISAGREE = 'disagree'
    CANNOT_TELL = 'cannot tell'
    NOT_COMPARED = ''  # the policy says nothing of it


@dataclass(frozen=True)
class Finding:
    """One property.

    Attributes
    ----------
    name : str
        Such as ``frame``.
    value : Any
        What was found; None: cannot be told.
    text : str
        The evidence in words, or why it cannot be told.
    explained : float | None
        Explained variance of the best answer, 0 to 1.
    next_value, next_explained
        The same of the next best answer; None: there is no other.
    sure : float | None
        Share of resamplings in which the best explains more than every other one.
    interval : tuple[float, float] | None
        Middle 95 % of a number over the resamplings.
    expected : Any
        What the policy says; None: nothing, or no policy was given.
    verdict : Verdict
        The comparison.

    """

    name: str
    value: Any
    text: str = ''
    explained: float | None = None
    next_value: Any = None
    next_explained: float | None = None
    sure: float | None = None
    interval: tuple[float, float] | None = None
    expected: Any = None
    verdict: Verdict = Verdict.NOT_COMPARED

    @property
    def margin(self) -> float | None:
        """How much more the best answer explains than the next."""
        if self.explained is None or self.next_explained is None:
            return None
        return self.explained - self.next_explained
