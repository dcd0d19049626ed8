"""A frozen run and a new one on the same bag: how far the answers moved."""

from __future__ import annotations

import numpy as np

from vla_ros.core.errors import InputError
from vla_ros.core.types import ActionConvention
from vla_ros.replay.open_loop.metrics import relative_error, spreads
from vla_ros.replay.open_loop.result import Golden, GoldenDimension, OpenLoopResult

PRECISION = ('quantization', 'dtype')
"""Keys of an identity that say how exactly a policy computes, not what it learnt."""

_NAMES = ('label', 'model')  # of no meaning for the answers


def compare_with_golden(result: OpenLoopResult, golden: OpenLoopResult, source: str) -> Golden:
    """Return how a result's answers differ from a golden run's, observation by observation.

    Parameters
    ----------
    result, golden : OpenLoopResult
        The new and the frozen one.
    source : str
        File of the golden one.

    Raises
    ------
    InputError
        When they answer with other numbers, or no observation in common.

    """
    if golden.dims != result.dims or golden.horizon != result.horizon:
        raise InputError(f'{source}: chunks of {golden.horizon} × ({" ".join(golden.dims)}), found '
                         f'{result.horizon} × ({" ".join(result.dims)})')
    theirs = {row.stamp_ns: row for row in golden.inferences}
    both = [(row, theirs[row.stamp_ns]) for row in result.inferences if row.stamp_ns in theirs]
    if not both:
        raise InputError(f'{source}: no observation in common with {result.bag}; it was made from '
                         f'{golden.bag}')
    change = np.stack([ours.predicted - frozen.predicted for ours, frozen in both])
    # By what the golden run answers: it is there also where nothing was recorded.
    ends = ActionConvention(gripper_open=golden.convention['gripper_open'],
                            gripper_closed=golden.convention['gripper_closed'])
    spread = spreads(np.stack([frozen.predicted for _, frozen in both]), golden.dims, ends)
    size = np.abs(change)
    dimensions = tuple(
        GoldenDimension(name, result.units[d], float(spread[d]), float(size[..., d].mean()),
                        float(size[..., d].max()),
                        float(size[..., d].mean() / spread[d]) if spread[d] > 0 else None)
        for d, name in enumerate(result.dims))
    differs = tuple(f'{key}: {golden.policy.get(key) or "none"} there, {value or "none"} here'
                    for key, value in result.policy.items()
                    if key not in _NAMES and golden.policy.get(key) != value)
    return Golden(source, dict(golden.policy), differs, len(both),
                  len(golden.inferences) - len(both), dimensions, relative_error(change, spread))


def other_precision(result: OpenLoopResult, golden: Golden) -> bool:
    """Return whether the policies compute at another precision."""
    return any(golden.policy.get(key) != result.policy.get(key) for key in PRECISION)
