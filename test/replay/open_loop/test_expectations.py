"""Limits of a replay: each key does what it says, NaN keeps none, and a wrong file is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.replay.open_loop.expectations import Expectations, golden_checks
from vla_ros.replay.open_loop.golden import compare_with_golden
from vla_ros.replay.open_loop.result import OpenLoopResult
from vla_ros.replay.open_loop.settings import open_loop_settings

SAMPLE = Path(__file__).resolve().parents[2] / 'data' / 'open_loop_result.json'
NAN = float('nan')


@pytest.fixture
def result() -> OpenLoopResult:
    return OpenLoopResult.load(SAMPLE)


def limits(path: Path, text: str) -> Expectations:
    file = path / 'expect.yaml'
    file.write_text(text, encoding='utf-8')
    return Expectations(file)


# Key and value that is kept, and one that is not.
@pytest.mark.parametrize(('kept', 'missed'), [
    ('relative: 0.5', 'relative: 0.001'),
    ('executed_relative: 0.5', 'executed_relative: 0.001'),
    ('l1: 0.1', 'l1: 1.0e-9'),
    ('l1: {x: 0.1, gripper: 0.5}', 'l1: {x: 1.0e-9}'),
    ('l1_max: {z: 1}', 'l1_max: {z: 1.0e-6}'),
    ('executed_l1: {x: 1}', 'executed_l1: {x: 0}'),
    ('executed_max: 10', 'executed_max: {ry: 1.0e-9}'),
    ('horizon: 2', 'horizon: 3'),
    ('gripper_precision: 1.0', 'gripper_precision: 1.1'),
    ('gripper_recall: 0.5', 'gripper_recall: 1.1'),
    ('gripper_agreement: 0.9', 'gripper_agreement: 0.95'),
    ('gripper_offset: 0.21', 'gripper_offset: 0.19'),
    ('motion_ratio: [0.5, 2]', 'motion_ratio: [2, 3]'),
    ('answer_ratio: [0.5, 2]', 'answer_ratio: [0, 0.5]'),
    ('compared: 14', 'compared: 15'),
    ('missed: 1', 'missed: 0'),
    ('latency: {infer: 500, vision: 100}', 'latency: {infer: 1}'),
    ('golden: {relative: 0.5, l1: {x: 1}, lacking: 0}', 'golden: {l1_max: 1.0e-9}'),
])
def test_each_limit_is_kept_or_not(result: OpenLoopResult, tmp_path: Path, kept: str,
                                   missed: str) -> None:
    good = limits(tmp_path, kept).checks(result)
    assert good
    assert all(check.kept for check in good), good
    bad = limits(tmp_path, missed).checks(result)
    assert not bad[0].kept, 'those that fell short come first'


def test_nan_keeps_no_limit(result: OpenLoopResult, tmp_path: Path) -> None:
    m = result.metrics
    blind = replace(result, metrics=replace(
        m, relative=NAN, motion_ratio=NAN, gripper=None,
        dimensions=tuple(replace(d, l1=NAN) for d in m.dimensions)))
    text = ('relative: 1000\nl1: 1000\nmotion_ratio: [-1000, 1000]\ngripper_recall: 0\n'
            'gripper_offset: 1000\n')
    checks = limits(tmp_path, text).checks(blind)
    assert len(checks) == 4 + len(result.dims)
    assert not any(check.kept for check in checks)


@pytest.mark.parametrize(('text', 'message'), [
    ('relativ: 1', "'relativ'. Did you mean 'relative'? Choices: "),
    ('golden: {l2: 1}', "golden:.*|'l2'"),
    ('relative: -1', 'relative: expected a finite number >= 0'),
    ('relative: .nan', 'relative: expected a finite number'),
    ('relative: wide', 'relative: expected a finite number'),
    ('horizon: 2.5', 'horizon: expected a whole number'),
    ('motion_ratio: 1', 'motion_ratio: expected a list of 2'),
    ('latency: 5', 'latency: expected a mapping'),
    ('l1: {x: a}', 'l1.x: expected a finite number'),
    ('{}', 'no expectation. Keys: relative'),
    ('- 1', 'expected a mapping'),
])
def test_a_wrong_file_is_refused_when_it_is_read(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        limits(tmp_path, text)
    assert str(tmp_path) in str(caught.value)
    assert any(part in str(caught.value) for part in message.split('|'))


def test_a_dimension_or_stage_that_is_not_there_is_an_error_with_the_choices(
        result: OpenLoopResult, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'w'.*Choices: gripper, rx"):
        limits(tmp_path, 'l1: {w: 1}').checks(result)
    with pytest.raises(ConfigError, match=r"'visio'. Did you mean 'vision'"):
        limits(tmp_path, 'latency: {visio: 1}').checks(result)


def test_golden_limits_without_a_golden_run_are_an_error(result: OpenLoopResult,
                                                         tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='give one with --against'):
        limits(tmp_path, 'golden: {relative: 1}').checks(replace(result, golden=None))


def moved(result: OpenLoopResult, dim: int, by: float, **identity: str) -> OpenLoopResult:
    rows = []
    for row in result.inferences:
        predicted = row.predicted.copy()
        predicted[:, dim] += by
        rows.append(replace(row, predicted=predicted))
    return replace(result, inferences=tuple(rows), policy={**result.policy, **identity})


def test_the_same_run_differs_by_nothing_and_keeps_the_strict_limit(result: OpenLoopResult) -> None:
    golden = compare_with_golden(result, result, 'full.json')
    assert golden.relative == 0.0
    assert (golden.compared, golden.lacking, golden.differs) == (14, 0, ())
    checks = golden_checks(replace(result, golden=golden), open_loop_settings())
    assert all(check.kept for check in checks)


def test_a_small_change_fails_at_the_same_precision_and_is_kept_across_precisions(
        result: OpenLoopResult) -> None:
    spread = result.metrics.dimensions[0].spread
    for identity, expected in (({}, False), ({'quantization': 'nf4'}, True)):
        new = moved(result, 0, 0.01 * spread, **identity)
        golden = compare_with_golden(new, result, 'full.json')
        assert golden.dimensions[0].l1 == pytest.approx(0.01 * spread)
        checks = golden_checks(replace(new, golden=golden), open_loop_settings())
        assert all(check.kept for check in checks) is expected
        assert golden.differs == (('quantization: none there, nf4 here',) if identity else ())
    far = moved(result, 0, 0.2 * spread, quantization='nf4')
    golden = compare_with_golden(far, result, 'full.json')
    short = [c for c in golden_checks(replace(far, golden=golden), open_loop_settings())
             if not c.kept]
    assert [check.name for check in short] == ['golden x l1 / spread']


def test_observations_that_are_lacking_are_counted_and_fail(result: OpenLoopResult) -> None:
    new = replace(result, inferences=result.inferences[:10])
    golden = compare_with_golden(new, result, 'full.json')
    assert (golden.compared, golden.lacking) == (10, 4)
    checks = golden_checks(replace(new, golden=golden), open_loop_settings())
    assert [check.name for check in checks if not check.kept] == ['golden lacking']


def test_a_run_that_cannot_be_compared_is_refused(result: OpenLoopResult) -> None:
    other = replace(result, inferences=tuple(
        replace(row, stamp_ns=row.stamp_ns + 1) for row in result.inferences))
    with pytest.raises(InputError, match='no observation in common'):
        compare_with_golden(result, other, 'full.json')
    with pytest.raises(InputError, match='chunks of 6'):
        compare_with_golden(replace(result, horizon=5), result, 'full.json')


def test_nan_in_the_answers_fails_the_comparison(result: OpenLoopResult) -> None:
    new = moved(result, 1, np.nan)
    golden = compare_with_golden(new, result, 'full.json')
    checks = golden_checks(replace(new, golden=golden), open_loop_settings())
    assert not all(check.kept for check in checks)
