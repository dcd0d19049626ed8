"""What makes the last seconds worth saving, and what does not."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from std_msgs.msg import Bool

from vla_ros.ros.diagnostics import Level, status_message
from vla_ros.ros.fault_watch import FaultWatch


@pytest.fixture
def watch():
    """A watch whose time is its attribute ``now``, and that notes faults in ``found``."""
    found: list[str] = []
    node = SimpleNamespace(create_subscription=lambda *args: None)
    made = FaultWatch(node, found.append, lambda: made.now)
    made.now, made.found = 0.0, found
    return made


def mode(name, reason='', safety='ARMED'):
    return status_message('mode', Level.OK, name, {'reason': reason, 'safety': safety})


def driver(level, text=''):
    return DiagnosticArray(status=[status_message('control_node: driver', level, text)])


def test_a_stop_is_a_fault_once(watch):
    for name in ('HOLD', 'AUTONOMOUS', 'STOPPED', 'STOPPED', 'HOLD', 'STOPPED'):
        watch.on_mode(mode(name, 'lead too large'))
    assert watch.found == ['STOPPED: lead too large'] * 2


def test_an_arm_that_was_never_started_is_no_fault(watch):
    """The newest mode is latched: a recorder that starts later hears that it is stopped."""
    watch.on_mode(mode('STOPPED', 'not armed'))
    assert watch.found == []
    watch.on_mode(mode('AUTONOMOUS'))
    watch.on_mode(mode('STOPPED', 'stopped by service'))
    assert watch.found == ['STOPPED: stopped by service']


def test_an_emergency_stop_is_a_fault_when_it_is_pressed(watch):
    for pressed in (False, True, True, False, True):
        watch.on_estop(Bool(data=pressed))
    assert watch.found == ['emergency stop'] * 2


def test_an_emergency_stop_by_service_is_a_fault_although_the_arm_holds(watch):
    """The mode is HOLD then, and STOPPED only much later."""
    watch.on_mode(mode('AUTONOMOUS'))
    for safety in ('ESTOPPED', 'ESTOPPED', 'DISARMED'):
        watch.on_mode(mode('HOLD', 'emergency stop by service', safety))
    assert watch.found == ['HOLD: emergency stop by service']


def test_a_driver_that_was_never_ready_is_no_fault(watch):
    """Every start looks like that for a while; the real fault that follows must be saved."""
    for level in (Level.ERROR, Level.ERROR, Level.OK):
        watch.on_diagnostics(driver(level, 'no joint states received yet'))
    assert watch.found == []
    watch.on_diagnostics(driver(Level.ERROR, 'no joint states for 0.2 s'))
    assert watch.found == ['driver: no joint states for 0.2 s']


def test_an_error_of_the_driver_is_a_fault_and_a_warning_is_none(watch):
    for level in (Level.OK, Level.WARN, Level.ERROR, Level.ERROR, Level.OK):
        watch.on_diagnostics(driver(level, 'the arm is not enabled'))
    assert watch.found == ['driver: the arm is not enabled']


def test_a_control_node_that_falls_silent_is_a_fault(watch):
    watch.look()
    watch.now = 100.0
    watch.look()
    assert watch.found == [], 'it was never there'
    watch.on_diagnostics(driver(Level.OK))
    for watch.now in (101.0, 103.0, 105.0, 120.0):
        watch.look()
    assert watch.found == ['control_node is silent']
    watch.on_diagnostics(driver(Level.OK))
    watch.now = 130.0
    watch.look()
    assert watch.found == ['control_node is silent'] * 2, 'it was back'


def test_errors_of_other_nodes_are_theirs(watch):
    watch.on_diagnostics(DiagnosticArray(status=[
        status_message('policy_node: inference', Level.ERROR, 'no chunk'),
        status_message('control_node: joint_states', Level.ERROR, 'none')]))
    assert watch.found == []
