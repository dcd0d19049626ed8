"""The step within the joints' room is the best there is, found by trying every combination."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.ik.boxed_step import BoxedStep

eigenpy = pytest.importorskip('eigenpy')


def value(H, g, x):
    return 0.5 * x @ H @ x - g @ x


def best_of_all(H, g, low, high):
    """Return the lowest feasible value over all ways of holding joints on a bound."""
    n = len(g)
    best = np.inf
    for sides in itertools.product((-1, 0, 1), repeat=n):
        x = np.array([{-1: a, 0: 0.0, 1: b}[s] for s, a, b in zip(sides, low, high)])
        free = [i for i, s in enumerate(sides) if s == 0]
        if free:
            held = [i for i, s in enumerate(sides) if s != 0]
            rhs = g[free] - H[np.ix_(free, held)] @ x[held]
            x[free] = np.linalg.solve(H[np.ix_(free, free)], rhs)
        if (x >= low - 1e-12).all() and (x <= high + 1e-12).all():
            best = min(best, value(H, g, x))
    return best


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 5), rank=st.integers(1, 5),
       room=st.sampled_from([1e-3, 0.1, 1.0]))
def test_no_feasible_step_is_better(seed, n, rank, room):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(rank, n))
    H = A.T @ A + 1e-6 * np.eye(n)
    g = A.T @ rng.normal(size=rank)
    low = -room * rng.uniform(0, 1, n) * rng.integers(0, 2, n)  # some joints are on their limit
    high = room * rng.uniform(0, 1, n) * rng.integers(0, 2, n)
    boxed = BoxedStep(n, eigenpy.LDLT)
    x = np.array(boxed.solve(H, g, [0.0] * n, low.tolist(), high.tolist()))
    assert (x >= low).all() and (x <= high).all()
    best = best_of_all(H, g, low, high)
    assert value(H, g, x) <= best + 1e-6 * max(1.0, abs(best))


def test_a_joint_without_room_is_named_and_the_others_move_around_it():
    H = np.array([[1.0, 0.5], [0.5, 1.0]])
    g = np.array([1.0, 1.0])
    boxed = BoxedStep(2, eigenpy.LDLT)
    assert boxed.solve(H, g, [0.5, 0.5], [-0.5, -0.5], [0.5, 2.5]) == pytest.approx([0.0, 1.0])
    assert boxed.held == [1, 0]
    assert boxed.any_held


def test_nothing_is_held_where_there_is_room():
    boxed = BoxedStep(2, eigenpy.LDLT)
    boxed.solve(np.eye(2), np.ones(2), [0.0, 0.0], [0.0, 0.0], [0.5, 0.5])
    assert boxed.any_held
    assert boxed.solve(np.eye(2), np.ones(2), [0.0, 0.0], [-2.0, -2.0], [2.0, 2.0]) == [1.0, 1.0]
    assert not boxed.any_held
