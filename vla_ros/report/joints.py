"""Measured joints over time, of any number of topics, and commands where they are joint states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from vla_ros.report.curve import Envelope

JointListener = Callable[[int, Mapping[str, float]], None]
"""Is told the time [ns] and the positions of a joint state."""

_KEPT = 400  # joint states that are looked up by their stamp; ticks come up to a second later


class JointTally:
    """Takes in joint states.

    Attributes
    ----------
    measured : dict[str, Envelope]
        Topic -> its joints.
    commanded : Envelope | None
        Of the topic of joint commands.
    listener : JointListener | None
        Is told every joint state.
    travel : float
        Way of the joint that moved most, since the beginning [rad].

    """

    def __init__(self, start_ns: int) -> None:
        self.measured: dict[str, Envelope] = {}
        self.commanded: Envelope | None = None
        self.travel = 0.0
        self._start_ns = start_ns
        self._last: dict[str, np.ndarray] = {}
        self._recent: dict[int, dict[str, float]] = {}
        self.listener: JointListener | None = None

    def add(self, topic: str, message: Any, time_ns: int) -> None:
        """Take in a joint state of this stamp [ns]."""
        names, values = tuple(message.name), np.asarray(message.position, np.float64)
        if len(names) != len(values) or not names:
            return  # efforts or velocities only
        envelope = self.measured.get(topic)
        if envelope is None:
            envelope = self.measured[topic] = Envelope(names, self._start_ns)
        row = _row(envelope, names, values)
        envelope.add(time_ns, row)
        last = self._last.get(topic)
        if last is not None:
            step = np.fmax.reduce(np.abs(row - last), initial=0.0)
            # An encoder's noise is no way.
            self.travel += float(step) if step > 1e-3 else 0.0
            if step > 1e-3:
                self._last[topic] = row
        else:
            self._last[topic] = row
        self._remember(time_ns, dict(zip(names, values.tolist(), strict=True)))
        if self.listener is not None:
            self.listener(time_ns, self._recent[time_ns])

    def add_command(self, message: Any, time_ns: int) -> None:
        """Take in a command that is a joint state."""
        names, values = tuple(message.name), np.asarray(message.position, np.float64)
        if len(names) != len(values) or not names:
            return
        if self.commanded is None:
            self.commanded = Envelope(names, self._start_ns)
        self.commanded.add(time_ns, _row(self.commanded, names, values))

    def at(self, stamp_ns: int, joints: tuple[str, ...]) -> np.ndarray | None:
        """Return the positions of these joints in the joint state of a stamp; None: unknown."""
        found = self._recent.get(stamp_ns)
        if found is None or not all(name in found for name in joints):
            return None
        return np.array([found[name] for name in joints])

    def _remember(self, stamp_ns: int, positions: dict[str, float]) -> None:
        self._recent.setdefault(stamp_ns, {}).update(positions)
        while len(self._recent) > _KEPT:
            del self._recent[next(iter(self._recent))]


def _row(envelope: Envelope, names: tuple[str, ...], values: np.ndarray) -> np.ndarray:
    """Return the values in the order of the envelope's columns, NaN where one is absent."""
    if names == envelope.columns:
        return values
    by_name = dict(zip(names, values, strict=True))
    return np.array([by_name.get(name, np.nan) for name in envelope.columns])
