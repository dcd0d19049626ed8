"""A change for the worse is reported at once; a problem that lasts does not flood the log."""

from __future__ import annotations

import pytest
from diagnostic_msgs.msg import DiagnosticArray

from vla_ros.ros import qos
from vla_ros.ros.diagnostics import Diagnostics, Level, ThrottledLog


@pytest.fixture
def reports(make_node, spin_until):
    """Return a node's diagnostics, what arrives on the topic, and ``wait(condition)``."""
    node, listener, received = make_node('arm'), make_node('listener'), []
    diagnostics = Diagnostics(node, 'piper')
    listener.create_subscription(DiagnosticArray, '/diagnostics',
                                 lambda msg: received.append(msg.status), qos.DIAGNOSTICS)
    spin_until([node, listener], lambda: diagnostics._publisher.get_subscription_count(), 'match')
    received.clear()
    return diagnostics, received, lambda condition, what: spin_until([], condition, what)


def test_new_level_is_published_at_once_and_the_same_level_is_not(reports):
    diagnostics, received, wait = reports
    diagnostics._timer.cancel()  # what arrives now is not the regular report
    diagnostics.set('images', Level.OK, 'fresh')
    diagnostics.set('images', Level.OK, 'still fresh')
    diagnostics.set('images', Level.STALE, 'none for 2 s', topic='camera/wrist', age=2.0)
    wait(lambda: any(s.level == b'\x03' for array in received for s in array), 'the change')
    assert [array[0].message for array in received] == ['fresh', 'none for 2 s']
    status = received[-1][0]
    assert (status.name, status.hardware_id) == ('arm: images', 'piper')
    assert {v.key: v.value for v in status.values} == {'topic': 'camera/wrist', 'age': '2'}
    assert diagnostics.level('images') is Level.STALE
    assert diagnostics.level('joints') is None


def test_regular_report_has_all_statuses_and_asks_the_sources(reports):
    diagnostics, received, wait = reports
    diagnostics.add_source(lambda: diagnostics.set('loop', Level.OK, 'on time'))
    diagnostics.set('images', Level.WARN, 'slow')
    wait(lambda: any(len(array) == 2 for array in received), 'the regular report')
    full = next(array for array in received if len(array) == 2)
    assert {s.name for s in full} == {'arm: images', 'arm: loop'}


class Logger:
    def __init__(self):
        self.lines = []

    def __getattr__(self, severity):
        return lambda text: self.lines.append((severity, text))


def test_lasting_problem_is_logged_once_a_period_with_what_was_left_out():
    logger, now = Logger(), [100.0]
    log = ThrottledLog(logger, period_s=5.0, monotonic=lambda: now[0])
    for _ in range(20):
        log.warning('joint_states', 'joint_states: nothing received')
        now[0] += 0.5
    assert logger.lines == [
        ('warning', 'joint_states: nothing received'),
        ('warning', 'joint_states: nothing received (9 more since the last line)')]


def test_each_key_has_its_own_period_and_a_cleared_one_starts_again():
    logger = Logger()
    log = ThrottledLog(logger, monotonic=lambda: 0.0)
    assert log.error('a', 'first')
    assert log.info('b', 'second')
    assert not log.error('a', 'again')
    log.clear('a')
    assert log.error('a', 'third')
    assert [text for _, text in logger.lines] == ['first', 'second', 'third']


def test_real_logger_takes_every_severity_for_one_key(make_node):
    log = ThrottledLog(make_node('talker').get_logger(), period_s=0.0)
    assert log.info('a', 'x')
    assert log.warning('a', 'x')
    assert log.error('a', 'x')
