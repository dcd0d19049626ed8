"""What an open-loop replay found: all that a report, a test or a comparison needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vla_ros.core.errors import InputError
from vla_ros.replay.open_loop.measured import (
    DimensionMetrics,
    GripperMetrics,
    LatencyMetrics,
    Metrics,
)
from vla_ros.replay.open_loop.result_json import decoded, encoded

__all__ = [
    'Ablation', 'Check', 'Counterfactual', 'DimensionMetrics', 'Golden', 'GoldenDimension',
    'GripperMetrics', 'Inference', 'LatencyMetrics', 'Metrics', 'Missed', 'OpenLoopResult',
    'Suggestion',
]

VERSION = 1


@dataclass(frozen=True, eq=False)
class Inference:
    """One answer of the policy, and what was recorded.

    Attributes
    ----------
    stamp_ns : int
        The observation's time [ns]; step i is due at stamp + i dt.
    predicted : np.ndarray
        (H, D) in action units.
    reference : np.ndarray
        (H, D) in the same units; NaN where nothing was recorded.
    executed : int
        Steps until the next inference, at least 1 and at most H.
    timings_ms : Mapping[str, float]
        Stage -> time [ms]; ``infer`` is the whole call, the others are the policy's own.
    instruction : str
        The task in words.

    """

    stamp_ns: int
    predicted: np.ndarray
    reference: np.ndarray
    executed: int
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    instruction: str = ''


@dataclass(frozen=True)
class Missed:
    """An observation that could not be made.

    Attributes
    ----------
    now_ns : int
        When it was asked for [ns].
    stamp_ns : int | None
        Which one [ns]; None: the newest.
    reason : str
        Why there is none.

    """

    now_ns: int
    stamp_ns: int | None
    reason: str


@dataclass(frozen=True, eq=False)
class Ablation:
    """How the answers change when an input is taken away.

    Attributes
    ----------
    name : str
        ``black images``, ``other instruction``, ``first state``.
    change : np.ndarray
        (D,) mean ``|changed - predicted|`` in action units.
    relative : float
        Mean of change / spread over the dimensions that vary.
    count : int
        Observations that were asked again.

    """

    name: str
    change: np.ndarray
    relative: float
    count: int


@dataclass(frozen=True)
class Counterfactual:
    """How the error changes when one cause is undone.

    Attributes
    ----------
    name : str
        Which cause; see :mod:`vla_ros.replay.open_loop.suggestions`.
    before, after : float
        Relative error without and with it undone.
    count : int
        Observations that it was tried on.
    detail : str
        What was undone, for people.

    """

    name: str
    before: float
    after: float
    count: int
    detail: str = ''


@dataclass(frozen=True)
class GoldenDimension:
    """How one number differs from a golden run, in action units; spread as in the metrics."""

    name: str
    unit: str
    spread: float
    l1: float
    l1_max: float
    relative: float | None


@dataclass(frozen=True)
class Golden:
    """The comparison with a frozen run on the same bag.

    Attributes
    ----------
    source : str
        File of the golden run.
    policy : Mapping[str, str]
        Identity of its policy.
    differs : tuple[str, ...]
        In words, what is not the same about the policies.
    compared, lacking : int
        Observations that both answered, and those that only the golden run did.
    dimensions : tuple[GoldenDimension, ...]
        By dimension.
    relative : float
        Mean of l1 / spread over the numbers that vary.

    """

    source: str
    policy: Mapping[str, str]
    differs: tuple[str, ...]
    compared: int
    lacking: int
    dimensions: tuple[GoldenDimension, ...]
    relative: float


@dataclass(frozen=True)
class Check:
    """One limit: ``found`` in words, ``limit`` in words, and whether it is kept."""

    name: str
    found: str
    limit: str
    kept: bool


@dataclass(frozen=True)
class Suggestion:
    """What the numbers say to do.

    Attributes
    ----------
    cause : str
        Short and fixed, for programs; see ``docs/replay.md``.
    text : str
        A sentence with the numbers, for people.
    certain : bool
        Whether a counterfactual or a plain fact shows it, or it is only likely.

    """

    cause: str
    text: str
    certain: bool


@dataclass(frozen=True, eq=False)
class OpenLoopResult:
    """Everything that a replay found.

    Attributes
    ----------
    bag : str
        Path of the bag.
    start_ns : int
        First receive time of the bag [ns].
    policy : Mapping[str, str]
        Who answered: ``name``, ``label`` and hashes; see :mod:`vla_ros.core.policy_identity`.
    convention : Mapping[str, Any]
        The action convention, as on the topic ``policy``.
    dims, units : tuple[str, ...]
        Names and units of an action's D numbers.
    dt_ns, horizon : int
        Of a chunk of the policy.
    against, against_why : str
        ``chunks``, ``commands`` or ``states``, and why these.
    inferences : tuple[Inference, ...]
        In time order.
    missed : tuple[Missed, ...]
        Observations that could not be made.
    notes : tuple[str, ...]
        What is odd about the bag or the comparison.
    metrics : Metrics
        The numbers.
    ablations : tuple[Ablation, ...]
        With ``--ablate``.
    counterfactuals : tuple[Counterfactual, ...]
        What was tried to name a cause.
    suggestions : tuple[Suggestion, ...]
        The most certain first.
    golden : Golden | None
        With ``--against``.
    checks : tuple[Check, ...]
        With ``--expect`` or ``--against``: the limits, those that were not kept first.

    """

    bag: str
    start_ns: int
    policy: Mapping[str, str]
    convention: Mapping[str, Any]
    dims: tuple[str, ...]
    units: tuple[str, ...]
    dt_ns: int
    horizon: int
    against: str
    against_why: str
    inferences: tuple[Inference, ...]
    missed: tuple[Missed, ...]
    notes: tuple[str, ...]
    metrics: Metrics
    ablations: tuple[Ablation, ...] = ()
    counterfactuals: tuple[Counterfactual, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    golden: Golden | None = None
    checks: tuple[Check, ...] = ()

    def to_json(self) -> str:
        """Return everything as JSON; what is not a number becomes null."""
        return json.dumps({'kind': 'open_loop', 'version': VERSION, **encoded(self)},
                          allow_nan=False)

    @classmethod
    def from_json(cls, text: str, source: str = 'result') -> OpenLoopResult:
        """Return the result that :meth:`to_json` wrote.

        Raises
        ------
        InputError
            When it is something else; names the source and the place.

        """
        try:
            values = json.loads(text)
        except ValueError as error:
            raise InputError(f'{source}: not JSON: {error}', source=source) from error
        if not isinstance(values, dict) or values.pop('kind', None) != 'open_loop':
            raise InputError(f'{source}: not the result of an open-loop replay', source=source)
        version = values.pop('version', None)
        if version != VERSION:
            raise InputError(f'{source}: version {version!r}; this one reads {VERSION}',
                             source=source)
        return decoded(cls, values, source)

    @classmethod
    def load(cls, path: Path) -> OpenLoopResult:
        """Return the result in a file, or raise InputError that names it."""
        try:
            text = path.read_text(encoding='utf-8')
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f'{path}: cannot be read: {error}', path=path) from error
        return cls.from_json(text, str(path))
