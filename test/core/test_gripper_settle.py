"""The arm waits for the gripper, not for ever."""

import math

import pytest

from vla_ros.core.errors import ConfigError
from vla_ros.core.gripper_settle import GripperSettle

MS = 1_000_000


def run(settle, command, widths, start_ms=0):
    """Return whether it waits, every 10 ms, with the widths that are measured at those times."""
    out = []
    for i, width in enumerate(widths):
        now = (start_ms + 10 * i) * MS
        settle.measured(now, width)
        out.append(settle.waiting(now, command))
    return out


def opened():
    settle = GripperSettle(0.6)
    assert not any(run(settle, 0.07, [0.07] * 10))
    return settle


def test_it_waits_until_the_fingers_have_come_to_rest_on_the_object():
    closing = [max(0.07 - 0.001 * i, 0.034) for i in range(100)]
    waits = run(opened(), 0.0, closing, start_ms=100)
    assert all(waits[:46])  # 360 ms of closing and 100 ms at rest
    assert not any(waits[47:])


def test_fingers_that_never_move_are_waited_for_as_long_as_was_said():
    waits = run(opened(), 0.0, [0.07] * 100, start_ms=100)
    assert sum(waits) == 60 and all(waits[:60])


def test_without_measured_widths_it_waits_as_long_as_was_said():
    settle = opened()
    waits = [settle.waiting((100 + 10 * i) * MS, 0.0) for i in range(100)]
    assert sum(waits) == 60


def test_the_same_command_is_not_waited_for():
    settle = GripperSettle(0.6)
    assert not any(run(settle, 0.0, [0.03] * 50))
    assert not any(run(settle, 0.001, [0.03] * 50, start_ms=500))


def test_a_limit_of_zero_never_waits():
    settle = GripperSettle(0.0)
    run(settle, 0.07, [0.07] * 5)
    assert not any(run(settle, 0.0, [0.07] * 20, start_ms=50))


def test_a_clock_that_goes_back_ends_the_wait():
    settle = opened()
    assert settle.waiting(5000 * MS, 0.0)
    assert not settle.waiting(4000 * MS, 0.0)


def test_a_gripper_whose_state_was_never_seen_is_not_waited_for():
    assert not GripperSettle(0.6).waiting(0, None)


@pytest.mark.parametrize('limit', [-0.1, math.nan, math.inf])
def test_a_limit_that_is_no_time_is_refused(limit):
    with pytest.raises(ConfigError, match='settle'):
        GripperSettle(limit)
