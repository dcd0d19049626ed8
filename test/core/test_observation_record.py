"""What a chunk was inferred from, as text and back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vla_ros.core.errors import InputError
from vla_ros.core.observation_record import ObservationRecord

RECORD = ObservationRecord(5, {'camera/wrist/image_raw': 4, 'joint_states': 5}, 1, 'pick «it» up',
                           12.5)


def test_a_record_comes_back_as_it_was() -> None:
    assert ObservationRecord.from_json(RECORD.to_json()) == RECORD
    assert '\n' not in RECORD.to_json()


@pytest.mark.parametrize(('change', 'message'), [
    ({'stamp_ns': 1.5}, 'stamp_ns cannot be 1.5'),
    ({'stamp_ns': True}, 'stamp_ns cannot be True'),
    ({'sources': {'a': 'b'}}, 'sources cannot be'),
    ({'sources': [1]}, 'sources cannot be'),
    ({'instruction': None}, 'instruction cannot be None'),
    ({'infer_ms': 'long'}, "infer_ms cannot be 'long'"),
    ({'more': 1}, 'expected a JSON object with stamp_ns, sources'),
])
def test_a_record_that_is_none_is_refused_and_the_topic_named(
        change: dict[str, Any], message: str) -> None:
    values = {**json.loads(RECORD.to_json()), **change}
    with pytest.raises(InputError, match=f'observation: {message}'):
        ObservationRecord.from_json(json.dumps(values))


@pytest.mark.parametrize('text', ['', '{', '[]', '{}', 'null'])
def test_what_is_no_record_at_all_is_refused(text: str) -> None:
    with pytest.raises(InputError, match='observation: expected'):
        ObservationRecord.from_json(text)
