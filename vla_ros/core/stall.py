"""Whether the arm stands still although it is told to go on."""

from __future__ import annotations

from vla_ros.core.arbiter import Mode
from vla_ros.core.tick import Tick

_STILL = 0.02  # rad/s; measured joints are noisy, and the command goes with them
_HELD, _SILENT = 'lead ', 'nothing sent'
_TOLD = Mode.AUTONOMOUS, Mode.INTERVENTION


class Stall:
    """For how long the commands have been at rest, held by the lead over the measured tool.

    An arm that is pushed against an obstacle looks like this, and so does one whose driver or
    brakes do not let it move: what is commanded is as far ahead of the measured pose as it may be,
    and does not get on. An arm that touches nothing follows.

    Parameters
    ----------
    stop_after : float
        After this long an arm that follows the policy is stopped [s]; 0: never.

    """

    def __init__(self, stop_after: float) -> None:
        self._stop_after = stop_after
        self._since_ns: int | None = None
        self._held = ''
        self.seconds = 0.0  # that it has lasted; 0: the arm follows, or is not told to

    @property
    def text(self) -> str:
        """What to say of it."""
        return (f'the arm has stood still for {self.seconds:.1f} s, told to go on ({self._held}): '
                'it touches something, or does not follow its driver')

    def add(self, tick: Tick) -> bool:
        """Take in what was decided; return whether the arm is to be stopped now."""
        held = next((text for text in tick.acted if text.startswith((_HELD, _SILENT))), '')
        lead = held.startswith(_HELD)
        # That nothing is sent, since the joints are apart, happens in the middle of it.
        if not ((lead or (held and self._since_ns is not None)) and tick.mode in _TOLD
                and (tick.velocity is None
                     or all(abs(v) <= _STILL for v in tick.velocity.tolist()))):
            self._since_ns, self.seconds = None, 0.0
            return False
        if self._since_ns is None or tick.stamp_ns < self._since_ns:
            self._since_ns = tick.stamp_ns
        self._held = held if lead else self._held
        self.seconds = (tick.stamp_ns - self._since_ns) * 1e-9
        return (tick.mode is Mode.AUTONOMOUS and bool(self._stop_after)
                and self.seconds >= self._stop_after)
