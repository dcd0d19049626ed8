"""Where a chunk's motion begins: at the joints of the time of its observation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import ConfigError
from vla_ros.core.history import JointHistory
from vla_ros.core.kinematics import Kinematics
from vla_ros.core.limits import JointLimits
from vla_ros.core.pipeline_config import DeltaAnchor
from vla_ros.core.trajectory import Steps, Trajectory
from vla_ros.core.types import ActionChunk, ActionSpace

Array = NDArray[np.float64]

_JOINT_SPACES = (ActionSpace.JOINT_POSITION, ActionSpace.JOINT_DELTA)
_HISTORY = 10.0  # s; an observation that is older anchors its chunk at the oldest joints known


class Anchors:
    """Remembers where the arm was commanded to and measured, and makes steps a trajectory.

    Parameters
    ----------
    kinematics : Kinematics
        Of the arm and the tool frame that the actions speak of.
    joints : JointLimits
        The arm's joints.
    anchor : DeltaAnchor
        Which joints a chunk's deltas begin at.
    period : float
        Nominal time between two ticks [s].

    Attributes
    ----------
    commanded, measured : JointHistory
        Where the arm was commanded to, and measured.

    """

    def __init__(self, kinematics: Kinematics, joints: JointLimits, anchor: DeltaAnchor,
                 period: float) -> None:
        self.kinematics = kinematics
        self.joints = joints
        samples = max(2, round(_HISTORY / period))
        self.commanded = JointHistory(joints.n, samples)
        self.measured = JointHistory(joints.n, samples)
        self._history = self.commanded if anchor is DeltaAnchor.COMMANDED else self.measured

    def steps(self, chunk: ActionChunk) -> Steps:
        """Return what can be computed of a chunk before its anchor is known; from any thread.

        Raises
        ------
        ConfigError
            When its action space or dimensions cannot be executed.
        InputError
            When a number is too large to be an arm's motion.

        """
        names = self.joints.names
        if chunk.convention.space in _JOINT_SPACES and chunk.dims[:len(names)] != names:
            raise ConfigError(f'action dimensions: expected the joints {" ".join(names)} in this '
                              f'order, found {" ".join(chunk.dims)}')
        return Steps.of(chunk, self.joints.n)

    def anchored(self, steps: Steps, newest: Array | None, now_ns: int) -> Trajectory:
        """Return the trajectory of a chunk that arrived now.

        ``newest`` (n,) [rad] is where the arm was measured last; it stands in for joints that are
        not remembered.
        """
        q = self._history.at(steps.chunk.stamp_ns)
        if q is None:
            q = newest
        if q is None:
            # Nothing is known of the arm, and nothing is sent; what is known later starts anew.
            q = (self.joints.lower + self.joints.upper) / 2.0
        return steps.anchored(self.kinematics.forward(q), q, now_ns)

    def clear(self) -> None:
        """Forget everything."""
        self.commanded.clear()
        self.measured.clear()
