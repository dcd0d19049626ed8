"""The control side under hostile inputs, and the judge that says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip('pinocchio')

from control_check.hostile import Fuzz  # of benchmarks/
from control_check.watch import Watch

from vla_ros.core.arbiter import Mode
from vla_ros.core.degradation import Level
from vla_ros.core.pipeline import Tick
from vla_ros.core.safety.estop import SafetyState
from vla_ros.robots import load_profile, robot_names

MS = 1_000_000
PROFILE = load_profile('piper')
HOME = np.array(PROFILE.joints.home)
ZERO = np.zeros(6)


@pytest.mark.parametrize('robot', robot_names())
def test_whatever_comes_in_no_command_is_outside_any_limit(robot):
    fuzz = Fuzz(robot, seed=7)
    fuzz.run(200)
    assert fuzz.raised == []
    assert not fuzz.watch.outside, fuzz.watch.examples
    assert fuzz.watch.moving > 50 and fuzz.watch.commands > 500


# The judge: each limit that is broken is found.

def tick(q, velocity=ZERO, at_ms=0, **changes):
    return Tick(at_ms * MS, Level.RUNNING, Mode.AUTONOMOUS, '', np.array(q), np.array(velocity),
                **changes)


def found(*ticks, measured=HOME):
    watch = Watch(PROFILE)
    for one in ticks:
        watch.check(one, measured)
    return set(watch.outside)


def moved(joint, by):
    return HOME + by * np.eye(6)[joint]


def test_a_command_that_keeps_to_everything_is_not_complained_about():
    v = 0.02 * np.eye(6)[5]
    assert found(tick(HOME), tick(HOME + v * 0.01, v, 10)) == set()


@pytest.mark.parametrize(('bad', 'what'), [
    (tick(moved(0, np.nan), at_ms=10), 'finite'),
    (tick(HOME[:5], ZERO[:5], 10), 'finite'),
    (tick(HOME, 3.1 * np.eye(6)[5], 10), 'velocity'),
    (tick(moved(5, 0.002), 0.2 * np.eye(6)[5], 10), 'acceleration'),
    (tick(moved(5, 0.04), at_ms=10), 'step'),
    (tick(moved(0, 0.01), at_ms=10), 'tool speed'),
    (tick(moved(5, 0.02), at_ms=10), 'tool rotation speed'),
    (tick(HOME, at_ms=10, gripper=0.08), 'gripper'),
    (tick(HOME, at_ms=10, gripper=np.nan), 'gripper'),
    (tick(HOME, at_ms=10, effort=np.inf), 'effort'),
])
def test_the_judge_finds_a_command_outside_a_limit(bad, what):
    assert what in found(tick(HOME), bad)


def test_the_judge_finds_a_tool_that_leaves_the_workspace_and_links_that_meet():
    below = HOME + [0.0, 1.4, 0.0, 0.0, 0.0, 0.0]  # through the table
    assert {'workspace', 'keep-out', 'clearance'} <= found(tick(HOME), tick(below, at_ms=10))
    beyond = HOME.copy()
    beyond[5] = PROFILE.joints.upper[5]
    assert 'position' in found(tick(HOME), tick(beyond, at_ms=10))


def test_an_arm_that_was_put_outside_may_stay_there_and_come_back():
    outside = HOME.copy()
    outside[5] = PROFILE.joints.upper[5] + 0.1
    back = outside - 1e-4 * np.eye(6)[5]
    assert found(tick(outside), tick(back, (back - outside) / 0.01, 10), measured=outside) == set()
    assert 'position' in found(tick(outside), tick(2 * outside - back, at_ms=10), measured=outside)


def test_a_moving_arm_may_not_be_taken_for_resting_where_it_is_measured():
    v = 0.04 * np.eye(6)[5]
    lagging = HOME - 0.02 * np.eye(6)[5]
    going = [(tick(HOME), HOME), (tick(HOME + v * 0.01, v, 10), HOME)]
    nothing = replace(tick(HOME, at_ms=20), q=None, velocity=None), lagging
    at_once, after = Watch(PROFILE), Watch(PROFILE)
    for one, measured in (*going, (tick(lagging, ZERO, 20), lagging)):
        at_once.check(one, measured)
    for one, measured in (*going, nothing, (tick(lagging, ZERO, 30), lagging)):
        after.check(one, measured)
    assert 'tool rotation speed' in at_once.outside
    assert not after.outside, after.examples


@pytest.mark.parametrize(('safety', 'mode', 'speed', 'expected'), [
    (SafetyState.DISARMED, Mode.HOLD, 0.04, {'speeding up'}),
    (SafetyState.ESTOPPED, Mode.HOLD, 0.24, {'speeding up'}),
    (SafetyState.ARMED, Mode.STOPPED, 0.24, {'speeding up'}),
    (SafetyState.ARMED, Mode.HOLD, 0.19, set()),  # to the joints where it was measured at rest
    (SafetyState.ARMED, Mode.AUTONOMOUS, 0.24, set()),
])
def test_an_arm_that_shall_stop_may_not_speed_up(safety, mode, speed, expected):
    ticks, q = [], HOME.copy()
    for k in range(round(speed / 0.04) + 1):
        v = min(0.04 * k, speed) * np.eye(6)[5]
        q = q + v * 0.01
        ticks.append(tick(q, v, 10 * k))
    ticks[-1] = replace(ticks[-1], safety=safety, mode=mode)
    assert found(*ticks) == expected
