"""Where the tool was, by the robot's own kinematics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vla_ros.report.curve import Envelope, Thinned
from vla_ros.robots import RobotProfile
from vla_ros.robots.urdf_chain import parse_urdf, read_chain

_PERIOD_NS = 40_000_000  # 25 a second are enough for a path
_AXES = ('x', 'y', 'z')


class ToolPath:
    """Follows the tool frame of a robot through its measured joints.

    Parameters
    ----------
    profile : RobotProfile
        The arm.
    start_ns : int
        Where the time line begins [ns].

    """

    def __init__(self, profile: RobotProfile, start_ns: int) -> None:
        self._names = tuple(profile.joints.names)
        source = str(profile.urdf_path)
        root = parse_urdf(profile.urdf_path.read_text(encoding='utf-8'), source)
        self._chain = read_chain(root, profile.base_frame, profile.tool_frame, source)
        self._start_ns = start_ns
        self._next_ns: int | None = None
        self.position = Envelope(_AXES, start_ns)
        self.points = Thinned()

    def add(self, time_ns: int, positions: Mapping[str, float]) -> None:
        """Take in the joints of a joint state [rad] at its stamp [ns]."""
        if self._next_ns is not None and 0 < self._next_ns - time_ns <= _PERIOD_NS:
            return
        if not all(name in positions for name in self._names):
            return
        self._next_ns = time_ns + _PERIOD_NS
        if not all(np.isfinite(positions[name]) for name in self._names):
            return
        at = self._chain.forward(positions)[:3, 3]
        self.position.add(time_ns, at)
        self.points.add(((time_ns - self._start_ns) * 1e-9, *at))

    def as_dict(self) -> dict[str, Any] | None:
        """Return curves [m] and points (time [s], x, y, z [m]) for JSON; None without any."""
        if not self.position.count:
            return None
        return {'curves': self.position.as_dict(),
                'points': [[round(x, 4) for x in row] for row in self.points.rows]}
