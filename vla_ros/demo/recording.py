"""What was seen while the demo ran, and the numbers that follow from it. No ROS, no clock."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

CAMERAS = ('third_person', 'wrist')
"""Cameras in the video, from left to right."""

HEIGHTS = ('tcp', 'insulator')
"""Frames whose height above the table is kept."""

_FACTOR_WINDOW_S = 1.0


class Series:
    """Vectors over time, compact: half a minute at 100 Hz is small change.

    Parameters
    ----------
    columns : Sequence[str]
        Names of the numbers.

    """

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = tuple(columns)
        self._times = array('q')
        self._values = array('d')

    def __len__(self) -> int:
        return len(self._times)

    def add(self, time_ns: int, values: Sequence[float]) -> None:
        """Append one vector."""
        self._times.append(time_ns)  # before the values: whoever reads has a time for each
        self._values.extend(values)

    @property
    def end_ns(self) -> int:
        """Time of the newest vector [ns]."""
        return self._times[-1]

    def last(self, column: str) -> float | None:
        """Return the newest number of a column, or None."""
        if not self._times:
            return None
        return self._values[self.columns.index(column) - len(self.columns)]

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the times (N,) [ns] and the values (N, columns); while another thread adds, too.

        An array that numpy looks into cannot grow meanwhile, so it gets a copy to look into.
        """
        values = np.frombuffer(self._values.tobytes()).reshape(-1, len(self.columns))
        return np.frombuffer(self._times.tobytes(), dtype=np.int64)[:len(values)], values


class Stream:
    """Messages of one topic: how many, how far apart, and how old on arrival."""

    def __init__(self) -> None:
        self.count = 0
        self.first_ns: int | None = None
        self.last_ns: int | None = None
        self._gaps = array('d')
        self._ages = array('d')

    def add(self, stamp_ns: int, age_ns: int) -> None:
        """Note a message by its stamp, and the age it had when it came [ns]."""
        if self.last_ns is not None:
            self._gaps.append((stamp_ns - self.last_ns) * 1e-9)
        self.first_ns = stamp_ns if self.first_ns is None else self.first_ns
        self.last_ns = stamp_ns
        self._ages.append(age_ns * 1e-9)
        self.count += 1

    @property
    def rate_hz(self) -> float | None:
        """Messages a (simulated) second, by their stamps."""
        if self.count < 2 or self.first_ns is None or self.last_ns is None:
            return None
        span = (self.last_ns - self.first_ns) * 1e-9
        return (self.count - 1) / span if span > 0.0 else None

    @property
    def gaps(self) -> dict[str, float] | None:
        """Quantiles of the time between two stamps [s]."""
        return quantiles(self._gaps)

    @property
    def ages(self) -> dict[str, float] | None:
        """Quantiles of the age on arrival [s]."""
        return quantiles(self._ages)


@dataclass(frozen=True)
class ModeChange:
    """A mode of the control node, from a moment on [ns]."""

    time_ns: int
    mode: str
    reason: str


@dataclass(frozen=True)
class Status:
    """The newest report of one part of a node: 0 OK, 1 WARN, 2 ERROR, 3 STALE."""

    level: int
    message: str
    values: Mapping[str, str]


class Recording:
    """Everything that the demo keeps, apart from the pictures.

    Parameters
    ----------
    joints : Sequence[str]
        Arm joints, in the profile's order.
    gripper : str
        Name of the gripper in joint messages; its position is the opening [m].
    objects : Sequence[str]
        Frames whose height is kept.

    """

    def __init__(self, joints: Sequence[str], gripper: str, objects: Sequence[str]) -> None:
        self.joints = tuple(joints)
        self.gripper = gripper
        self.measured = Series((*joints, gripper))
        self.commanded = Series((*joints, gripper))
        self.heights = Series(objects)
        self.streams: dict[str, Stream] = {}
        self.modes: list[ModeChange] = []
        self.overrides: list[tuple[int, str]] = []  # from when on [ns], and what; '' is nothing
        self.instructions: list[tuple[int, str]] = []
        self.statuses: dict[str, Status] = {}
        self.worst: dict[str, Status] = {}
        self.policy_name = ''
        self.policy_label = ''
        self._pace = Series(('wall',))

    @property
    def start_ns(self) -> int:
        """Time of the first instruction, or of the first thing seen [ns]: 0 s of every report."""
        if self.instructions:
            return self.instructions[0][0]
        times, _ = self.measured.arrays()
        return int(times[0]) if len(times) else 0

    @property
    def mode(self) -> ModeChange | None:
        """The present mode."""
        return self.modes[-1] if self.modes else None

    def add_mode(self, time_ns: int, mode: str, reason: str) -> None:
        """Note a mode; one that is latched and comes again is no change."""
        change = ModeChange(time_ns, mode, reason)
        if not self.modes or self.modes[-1] != change:
            self.modes.append(change)

    def add_override(self, time_ns: int, what: str) -> None:
        """Note what humans override from a moment on [ns]; empty when it is over."""
        if what != (self.overrides[-1][1] if self.overrides else ''):
            self.overrides.append((time_ns, what))

    def interventions(self) -> list[tuple[int, int, str]]:
        """Return what was overridden: from when, until when [ns], and what."""
        ends = [*(time_ns for time_ns, _ in self.overrides[1:]), self.end_ns()]
        return [(start, max(start, end), what)
                for (start, what), end in zip(self.overrides, ends) if what]

    def add_status(self, name: str, status: Status) -> None:
        """Note a report; the worst of each name since the first instruction is kept, too."""
        self.statuses[name] = status
        if self.instructions and status.level > 0 and (
                name not in self.worst or status.level > self.worst[name].level):
            self.worst[name] = status

    def add_pace(self, sim_ns: int, wall_ns: int) -> None:
        """Note what time it was in the simulation and on the wall."""
        self._pace.add(sim_ns, (wall_ns * 1e-9,))

    def real_time_factor(self) -> dict[str, float] | None:
        """Return simulated seconds in a real one: ``mean``, and ``min`` over any one second."""
        times, wall = self._pace.arrays()
        after = times >= self.start_ns
        sim, wall = times[after] * 1e-9, wall[after, 0]
        if len(sim) < 2 or not wall[-1] - wall[0] > _FACTOR_WINDOW_S:
            return None
        starts = wall[wall <= wall[-1] - _FACTOR_WINDOW_S]
        windows = (np.interp(starts + _FACTOR_WINDOW_S, wall, sim)
                   - sim[:len(starts)]) / _FACTOR_WINDOW_S
        return {'mean': float((sim[-1] - sim[0]) / (wall[-1] - wall[0])),
                'min': float(windows.min())}

    def tracking(self) -> dict[str, dict[str, float]]:
        """Return for each joint the error measured - commanded: ``rms`` and ``max`` [rad or m].

        The command of the same moment is the one that was valid then, so this holds the arm's
        delay, too. The gripper is left out: it is told to close further than an object lets it.
        """
        t_command, command = self.commanded.arrays()
        t, measured = self.measured.arrays()
        if not len(t_command):
            return {}
        during = (t >= max(self.start_ns, t_command[0])) & (t <= t_command[-1])
        if not during.any():
            return {}
        result = {}
        for i, name in enumerate(self.joints):
            error = measured[during, i] - np.interp(t[during], t_command, command[:, i])
            result[name] = {'rms': float(np.sqrt(np.mean(error ** 2))),
                            'max': float(np.abs(error).max())}
        return result

    def end_ns(self) -> int:
        """Return the time of the last joint state [ns]."""
        return self.measured.end_ns if len(self.measured) else self.start_ns


def quantiles(values: Sequence[float] | array[float]) -> dict[str, float] | None:
    """Return ``p50``, ``p99`` and ``max`` of some numbers, or None when there are none."""
    numbers = np.asarray(values, dtype=np.float64)
    if not numbers.size:
        return None
    p50, p99 = np.percentile(numbers, [50, 99])
    return {'p50': float(p50), 'p99': float(p99), 'max': float(numbers.max())}
