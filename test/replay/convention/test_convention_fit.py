"""The fit by blocks' sums, against one that does what it says, slowly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip('rosbags', reason='rosbags is not installed')

from vla_ros.replay.convention.fit import Fit, drawings


def slow(x: np.ndarray, y: np.ndarray, block: np.ndarray, offset: bool) -> float:
    """Leave each block out, fit the rest by lstsq, and add up what is left."""
    left = whole = 0.0
    for one in np.unique(block):
        out, rest = block == one, block != one
        axes = x.shape[1]
        columns = [x[rest].T.reshape(-1, 1)]
        if offset:
            columns.append(np.kron(np.eye(axes), np.ones((rest.sum(), 1))))
        solved = np.linalg.lstsq(np.hstack(columns), y[rest].T.reshape(-1), rcond=None)[0]
        shift = solved[1:] if offset else np.zeros(axes)
        middle = y[rest].mean(axis=0) if offset else np.zeros(axes)
        left += float(((y[out] - solved[0] * x[out] - shift) ** 2).sum())
        whole += float(((y[out] - middle) ** 2).sum())
    return 1.0 - left / whole


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.booleans(), st.floats(0.0, 2.0))
def test_explained_variance_is_that_of_leaving_blocks_out(seed: int, offset: bool,
                                                          noise: float) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(1.0, 1.0, (40, 3))
    y = 0.3 * x + 2.0 * offset + noise * rng.normal(0.0, 1.0, (40, 3))
    block = np.sort(rng.integers(0, 6, 40))
    assert Fit.of(x, y, block, 6, offset).explained == pytest.approx(
        slow(x, y, block, offset), abs=1e-9)


@pytest.mark.parametrize('offset', [False, True])
def test_resampling_a_block_twice_is_having_it_twice(offset: bool) -> None:
    rng = np.random.default_rng(1)
    x, block = rng.normal(0.0, 1.0, (30, 2)), np.repeat(np.arange(3), 10)
    y = -0.5 * x + rng.normal(0.0, 0.3, x.shape)
    weights = np.array([[2.0, 0.0, 1.0]])
    explained, scale = Fit.of(x, y, block, 3, offset).resampled(weights)
    index = np.concatenate((np.arange(10), np.arange(10), np.arange(20, 30)))
    twice = Fit.of(x[index], y[index], np.zeros(30, np.intp), 1, offset)
    same = twice.resampled(np.ones((1, 1)))
    assert (explained[0], scale[0]) == (pytest.approx(same[0][0]), pytest.approx(same[1][0]))
    assert scale[0] == pytest.approx(twice.scale)


def test_resamplings_are_the_same_every_time_and_draw_every_block() -> None:
    first = drawings(7)
    assert np.array_equal(first, drawings(7))
    assert (first.sum(axis=1) == 7).all() and (first.max(axis=0) > 0).all()


def test_without_action_there_is_no_scale_and_nothing_is_explained() -> None:
    y = np.random.default_rng(0).normal(0.0, 1.0, (20, 3))
    fit = Fit.of(np.zeros((20, 3)), y, np.repeat(np.arange(4), 5), 4)
    assert (fit.scale, fit.explained) == (0.0, 0.0)
    assert np.isnan(fit.axis_scales).all()
