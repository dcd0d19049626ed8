"""``sensor_msgs/JointState`` -> vectors, always by joint name and never by position.

The message is any object with the fields ``name``, ``position``, ``velocity`` and ``effort``: that
of rclpy, or what a bag's reader makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import ConfigError, InputError

Array = NDArray[np.float64]


class JointStateReader:
    """Reads the same joints from every message of a topic.

    The places of the joints are looked up once and kept while the sender keeps its order.

    Parameters
    ----------
    names : Sequence[str]
        The joints to read, in the order wanted.
    topic : str
        Where the messages come from, for the errors.
    exact : bool
        Refuse messages that name further joints (a command for a joint that is not there).

    """

    def __init__(self, names: Sequence[str], topic: str = 'joint_states', *,
                 exact: bool = False) -> None:
        self.names = tuple(names)
        self.topic = topic
        self._exact = exact
        if len(set(self.names)) != len(self.names) or not self.names:
            raise ConfigError(f'{topic}: joint names to read must be distinct, found {names}')
        self._received: list[str] | None = None
        self._index: NDArray[np.intp] = np.empty(0, dtype=np.intp)

    def position(self, msg: Any) -> Array:
        """Return the positions (n,) [rad, or m for a gripper] of the joints.

        Raises
        ------
        InputError
            When a joint is missing, named twice, has no position or one that is not finite.

        """
        return self._read(msg, 'position', msg.position)

    def velocity(self, msg: Any) -> Array | None:
        """Return the velocities (n,) [rad/s or m/s], or None when the message has none."""
        return self._read(msg, 'velocity', msg.velocity) if len(msg.velocity) else None

    def effort(self, msg: Any) -> Array | None:
        """Return the efforts (n,) [Nm or N], or None when the message has none."""
        return self._read(msg, 'effort', msg.effort) if len(msg.effort) else None

    def _read(self, msg: Any, what: str, values: Sequence[float]) -> Array:
        if msg.name != self._received:
            self._index = self._look_up(list(msg.name))
            self._received = list(msg.name)
        if len(values) != len(msg.name):
            raise InputError(f'{self.topic}: {len(msg.name)} joint names but {len(values)} values '
                             f'in {what!r}')
        vector = np.asarray(values, dtype=np.float64)[self._index]
        if not np.isfinite(vector).all():
            bad = [f'{name} = {value}' for name, value in zip(self.names, vector, strict=True)
                   if not np.isfinite(value)]
            raise InputError(f'{self.topic}: {what} is not finite: {", ".join(bad)}')
        return vector

    def _look_up(self, received: list[str]) -> NDArray[np.intp]:
        place = {name: i for i, name in enumerate(received)}
        listed = ', '.join(received) or 'none'
        if len(place) != len(received):
            twice = sorted({name for name in received if received.count(name) > 1})
            raise InputError(f'{self.topic}: joint named more than once: {", ".join(twice)} '
                             f'(received: {listed})')
        missing = [name for name in self.names if name not in place]
        if missing:
            raise InputError(f'{self.topic}: missing joints: {", ".join(missing)} '
                             f'(received: {listed})', missing=missing, received=received)
        if self._exact and len(received) > len(self.names):
            unknown = [name for name in received if name not in self.names]
            raise InputError(f'{self.topic}: unknown joints: {", ".join(unknown)} '
                             f'(known: {", ".join(self.names)})', unknown=unknown)
        return np.array([place[name] for name in self.names], dtype=np.intp)


def joint_vector(msg: Any, names: Sequence[str], topic: str = 'joint_states') -> Array:
    """Return the positions (n,) of ``names`` in one message; see :class:`JointStateReader`."""
    return JointStateReader(names, topic).position(msg)
