"""Every example of the documentation, sent by rclpy as ros2 would send it, does what it says."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip('rclpy')

from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import TwistStamped
from graph_rig import Observer, node_process, wait_until
from std_msgs.msg import String
from test_control_node import Robot

from vla_ros.bringup import PARENT_VARIABLE
from vla_ros.ros import qos

pytestmark = pytest.mark.ros

DOCS = Path(__file__).resolve().parents[2] / 'docs'
KINDS = {'std_msgs/msg/String': String, 'geometry_msgs/msg/TwistStamped': TwistStamped}

# What the control node says after each, in the order of the file: (gripper, arm), or a mode's part.
EXPECTED = {
    'teleop.md': [
        ('UNTIL_AGREE', 'POLICY'), ('LATCHED', 'POLICY'), ('POLICY', 'POLICY'),
        ('POLICY', 'TAKEOVER'), ('POLICY', 'TWIST'), ('POLICY', 'HOLD'), ('POLICY', 'POLICY'),
        ('LATCHED', 'POLICY'), ('LATCHED', 'POLICY'), ('POLICY', 'POLICY'), ('POLICY', 'HOLD'),
        ('POLICY', 'POLICY'), 'stopped by service', 'none received yet', 'emergency stop',
        'not armed', 'none received yet'],
    'override.md': [
        ('UNTIL_AGREE', 'POLICY'), ('LATCHED', 'POLICY'), ('POLICY', 'POLICY'),
        ('MOMENTARY', 'POLICY'), ('LATCHED', 'POLICY'), ('POLICY', 'POLICY'),
        ('POLICY', 'TAKEOVER'), ('POLICY', 'TWIST'), ('POLICY', 'POLICY'), ('POLICY', 'HOLD'),
        ('POLICY', 'POLICY')],
}


def examples(name: str) -> list[list[str]]:
    """Return the words of every example that publishes or calls."""
    text = (DOCS / name).read_text(encoding='utf-8')
    found = re.findall(r'^ros2 (?:topic pub|service call) .*$', text, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in found]


def filled(message: Any, values: dict[str, Any]) -> Any:
    for name, value in values.items():
        if isinstance(value, dict):
            filled(getattr(message, name), value)
        else:
            setattr(message, name, value)
    return message


class Bench:
    def __init__(self, folder: Path) -> None:
        self.observer = Observer('human')
        self.robot = Robot(self.observer)
        self.overrides = self.observer.hear(DiagnosticStatus, 'override', qos.LATCHED)
        self.modes = self.observer.hear(DiagnosticStatus, 'mode', qos.LATCHED)
        self.control = node_process('control_node', folder, joint_state_timeout_s=0.4,
                                    auto_arm=True, stop_after_s=0.0, driver='sim',
                                    override_deadman_s=1.0)
        self.control.env[PARENT_VARIABLE] = str(os.getpid())
        self.control.start()
        self.robot.commands.wait(lambda m: True, 'a first command')
        wait_until(lambda: len(self.overrides) and len(self.modes), 'override and mode')
        self._publishers: dict[str, Any] = {}

    def run(self, words: list[str]) -> None:
        if words[1] == 'service':
            service, kind, request = words[3:6] if len(words) > 5 else (*words[3:5], '{}')
            assert (kind, yaml.safe_load(request)) == ('std_srvs/srv/Trigger', {})
            wait_until(lambda: self.observer.ask(service).success, service)
            return
        place = 4 if words[3] == '--once' else 5  # after --once, or -r HZ
        topic, kind, text = words[place:place + 3]
        publisher = self._publishers.get(topic)
        if publisher is None:
            publisher = self._publishers[topic] = self.observer.publisher(
                KINDS[kind], topic, qos.WORDS)
            wait_until(publisher.get_subscription_count, topic)
        publisher.publish(filled(KINDS[kind](), yaml.safe_load(text)))

    def status(self) -> tuple[str, str]:
        values = {v.key: v.value for v in self.overrides[-1][1].values}
        return values['gripper'], values['arm']


@pytest.mark.parametrize('name', EXPECTED)
def test_every_example_does_what_it_says(name, tmp_path):
    lines = examples(name)
    assert len(lines) == len(EXPECTED[name]), 'say in EXPECTED what the new example does'
    bench = Bench(tmp_path)
    try:
        for words, expected in zip(lines, EXPECTED[name], strict=True):
            bench.run(words)
            if isinstance(expected, tuple):
                wait_until(lambda e=expected: bench.status() == e, f'{" ".join(words)}: {expected}')
            else:
                wait_until(lambda e=expected: any(
                    e in v.value for v in bench.modes[-1][1].values), f'{words[3]}: {expected}')
    finally:
        bench.control.stop()
        said = bench.control.log
        bench.observer.close()
    assert re.search(r'interventions: .*by topic: \d+ time', said), said[-2000:]
