"""Holding: brake first, then the measured joints."""

import numpy as np
import pytest

from vla_ros.core.hold import Hold

DT = 0.01


def test_while_the_command_still_moves_it_is_braked_and_not_pulled_back():
    hold = Hold()
    commanded, measured = np.array([1.0, 0.0]), np.array([0.9, 0.0])
    goal = hold.goal(commanded, np.array([0.5, 0.0]), measured, DT)
    assert np.array_equal(goal, commanded)
    assert not hold.latched


def run(hold, commanded, measured, ticks):
    for i in range(ticks):
        commanded = hold.goal(commanded, np.zeros(1), measured(i), DT)
    return commanded


def test_at_rest_it_goes_to_the_measured_joints_slowly():
    hold = Hold(approach_speed=0.2)
    before = run(hold, np.array([1.0]), lambda i: np.array([0.95]), 7)
    assert hold.latched
    assert 1.0 - 0.2 * DT * 7 <= before[0] < 1.0
    assert run(hold, before, lambda i: np.array([0.95]), 100)[0] == pytest.approx(0.95)


def test_the_measured_joints_are_latched_once_so_that_the_arm_does_not_sag():
    hold = Hold()
    run(hold, np.array([1.0]), lambda i: np.array([1.0]), 10)
    sagging = run(hold, np.array([1.0]), lambda i: np.array([1.0 - 0.001 * i]), 200)
    assert sagging[0] == pytest.approx(1.0)


def test_an_arm_that_still_moves_is_not_latched_until_it_rests():
    hold = Hold()
    run(hold, np.array([1.0]), lambda i: np.array([1.0 - 0.002 * i]), 20)
    assert not hold.latched
    run(hold, np.array([1.0]), lambda i: np.array([0.96]), 5)
    assert hold.latched


def test_noise_that_never_rests_is_latched_after_a_while():
    hold = Hold()
    run(hold, np.array([1.0]), lambda i: np.array([1.0 + 0.01 * (-1) ** i]), 60)
    assert hold.latched
