"""What explains an error: each known mistake is undone, and the error that is left is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vla_ros.core.types import EE_DIMS, GRIPPER_DIM, ActionConvention, ActionSpace
from vla_ros.replay.open_loop.metrics import relative_error, spreads
from vla_ros.replay.open_loop.result import Ablation, Counterfactual, Inference
from vla_ros.replay.open_loop.run import Reference
from vla_ros.replay.open_loop.trials import AS_IT_IS, Trial

_FLAT = 1e-12
_LEAST_SLOPE = 0.02  # an answer that hardly depends on what was recorded is no scaled copy of it
_LEAST_NUMBERS = 8  # of which a line is fitted


@dataclass(frozen=True)
class Fit:
    """``predicted = slope * recorded + offset`` of one number, and the relative errors.

    ``before`` is that of the predicted, ``after`` that of ``(predicted - offset) / slope``.
    """

    name: str
    slope: float
    offset: float
    before: float
    after: float


def from_trials(trials: Sequence[Trial], answers: Mapping[str, list[np.ndarray | None]],
                rows: Sequence[Inference], spread: np.ndarray) -> list[Counterfactual]:
    """Return what the trials did to the error on the observations of ``rows``."""
    found = []
    for trial in trials:
        both = [(base, changed, row.reference) for base, changed, row
                in zip(answers[AS_IT_IS], answers[trial.detail], rows, strict=True)
                if base is not None and changed is not None and base.shape == row.reference.shape]
        if not both:
            continue
        base, changed, reference = (np.stack(part) for part in zip(*both, strict=True))
        found.append(Counterfactual(
            trial.cause, relative_error(base - reference, spread),
            relative_error(changed - reference, spread), len(both), trial.detail))
    return found


def ablations(trials: Sequence[Trial], answers: Mapping[str, list[np.ndarray | None]],
              spread: np.ndarray) -> list[Ablation]:
    """Return how much the answers change when an input is taken away."""
    found = []
    for trial in trials:
        changes = [changed - base for base, changed
                   in zip(answers[AS_IT_IS], answers[trial.detail], strict=True)
                   if base is not None and changed is not None]
        if changes:
            change = np.abs(np.stack(changes))
            found.append(Ablation(trial.cause, change.mean(axis=(0, 1)),
                                  relative_error(change, spread), len(changes)))
    return found


def gripper_flipped(rows: Sequence[Inference], dims: tuple[str, ...],
                    convention: ActionConvention) -> Counterfactual | None:
    """Return the error of the gripper alone, as it is and with open and closed exchanged."""
    if dims[-1] != GRIPPER_DIM:
        return None
    predicted, reference = (np.concatenate([getattr(row, what)[:, -1] for row in rows])
                            for what in ('predicted', 'reference'))
    known = np.isfinite(predicted) & np.isfinite(reference)
    if not known.any():
        return None
    predicted, reference = predicted[known], reference[known]
    span = abs(convention.gripper_open - convention.gripper_closed)
    mirrored = convention.gripper_open + convention.gripper_closed - predicted
    before, after = (float(np.abs(values - reference).mean()) / span
                     for values in (predicted, mirrored))
    return Counterfactual('gripper', before, after, int(known.sum()),
                          'open and closed of the gripper exchanged')


def other_times(rows: Sequence[Inference], reference: Reference, dims: tuple[str, ...],
                convention: ActionConvention, dt_ns: int,
                recorded_dt_ns: int | None) -> list[Counterfactual]:
    """Return the error when a step is taken to last as long as recorded, twice, or half as long."""
    found = []
    predicted = np.stack([row.predicted for row in rows])
    now = np.stack([row.reference for row in rows])
    before = relative_error(predicted - now, spreads(now, dims, convention))
    for other in sorted({recorded_dt_ns or dt_ns, 2 * dt_ns, dt_ns // 2} - {dt_ns}):
        then = np.stack([reference.actions(row.stamp_ns, predicted.shape[1], other)
                         for row in rows])
        after = relative_error(predicted - then, spreads(then, dims, convention))
        found.append(Counterfactual('dt', before, after, len(rows),
                                    f'steps of {other * 1e-9:g} s instead of {dt_ns * 1e-9:g} s'))
    return found


def fits(rows: Sequence[Inference], dims: tuple[str, ...], spread: np.ndarray) -> list[Fit]:
    """Return the line from recorded to predicted for each number of the arm that varies."""
    predicted, reference = (np.concatenate([getattr(row, what) for row in rows])
                            for what in ('predicted', 'reference'))
    found = []
    for d, name in enumerate(dims):
        known = np.isfinite(predicted[:, d]) & np.isfinite(reference[:, d])
        p, r = predicted[known, d], reference[known, d]
        if name == GRIPPER_DIM or p.size < _LEAST_NUMBERS or not spread[d] > _FLAT:
            continue
        centred = r - r.mean()
        slope = float(centred @ (p - p.mean()) / max(float(centred @ centred), 1e-300))
        offset = float(p.mean() - slope * r.mean())
        after = p if abs(slope) < _LEAST_SLOPE else (p - offset) / slope
        found.append(Fit(name, slope, offset, float(np.abs(p - r).mean() / spread[d]),
                         float(np.abs(after - r).mean() / spread[d])))
    return found


def common_scale(rows: Sequence[Inference], dims: tuple[str, ...], convention: ActionConvention,
                 spread: np.ndarray) -> list[tuple[float, Counterfactual]]:
    """Return (factor, what is left without it) for positions, rotations and both, of deltas.

    For an absolute space, where zero is not at rest, a factor says nothing: none are returned.
    """
    if convention.space not in (ActionSpace.EE_DELTA, ActionSpace.JOINT_DELTA):
        return []
    predicted, reference = (np.stack([getattr(row, what) for row in rows])
                            for what in ('predicted', 'reference'))
    arm = np.array([name != GRIPPER_DIM for name in dims]) & (spread > _FLAT)
    position = arm & np.array([name in EE_DIMS[:3] for name in dims])
    groups = {'all numbers of the arm': arm}
    if convention.space is ActionSpace.EE_DELTA:
        groups |= {'translations': position, 'rotations': arm & ~position}
    found = []
    for what, use in groups.items():
        known = np.isfinite(predicted[..., use]) & np.isfinite(reference[..., use])
        p, r = ((values[..., use] / spread[use])[known] for values in (predicted, reference))
        below = float(r @ r) if r.size >= _LEAST_NUMBERS else 0.0
        factor = float(p @ r) / below if below > _FLAT else 0.0
        if abs(factor) >= _LEAST_SLOPE:
            found.append((factor, Counterfactual(
                'scale', float(np.abs(p - r).mean()), float(np.abs(p / factor - r).mean()),
                int(r.size), f'{what} divided by {factor:.3g}')))
    return found
