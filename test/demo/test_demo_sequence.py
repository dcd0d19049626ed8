"""The next instruction comes when a task is done, and never after one that failed."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from vla_ros.core.errors import ConfigError, unknown_choice
from vla_ros.demo.sequence import Outcome, TaskSequence, parse_tasks

S = 1_000_000_000


class FakeMonitor:
    """Judges by what the test puts into the frames."""

    def __init__(self, task: str) -> None:
        self.task = task

    def update(self, time_ns, frames, gripper_width):
        return SimpleNamespace(success=frames['done'] == self.task,
                               detail=f'{self.task}: {time_ns}')


def sequence(*tasks: str, timeout_s: float = 10.0) -> TaskSequence:
    return TaskSequence(tasks, timeout_s, FakeMonitor)


def test_nothing_is_judged_before_the_first_instruction():
    s = sequence('a', 'b')
    assert s.update(5, {'done': 'a'}, 0.0) is None
    assert not s.begun
    assert s.instruction == ''
    assert [r.outcome for r in s.results()] == [Outcome.NOT_BEGUN] * 2


def test_each_success_gives_the_next_instruction_once_and_the_last_one_ends_it():
    s = sequence('a', 'b')
    assert s.begin(1 * S) == 'a'
    assert s.update(2 * S, {'done': ''}, 0.0) is None
    assert s.update(3 * S, {'done': 'a'}, 0.0) == 'b'
    assert (s.instruction, s.index) == ('b', 1)
    assert s.update(4 * S, {'done': 'a'}, 0.0) is None
    assert not s.ended
    assert s.update(5 * S, {'done': 'b'}, 0.0) is None
    assert s.ended
    assert [(r.outcome, r.duration_s) for r in s.results()] == [
        (Outcome.SUCCESS, 2.0), (Outcome.SUCCESS, 2.0)]
    assert s.instruction == 'b', 'the last instruction stays in the caption'


def test_a_task_that_takes_too_long_ends_the_sequence_and_the_rest_is_not_begun():
    s = sequence('a', 'b', timeout_s=2.0)
    s.begin(0)
    s.update(int(1.999 * S), {'done': ''}, 0.0)
    assert not s.ended
    assert s.update(2 * S, {'done': ''}, 0.0) is None
    assert s.ended
    assert [r.outcome for r in s.results()] == [Outcome.TIMEOUT, Outcome.NOT_BEGUN]
    assert s.instruction == 'a'
    assert s.results()[0].detail == f'a: {2 * S}'


def test_success_at_the_last_moment_counts():
    s = sequence('a', timeout_s=2.0)
    s.begin(0)
    s.update(2 * S, {'done': 'a'}, 0.0)
    assert s.results()[0].outcome is Outcome.SUCCESS


def test_the_time_of_each_task_is_counted_from_its_own_instruction():
    s = sequence('a', 'b', timeout_s=2.0)
    s.begin(0)
    assert s.update(int(1.9 * S), {'done': 'a'}, 0.0) == 'b'
    s.update(3 * S, {'done': ''}, 0.0)
    assert not s.ended
    s.update(4 * S, {'done': ''}, 0.0)
    assert s.results()[1].outcome is Outcome.TIMEOUT


def test_a_task_that_was_cut_off_is_reported_as_not_finished():
    s = sequence('a', 'b')
    s.begin(0)
    s.update(3 * S, {'done': ''}, 0.0)
    result = s.results()[0]
    assert (result.outcome, result.duration_s) == (Outcome.UNFINISHED, 3.0)
    assert len(s.results()) == 2


def test_a_task_that_cannot_be_judged_is_an_error_before_anything_moves():
    def refuse(task: str) -> FakeMonitor:
        if task == 'sing':
            raise unknown_choice('task', task, ['a'])
        return FakeMonitor(task)

    with pytest.raises(ConfigError, match='sing'):
        TaskSequence(('a', 'sing'), 10.0, refuse)


@pytest.mark.parametrize('timeout_s', [0.0, -1.0, float('nan'), float('inf')])
def test_a_timeout_that_is_no_time_is_refused(timeout_s: float):
    with pytest.raises(ConfigError, match='timeout'):
        sequence('a', timeout_s=timeout_s)


def test_no_task_at_all_is_refused():
    with pytest.raises(ConfigError, match='at least one'):
        TaskSequence(parse_tasks(' ; '), 10.0, FakeMonitor)


def test_tasks_are_separated_by_semicolons():
    assert parse_tasks(' pick up the red cube;; hang it ;') == ('pick up the red cube', 'hang it')
