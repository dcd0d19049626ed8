"""Whether the arm can follow the policy at this tick, and why not."""

from __future__ import annotations

import numpy as np

from vla_ros.core.fusion import Target
from vla_ros.core.measured_arm import MeasuredArm
from vla_ros.core.motion_start import MotionStart


class Readiness:
    """Knows what was heard of the policy, and asks the arm and the start of the motion.

    Parameters
    ----------
    arm : MeasuredArm
        What is known of the arm.
    start : MotionStart
        How motion may begin.

    Attributes
    ----------
    policy_gone : bool
        Whether the policy's process is not heard of any more.

    """

    def __init__(self, arm: MeasuredArm, start: MotionStart) -> None:
        self.policy_gone = False
        self._arm = arm
        self._start = start
        self._arrival_ns: int | None = None  # of the newest chunk
        self._withdrawn = ''

    def chunk_arrived(self, now_ns: int) -> None:
        """Take in that a chunk was accepted now [ns]."""
        self._arrival_ns = now_ns
        self._withdrawn = ''

    def chunks_withdrawn(self, reason: str) -> None:
        """Take in that the policy takes back what it has said; until its next chunk."""
        self._withdrawn = reason

    def forget_chunks(self) -> None:
        """Know of no chunk any more: they were of a world that is gone."""
        self._arrival_ns = None

    def silence(self, now_ns: int) -> float:
        """Return the time since the newest chunk arrived [s]; infinite when none has."""
        return np.inf if self._arrival_ns is None else (now_ns - self._arrival_ns) * 1e-9

    def problem(self, now_ns: int, target: Target | None, ahead: str, moving: bool) -> str:
        """Return why the arm cannot follow the policy now; empty when it can.

        Parameters
        ----------
        now_ns : int
            Time of the tick [ns].
        target : Target | None
            Where the policy wants the arm now.
        ahead : str
            What looking ahead has found against the chunks.
        moving : bool
            Whether the policy moves the arm already, so that nothing begins with this target.

        """
        if problem := self._arm.problem(now_ns):
            return problem
        if self.policy_gone:
            return 'policy process is gone'
        if self._withdrawn:
            return f'policy: {self._withdrawn}'
        if self._arrival_ns is None:
            return 'action_chunk: none received yet'
        if target is None:
            return f'look-ahead: {ahead}' if ahead else 'action_chunk: no step is due'
        if moving:
            return ''
        assert self._arm.q is not None
        return self._start.too_far(target, self._arm.q)
