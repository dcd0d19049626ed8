"""The degradation ladder: how well the policy keeps up, and what the arm does about it.

RUNNING -> SLOW (a chunk is late: what is known is finished at reduced speed) -> HOLD (the measured
joints) -> STOPPED (needs to be started again). "Zeros" is on no rung.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from vla_ros.core.errors import ConfigError, InvariantError


class Level(str, Enum):
    """A rung of the ladder."""

    RUNNING = 'RUNNING'  # follows the policy
    SLOW = 'SLOW'  # follows what the policy said last, at reduced speed
    HOLD = 'HOLD'  # keeps the measured joints; moves again by itself when all is well
    STOPPED = 'STOPPED'  # keeps the measured joints until somebody starts it again


class Event(str, Enum):
    """What one tick found, or somebody asked for."""

    READY = 'ready'  # every input is fresh and a step is due
    LATE = 'late'  # a step is due, but the next chunk should have come by now
    NOT_READY = 'not_ready'
    EXPIRED = 'expired'  # has held for too long to go on unasked
    STOP = 'stop'
    START = 'start'


TRANSITIONS: dict[tuple[Level, Event], Level] = {
    (Level.RUNNING, Event.READY): Level.RUNNING,
    (Level.RUNNING, Event.LATE): Level.SLOW,
    (Level.RUNNING, Event.NOT_READY): Level.HOLD,
    (Level.RUNNING, Event.EXPIRED): Level.STOPPED,
    (Level.RUNNING, Event.STOP): Level.STOPPED,
    (Level.RUNNING, Event.START): Level.RUNNING,
    (Level.SLOW, Event.READY): Level.RUNNING,
    (Level.SLOW, Event.LATE): Level.SLOW,
    (Level.SLOW, Event.NOT_READY): Level.HOLD,
    (Level.SLOW, Event.EXPIRED): Level.STOPPED,
    (Level.SLOW, Event.STOP): Level.STOPPED,
    (Level.SLOW, Event.START): Level.SLOW,
    (Level.HOLD, Event.READY): Level.RUNNING,
    (Level.HOLD, Event.LATE): Level.HOLD,  # nothing begins on a late chunk
    (Level.HOLD, Event.NOT_READY): Level.HOLD,
    (Level.HOLD, Event.EXPIRED): Level.STOPPED,
    (Level.HOLD, Event.STOP): Level.STOPPED,
    (Level.HOLD, Event.START): Level.HOLD,
    (Level.STOPPED, Event.READY): Level.STOPPED,
    (Level.STOPPED, Event.LATE): Level.STOPPED,
    (Level.STOPPED, Event.NOT_READY): Level.STOPPED,
    (Level.STOPPED, Event.EXPIRED): Level.STOPPED,
    (Level.STOPPED, Event.STOP): Level.STOPPED,
    (Level.STOPPED, Event.START): Level.HOLD,
}


@dataclass(frozen=True)
class LadderConfig:
    """When the arm goes down a rung.

    Attributes
    ----------
    slow_after : float
        Time since the newest chunk arrived after which the next one is late [s].
    chunk_timeout : float
        Time since the newest chunk arrived after which the arm holds [s].
    stop_after : float
        An arm that was moving and has held for this long needs to be started again [s]: somebody
        may have reached in. Infinite: never.
    slow_factor : float
        Speed in SLOW, as a part of the speed in RUNNING, in (0, 1].

    """

    slow_after: float
    chunk_timeout: float
    stop_after: float
    slow_factor: float

    def __post_init__(self) -> None:
        for name in ('slow_after', 'chunk_timeout'):
            if not 0.0 < getattr(self, name) < np.inf:
                raise ConfigError(f'{name} must be positive, found {getattr(self, name)}')
        if not self.slow_after <= self.chunk_timeout:
            raise ConfigError(f'slow_after ({self.slow_after:g} s) must not be longer than '
                              f'chunk_timeout ({self.chunk_timeout:g} s)')
        if not self.stop_after > 0.0:
            raise ConfigError(f'stop_after must be positive, found {self.stop_after}')
        if not 0.0 < self.slow_factor <= 1.0:
            raise ConfigError(f'slow_factor must be above 0 and at most 1, found '
                              f'{self.slow_factor}')


class Ladder:
    """Holds the level and the reason for it. It begins in HOLD."""

    def __init__(self, config: LadderConfig) -> None:
        self.config = config
        self.level = Level.HOLD
        self.reason = 'starting'
        self._held_since_ns: int | None = None  # only after it has been moving

    @property
    def moving(self) -> bool:
        """Whether the policy moves the arm."""
        return self.level in (Level.RUNNING, Level.SLOW)

    @property
    def speed(self) -> float:
        """Part of the full speed at which the policy's motion is followed, 0 to 1."""
        if self.level is Level.RUNNING:
            return 1.0
        return self.config.slow_factor if self.level is Level.SLOW else 0.0

    def handle(self, event: Event, reason: str = '') -> None:
        """Apply an event."""
        try:
            level = TRANSITIONS[self.level, event]
        except KeyError:
            raise InvariantError(f'no transition from {self.level} on {event}') from None
        if self.level is level is Level.STOPPED:
            return  # why it was stopped stays true until it is started
        if level is not Level.HOLD or event is Event.START:
            self._held_since_ns = None
        self.level, self.reason = level, reason

    def intervene(self, now_ns: int, reason: str) -> None:
        """Take in that a human has the arm at this tick: it holds for the policy, unexpired."""
        self.handle(Event.NOT_READY, reason)
        if self.level is Level.HOLD:
            # Counted from the hand-back on: a human who is at it is no arm that was forgotten.
            self._held_since_ns = now_ns

    def update(self, now_ns: int, problem: str, silence_s: float) -> None:
        """Take in what one tick found.

        Parameters
        ----------
        now_ns : int
            Time of the tick [ns].
        problem : str
            Why the arm cannot follow the policy; empty when it can.
        silence_s : float
            Time since the newest chunk arrived [s].

        """
        was_moving = self.moving
        config = self.config
        if problem:
            self.handle(Event.NOT_READY, problem)
        elif not silence_s <= config.chunk_timeout:
            self.handle(Event.NOT_READY, f'action_chunk: none for {config.chunk_timeout:g} s')
        elif not silence_s <= config.slow_after:
            late = f'action_chunk: late, none for {config.slow_after:g} s'
            self.handle(Event.LATE, late if self.moving else f'{late}; waiting for a new one')
        else:
            self.handle(Event.READY)
        if self.level is not Level.HOLD:
            return
        if was_moving:
            self._held_since_ns = now_ns
        held_since = self._held_since_ns
        if held_since is None:
            return
        if now_ns < held_since:  # the clock was set back
            self._held_since_ns = now_ns
        elif not (now_ns - held_since) * 1e-9 <= config.stop_after:
            self.handle(Event.EXPIRED, f'held for {config.stop_after:g} s ({self.reason}); '
                                       'start it again')
