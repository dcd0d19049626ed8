"""Whether the arm waits for the gripper: for what the policy alone would have it do."""

from __future__ import annotations

from vla_ros.core.gripper import GripperChannel, GripperConfig
from vla_ros.core.gripper_settle import GripperSettle
from vla_ros.core.limits import GripperRange


class GripperWait:
    """Goes by a channel of its own, since an override of the gripper must not touch the arm.

    Parameters
    ----------
    config : GripperConfig
        Of the channel whose commands are sent.
    gripper : GripperRange
        Widths of the gripper.
    limit : float
        Longest wait [s]; 0 never waits.

    """

    def __init__(self, config: GripperConfig, gripper: GripperRange, limit: float) -> None:
        self._own = GripperChannel(config, gripper)
        self._settle = GripperSettle(limit)

    def reset(self) -> None:
        """Forget everything."""
        self._own.reset()
        self._settle.reset()

    def measured(self, stamp_ns: int, width: float) -> None:
        """Take in a measured opening width [m], finite, of this time [ns]."""
        self._own.seed(width)
        self._settle.measured(stamp_ns, width)

    def waiting(self, now_ns: int, wanted: float | None) -> bool:
        """Return whether the arm waits now [ns].

        ``wanted`` is the open fraction that the policy wants; None: it keeps the last one.
        """
        return self._settle.waiting(now_ns, self._own.step(now_ns, wanted).width)
