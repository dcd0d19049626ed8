"""``teleop_node``: a human's pad, keyboard, 3D mouse or leader arm, said on the override topics.

It decides nothing about the arm: the control node arbitrates, limits, and takes back what a hand
that is not heard of any more has held.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.clock import Clock, ClockType  # type: ignore[attr-defined]
from rclpy.context import Context
from rclpy.node import Node

from vla_ros.robots import load_profile
from vla_ros.robots.adapters import load_driver
from vla_ros.ros import qos
from vla_ros.ros.adapters.arm_state import subscribe_arm_state
from vla_ros.ros.context import run_node
from vla_ros.ros.diagnostics import Diagnostics, Level, ThrottledLog
from vla_ros.ros.parameters import NodeParameters
from vla_ros.ros.teleop_inputs import (
    LEADER_TOPIC,
    KeyboardInput,
    LeaderInput,
    PadInput,
    TeleopInput,
)
from vla_ros.ros.teleop_outputs import TeleopOutputs
from vla_ros.teleop.commands import Command
from vla_ros.teleop.hand import Hand, HandConfig
from vla_ros.teleop.keyboard import Keyboard, load_keys
from vla_ros.teleop.leader import Leader, load_leader
from vla_ros.teleop.mapping import load_mapping
from vla_ros.teleop.pad import Pad
from vla_ros.teleop.status_text import View


class TeleopNode(Node):
    """Connects one input to the override topics; see docs/teleop.md."""

    def __init__(self, context: Context) -> None:
        super().__init__('teleop_node', context=context)
        p = self.params = NodeParameters(self, 'teleop_node')
        self._profile = load_profile(p.robot)
        self._source = p.source or p.input
        self._log = ThrottledLog(self.get_logger())
        self._view = View()
        self._diagnostics = Diagnostics(self, self._profile.name)
        self._outputs = TeleopOutputs(self, self._profile, self._source, p.stamp, self._tell)
        self._hand: Hand
        self._input = self._make_input()
        self.create_subscription(DiagnosticStatus, 'mode', self._on_mode, qos.LATCHED)
        self.create_subscription(DiagnosticStatus, 'override', self._on_override, qos.LATCHED)
        self._diagnostics.add_source(self._report)
        # On the steady clock: a human's hand does not wait for simulated time.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(1.0 / p.rate_hz, self._step, clock=steady)
        if p.input != 'keyboard':  # there the lines say it
            self.get_logger().info(f'{p.input}: overrides as {self._source}')

    def shutdown(self) -> None:
        """Give back what would end by itself, and the terminal first of all."""
        self._input.close()
        self._outputs.do(self._hand.give_back())

    def _make_input(self) -> TeleopInput:
        p, do = self.params, self._do
        kind, timeout_s = p.input, p.input_timeout_s
        if kind == 'keyboard':
            keys = load_keys(p.keyboard_mapping)
            self._hand = self._make_hand(keep_arm=True)
            driver = load_driver(self._profile, p.driver)
            subscribe_arm_state(self, driver, self._on_arm, lambda text: None)
            return KeyboardInput(self, Keyboard(keys, self._hand, p.key_hold_s), self._view, do)
        if kind == 'leader':
            profile = self._profile
            names = load_leader(p.leader_mapping, profile.joints.names, profile.gripper.joint)
            self._hand = self._make_hand(keep_arm=True)
            return LeaderInput(self, Leader(names, self._hand, LEADER_TOPIC, timeout_s,
                                            p.leader_always), do, self._complain)
        mapping = load_mapping(p[f'{kind}_mapping'])
        self._hand = self._make_hand(mapping.keep_arm)
        twist = kind == 'spacemouse' and p.spacemouse_message == 'twist'
        topic = 'joy' if kind == 'joystick' else f'spacenav/{p.spacemouse_message}'
        return PadInput(self, Pad(mapping, self._hand, timeout_s), topic, twist, do,
                        self._complain)

    def _make_hand(self, keep_arm: bool) -> Hand:
        p = self.params
        return Hand(HandConfig(p.linear_speed, p.angular_speed, p.speed, p.gripper_mode, keep_arm,
                               p.frame == 'tool'), self._source)

    def _step(self) -> None:
        self._input.step(time.monotonic_ns())
        self._outputs.step()

    def _do(self, commands: Iterable[Command]) -> None:
        self._outputs.do(commands)

    # What others say

    def _on_mode(self, msg: DiagnosticStatus) -> None:
        values = {v.key: v.value for v in msg.values}
        self._view.mode, self._view.reason = msg.message, values.get('reason', '')
        self._view.safety = values.get('safety', '')
        self._hand.stopped = msg.message == 'STOPPED'

    def _on_override(self, msg: DiagnosticStatus) -> None:
        values = {v.key: v.value for v in msg.values}
        arm, gripper = values.get('arm_source', ''), values.get('gripper_source', '')
        self._hand.told(arm)
        self._view.arm = f'{self._name(arm)} ({values.get("arm", "").lower()})' if arm else ''
        mode = values.get('gripper_mode', '')
        self._view.gripper = f'{self._name(gripper)} ({mode})' if gripper else ''

    def _name(self, source: str) -> str:
        return 'YOURS' if source == self._source else f"{source}'s"

    def _on_arm(self, stamp_ns: int, q: Any, width: float | None) -> None:
        self._view.width = width

    # What the human is told

    def _tell(self, text: str, problem: bool) -> None:
        self._view.said = text
        if self.params.input == 'keyboard':
            return
        if problem:
            self.get_logger().error(text)
        else:
            self.get_logger().info(text)

    def _complain(self, topic: str, message: str) -> None:
        self._log.error(topic, message)
        self._view.said = message
        self._diagnostics.set(topic, Level.ERROR, message)

    def _report(self) -> None:
        there = self._input.connected
        self._diagnostics.set(
            'input', Level.OK if there else Level.WARN,
            self.params.input if there else f'{self.params.input}: not heard of',
            source=self._source, speed=self._hand.speed, asked_for_the_arm=self._hand.asked)


def main(argv: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM; give back what it holds, then end."""
    return run_node(TeleopNode, 'teleop_node', args=argv)


if __name__ == '__main__':
    sys.exit(main())
