"""Temporal ensembling against a slow obvious oracle."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.core.ensembler import Ensembler, check_supported, twists
from vla_ros.core.errors import ConfigError
from vla_ros.core.se3 import rotation_from_rpy, rotation_from_vector
from vla_ros.core.types import ActionChunk, ActionConvention, ActionSpace, Rotation

MS = 1_000_000


def chunk(stamp_ms, actions, dt_ms=100, **convention):
    return ActionChunk(stamp_ms * MS, dt_ms * MS, np.asarray(actions, dtype=float),
                       convention=ActionConvention(**convention))


def oracle(chunks, now_ms, m):
    """Return the weighted mean over all (time, prediction) pairs, written out."""
    predictions = []
    for c in chunks:
        for i, action in enumerate(c.actions):
            begins = c.stamp_ns + i * c.dt_ns
            if begins <= now_ms * MS < begins + c.dt_ns:
                predictions.append((c.stamp_ns, c.dt_ns, action[:6] / (c.dt_ns / 1e9)))
    if not predictions:
        return None
    oldest = min(stamp for stamp, _, _ in predictions)
    weights = [math.exp(-m * (stamp - oldest) / dt) for stamp, dt, _ in predictions]
    return sum(w * v for w, (_, _, v) in zip(weights, predictions)) / sum(weights)


@settings(max_examples=60)
@given(st.lists(st.integers(0, 1500), min_size=1, max_size=6, unique=True), st.integers(0, 2500),
       st.floats(-1, 1), st.integers(0, 2**31))
def test_the_twist_is_the_weighted_mean_of_all_predictions_for_the_moment(stamps, now, m, seed):
    rng = np.random.default_rng(seed)
    chunks = [chunk(s, rng.normal(size=(8, 7))) for s in sorted(stamps)]
    motion = Ensembler(m).motion(chunks, now * MS)
    expected = oracle(chunks, now, m)
    if expected is None:
        assert motion is None
    else:
        assert np.allclose(motion.twist, expected, atol=1e-9)
        assert sum(motion.weights) == pytest.approx(1.0)


def test_a_positive_coefficient_trusts_the_oldest_prediction_most():
    chunks = [chunk(s, np.zeros((8, 7))) for s in (0, 100, 200)]
    weights = Ensembler(0.5).motion(chunks, 250 * MS).weights
    assert weights[0] / weights[1] == pytest.approx(math.exp(0.5))
    assert weights[1] / weights[2] == pytest.approx(math.exp(0.5))


def test_the_gripper_is_that_of_the_newest_chunk_and_never_a_mean():
    opened, closed = np.zeros((8, 7)), np.zeros((8, 7))
    opened[:, 6] = 1.0
    chunks = [chunk(0, opened), chunk(100, opened), chunk(200, closed)]
    assert Ensembler(5.0).motion(chunks, 250 * MS).open_fraction == 0.0


def test_the_ticks_of_a_step_add_up_to_the_step_whatever_the_control_rate():
    actions = np.zeros((2, 7))
    actions[0, 0] = 0.03
    for period_ms in (4, 10, 20):
        total = sum(Ensembler().motion([chunk(0, actions)], t * MS).twist[0] * period_ms / 1000
                    for t in range(0, 100, period_ms))
        assert total == pytest.approx(0.03)


def test_chunks_of_another_convention_than_the_newest_are_left_out():
    chunks = [chunk(0, np.ones((8, 7)), translation_scale=5.0), chunk(100, np.zeros((8, 7)))]
    motion = Ensembler().motion(chunks, 150 * MS)
    assert motion.stamps_ns == (100 * MS,)
    assert (motion.twist == 0.0).all()


def test_scale_and_rpy_follow_the_convention():
    action = [0.1, 0.2, 0.3, 0.4, -0.5, 0.6, 1.0]
    c = chunk(0, [action], dt_ms=1000, translation_scale=0.5, rotation=Rotation.RPY)
    twist = twists(c)[0]
    assert np.allclose(twist[:3], [0.05, 0.1, 0.15])
    assert np.allclose(rotation_from_vector(twist[3:]), rotation_from_rpy(0.4, -0.5, 0.6))


def test_an_action_space_that_is_not_executed_is_named():
    c = chunk(0, np.zeros((1, 7)), space=ActionSpace.EE_POSE)
    with pytest.raises(ConfigError, match="'ee_pose'.*Choices: ee_delta"):
        check_supported(c)


def test_no_chunk_gives_no_motion():
    assert Ensembler().motion([], 0) is None
