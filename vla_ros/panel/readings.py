"""What the panel has seen of the robot: from many topics into one picture, for many pages."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vla_ros.panel.desk import Holding
from vla_ros.panel.timeline import Timeline

TIMELINE_ROWS = ('mode', 'gripper', 'arm')
"""Rows of the time line: the mode or why nothing may move, and who overrides what."""

_WINDOW_S = 3.0  # over which rates are counted
_SHOWN = 12  # problems at most
_LONGEST = 200  # characters of a problem
_FORGET_S = 5.0  # a node that has said nothing of itself for longer is not there


@dataclass
class _Stream:
    topic: str
    times: list[float] = field(default_factory=list)

    def add(self, now: float) -> None:
        self.times.append(now)
        if self.times[0] < now - 2 * _WINDOW_S:  # seldom: it copies
            self.times = [t for t in self.times if t >= now - _WINDOW_S]

    def view(self, now: float) -> dict[str, Any]:
        recent = sum(t > now - _WINDOW_S for t in self.times)
        return {'topic': self.topic, 'hz': round(recent / _WINDOW_S, 1),
                'age_s': round(now - self.times[-1], 2) if self.times else None}


class Readings:
    """Takes what comes on any thread; times are seconds of one clock that never goes back.

    Parameters
    ----------
    streams : Mapping[str, str]
        Name -> topic of everything whose rate and age are shown.
    keep_s : float
        How long the time line is [s].
    control_node : str
        Whose diagnostics say that the control is alive.

    """

    def __init__(self, streams: Mapping[str, str], keep_s: float, control_node: str) -> None:
        self._lock = threading.Lock()
        self._streams = {name: _Stream(topic) for name, topic in streams.items()}
        self._timeline = Timeline(TIMELINE_ROWS, keep_s)
        self._control_node = control_node
        self._mode: dict[str, str] = {}
        self._override: dict[str, str] = {}
        self._override_since: dict[str, float] = {}
        self._statuses: dict[str, tuple[float, int, str]] = {}
        self._instruction = ''
        self._joints: dict[str, Any] = {}
        self._services: dict[str, bool] = {}
        self._arm_problem = ''

    def came(self, now: float, stream: str) -> None:
        """Count a message of a stream."""
        with self._lock:
            self._streams[stream].add(now)

    def set_mode(self, now: float, mode: Mapping[str, str]) -> None:
        """Take in the topic ``mode``: ``mode``, ``level``, ``reason``, ``safety``, ``policy``."""
        with self._lock:
            self._mode = dict(mode)
            safety = mode.get('safety', '')
            self._timeline.set(now, 'mode', mode.get('mode', '') if safety in ('', 'ARMED')
                               else safety)

    @property
    def safety(self) -> str:
        """What the control node last said of its permission to move: ARMED, DISARMED, ESTOPPED."""
        with self._lock:
            return str(self._mode.get('safety', ''))

    def set_override(self, now: float, override: Mapping[str, str]) -> None:
        """Take in the topic ``override``: its values, and ``message``."""
        with self._lock:
            for channel in ('gripper', 'arm'):
                if override.get(channel) != self._override.get(channel):
                    self._override_since[channel] = now
            self._override = dict(override)
            gripper, arm = override.get('gripper_source', ''), override.get('arm_source', '')
            self._timeline.set(now, 'gripper', gripper and (
                f'{gripper} {override.get("gripper_mode", "")}'.strip()))
            self._timeline.set(now, 'arm', arm and f'{arm} {override.get("arm", "").lower()}')

    def set_status(self, now: float, name: str, level: int, message: str) -> None:
        """Take in one status of ``/diagnostics``; level 0 is well, 1 a warning."""
        with self._lock:
            self._statuses[name] = (now, level, message)
            if name == f'{self._control_node}: override/panel/arm':
                self._arm_problem = message if level else ''

    def set_instruction(self, text: str) -> None:
        """Take in what the policy was told."""
        with self._lock:
            self._instruction = text

    def set_joints(self, names: list[str], positions: list[float]) -> None:
        """Take in measured joints [rad] and the gripper's opening [m] by their names."""
        with self._lock:
            # JSON has no NaN, and a page that gets one shows nothing any more.
            self._joints = {name: round(position, 4) if math.isfinite(position) else None
                            for name, position in zip(names, positions)}

    def set_services(self, there: Mapping[str, bool]) -> None:
        """Take in which services there are."""
        with self._lock:
            self._services = dict(there)

    def holding(self) -> Holding:
        """Return who has what."""
        with self._lock:
            values = self._override
            return Holding(values.get('arm', ''), values.get('arm_source', ''),
                           values.get('gripper_source', ''), self._arm_problem)

    def snapshot(self, now: float) -> dict[str, Any]:
        """Return all of it, as JSON can say it; ages instead of times."""
        with self._lock:
            alive = self._statuses.get(f'{self._control_node}: mode')
            # The mode is shown as what it is, not as a problem.
            bad = [(name, level, message) for name, (at, level, message) in
                   self._statuses.items() if level and now - at <= _FORGET_S
                   and name != f'{self._control_node}: mode']
            bad.sort(key=lambda status: -status[1])
            return {
                'mode': self._mode,
                'control_age_s': round(now - alive[0], 2) if alive else None,
                'override': {**self._override, **{
                    f'{channel}_since_s': round(now - at, 1)
                    for channel, at in self._override_since.items()}},
                'streams': {name: stream.view(now) for name, stream in self._streams.items()},
                'problems': [{'name': name[:_LONGEST], 'level': level, 'text': text[:_LONGEST]}
                             for name, level, text in bad[:_SHOWN]],
                'instruction': self._instruction,
                'joints': self._joints,
                'services': self._services,
                'timeline_version': self._timeline.version,
            }

    def timeline(self, now: float) -> dict[str, Any]:
        """Return the time line."""
        with self._lock:
            return self._timeline.view(now)
