"""The exit status is 0 only when every task was done and nothing went wrong."""

from __future__ import annotations

import signal

import pytest

from vla_ros.demo.sequence import Outcome, TaskResult
from vla_ros.demo.verdict import judge

DONE = TaskResult('pick', Outcome.SUCCESS, 0, 2_000_000_000, 'held')
LATE = TaskResult('hang', Outcome.TIMEOUT, 2_000_000_000, 9_000_000_000, 'the ring is far away')
NEVER = TaskResult('hang', Outcome.NOT_BEGUN)


def test_all_done_is_success():
    verdict = judge([DONE, DONE])
    assert (verdict.word, verdict.status, verdict.success) == ('SUCCESS', 0, True)
    assert '2 of 2 tasks done in 4.0 s' in verdict.reason


def test_a_timeout_names_the_task_and_what_was_missing():
    verdict = judge([DONE, LATE])
    assert (verdict.word, verdict.status) == ('FAILED', 1)
    for text in ("'hang'", 'timeout after 7.0 s', 'the ring is far away', '1 of 2'):
        assert text in verdict.reason


@pytest.mark.parametrize('outcome', [o for o in Outcome if o is not Outcome.SUCCESS])
def test_anything_but_success_fails(outcome: Outcome):
    assert judge([DONE, TaskResult('hang', outcome)]).status == 1


def test_no_task_is_no_success():
    assert judge([]).status == 1


def test_a_process_that_ended_fails_the_demo_even_when_the_tasks_were_done():
    verdict = judge([DONE], problems=['policy_node killed by SIGKILL; the arm holds'])
    assert verdict.status == 1
    assert verdict.reason.startswith('policy_node killed by SIGKILL')


@pytest.mark.parametrize(('number', 'status'), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_gives_its_own_status(number: int, status: int):
    verdict = judge([DONE, NEVER], signal_number=number)
    assert (verdict.word, verdict.status) == ('INTERRUPTED', status)
    assert not verdict.success


def test_a_signal_does_not_hide_a_process_that_had_ended():
    assert judge([NEVER], problems=['sim_node ended'], signal_number=signal.SIGINT).status == 1
