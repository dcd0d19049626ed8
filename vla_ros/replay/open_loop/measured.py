"""The numbers of an open-loop replay: errors, gripper, times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class DimensionMetrics:
    """Errors of one number of an action, in action units.

    Attributes
    ----------
    name, unit : str
        Of the number.
    spread : float
        99th less first percentile of the reference: what is large and what is small here.
    l1, l1_max : float
        Mean and largest ``|predicted - reference|`` over all steps of all chunks.
    executed_l1, executed_max : float
        The same over the steps until the next inference.
    relative : float | None
        l1 / spread; None where the reference does not vary.
    bias : float
        Mean of ``predicted - reference``.
    predicted_std, reference_std : float
        How the mean of a chunk varies over the bag.

    """

    name: str
    unit: str
    spread: float
    l1: float
    l1_max: float
    executed_l1: float
    executed_max: float
    relative: float | None
    bias: float
    predicted_std: float
    reference_std: float


@dataclass(frozen=True)
class GripperMetrics:
    """Closing and opening of the gripper, along the executed steps.

    Attributes
    ----------
    closings, openings : tuple[int, int, int]
        Predicted, recorded, and those of both that belong together.
    precision, recall : float | None
        Matched of the predicted, matched of the recorded events; None without any.
    offset_s, offset_max_s : float | None
        Mean and largest (by size) predicted less recorded time of matched events [s].
    agreement : float
        Share of the executed steps at which both are on the same side of half open.
    least_open : float
        The most closed that the policy asked for, as open fraction 0 to 1.
    hovers : bool
        The recording closes, the policy never does.

    """

    closings: tuple[int, int, int]
    openings: tuple[int, int, int]
    precision: float | None
    recall: float | None
    offset_s: float | None
    offset_max_s: float | None
    agreement: float
    least_open: float
    hovers: bool


@dataclass(frozen=True)
class LatencyMetrics:
    """Times of one stage [ms]."""

    count: int
    mean: float
    p50: float
    p90: float
    p99: float
    max: float


@dataclass(frozen=True, eq=False)
class Metrics:
    """The numbers of a replay.

    Attributes
    ----------
    inferences, compared, missed : int
        Answers, those with a reference, and observations that could not be made.
    duration_s : float
        Between the first and the last observation [s].
    dimensions : tuple[DimensionMetrics, ...]
        By dimension.
    step_l1 : np.ndarray
        (H, D) mean ``|predicted - reference|`` by step of the chunk, in action units.
    step_relative : np.ndarray
        (H,) mean of step_l1 / spread over the dimensions that vary.
    threshold : float
        Relative error above which a step is not used.
    horizon : int
        How many steps, from the first, stay at or below it.
    relative, executed_relative : float
        Mean of l1 / spread over the dimensions that vary: all steps, executed steps.
    motion_ratio : float | None
        Predicted by recorded motion of the arm; near zero: it stands still.
    answer_ratio : float | None
        How much the answers vary over the bag, by how much the recorded ones do; near zero: one
        action for every input.
    gripper : GripperMetrics | None
        None without a gripper, or where the recording does not tell.
    latency : Mapping[str, LatencyMetrics]
        Stage -> times.

    """

    inferences: int
    compared: int
    missed: int
    duration_s: float
    dimensions: tuple[DimensionMetrics, ...]
    step_l1: np.ndarray
    step_relative: np.ndarray
    threshold: float
    horizon: int
    relative: float
    executed_relative: float
    motion_ratio: float | None
    answer_ratio: float | None
    gripper: GripperMetrics | None
    latency: Mapping[str, LatencyMetrics]
