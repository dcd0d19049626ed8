"""The names of everything that changes or refuses a motion, as they begin what it says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

LIMITERS: dict[str, str] = {
    'look-ahead': 'a step ahead cannot be passed; the arm slows down or holds before it',
    'speed': 'the wanted speed of the tool',
    'rotation speed': 'the wanted rotation speed of the tool',
    'twist is not finite': 'what is wanted of the tool is no motion',
    'pose is not finite': 'what is wanted of the tool is no pose',
    'workspace': 'the goal of the tool is outside of its box',
    'keep-out': 'the goal of the tool is inside of a box',
    'lead': 'the goal is too far ahead of the measured tool',
    'ik': 'the goal cannot be reached; the nearest pose is taken, or none',
    'refused': 'the joint goal is not finite, of the wrong size, or a jump',
    'velocity': 'a joint would be too fast',
    'tool speed': 'the joints would move the tool too fast',
    'tool rotation speed': 'the joints would turn the tool too fast',
    'position limit': 'a joint comes near its limit',
    'clearance': 'links, keep-out boxes, or the tool and a face of its workspace come near',
    'singularity': 'the arm comes near a singularity',
    'acceleration': 'a joint would change its velocity too fast',
    'braking': 'after the change of motion the arm could not stop in time',
    'nothing sent': 'the measured joints are away from the commanded ones',
    'gripper': 'hysteresis, dwell or largest width of the gripper, or the arm waits for it',
}
"""Name -> what it stands for. Whatever a limiter says begins with its name."""

_LONGEST_FIRST = sorted(LIMITERS, key=len, reverse=True)


def limiter(acted: str) -> str:
    """Return the name of the limiter that said this; its first word when it is none of them."""
    for name in _LONGEST_FIRST:
        if acted.startswith(name):
            return name
    return acted.split(' ', 1)[0].rstrip(':')


class LimiterCounts(Counter[str]):
    """In how many ticks each limiter has acted."""

    def add(self, acted: Iterable[str]) -> None:
        """Take in what one tick says."""
        self.update({limiter(text) for text in acted})
