"""How far predicted chunks are from what was recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vla_ros.core.types import EE_DIMS, GRIPPER_DIM, ActionConvention, ActionSpace
from vla_ros.replay.open_loop.gripper_events import gripper_metrics
from vla_ros.replay.open_loop.result import (
    DimensionMetrics,
    Inference,
    LatencyMetrics,
    Metrics,
)
from vla_ros.replay.open_loop.settings import OpenLoopSettings

_FLAT = 1e-9  # a number whose values spread less than this does not vary


def units_of(dims: Sequence[str], convention: ActionConvention) -> tuple[str, ...]:
    """Return the unit of each number of an action, for people."""
    def unit(name: str) -> str:
        if name == GRIPPER_DIM:
            return f'{convention.gripper_closed:g} closed, {convention.gripper_open:g} open'
        scale, base = ((convention.translation_scale, 'm') if name in EE_DIMS[:3]
                       else (convention.rotation_scale, 'rad'))
        return base if scale == 1.0 else f'{scale:g} {base}'

    return tuple(unit(name) for name in dims)


def spreads(reference: np.ndarray, dims: Sequence[str],
            convention: ActionConvention) -> np.ndarray:
    """Return (D,) by what an error of each number is judged, from references (…, D).

    It is the 99th less the first percentile; of the gripper, the way from closed to open.
    """
    rows = reference.reshape(-1, reference.shape[-1])
    out = np.zeros(len(dims))
    for d, name in enumerate(dims):
        if name == GRIPPER_DIM:
            out[d] = abs(convention.gripper_open - convention.gripper_closed)
        elif (known := rows[:, d][np.isfinite(rows[:, d])]).size:
            out[d] = np.subtract(*np.percentile(known, (99.0, 1.0)))
    return out


def relative_error(error: np.ndarray, spread: np.ndarray) -> float:
    """Return the mean of ``|error| / spread`` over all (…, D) numbers that vary; NaN: none."""
    varying = spread > _FLAT
    values = np.abs(error.reshape(-1, error.shape[-1])[:, varying]) / spread[varying]
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float('nan')


def metrics(rows: Sequence[Inference], dims: tuple[str, ...], convention: ActionConvention,
            dt_ns: int, missed: int, settings: OpenLoopSettings) -> Metrics:
    """Return the metrics of the rows of a replay, in time order; at least one."""
    predicted = np.stack([row.predicted for row in rows])  # (N, H, D)
    reference = np.stack([row.reference for row in rows])
    error = predicted - reference
    steps = np.arange(predicted.shape[1])
    executed = steps[None] < np.array([row.executed for row in rows])[:, None]  # (N, H)
    spread = spreads(reference, dims, convention)
    step_l1 = _mean(np.abs(error), axis=0)
    step_relative = np.array([relative_error(error[:, i], spread) for i in range(error.shape[1])])
    above = np.flatnonzero(~(step_relative <= settings.horizon_threshold))
    units = units_of(dims, convention)
    chunk_means = _mean(predicted, axis=1), _mean(reference, axis=1)
    gripper = None
    if dims[-1] == GRIPPER_DIM and np.isfinite(reference[..., -1]).any():
        gripper = gripper_metrics(rows, convention, dt_ns, settings.gripper_window)
    return Metrics(
        len(rows), int(np.isfinite(error).all(axis=2).any(axis=1).sum()), missed,
        (rows[-1].stamp_ns - rows[0].stamp_ns) * 1e-9,
        tuple(_dimension(name, units[d], spread[d], error[..., d], executed,
                         *(means[:, d] for means in chunk_means))
              for d, name in enumerate(dims)),
        step_l1, step_relative, settings.horizon_threshold,
        int(above[0]) if above.size else len(step_relative),
        relative_error(error, spread), relative_error(error[executed], spread),
        _ratio(_motion(predicted, dims, convention), _motion(reference, dims, convention), spread),
        _ratio(*(_std(means) for means in chunk_means), spread), gripper, _latency(rows))


def _dimension(name: str, unit: str, spread: float, error: np.ndarray, executed: np.ndarray,
               predicted_means: np.ndarray, reference_means: np.ndarray) -> DimensionMetrics:
    size = np.abs(error)
    l1 = _over(np.mean, size)
    return DimensionMetrics(
        name, unit, float(spread), l1, _over(np.max, size), _over(np.mean, size[executed]),
        _over(np.max, size[executed]), l1 / float(spread) if spread > _FLAT else None,
        _over(np.mean, error), _over(np.std, predicted_means), _over(np.std, reference_means))


def _motion(actions: np.ndarray, dims: Sequence[str], convention: ActionConvention) -> np.ndarray:
    """Return (D,) mean size of a step's motion; the gripper's is left out as NaN."""
    delta = convention.space in (ActionSpace.EE_DELTA, ActionSpace.JOINT_DELTA)
    if not delta:
        flat = actions.shape[1] == 1  # one step a chunk: from chunk to chunk
        actions = np.diff(actions, axis=0 if flat else 1)
    size = _mean(np.abs(actions).reshape(-1, len(dims)), axis=0)
    if dims[-1] == GRIPPER_DIM:
        size[-1] = np.nan
    return size


def _ratio(predicted: np.ndarray, reference: np.ndarray, spread: np.ndarray) -> float | None:
    """Return by how much more the numbers that vary are in the one than in the other."""
    use = (spread > _FLAT) & np.isfinite(predicted) & np.isfinite(reference)
    if not use.any():
        return None
    below = float((reference[use] / spread[use]).sum())
    return float((predicted[use] / spread[use]).sum()) / below if below > _FLAT else None


def _latency(rows: Sequence[Inference]) -> Mapping[str, LatencyMetrics]:
    stages: dict[str, list[float]] = {}
    for row in rows:
        for stage, ms in row.timings_ms.items():
            stages.setdefault(stage, []).append(ms)
    return {stage: LatencyMetrics(len(ms), float(np.mean(ms)),
                                  *(float(p) for p in np.percentile(ms, (50, 90, 99, 100))))
            for stage, ms in stages.items()}


def _over(what: object, values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(what(known)) if known.size else float('nan')  # type: ignore[operator]


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    """Return the mean along an axis over what is known; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _std(values: np.ndarray) -> np.ndarray:
    return np.array([_over(np.std, column) for column in values.T])
