"""What every arm adapter promises, and what they share: state in, checks, stops and re-arming."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from rclpy.clock import Clock, ClockType  # type: ignore[attr-defined]
from rclpy.node import Node

from vla_ros.core.errors import InvariantError
from vla_ros.robots import RobotProfile
from vla_ros.robots.adapters import Driver, JointCommand, checked_command
from vla_ros.ros.adapters.arm_state import OnState, subscribe_arm_state
from vla_ros.ros.diagnostics import ThrottledLog

Array = NDArray[np.float64]

_LOOK_S = 0.25  # s between two looks at the graph
_HOLD_S = 0.1  # s between two targets at the measured joints while stopped


class ArmAdapter(Protocol):
    """One arm's driver, as the control node sees it.

    :meth:`send` and :attr:`ready` belong to the control loop's thread, everything else to the
    executor's. Callbacks of :meth:`on_rearm` may come from either.
    """

    @property
    def ready(self) -> str:
        """Why commands may not be sent now; empty when they may."""

    def on_state(self, callback: OnState) -> None:
        """Call ``callback(stamp_ns, q, gripper_width)`` for each measured state."""

    def on_rearm(self, callback: Callable[[str], None]) -> None:
        """Call ``callback(reason)`` when the arm has stopped for a reason of its own.

        Everything that was to be done is void: it may have been moved, or people may be at it. It
        must not move again before somebody says so.
        """

    def send(self, q: Array, velocity: Array, gripper_width: float | None = None,
             gripper_effort: float | None = None, stamp_ns: int = 0) -> bool:
        """Send joints (n,) [rad], [rad/s], width [m]; return whether that was done. Never blocks.

        What was not sent must not be counted as commanded: the caller goes on from the measured
        joints.
        """

    def values(self) -> dict[str, object]:
        """Return what is worth a line on ``/diagnostics``."""


class DriverAdapter:
    """The common part; a driver's adapter adds ``_find_problem``, ``_publish``, ``_hold_at``.

    ``make_adapter`` makes and starts it.

    Parameters
    ----------
    node : Node
        Publishes and subscribes on this node.
    profile : RobotProfile
        The arm, already bounded by ``driver.bounded``.
    driver : Driver
        Topics and mappings.
    listen_only : bool
        Send nothing, whatever happens (``vla-ros arm check``).

    """

    def __init__(self, node: Node, profile: RobotProfile, driver: Driver, *,
                 listen_only: bool = False) -> None:
        self.node = node
        self.profile = profile
        self.driver = driver
        self.listen_only = listen_only
        self.log = ThrottledLog(node.get_logger())
        self.sent = self.refused = 0
        self._lock = threading.Lock()  # between the loop's commands and holds by the executor
        self._on_state: list[OnState] = []
        self._on_rearm: list[Callable[[str], None]] = []
        self._on_error: list[Callable[[str], None]] = []
        self._measured: Array | None = None
        self._width: float | None = None
        self._reason = 'the driver has not been looked for yet'
        self._resuming = True
        self._was_ready = False
        self._hold_due_ns = 0
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)

    def start(self) -> None:
        """Begin to listen: after the whole adapter was made, the executor may be running."""
        self._listen()
        subscribe_arm_state(self.node, self.driver, self._take_state, self._take_error)
        self._timer = self.node.create_timer(_LOOK_S, self.look, clock=self._steady)

    # The seam

    @property
    def ready(self) -> str:
        """Why commands may not be sent now; empty when they may."""
        return self._reason

    def on_state(self, callback: OnState) -> None:
        """Call ``callback(stamp_ns, q, gripper_width)`` for each measured state."""
        self._on_state.append(callback)

    def on_rearm(self, callback: Callable[[str], None]) -> None:
        """Call ``callback(reason)`` when the arm stopped for a reason of its own."""
        self._on_rearm.append(callback)

    def on_error(self, callback: Callable[[str], None]) -> None:
        """Call ``callback(text)`` for each joint state that cannot be used."""
        self._on_error.append(callback)

    def send(self, q: Array, velocity: Array, gripper_width: float | None = None,
             gripper_effort: float | None = None, stamp_ns: int = 0) -> bool:
        """Send one command; return whether it went out."""
        measured = self._measured
        if self._reason or measured is None or self.listen_only:
            return False
        try:
            command = checked_command(self.profile, q, velocity, gripper_width, gripper_effort,
                                      measured)
        except InvariantError as error:
            self._refuse(str(error))
            return False
        if self._resuming and not self._near(command.q, measured):
            return False
        with self._lock:
            if self.ready:  # the arm has stopped since
                return False
            self._resuming = False
            sent = self._publish(command, stamp_ns)
        self.sent += sent
        return sent

    def values(self) -> dict[str, object]:
        """Return what is worth a line on ``/diagnostics``."""
        return {'driver': self.driver.type, 'sent': self.sent, 'refused': self.refused}

    # For the drivers' classes

    def _find_problem(self) -> str:
        """Return why the driver cannot be commanded now; empty when it can."""
        return ''

    def _publish(self, command: JointCommand, stamp_ns: int) -> bool:
        """Send a checked command; return whether it went out."""
        raise NotImplementedError

    def _hold_at(self, q: Array) -> None:
        """Replace the driver's target by these joints (n,) [rad], where it keeps one."""

    def _listen(self) -> None:
        """Subscribe to the driver's status; callbacks may come before this returns."""

    def _look_around(self) -> None:
        """Look at the graph, ask services: several times a second, on the executor's thread."""

    def look(self) -> None:
        """Find out anew whether the arm may be commanded; a status message calls this, too."""
        self._look_around()
        self._settle()

    def _settle(self) -> None:
        reason = self._find_problem()
        if not reason and self._measured is None:
            reason = f'{self.driver.states}: no joint states received yet'
        with self._lock:
            before, self._reason = self._reason, reason
            stopped = not before and bool(reason)
            if stopped:
                self._resuming = True
                self._hold_due_ns = 0
        if reason != before:
            self._announce(reason)
        if stopped:
            self._keep_here()
            for callback in self._on_rearm:
                callback(reason)

    # Inside

    def _announce(self, reason: str) -> None:
        if not reason:
            self._was_ready = True
            self.node.get_logger().info(f'{self.driver.type}: ready')
        elif self._was_ready:
            self.node.get_logger().warning(f'{self.driver.type}: {reason}')
        else:  # at the start, what is there is found one by one
            self.node.get_logger().info(f'{self.driver.type}: {reason}')

    def _take_state(self, stamp_ns: int, q: Array, width: float | None) -> None:
        self._measured, self._width = q, width if width is not None else self._width
        if self._reason:
            self._settle()
            self._keep_here()
        for callback in self._on_state:
            callback(stamp_ns, q, width)

    def _take_error(self, text: str) -> None:
        self.log.error('joint_states', text)
        for callback in self._on_error:
            callback(text)

    def _keep_here(self) -> None:
        """While stopped, keep the driver's target at the measured joints.

        A robot in a protective stop goes on toward its old target when it is released.
        """
        measured, now_ns = self._measured, self._steady.now().nanoseconds
        if not self._reason or not self.sent or measured is None or now_ns < self._hold_due_ns:
            return
        self._hold_due_ns = now_ns + round(_HOLD_S * 1e9)
        with self._lock:
            self._hold_at(measured)

    def _near(self, q: Array, measured: Array) -> bool:
        apart = float(np.max(np.abs(q - measured)))
        if apart <= self.driver.resume_tolerance:
            return True
        self.log.warning('resume', f'nothing is sent before the command is at the measured joints; '
                                   f'it is {apart:.3f} rad away (at most '
                                   f'{self.driver.resume_tolerance:g})')
        return False

    def _refuse(self, text: str) -> None:
        """Send nothing and ask for re-arming: the safety stage lets no such command by."""
        self.refused += 1
        self.log.error('command', text)
        self._resuming = True
        for callback in self._on_rearm:
            callback(f'command refused: {text}')


def others_on(infos: list[Any], node: Node) -> list[str]:
    """Return the names of the nodes, other than this one, among a topic's end points."""
    own = (node.get_name(), node.get_namespace())
    return sorted({info.node_name for info in infos
                   if (info.node_name, info.node_namespace) != own})
