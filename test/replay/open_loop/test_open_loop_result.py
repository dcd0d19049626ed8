"""A result comes back as it was, or is refused with the place that is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from vla_ros.core.errors import InputError
from vla_ros.replay.open_loop.result import OpenLoopResult

SAMPLE = Path(__file__).resolve().parents[2] / 'data' / 'open_loop_result.json'


def test_a_result_comes_back_as_it_was() -> None:
    text = SAMPLE.read_text(encoding='utf-8')
    result = OpenLoopResult.load(SAMPLE)
    assert json.loads(result.to_json()) == json.loads(text)
    row = result.inferences[0]
    assert row.predicted.shape == row.reference.shape == (result.horizon, len(result.dims))


def test_what_was_not_recorded_is_null_in_the_text_and_nan_again() -> None:
    result = OpenLoopResult.load(SAMPLE)
    result.inferences[0].reference[1, 2] = np.nan
    text = result.to_json()
    assert 'NaN' not in text
    again = OpenLoopResult.from_json(text).inferences[0].reference
    assert np.isnan(again[1, 2])
    assert np.isfinite(again).sum() == again.size - 1


@pytest.mark.parametrize(('change', 'message'), [
    ({'kind': 'closed'}, 'not the result of an open-loop replay'),
    ({'version': 99}, 'version 99; this one reads 1'),
    ({'dims': 'x'}, 'dims: expected a list'),
    ({'dt_ns': 0.5}, 'dt_ns: expected int'),
    ({'dt_ns': True}, 'dt_ns: expected int'),
    ({'more': 1}, "unknown key 'more'"),
    ({'metrics': {}}, "metrics: missing key 'answer_ratio'"),
])
def test_another_text_is_refused_with_the_place(change: dict, message: str) -> None:
    values = {**json.loads(SAMPLE.read_text(encoding='utf-8')), **change}
    with pytest.raises(InputError, match=r'^there: ') as caught:
        OpenLoopResult.from_json(json.dumps(values), 'there')
    assert message in str(caught.value)
