"""Who may let the arm move: emergency stop, arming, hold to run and dry-run, without a clock.

The states are an enum and a table of transitions. Each of them says what happens to the motion:

========== ======================================================================
ESTOPPED   brake at full deceleration, then hold the measured joints; latched
DISARMED   brake at full deceleration, then send nothing
ARMED      follow the policy; with hold to run only while the switch is held, else
           brake and hold the measured joints
========== ======================================================================
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from vla_ros.core.errors import ConfigError


class SafetyState(str, Enum):
    """Whether the arm may move at all."""

    DISARMED = 'DISARMED'
    ARMED = 'ARMED'
    ESTOPPED = 'ESTOPPED'


class SafetyEvent(str, Enum):
    """What can change the state."""

    ARM = 'arm'
    DISARM = 'disarm'
    ESTOP = 'estop'
    RESET = 'reset'
    FAULT = 'fault'  # the arm's own protective stop, a controller that is gone


_D, _A, _E = SafetyState.DISARMED, SafetyState.ARMED, SafetyState.ESTOPPED

TRANSITIONS: dict[tuple[SafetyState, SafetyEvent], SafetyState] = {
    (_D, SafetyEvent.ARM): _A,
    (_D, SafetyEvent.DISARM): _D,
    (_D, SafetyEvent.ESTOP): _E,
    (_D, SafetyEvent.RESET): _D,
    (_D, SafetyEvent.FAULT): _D,
    (_A, SafetyEvent.ARM): _A,
    (_A, SafetyEvent.DISARM): _D,
    (_A, SafetyEvent.ESTOP): _E,
    (_A, SafetyEvent.RESET): _A,
    (_A, SafetyEvent.FAULT): _D,
    (_E, SafetyEvent.ARM): _E,  # an emergency stop is reset first, and then armed: two decisions
    (_E, SafetyEvent.DISARM): _E,
    (_E, SafetyEvent.ESTOP): _E,
    (_E, SafetyEvent.RESET): _D,
    (_E, SafetyEvent.FAULT): _E,
}


class Permission(str, Enum):
    """What the arm may do now."""

    FOLLOW = 'follow'  # the policy
    HOLD = 'hold'  # brake, then hold the measured joints
    SILENT = 'silent'  # brake, then send nothing


@dataclass(frozen=True)
class Verdict:
    """What the arm may do at one moment.

    Attributes
    ----------
    permission : Permission
        What to do.
    send : bool
        Whether commands go to the driver at all; False in a dry-run.
    state : SafetyState
        Of the machine.
    reason : str
        For people; empty when the policy is followed and commands are sent.

    """

    permission: Permission
    send: bool
    state: SafetyState
    reason: str


class Interlock:
    """Holds the safety state; whoever steps the pipeline asks :meth:`verdict` every tick.

    Parameters
    ----------
    hold_to_run_timeout : float | None
        With a number, the arm moves only while a hold-to-run switch says so at least this often
        [s]; None: without such a switch.
    dry_run : bool
        Everything is computed and nothing is sent.
    armed : bool
        Whether the arm is armed from the start (simulation), or has to be armed by somebody.

    """

    def __init__(self, hold_to_run_timeout: float | None = None, dry_run: bool = False,
                 armed: bool = False) -> None:
        if hold_to_run_timeout is not None and not 0.0 < hold_to_run_timeout < math.inf:
            raise ConfigError(
                f'hold_to_run_timeout must be positive, found {hold_to_run_timeout}')
        self.hold_to_run_timeout = hold_to_run_timeout
        self.dry_run = dry_run
        self.state = SafetyState.ARMED if armed else SafetyState.DISARMED
        self.reason = '' if armed else 'not armed yet'
        self._pressed: set[str] = set()
        self._run_ns: int | None = None
        self._last: Verdict | None = None

    def estop(self, source: str, pressed: bool = True) -> None:
        """Tell that an emergency stop was pressed, or is no longer (which does not reset it).

        ``source`` names it (a topic, a service): while any source is pressed there is no reset.
        """
        if not pressed:
            self._pressed.discard(source)
            return
        self._pressed.add(source)
        self._handle(SafetyEvent.ESTOP, f'emergency stop by {source}')

    def reset(self, source: str | None = None) -> tuple[bool, str]:
        """Leave an emergency stop, disarmed; return whether it worked and why.

        ``source`` is released with it: a service that stops and resets has no position of its own.
        """
        if source is not None:
            self._pressed.discard(source)
        if why := self.why_not_reset():
            return False, why
        if self.state is not SafetyState.ESTOPPED:
            return True, 'there was no emergency stop'
        self._handle(SafetyEvent.RESET, 'emergency stop was reset; not armed')
        return True, self.reason

    def arm(self, problem: str = '') -> tuple[bool, str]:
        """Let the arm move; ``problem`` says why its driver is not ready, if it is not.

        The caller makes the commands begin anew at the measured joints.
        """
        if why := self.why_not_arm(problem):
            return False, why
        self._handle(SafetyEvent.ARM, '')
        return True, 'armed'

    def why_not_reset(self, source: str | None = None) -> str:
        """Return why a reset by this source would be refused now; empty when it would not."""
        pressed = self._pressed - {source}
        return f'emergency stop is still pressed: {", ".join(sorted(pressed))}' if pressed else ''

    def why_not_arm(self, problem: str = '') -> str:
        """Return why arming would be refused now; empty when it would not."""
        if self.state is SafetyState.ESTOPPED:
            return f'{self.reason}; reset it first'
        return problem

    def disarm(self, reason: str) -> None:
        """Brake and be silent until somebody arms."""
        self._handle(SafetyEvent.DISARM, reason)

    def fault(self, reason: str) -> None:
        """Tell that the arm has stopped by itself: old targets are void, somebody must arm."""
        self._handle(SafetyEvent.FAULT, reason)

    def hold_to_run(self, held: bool, now_ns: int) -> None:
        """Take in what the hold-to-run switch says now."""
        self._run_ns = now_ns if held else None

    def verdict(self, now_ns: int) -> Verdict:
        """Return what the arm may do at this time [ns]."""
        if self.state is SafetyState.ESTOPPED:
            return self._verdict(Permission.HOLD, self.reason)
        if self.state is SafetyState.DISARMED:
            return self._verdict(Permission.SILENT, self.reason)
        if released := self._released(now_ns):
            return self._verdict(Permission.HOLD, released)
        return self._verdict(Permission.FOLLOW, 'dry-run: nothing is sent' if self.dry_run else '')

    def _released(self, now_ns: int) -> str:
        timeout = self.hold_to_run_timeout
        if timeout is None:
            return ''
        if self._run_ns is None:
            return 'hold to run: the switch is not held'
        # A time that lies ahead is of another world (the clock went back): not held in this one.
        if not 0 <= now_ns - self._run_ns <= timeout * 1e9:
            return f'hold to run: not heard of for {timeout:g} s'
        return ''

    def _verdict(self, permission: Permission, reason: str) -> Verdict:
        last = self._last  # the same as at the last tick, nearly always
        if (last is None or last.permission is not permission or last.state is not self.state
                or last.reason != reason or last.send is self.dry_run):
            last = self._last = Verdict(permission, not self.dry_run, self.state, reason)
        return last

    def _handle(self, event: SafetyEvent, reason: str) -> None:
        before, self.state = self.state, TRANSITIONS[self.state, event]
        # What stopped the arm first stays true until somebody acts on it.
        if self.state is not before or self.state is SafetyState.ARMED:
            self.reason = reason
