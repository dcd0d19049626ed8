"""Who moves the arm: an enum of modes and a table of transitions."""

from __future__ import annotations

from enum import Enum

from vla_ros.core.errors import InvariantError


class Mode(str, Enum):
    """What the arm is doing."""

    HOLD = 'HOLD'  # keeps the measured joints; moves again by itself when all is well
    AUTONOMOUS = 'AUTONOMOUS'  # the policy moves it
    STOPPED = 'STOPPED'  # keeps the measured joints until somebody starts it again


class Event(str, Enum):
    """What can change the mode."""

    READY = 'ready'  # every input is fresh and a chunk is due
    NOT_READY = 'not_ready'
    STOP = 'stop'
    START = 'start'


TRANSITIONS: dict[tuple[Mode, Event], Mode] = {
    (Mode.HOLD, Event.READY): Mode.AUTONOMOUS,
    (Mode.HOLD, Event.NOT_READY): Mode.HOLD,
    (Mode.HOLD, Event.STOP): Mode.STOPPED,
    (Mode.HOLD, Event.START): Mode.HOLD,
    (Mode.AUTONOMOUS, Event.READY): Mode.AUTONOMOUS,
    (Mode.AUTONOMOUS, Event.NOT_READY): Mode.HOLD,
    (Mode.AUTONOMOUS, Event.STOP): Mode.STOPPED,
    (Mode.AUTONOMOUS, Event.START): Mode.AUTONOMOUS,
    (Mode.STOPPED, Event.READY): Mode.STOPPED,
    (Mode.STOPPED, Event.NOT_READY): Mode.STOPPED,
    (Mode.STOPPED, Event.STOP): Mode.STOPPED,
    (Mode.STOPPED, Event.START): Mode.HOLD,
}


class Arbiter:
    """Holds the mode and the reason for it."""

    def __init__(self) -> None:
        self.mode = Mode.HOLD
        self.reason = 'starting'

    def handle(self, event: Event, reason: str = '') -> bool:
        """Apply an event; return whether the mode or its reason changed."""
        try:
            mode = TRANSITIONS[self.mode, event]
        except KeyError:
            raise InvariantError(f'no transition from {self.mode} on {event}') from None
        if self.mode is mode is Mode.STOPPED:
            reason = self.reason  # why it was stopped stays true until it is started
        changed = (mode, reason) != (self.mode, self.reason)
        self.mode, self.reason = mode, reason
        return changed
