"""When a gripper closes and opens, in what was predicted and in what was recorded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vla_ros.core.types import ActionConvention
from vla_ros.replay.open_loop.result import GripperMetrics, Inference


def gripper_metrics(rows: Sequence[Inference], convention: ActionConvention, dt_ns: int,
                    window_s: float) -> GripperMetrics | None:
    """Compare the gripper along the executed steps of all rows; it is the last number.

    A gripper is closed below half open. An event of the one belongs to the nearest of the same kind
    of the other, if it is not further than ``window_s`` away. None where nothing is recorded.
    """
    times, predicted, reference = _executed(rows, convention, dt_ns)
    if not times.size:
        return None
    shut = {'predicted': predicted < 0.5, 'recorded': reference < 0.5}
    pairs: list[float] = []
    counts = []
    for closing in (True, False):
        ours, theirs = (times[_events(shut[name], closing)] for name in ('predicted', 'recorded'))
        offsets = _matched(ours, theirs, window_s)
        pairs += offsets
        counts.append((len(ours), len(theirs), len(offsets)))
    made, recorded = (sum(count[k] for count in counts) for k in (0, 1))
    return GripperMetrics(
        counts[0], counts[1], len(pairs) / made if made else None,
        len(pairs) / recorded if recorded else None,
        float(np.mean(pairs)) if pairs else None, max(pairs, key=abs) if pairs else None,
        float((shut['predicted'] == shut['recorded']).mean()), float(predicted.min()),
        bool(counts[0][1] and not shut['predicted'].any()))


def open_fractions(values: np.ndarray, convention: ActionConvention) -> np.ndarray:
    """Return how far open, 0 to 1, for an action's numbers."""
    span = convention.gripper_open - convention.gripper_closed
    return np.clip((values - convention.gripper_closed) / span, 0.0, 1.0)


def _executed(rows: Sequence[Inference], convention: ActionConvention,
              dt_ns: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return times [s] and open fractions of the executed steps that have a reference."""
    times, predicted, reference = [], [], []
    for row in rows:
        steps = slice(0, row.executed)
        times.append((row.stamp_ns - rows[0].stamp_ns + np.arange(row.executed) * dt_ns) * 1e-9)
        predicted.append(row.predicted[steps, -1])
        reference.append(row.reference[steps, -1])
    t, p, r = (np.concatenate(parts) for parts in (times, predicted, reference))
    known = np.isfinite(r) & np.isfinite(p)
    return t[known], open_fractions(p[known], convention), open_fractions(r[known], convention)


def _events(shut: np.ndarray, closing: bool) -> np.ndarray:
    """Return at which places it begins to be shut, or to be open."""
    turned = np.flatnonzero(shut[1:] != shut[:-1]) + 1
    return turned[shut[turned] == closing]


def _matched(ours: np.ndarray, theirs: np.ndarray, window_s: float) -> list[float]:
    """Return ours less theirs [s] of events that belong together, the nearest pairs first."""
    gaps = sorted((abs(a - b), i, j) for i, a in enumerate(ours) for j, b in enumerate(theirs)
                  if abs(a - b) <= window_s)
    used_i: set[int] = set()
    used_j: set[int] = set()
    found = []
    for _, i, j in gaps:
        if i not in used_i and j not in used_j:
            used_i.add(i)
            used_j.add(j)
            found.append(float(ours[i] - theirs[j]))
    return found
