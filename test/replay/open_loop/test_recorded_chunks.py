"""Recorded chunks as a reference: step for step, by time, in the policy's convention."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vla_ros.core.errors import InputError
from vla_ros.core.types import EE_DIMS, ActionConvention, ActionFrame, ActionSpace
from vla_ros.replay.bag import Bag
from vla_ros.replay.open_loop.recorded_chunks import RecordedChunk, RecordedChunks, read_chunks

DIMS = (*EE_DIMS, 'gripper')
DT = 100_000_000
PLAIN = ActionConvention()


def chunk(stamp: int, steps: int = 4, dt: int = DT, first: float = 0.0) -> RecordedChunk:
    actions = first + np.arange(steps)[:, None] + np.arange(7) / 100
    actions[:, -1] = stamp // DT % 2
    return RecordedChunk(stamp, dt, actions)


def recorded(*chunks: RecordedChunk, convention: ActionConvention | None = None,
             fitted: ActionConvention = PLAIN) -> RecordedChunks:
    return RecordedChunks(chunks, DIMS, convention, '/action_chunk').fitted(DIMS, fitted)


def test_a_chunk_of_the_same_observation_is_compared_bit_for_bit() -> None:
    one = chunk(10 * DT)
    assert recorded(one, chunk(11 * DT, first=50.0)).actions(10 * DT, 4, DT).tolist() \
        == one.actions.tolist()


def test_steps_beyond_its_end_are_what_was_done_later_and_then_unknown() -> None:
    found = recorded(chunk(10 * DT, 2), chunk(12 * DT, 2, first=50.0)).actions(10 * DT, 6, DT)
    assert found[:4, 0].tolist() == [0.0, 1.0, 50.0, 51.0]
    assert np.isnan(found[4:]).all()


def test_an_observation_without_a_chunk_is_compared_with_the_one_that_is_followed() -> None:
    found = recorded(chunk(10 * DT, 4)).actions(12 * DT, 4, DT)
    assert found[:2, 0].tolist() == [2.0, 3.0]
    assert np.isnan(found[2:]).all()
    assert np.isnan(recorded(chunk(10 * DT)).actions(9 * DT, 1, DT)).all()


@pytest.mark.parametrize(('dt', 'expected'), [
    (2 * DT, [0.0 + 1.0, 2.0 + 3.0]), (DT // 2, [0.0, 0.0, 0.5, 0.5])])
def test_deltas_of_longer_steps_are_added_up_and_of_shorter_ones_shared(
        dt: int, expected: list[float]) -> None:
    found = recorded(chunk(10 * DT, 4)).actions(10 * DT, len(expected), dt)
    assert found[:, 0].tolist() == pytest.approx(expected)
    assert set(found[:, -1]) == {0.0}, 'a gripper is a position, it is not added up'


def test_a_pose_is_the_one_that_is_due_however_long_a_step_is() -> None:
    absolute = replace(PLAIN, space=ActionSpace.EE_POSE)
    found = recorded(chunk(10 * DT, 4), fitted=absolute).actions(10 * DT, 2, 2 * DT)
    assert found[:, 0].tolist() == [0.0, 2.0]


def test_numbers_are_put_into_the_units_and_the_gripper_of_the_policy() -> None:
    theirs = ActionConvention(translation_scale=0.05, rotation_scale=0.5, gripper_open=-1.0,
                              gripper_closed=1.0)
    one = RecordedChunk(DT, DT, np.array([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, -1.0],
                                          [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5]]))
    found = recorded(one, convention=theirs).actions(DT, 2, DT)
    assert found[0].tolist() == pytest.approx([0.05, 0.1, 0.15, 2.0, 2.5, 3.0, 1.0])
    assert found[1, -1] == pytest.approx(0.25)


@pytest.mark.parametrize(('convention', 'dims', 'message'), [
    (replace(PLAIN, frame=ActionFrame.TOOL), DIMS, 'recorded with frame base, the policy has tool'),
    (replace(PLAIN, space=ActionSpace.EE_POSE), DIMS, 'recorded with space ee_delta'),
    (PLAIN, EE_DIMS, 'its dimensions x y z rx ry rz gripper are not those of the policy'),
])
def test_numbers_of_another_kind_are_not_compared(
        convention: ActionConvention, dims: tuple[str, ...], message: str) -> None:
    chunks = RecordedChunks([chunk(DT)], DIMS, PLAIN, '/action_chunk')
    with pytest.raises(InputError, match=message):
        chunks.fitted(dims, convention)


def test_chunks_are_read_from_a_bag_with_their_time(run_bag: Path) -> None:
    with Bag(run_bag) as bag:
        chunks = read_chunks(bag, '/action_chunk')
    assert len(chunks.chunks) == 20
    assert chunks.dt_ns == DT
    assert chunks.chunks[3].actions[:, 0].tolist() == [3.0, 4.0, 5.0]
