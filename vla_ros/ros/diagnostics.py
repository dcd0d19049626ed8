"""A node's report of itself on ``/diagnostics``, and logs that do not repeat themselves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import IntEnum
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType  # type: ignore[attr-defined]
from rclpy.node import Node

from vla_ros.ros import qos


class Level(IntEnum):
    """How bad a status is."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


def status_message(name: str, level: Level, message: str, values: dict[str, object] | None = None,
                   hardware_id: str = '') -> DiagnosticStatus:
    """Return one ``DiagnosticStatus``; the values are written as text."""
    return DiagnosticStatus(
        level=bytes([level]), name=name, message=message, hardware_id=hardware_id,
        values=[KeyValue(key=key, value=_text(value)) for key, value in (values or {}).items()])


class Diagnostics:
    """The statuses of one node: published once a second, and at once when a level changes.

    :meth:`set` may be called from any thread.

    Parameters
    ----------
    node : Node
        Publishes; its name begins each status's name.
    hardware_id : str
        Which robot this is about.
    stamp : Callable[[], builtin_interfaces.msg.Time] or None
        Time of a report, where it is not the node's clock.

    """

    def __init__(self, node: Node, hardware_id: str = '',
                 stamp: Callable[[], Any] | None = None) -> None:
        self.hardware_id = hardware_id
        self._node = node
        self._stamp = stamp or (lambda: node.get_clock().now().to_msg())
        self._lock = threading.Lock()
        self._statuses: dict[str, DiagnosticStatus] = {}
        self._sources: list[Callable[[], None]] = []
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', qos.DIAGNOSTICS)
        # On the steady clock: that simulated time stands still is worth a report too.
        self._timer = node.create_timer(1.0, self._on_timer,
                                        clock=Clock(clock_type=ClockType.STEADY_TIME))

    def add_source(self, source: Callable[[], None]) -> None:
        """Call ``source`` before each regular report, to set the statuses that it knows."""
        self._sources.append(source)

    def set(self, name: str, level: Level, message: str, **values: object) -> None:
        """Set one status; one whose level is new is published at once."""
        status = status_message(f'{self._node.get_name()}: {name}', level, message, values,
                                self.hardware_id)
        with self._lock:
            before = self._statuses.get(name)
            self._statuses[name] = status
        if before is None or before.level != status.level:
            self._publish([status])

    def level(self, name: str) -> Level | None:
        """Return the level of a status, or None when it was never set."""
        with self._lock:
            status = self._statuses.get(name)
        return None if status is None else Level(status.level[0])

    def publish(self) -> None:
        """Publish all statuses now."""
        with self._lock:
            statuses = list(self._statuses.values())
        self._publish(statuses)

    def _on_timer(self) -> None:
        for source in self._sources:
            source()
        self.publish()

    def _publish(self, statuses: list[DiagnosticStatus]) -> None:
        msg = DiagnosticArray(status=statuses)
        msg.header.stamp = self._stamp()
        self._publisher.publish(msg)


class ThrottledLog:
    """Logs a problem when it appears and then at most every ``period_s`` seconds, per key.

    The time is monotonic, so it also holds while simulated time stands still or jumps.

    Parameters
    ----------
    logger : Any
        With methods ``info``, ``warning`` and ``error``: a node's logger.
    period_s : float
        Time between two lines of one key [s].
    monotonic : Callable[[], float]
        The clock [s].

    """

    def __init__(self, logger: Any, period_s: float = 5.0,
                 monotonic: Callable[[], float] = time.monotonic) -> None:
        self._logger = logger
        self._period_s = period_s
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._last: dict[str, tuple[float, int]] = {}

    def info(self, key: str, text: str) -> bool:
        """Log for ``key`` (a topic, usually); returns whether it was written."""
        return self._log('info', key, text)

    def warning(self, key: str, text: str) -> bool:
        """Log as :meth:`info` does, as a warning."""
        return self._log('warning', key, text)

    def error(self, key: str, text: str) -> bool:
        """Log as :meth:`info` does, as an error."""
        return self._log('error', key, text)

    def clear(self, key: str) -> None:
        """Say that the problem is over, so that its next appearance is logged at once."""
        with self._lock:
            self._last.pop(key, None)

    def _log(self, severity: str, key: str, text: str) -> bool:
        now = self._monotonic()
        with self._lock:
            last, suppressed = self._last.get(key, (None, 0))
            if last is not None and now - last < self._period_s:
                self._last[key] = (last, suppressed + 1)
                return False
            self._last[key] = (now, 0)
        more = f' ({suppressed} more since the last line)' if suppressed else ''
        # One call site for each severity: rclpy refuses a call site that changes its severity.
        if severity == 'info':
            self._logger.info(text + more)
        elif severity == 'warning':
            self._logger.warning(text + more)
        else:
            self._logger.error(text + more)
        return True


def _text(value: object) -> str:
    return f'{value:.6g}' if isinstance(value, float) else str(value)
