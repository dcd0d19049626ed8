"""What the panel wants of a robot; ``vla_ros.ros.operator_port`` is one."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

SERVICES = ('stop', 'start', 'arm', 'disarm', 'reset_estop', 'save_last')
"""What a page can ask for by name."""

ESTOP = 'estop'
"""The service that stops the arm, which a page asks for in its own way."""


@dataclass(frozen=True)
class Answer:
    """What became of something, in words."""

    ok: bool
    text: str


class RobotPort(Protocol):
    """Speaks to the robot. Called from the panel's thread; nothing may wait here."""

    def gripper(self, text: str) -> None:
        """Say this on the panel's gripper topic."""

    def arm(self, word: str) -> None:
        """Say this on the panel's arm topic."""

    def twist(self, velocity: tuple[float, ...], in_tool_frame: bool) -> None:
        """Move the tool at (6,) [m/s, rad/s]."""

    def instruction(self, text: str) -> None:
        """Give the policy its task; an empty one takes it back."""

    def say_estop(self, pressed: bool) -> None:
        """Say on the topic ``estop`` whether it is pressed."""

    def others_say_estop(self) -> bool:
        """Return whether somebody else publishes ``estop``, a switch on the wall perhaps."""

    def call(self, service: str) -> Future[Answer]:
        """Ask for one of :data:`SERVICES`, or :data:`ESTOP`; whoever asks sets the time limit."""

    def snapshot(self) -> dict[str, Any]:
        """Return everything that is shown, as JSON can say it."""
