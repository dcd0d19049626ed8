"""A scripted operator: watches the arm as a person would, and closes the gripper once.

It sees what a person beside the arm sees (where the tool and the objects are, how far the gripper
is open) and says what a person would say on the gripper's override topic. It commands nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import numpy as np

from vla_ros.core.errors import unknown_choice
from vla_ros.core.override_gripper import GripperOverrideMode

_NEAR = 0.015  # m between tool and grasp frame
_OPEN = 0.05  # m; as wide counts as open
_PATIENCE_NS = 1_500_000_000  # a policy that closes by itself does it sooner
_PRESS_NS = 1_000_000_000
_REPEAT_NS = 100_000_000  # of a pressed button
_LIFTED = 0.03  # m; the policy carries on


class _Phase(Enum):
    WATCHING = 'watching'
    HELPING = 'helping'
    DONE = 'done'


class ScriptedOperator:
    """Closes the gripper when the arm hovers over an object; once for each instruction.

    Parameters
    ----------
    mode : str
        One of ``GripperOverrideMode``: ``momentary`` presses for a second, ``latched`` releases
        when the object has been lifted, ``until_agree`` commands once and leaves the rest to the
        control node.

    Raises
    ------
    ConfigError
        When there is no such mode.

    """

    def __init__(self, mode: str) -> None:
        try:
            self.mode = GripperOverrideMode(mode)
        except ValueError:
            raise unknown_choice('mode of the gripper override', mode,
                                 [m.value for m in GripperOverrideMode]) from None
        self._phase = _Phase.WATCHING
        self._hovers_since_ns: int | None = None
        self._began_ns = self._said_ns = 0  # of the help
        self._object, self._height = '', 0.0

    def begin(self) -> None:
        """Take in that there is a new instruction; what is pressed stays pressed."""
        if self._phase is _Phase.DONE:
            self._phase, self._hovers_since_ns = _Phase.WATCHING, None

    def update(self, now_ns: int, frames: Mapping[str, np.ndarray], width: float) -> str | None:
        """Return what to say on ``override/<source>/gripper`` now, if anything.

        Parameters
        ----------
        now_ns : int
            Time of what is seen [ns].
        frames : Mapping[str, np.ndarray]
            Name -> (4, 4) pose in the base frame, ``tcp`` among them.
        width : float
            Measured opening [m].

        """
        if self._phase is _Phase.WATCHING:
            return self._watch(now_ns, frames, width)
        if self._phase is _Phase.HELPING:
            return self._help(now_ns, frames)
        return None

    def _watch(self, now_ns: int, frames: Mapping[str, np.ndarray], width: float) -> str | None:
        near = _nearest(frames)
        if near is None or not width >= _OPEN:
            self._hovers_since_ns = None
            return None
        if self._hovers_since_ns is None or now_ns < self._hovers_since_ns:
            self._hovers_since_ns = now_ns
        if now_ns - self._hovers_since_ns < _PATIENCE_NS:
            return None
        until_agree = self.mode is GripperOverrideMode.UNTIL_AGREE
        self._phase = _Phase.DONE if until_agree else _Phase.HELPING
        self._began_ns = self._said_ns = now_ns
        self._object, self._height = near, float(frames[near][2, 3])
        return f'close {self.mode.value}'

    def _help(self, now_ns: int, frames: Mapping[str, np.ndarray]) -> str | None:
        if self.mode is GripperOverrideMode.LATCHED:
            lifted = (self._object in frames
                      and frames[self._object][2, 3] - self._height >= _LIFTED)
            return self._release() if lifted else None
        if not 0 <= now_ns - self._began_ns < _PRESS_NS:
            return self._release()
        if now_ns - self._said_ns < _REPEAT_NS:
            return None
        self._said_ns = now_ns
        return f'close {self.mode.value}'

    def _release(self) -> str:
        self._phase = _Phase.DONE
        return 'release'


def _nearest(frames: Mapping[str, np.ndarray]) -> str | None:
    """Return what could be gripped where the tool is."""
    if 'tcp' not in frames:
        return None
    tool = frames['tcp'][:3, 3]
    distances = {name: float(np.linalg.norm(T[:3, 3] - tool)) for name, T in frames.items()
                 if name == 'insulator_grasp' or name.startswith('cube_')}
    name = min(distances, key=distances.__getitem__, default=None)
    return name if name is not None and distances[name] <= _NEAR else None
