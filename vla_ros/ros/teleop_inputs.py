"""What a human has in hand, connected: a pad, a 3D mouse, a keyboard or a leader arm.

Each hands the commands that follow from what it hears to ``do``; ``step`` is called at a fixed
rate. Times are of the monotonic clock: a human's hand does not wait for simulated time.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from geometry_msgs.msg import Twist
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import JointState, Joy
from std_msgs.msg import Bool
from std_srvs.srv import Trigger

from vla_ros.core.errors import InputError
from vla_ros.ros import qos
from vla_ros.ros.outbox import Outbox
from vla_ros.teleop.commands import Command
from vla_ros.teleop.hand import Action
from vla_ros.teleop.keyboard import Keyboard
from vla_ros.teleop.leader import Leader
from vla_ros.teleop.pad import Pad
from vla_ros.teleop.status_text import View, status_lines
from vla_ros.teleop.terminal import KeyReader, Terminal

Do = Callable[[Iterable[Command]], object]
Complain = Callable[[str, str], object]

LEADER_TOPIC = 'leader/joint_states'

_DRAW_S = 0.1


class TeleopInput(Protocol):
    """One input; everything is called in the executor's thread."""

    def step(self, now_ns: int) -> None:
        """Do what is due [ns of the monotonic clock]."""

    def close(self) -> None:
        """End it; called once."""

    @property
    def connected(self) -> bool:
        """Whether it is heard of."""


class PadInput:
    """A pad or 3D mouse on ``topic``.

    Parameters
    ----------
    node : Node
        Subscribes.
    pad : Pad
        Understands it.
    topic : str
        Where it speaks: ``sensor_msgs/Joy``, or ``geometry_msgs/Twist`` with ``as_twist``, whose
        six numbers are six axes then.
    do, complain : Callable
        Get the commands, and (topic, what is wrong with a message).

    """

    def __init__(self, node: Node, pad: Pad, topic: str, as_twist: bool, do: Do,
                 complain: Complain) -> None:
        self._pad, self._topic, self._do, self._complain = pad, topic, do, complain
        # Best effort also takes what reliable publishers send, as joy's nodes do.
        if as_twist:
            node.create_subscription(Twist, topic, self._on_twist, qos_profile_sensor_data)
        else:
            node.create_subscription(Joy, topic, self._on_joy, qos_profile_sensor_data)

    def step(self, now_ns: int) -> None:
        """Say what is held, and notice a pad that is gone."""
        self._do(self._pad.step(now_ns))

    @property
    def connected(self) -> bool:
        """Whether it is heard of."""
        return self._pad.connected

    def close(self) -> None:
        """Do nothing: a subscription ends with its node."""

    def _on_joy(self, msg: Joy) -> None:
        self._heard(msg.axes, msg.buttons)

    def _on_twist(self, msg: Twist) -> None:
        v, w = msg.linear, msg.angular
        self._heard((v.x, v.y, v.z, w.x, w.y, w.z), ())

    def _heard(self, axes: Any, buttons: Any) -> None:
        try:
            commands = self._pad.heard(time.monotonic_ns(), axes, buttons)
        except InputError as error:
            self._complain(self._topic, str(error))
            return
        self._do(commands)


class LeaderInput:
    """A leader arm on ``leader/joint_states``, taken and given back by topic or service."""

    def __init__(self, node: Node, leader: Leader, do: Do, complain: Complain) -> None:
        self._leader, self._do, self._complain = leader, do, complain
        node.create_subscription(JointState, LEADER_TOPIC, self._on_joints,
                                 qos_profile_sensor_data)
        node.create_subscription(Bool, 'leader/follow', self._on_follow, qos.WORDS)
        for name, action, text in (
                ('takeover', Action.TAKEOVER, 'the arm follows the leader'),
                ('release', Action.RELEASE, 'the policy has the arm'),
                ('gripper_release', Action.GRIPPER_RELEASE, 'the policy has the gripper')):
            node.create_service(Trigger, f'~/{name}', self._server(action, text))

    def step(self, now_ns: int) -> None:
        """Say that the human is still there, and notice a leader that is gone."""
        self._do(self._leader.step(now_ns))

    @property
    def connected(self) -> bool:
        """Whether it is heard of."""
        return self._leader.connected

    def close(self) -> None:
        """Do nothing: subscriptions end with their node."""

    def _on_joints(self, msg: JointState) -> None:
        try:
            commands = self._leader.heard(time.monotonic_ns(), msg.name, msg.position,
                                          msg.velocity)
        except InputError as error:
            self._complain(LEADER_TOPIC, str(error))
            return
        self._do(commands)

    def _on_follow(self, msg: Bool) -> None:
        self._do(self._leader.press(Action.TAKEOVER if msg.data else Action.RELEASE))

    def _server(self, action: Action, text: str) -> Callable[[Any, Any], Any]:
        def serve(_request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            there = self._leader.connected or action is not Action.TAKEOVER
            if there:
                self._do(self._leader.press(action))
            response.success = there
            response.message = text if there else f'{LEADER_TOPIC}: the leader is not heard of'
            return response
        return serve


class KeyboardInput:
    """The keyboard of this process's terminal, and a few lines below what is logged there."""

    def __init__(self, node: Node, keyboard: Keyboard, view: View, do: Do) -> None:
        self._node, self._keyboard, self._view, self._do = node, keyboard, view, do
        self._terminal = Terminal()
        self._outbox = Outbox(node)  # the keys are read in another thread
        self._reader = KeyReader(self._terminal, self._typed)
        self._draw_ns = 0
        self._reader.start()

    def step(self, now_ns: int) -> None:
        """Let keys run out, and draw."""
        self._do(self._keyboard.step(now_ns))
        if now_ns - self._draw_ns >= _DRAW_S * 1e9:
            self._draw_ns = now_ns
            self._view.there = self._node.count_publishers('mode') > 0
            self._terminal.draw(status_lines(self._view, self._keyboard))

    @property
    def connected(self) -> bool:
        """Whether it is heard of."""
        return self._reader.is_alive()

    def close(self) -> None:
        """Put the terminal back as it was."""
        self._terminal.close()
        self._reader.finish()

    def _typed(self, data: bytes | None) -> None:
        self._outbox.add(lambda: self._on_typed(data))

    def _on_typed(self, data: bytes | None) -> None:
        if data is not None:
            self._do(self._keyboard.heard(time.monotonic_ns(), data))
        if data is None or self._keyboard.quit:
            os.kill(os.getpid(), signal.SIGINT)  # the orderly end, as with Ctrl-C

