"""The numbers of a replay, against small cases worked out by hand and against a slow oracle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vla_ros.core.types import EE_DIMS, ActionConvention, ActionSpace
from vla_ros.replay.open_loop.gripper_events import gripper_metrics
from vla_ros.replay.open_loop.metrics import metrics, units_of
from vla_ros.replay.open_loop.result import Inference, Metrics
from vla_ros.replay.open_loop.settings import open_loop_settings

DIMS = (*EE_DIMS, 'gripper')
CONVENTION = ActionConvention()
DT = 100_000_000
SETTINGS = open_loop_settings()


def rows(predicted: np.ndarray, reference: np.ndarray, executed: int = 2) -> list[Inference]:
    """Return a row for each chunk of (N, H, D) arrays, ``executed`` steps apart."""
    return [Inference(1000 + k * executed * DT, p, r, executed, {'infer': 10.0 + k})
            for k, (p, r) in enumerate(zip(predicted, reference, strict=True))]


def measured(predicted: np.ndarray, reference: np.ndarray, executed: int = 2,
             convention: ActionConvention = CONVENTION) -> Metrics:
    return metrics(rows(predicted, reference, executed), DIMS, convention, DT, 3, SETTINGS)


@pytest.fixture
def reference() -> np.ndarray:
    return np.random.default_rng(1).uniform(-0.1, 0.1, (9, 5, 7))


def test_no_difference_is_exactly_zero_everywhere(reference: np.ndarray) -> None:
    m = measured(reference, reference)
    assert (m.relative, m.executed_relative) == (0.0, 0.0)
    assert all(d.l1 == d.l1_max == d.executed_l1 == d.executed_max == d.bias == 0.0
               for d in m.dimensions)
    assert m.step_relative.tolist() == [0.0] * 5
    assert m.horizon == 5
    assert m.motion_ratio == m.answer_ratio == 1.0
    assert (m.inferences, m.compared, m.missed) == (9, 9, 3)
    assert m.duration_s == pytest.approx(1.6)


def test_errors_are_those_of_a_slow_loop(reference: np.ndarray) -> None:
    predicted = reference + np.random.default_rng(2).normal(0, 0.01, reference.shape)
    reference[4, 3:] = np.nan  # two steps of one chunk were not recorded
    m = measured(predicted, reference)
    for d in range(6):
        every, executed, by_step = [], [], [[] for _ in range(5)]
        for k in range(9):
            for i in range(5):
                size = abs(predicted[k, i, d] - reference[k, i, d])
                if size == size:
                    every.append(size)
                    by_step[i].append(size)
                    if i < 2:
                        executed.append(size)
        found = m.dimensions[d]
        assert found.l1 == pytest.approx(np.mean(every))
        assert found.l1_max == max(every)
        assert found.executed_l1 == pytest.approx(np.mean(executed))
        assert found.executed_max == max(executed)
        assert m.step_l1[:, d] == pytest.approx([np.mean(step) for step in by_step])
        assert found.relative == pytest.approx(found.l1 / found.spread)
    assert m.compared == 9


def test_the_horizon_ends_before_the_first_step_whose_error_passes(reference: np.ndarray) -> None:
    spread = np.subtract(*np.percentile(reference.reshape(-1, 7), (99, 1), axis=0))
    spread[-1] = 1.0  # of a gripper, closed to open
    growth = np.array([0.02, 0.05, 0.09, 0.12, 0.01])[None, :, None]  # of the spread
    m = measured(reference + growth * spread, reference)
    assert m.step_relative.tolist() == pytest.approx([0.02, 0.05, 0.09, 0.12, 0.01])
    assert (m.horizon, m.threshold) == (3, 0.1)


def test_a_policy_that_stands_still_or_says_the_same_shows_in_its_ratios(
        reference: np.ndarray) -> None:
    assert measured(reference * 0.01, reference).motion_ratio == pytest.approx(0.01)
    same = np.broadcast_to(reference[:1], reference.shape)
    m = measured(same, reference)
    assert m.answer_ratio == pytest.approx(0.0, abs=1e-12)
    assert m.motion_ratio is not None
    assert m.motion_ratio > 0.5


def test_standing_still_of_absolute_actions_is_that_they_do_not_change() -> None:
    ramp = np.arange(5.0)[None, :, None] + np.arange(9.0)[:, None, None] + np.zeros(7)
    still = np.broadcast_to(ramp[:, :1], ramp.shape)
    absolute = replace(CONVENTION, space=ActionSpace.EE_POSE)
    assert measured(ramp, ramp, convention=absolute).motion_ratio == 1.0
    assert measured(still, ramp, convention=absolute).motion_ratio == 0.0


def test_latency_is_told_by_stage(reference: np.ndarray) -> None:
    stage = measured(reference, reference).latency['infer']
    assert (stage.count, stage.mean, stage.p50, stage.max) == (9, 14.0, 14.0, 18.0)


def gripper(predicted: list[float], reference: list[float]) -> np.ndarray:
    """Return rows with these gripper numbers, two executed steps of three each."""
    pairs = [np.reshape(values, (-1, 2)) for values in (predicted, reference)]
    out = []
    for k, (p, r) in enumerate(zip(*pairs, strict=True)):
        both = [np.zeros((3, 7)), np.zeros((3, 7))]
        for chunk, values in zip(both, (p, r), strict=True):
            chunk[:2, -1], chunk[2, -1] = values, 0.5
        out.append(Inference(k * 2 * DT, *both, 2))
    return out


def test_gripper_events_are_matched_in_time() -> None:
    g = gripper_metrics(gripper([1, 1, 1, 0, 0, 0, 1, 1, 1, 1], [1, 0, 0, 0, 0, 0, 0, 1, 1, 1]),
                        CONVENTION, DT, 1.0)
    assert (g.closings, g.openings) == ((1, 1, 1), (1, 1, 1))
    assert (g.precision, g.recall) == (1.0, 1.0)
    assert g.offset_s == pytest.approx((0.2 - 0.1) / 2)
    assert g.offset_max_s == pytest.approx(0.2)
    assert g.agreement == pytest.approx(0.7)
    assert not g.hovers


def test_events_too_far_apart_do_not_belong_together() -> None:
    g = gripper_metrics(gripper([1] * 8 + [0] * 4, [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
                        CONVENTION, DT, 0.5)
    assert g.closings == (1, 1, 0)
    assert (g.precision, g.recall, g.offset_s) == (0.0, 0.0, None)


def test_a_gripper_that_never_closes_hovers() -> None:
    g = gripper_metrics(gripper([1, 1, .8, .7, .9, 1], [1, 1, 0, 0, 0, 0]), CONVENTION, DT, 1.0)
    assert g.hovers
    assert g.least_open == pytest.approx(0.7)
    assert (g.precision, g.recall) == (None, 0.0)
    assert not gripper_metrics(gripper([1] * 6, [1] * 6), CONVENTION, DT, 1.0).hovers


def test_the_sign_of_the_gripper_is_that_of_the_convention() -> None:
    libero = ActionConvention(gripper_open=-1.0, gripper_closed=1.0)
    g = gripper_metrics(gripper([-1, -1, 1, 1], [-1, 1, 1, 1]), libero, DT, 1.0)
    assert g.closings == (1, 1, 1)


def test_units_are_those_of_the_convention() -> None:
    scaled = ActionConvention(translation_scale=0.05, gripper_open=-1.0, gripper_closed=1.0)
    assert units_of(DIMS, scaled) == ('0.05 m',) * 3 + ('rad',) * 3 + ('1 closed, -1 open',)
