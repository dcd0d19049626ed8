"""What a thread that must not wait leaves to the executor's thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from rclpy.node import Node


class Outbox:
    """Runs actions, in order, in the thread that runs a node's callbacks.

    For logs above all: a terminal that was stopped with Ctrl-S keeps whoever writes to it waiting.

    Parameters
    ----------
    node : Node
        Whose executor runs them.

    """

    def __init__(self, node: Node) -> None:
        self._actions: deque[Callable[[], object]] = deque()
        self._guard = node.create_guard_condition(self.empty)

    def add(self, action: Callable[[], object]) -> None:
        """Have ``action()`` called soon; from any thread, at once."""
        self._actions.append(action)
        self._guard.trigger()

    def empty(self) -> None:
        """Call what has been added."""
        while self._actions:
            self._actions.popleft()()
