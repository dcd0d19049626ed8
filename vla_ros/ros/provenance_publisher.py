"""Publishes where every command came from, ten times a second and off the control loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rclpy.clock import Clock, ClockType  # type: ignore[attr-defined]
from rclpy.node import Node
from std_msgs.msg import String

from vla_ros.core.errors import InputError, VlaRosError
from vla_ros.core.observation_record import ObservationRecord
from vla_ros.core.provenance import ProvenanceWriter
from vla_ros.ros import qos

_PERIOD_S = 0.1
_KEPT = 64  # observations and chunks whose other half has not come


class ProvenancePublisher:
    """Gathers what the control loop decided and what its chunks were made from.

    Parameters
    ----------
    node : Node
        Publishes ``provenance`` and listens to ``observation``, which is what the policy node says
        of each chunk.
    joints : Sequence[str]
        Names of the joints in the order of a tick's command.
    complain : Callable[[str, str], None]
        Is told (key, message) what cannot be read.

    """

    def __init__(self, node: Node, joints: Sequence[str],
                 complain: Callable[[str, str], None]) -> None:
        self._writer = ProvenanceWriter(joints)
        self._complain = complain
        self._observations: dict[int, ObservationRecord] = {}
        self._waiting: dict[int, tuple[int, str]] = {}  # chunk stamp -> arrival [ns], source
        self._publisher = node.create_publisher(String, 'provenance', qos.CHUNK)
        node.create_subscription(String, 'observation', self._on_observation, qos.CHUNK)
        # On the steady clock: what was decided is worth telling while simulated time stands still.
        node.create_timer(_PERIOD_S, self.flush, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def add(self, tick: Any) -> None:
        """Take in what a tick decided; from the loop's thread."""
        self._writer.add(tick)

    def add_chunk(self, stamp_ns: int, arrival_ns: int, source: str) -> None:
        """Take in that a chunk came; from the executor's thread."""
        record = self._observations.pop(stamp_ns, None)
        if record is None:
            # Two topics: what it was made from may come after it.
            _keep(self._waiting, stamp_ns, (arrival_ns, source))
            self._writer.add_chunk(stamp_ns, arrival_ns, source)
        else:
            self._write(record, arrival_ns, source)

    def flush(self) -> None:
        """Publish what has gathered, if anything has."""
        try:
            text = self._writer.flush()
        except VlaRosError as error:  # a record that is wrong must not end the control node
            self._complain('provenance', str(error))
            return
        if text is not None:
            self._publisher.publish(String(data=text))

    def _on_observation(self, msg: String) -> None:
        try:
            record = ObservationRecord.from_json(msg.data)
        except InputError as error:
            self._complain('observation', str(error))
            return
        waiting = self._waiting.pop(record.stamp_ns, None)
        if waiting is None:
            _keep(self._observations, record.stamp_ns, record)
        else:
            self._write(record, *waiting)

    def _write(self, record: ObservationRecord, arrival_ns: int, source: str) -> None:
        self._writer.add_chunk(record.stamp_ns, arrival_ns, source, record.sources, record.skew_ns)


def _keep(store: dict[int, Any], key: int, value: Any) -> None:
    store[key] = value
    while len(store) > _KEPT:
        del store[next(iter(store))]
