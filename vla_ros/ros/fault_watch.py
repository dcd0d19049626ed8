"""Notices what is worth saving: a stop, an emergency stop, a fault of the driver, a node gone."""

from __future__ import annotations

import time
from collections.abc import Callable

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import Bool

from vla_ros.core.arbiter import Mode
from vla_ros.core.safety.estop import SafetyState
from vla_ros.ros import qos
from vla_ros.ros.diagnostics import Level

_SILENT_S = 4.0  # of a node that reports every second
_CONTROL = 'control_node'
_LISTEN = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=50,
                     reliability=ReliabilityPolicy.BEST_EFFORT)


class FaultWatch:
    """Says once for each fault what it is; :meth:`look` has to be called every second or so.

    Parameters
    ----------
    node : Node
        Listens to ``mode``, ``estop`` and ``/diagnostics``.
    on_fault : Callable[[str], None]
        Gets what happened, in the executor's thread.
    monotonic : Callable[[], float]
        The clock [s].

    """

    def __init__(self, node: Node, on_fault: Callable[[str], None],
                 monotonic: Callable[[], float] = time.monotonic) -> None:
        self._on_fault = on_fault
        self._monotonic = monotonic
        # Kind of fault -> whether it is there. A button that is said for the first time is pressed.
        self._faulty: dict[str, bool] = {'estop': False}
        self._heard: float | None = None  # of the control node [s]
        node.create_subscription(DiagnosticStatus, 'mode', self.on_mode, qos.LATCHED)
        node.create_subscription(Bool, 'estop', self.on_estop, _LISTEN)
        node.create_subscription(DiagnosticArray, '/diagnostics', self.on_diagnostics, _LISTEN)

    def on_mode(self, msg: DiagnosticStatus) -> None:
        """Notice STOPPED and an emergency stop, but not one that the recorder only finds."""
        values = {item.key: item.value for item in msg.values}
        stopped = msg.message == Mode.STOPPED.value
        pressed = values.get('safety') == SafetyState.ESTOPPED.value
        text = f'{msg.message}: {values.get("reason", "")}'
        self._set('safety', pressed, text)
        self._set('mode', stopped, text)

    def on_estop(self, msg: Bool) -> None:
        """Notice a pressed emergency stop."""
        self._set('estop', bool(msg.data), 'emergency stop')

    def on_diagnostics(self, msg: DiagnosticArray) -> None:
        """Notice an error of the driver, and that the control node lives."""
        for status in msg.status:
            node, _, what = status.name.partition(': ')
            if node != _CONTROL:
                continue
            self._heard = self._monotonic()
            self._set('gone', False, '')
            if what == 'driver':
                self._set('driver', status.level[0] == Level.ERROR, f'driver: {status.message}')

    def look(self) -> None:
        """Notice that the control node has become silent."""
        if self._heard is not None and self._monotonic() - self._heard > _SILENT_S:
            self._set('gone', True, f'{_CONTROL} is silent')

    def _set(self, what: str, fault: bool, text: str) -> None:
        """Say a fault when it comes; what is one from the first word on is only found."""
        if fault and self._faulty.get(what) is False:
            self._on_fault(text)
        self._faulty[what] = fault
