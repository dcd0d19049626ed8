"""Which controller is used, and in words why none can be."""

from __future__ import annotations

import pytest

from vla_ros.robots import load_profile
from vla_ros.robots.adapters import load_driver
from vla_ros.robots.adapters.clock_offset import ClockOffset
from vla_ros.robots.adapters.controller import chosen_controller, controller_problem, scales_time

BOTH = ('scaled', 'plain')
PROFILE = load_profile('ur5e')
NAMES = list(PROFILE.joints.names)
TRAJECTORY = load_driver(PROFILE, 'ur_trajectory')
POSITION = load_driver(PROFILE, 'ur_forward_position')


@pytest.mark.parametrize(('present', 'active', 'name', 'says'), [
    ({'scaled': True, 'plain': True}, None, 'scaled', ''),
    ({'scaled': False, 'plain': True}, None, 'plain', ''),
    ({}, None, '', 'missing controller: scaled and plain are not there'),
    ({'scaled': True, 'plain': True}, {'plain': True, 'scaled': False}, 'plain', ''),
    ({'scaled': True}, {'scaled': False, 'freedrive': True}, '',
     'scaled is loaded but not active; freedrive is (ros2 control switch_controllers '
     '--activate scaled --deactivate freedrive)'),
    ({'scaled': True}, {}, '', '--activate scaled)'),
])
def test_the_first_that_is_there_and_active_is_used(present, active, name, says):
    chosen, problem = chosen_controller(BOTH, present, active)
    assert chosen == name
    assert says in problem
    assert bool(chosen) != bool(problem)


@pytest.mark.parametrize(('driver', 'found', 'says'), [
    (TRAJECTORY, {'joints': NAMES}, ''),
    (TRAJECTORY, {'joints': NAMES[::-1], 'command_interfaces': ['position', 'velocity']}, ''),
    (TRAJECTORY, {'joints': NAMES, 'command_interfaces': ['velocity']}, 'commands velocity'),
    (TRAJECTORY, {'joints': NAMES[:5]}, 'the profile has'),
    (TRAJECTORY, {'joints': None}, 'does not say which joints'),
    (POSITION, {'joints': NAMES, 'interface_name': 'position'}, ''),
    (POSITION, {'joints': NAMES, 'interface_name': None}, ''),
    (POSITION, {'joints': NAMES, 'interface_name': 'effort'}, 'commands effort'),
])
def test_a_controller_is_asked_what_it_takes(driver, found, says):
    problem = controller_problem(driver, 'c', found)
    assert (says in problem) if says else problem == ''


@pytest.mark.parametrize(('found', 'scales'), [
    ({}, False), ({'speed_scaling_interface_name': 'a/b'}, True),
    ({'speed_scaling.state_interface': ''}, False),
    ({'speed_scaling.state_interface': 'speed_scaling/factor'}, True),
])
def test_whether_it_slows_its_time_is_known_by_its_parameters(found, scales):
    assert scales_time(found) is scales


def test_the_clock_offset_is_that_of_the_quickest_message():
    offset = ClockOffset(3)
    assert offset.seconds is None
    for delay in (30, 4, 90):
        offset.add(1_000_000_000, 1_000_000_000 + delay * 1_000_000)
    assert offset.seconds == pytest.approx(0.004)
    for _ in range(3):
        offset.add(1_000_000_000, 1_050_000_000)
    assert offset.seconds == pytest.approx(0.05)
