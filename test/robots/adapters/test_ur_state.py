"""A UR may be commanded only when everything that is heard of it says so."""

from __future__ import annotations

import pytest

from vla_ros.robots.adapters.ur import UrState


def good() -> UrState:
    return UrState(robot_mode=7, safety_mode=1, program_running=True, speed_scaling=100.0)


def test_a_running_robot_in_normal_or_reduced_mode_may_be_commanded():
    for safety in (1, 2):
        state = good()
        state.safety_mode = safety
        assert state.problem() == ''


@pytest.mark.parametrize(('field', 'value', 'says'), [
    *(('safety_mode', mode, f'safety mode {mode}') for mode in (0, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
                                                                  13, 14, 200)),
    *(('robot_mode', mode, f'robot mode {mode}') for mode in (-1, 0, 1, 2, 3, 4, 5, 6, 8, 99)),
    ('program_running', False, 'program does not run'),
    ('speed_scaling', 0.0, 'speed scaling is 0 %'),
    ('speed_scaling', float('nan'), 'speed scaling'),
])
def test_anything_else_is_a_reason(field, value, says):
    state = good()
    setattr(state, field, value)
    assert says in state.problem()


@pytest.mark.parametrize('field', ['robot_mode', 'safety_mode', 'program_running',
                                   'speed_scaling'])
def test_what_was_never_heard_is_named(field):
    state = good()
    setattr(state, field, None)
    assert field in state.problem()


def test_modes_that_cannot_be_heard_here_are_not_waited_for():
    state = UrState(watches_modes=False, program_running=True, speed_scaling=100.0)
    assert state.problem() == ''
    assert UrState(watches_modes=False, watches_scaling=False, program_running=True).problem() == ''


def test_a_protective_stop_is_said_before_its_consequences():
    state = UrState(robot_mode=7, safety_mode=3, program_running=False, speed_scaling=0.0)
    assert state.problem() == 'safety mode 3: protective stop'
