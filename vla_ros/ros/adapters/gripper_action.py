"""A gripper that is moved by an action, as the Robotiq 2F-85's is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.action import (  # type: ignore[attr-defined]
    ActionClient,
    get_action_names_and_types,
)
from rclpy.clock import Clock, ClockType  # type: ignore[attr-defined]
from rclpy.node import Node

from vla_ros.core.errors import DependencyError
from vla_ros.robots.adapters.driver import GripperLine
from vla_ros.ros.adapters.optional_messages import optional_type
from vla_ros.ros.diagnostics import ThrottledLog

_PATIENCE_S = 2.0
_NAMES = {'gripper_command': 'GripperCommand', 'parallel': 'ParallelGripperCommand'}


class GripperAction:
    """Sends the newest wanted width as a goal, when it has changed enough and not too often.

    :meth:`want` is called by the control loop and only notes it; goals are sent by a timer on the
    executor's thread. A new goal preempts the one before.

    Parameters
    ----------
    node : Node
        Has the action client and the timer.
    line : GripperLine
        Action, mapping, efforts and rates.

    Raises
    ------
    DependencyError
        ``control_msgs`` is not installed here.

    """

    def __init__(self, node: Node, line: GripperLine) -> None:
        self._line = line
        self._log = ThrottledLog(node.get_logger())
        self._wanted: tuple[float, float | None] | None = None
        self._sent: tuple[float, float] | None = None
        self.goals = 0
        kinds = [line.interface] if line.interface != 'auto' else list(_NAMES)
        types = {kind: optional_type('control_msgs', 'action', _NAMES[kind]) for kind in kinds}
        self._types = {kind: found for kind, found in types.items() if found is not None}
        if not self._types:
            raise DependencyError(
                f'the gripper ({line.action}) is moved by an action of control_msgs '
                f'({" or ".join(_NAMES[kind] for kind in kinds)}), which is not installed here: '
                'apt install ros-<distro>-control-msgs, or set driver.gripper: {kind: none}')
        self._node = node
        self._client: tuple[str, Any] | None = None
        self._given_up = ''
        self._waited = 0  # ticks without a server that answers
        self._timer = node.create_timer(1.0 / line.hz, self._send_newest,
                                        clock=Clock(clock_type=ClockType.STEADY_TIME))

    def want(self, width: float, effort: float | None) -> None:
        """Note the width [m] and effort to reach; any thread."""
        self._wanted = width, effort

    def values(self) -> dict[str, object]:
        """Return what is worth a line on ``/diagnostics``."""
        return {'gripper action': self._line.action, 'gripper goals': self.goals}

    def _send_newest(self) -> None:
        wanted = self._wanted
        if wanted is None:
            return
        width, (effort, clipped) = wanted[0], self._line.clipped(wanted[1])
        if clipped:
            self._log.warning('effort', f'gripper effort {wanted[1]} is outside '
                                        f'{list(self._line.effort_range)}; {effort:g} is sent')
        if self._sent is not None and effort == self._sent[1]:
            change = abs(width - self._sent[0])
            if change < self._line.resolution:
                return
        kind, client = self._client or self._connected()
        if client is None or not client.server_is_ready():
            self._log.warning('server', f'{self._line.action}: no action server of a type that is '
                                        'known here; the gripper does not move')
            self._give_up()
            return
        self._waited = 0
        self._sent = width, effort
        self.goals += 1
        goal = self._goal(kind, self._line.mapping.to_driver(width), effort)
        client.send_goal_async(goal).add_done_callback(self._answered(width))

    def _connected(self) -> tuple[str, Any]:
        """Return the interface that the server speaks and a client for it, or None for that."""
        name = self._node.resolve_topic_name(self._line.action)
        served = dict(get_action_names_and_types(self._node)).get(name, [])
        there = [kind for kind in self._types if f'control_msgs/action/{_NAMES[kind]}' in served]
        if not there:
            return '', None
        # One at a time: two clients of one name with different types cannot be.
        kind = next((kind for kind in there if kind != self._given_up), there[0])
        self._client = kind, ActionClient(self._node, self._types[kind], self._line.action)
        return self._client

    def _give_up(self) -> None:
        """After some seconds try the other interface: a server that was killed is listed on."""
        self._waited += 1
        if self._client is not None and self._waited > _PATIENCE_S * self._line.hz:
            self._given_up, self._waited = self._client[0], 0
            self._client[1].destroy()
            self._client = None

    def _goal(self, kind: str, position: float, effort: float) -> Any:
        goal = self._types[kind].Goal()
        if kind == 'gripper_command':
            goal.command.position, goal.command.max_effort = position, effort
        else:
            goal.command.name = [self._line.mapping.joint]
            goal.command.position, goal.command.effort = [position], [effort]
        return goal

    def _answered(self, width: float) -> Callable[[Any], None]:
        def answered(future: Any) -> None:
            handle = future.result()
            if handle is None or not handle.accepted:
                self._sent = None  # try again
                self._log.error('goal', f'{self._line.action}: goal of {width:.3f} m was refused')
        return answered
