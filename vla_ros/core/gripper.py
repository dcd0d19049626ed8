"""The gripper's own channel: one chunk decides or all vote, and nothing makes it chatter.

A gripper is never averaged as a pose is: the mean of *open* and *close* is a half open gripper that
holds nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol
from weakref import WeakKeyDictionary

from vla_ros.core.errors import ConfigError, InputError, unknown_choice
from vla_ros.core.limits import GripperRange
from vla_ros.core.types import GRIPPER_DIM, ActionChunk

_TIE = 1e-9  # of all votes; sums of weights that differ by less differ by rounding only


class GripperMode(str, Enum):
    """Whose prediction counts."""

    NEWEST = 'newest'  # the newest chunk's
    VOTE = 'vote'  # every chunk says open or closed, recent ones louder


class GripperState(str, Enum):
    """What the gripper is told to be."""

    OPEN = 'open'
    CLOSED = 'closed'
    CONTINUOUS = 'continuous'  # any width, as the prediction says
    UNKNOWN = 'unknown'  # nothing was measured or commanded yet


@dataclass(frozen=True)
class GripperConfig:
    """What can be set; the defaults are in ``config/nodes/control_node.yaml``, nowhere else.

    Attributes
    ----------
    mode : GripperMode
        ``newest`` or ``vote``.
    binary : bool
        Whether the gripper is either open or closed. Otherwise its width follows the prediction
        directly, and neither ``close_below``, ``open_above`` nor ``dwell_s`` has an effect.
    close_below, open_above : float
        Open fractions, 0 closed to 1 open. At or below the first the gripper closes, at or above
        the second it opens, between them it stays as it is.
    dwell_s : float
        Least time between two changes of state [s].
    latency_s : float
        How far ahead the prediction is read [s]: the time from a command to the fingers' motion.
    max_width : float
        Widest opening [m]; infinite for no bound but the gripper's own.
    max_effort : float
        Largest grasping force [N], part of every command.
    vote_half_life_s : float
        A chunk whose observation is older than the newest one's by this much [s] has half a vote.

    Raises
    ------
    ConfigError
        When a value is out of its range.

    """

    mode: GripperMode
    binary: bool
    close_below: float
    open_above: float
    dwell_s: float
    latency_s: float
    max_width: float
    max_effort: float
    vote_half_life_s: float

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, 'mode', GripperMode(self.mode))
        except ValueError:
            raise unknown_choice('gripper mode', self.mode,
                                 [mode.value for mode in GripperMode]) from None
        if not 0.0 <= self.close_below < self.open_above <= 1.0:
            raise ConfigError(
                f'gripper: needs 0 <= close_below < open_above <= 1, found close_below '
                f'{self.close_below}, open_above {self.open_above}')
        for name in ('dwell_s', 'latency_s'):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ConfigError(f'gripper: {name} must be 0 or more, found {getattr(self, name)}')
        for name in ('max_effort', 'vote_half_life_s'):
            if not 0.0 < getattr(self, name) < math.inf:
                raise ConfigError(f'gripper: {name} must be positive, found {getattr(self, name)}')
        if not self.max_width > 0.0:
            raise ConfigError(f'gripper: max_width must be positive, found {self.max_width}')


@dataclass(frozen=True)
class GripperCommand:
    """What to send to the gripper at one tick.

    Attributes
    ----------
    width : float | None
        Opening width [m]; None: send nothing, its state was never seen.
    effort : float
        Largest grasping force [N].
    state : GripperState
        What the width stands for.
    acted : tuple[str, ...]
        Why a wanted change was not taken, or not wholly; empty when all went through.

    """

    width: float | None
    effort: float
    state: GripperState
    acted: tuple[str, ...] = ()


class CarriesChunk(Protocol):
    """Anything made from an action chunk, such as a Trajectory."""

    @property
    def chunk(self) -> ActionChunk:
        """Its chunk."""


class GripperChannel:
    """From the chunks' gripper dimension to a width and a force.

    :meth:`predict` reads what the policy wants, :meth:`step` decides what is sent. Between the two
    somebody else's wish may be put in its place.

    Parameters
    ----------
    config : GripperConfig
        How to decide.
    range : GripperRange
        The widths that the gripper has.

    Raises
    ------
    ConfigError
        When ``max_width`` leaves the gripper no room to open.

    """

    def __init__(self, config: GripperConfig, range: GripperRange) -> None:
        if not range.closed < config.max_width:
            raise ConfigError(f'gripper: max_width {config.max_width} m must be more than the '
                              f'width when closed, {range.closed} m')
        self.config = config
        self.range = range
        self._widest = min(range.open, config.max_width)
        self._dwell_ns = round(config.dwell_s * 1e9)
        self._latency_ns = round(config.latency_s * 1e9)
        # A step's fraction is asked for at every tick that it is due, and worked out once.
        self._fractions: WeakKeyDictionary[ActionChunk, tuple[int, float]] = WeakKeyDictionary()
        self.reset()

    def reset(self) -> None:
        """Forget the last command; the next measured width is the state again."""
        self._state = GripperState.UNKNOWN
        self._width: float | None = None
        self._changed_ns: int | None = None

    def seed(self, width: float) -> None:
        """Take the measured opening width [m] as the state, unless one is known already.

        The width is what is sent until the policy wants something: the gripper stays as it was
        found, whether it holds something or not. A width outside the gripper's range counts as the
        end of the range.

        Raises
        ------
        InputError
            When the width is not finite; nothing changes then.

        """
        if not math.isfinite(width):
            raise InputError(f'joint state: gripper width is {width}')
        if self._width is not None:
            return
        self._width = min(max(float(width), self.range.closed), self._widest)
        if not self.config.binary:
            self._state = GripperState.CONTINUOUS
        elif self._width - self.range.closed < self._widest - self._width:
            self._state = GripperState.CLOSED
        else:
            self._state = GripperState.OPEN

    def predict(self, trajectories: Sequence[CarriesChunk], playhead_ns: int) -> float | None:
        """Return the wanted open fraction, 0 closed to 1 open; None when no chunk has a say.

        ``trajectories`` come oldest first. Those that are past at the playhead, and those whose
        chunk has no gripper, have no say. The step read is the one due ``latency_s`` after the
        playhead, or the last one where that is beyond the chunk's end.

        In ``vote`` mode the answer is 0, 1 or None. A prediction between ``close_below`` and
        ``open_above`` is a vote for the present state, which is nobody's while it is unknown. A
        gripper that is not binary has votes for the nearer side of one half. Equal votes are for
        the present state; None when there is none.
        """
        at_ns = playhead_ns + self._latency_ns
        live = (t.chunk for t in reversed(trajectories)
                if t.chunk.dims[-1] == GRIPPER_DIM and t.chunk.stamp_ns <= at_ns
                and playhead_ns < t.chunk.end_ns)
        if self.config.mode is GripperMode.NEWEST:
            newest = next(live, None)
            return None if newest is None else self._fraction(newest, at_ns)
        chunks = [*live][::-1]
        return self._vote(chunks, at_ns) if chunks else None

    def _fraction(self, chunk: ActionChunk, at_ns: int) -> float:
        step = min((at_ns - chunk.stamp_ns) // chunk.dt_ns, chunk.horizon - 1)
        known = self._fractions.get(chunk)
        if known is None or known[0] != step:
            fraction = chunk.convention.open_fraction(float(chunk.actions[step, -1]))
            known = self._fractions[chunk] = step, fraction
        return known[1]

    def _vote(self, chunks: Sequence[ActionChunk], at_ns: int) -> float | None:
        newest_ns = chunks[-1].stamp_ns
        half_life_ns = self.config.vote_half_life_s * 1e9
        balance = total = 0.0
        for chunk in chunks:
            weight = 2.0 ** ((chunk.stamp_ns - newest_ns) / half_life_ns)
            total += weight
            balance += weight * self._side(self._fraction(chunk, at_ns))
        if abs(balance) <= _TIE * total:
            return {GripperState.OPEN: 1.0, GripperState.CLOSED: 0.0}.get(self._state)
        return 1.0 if balance > 0.0 else 0.0

    def _side(self, fraction: float) -> float:
        """Return 1 for a vote to open, -1 to close, 0 for neither."""
        below, above = self.config.close_below, self.config.open_above
        if not self.config.binary:
            below = above = 0.5
        opens, closes = fraction >= above, fraction <= below
        if opens == closes:
            return {GripperState.OPEN: 1.0, GripperState.CLOSED: -1.0}.get(self._state, 0.0)
        return 1.0 if opens else -1.0

    def step(self, now_ns: int, fraction: float | None) -> GripperCommand:
        """Return the command of this tick [ns] for a wanted open fraction; None keeps the last one.

        A fraction that is not finite is as good as none, and ``acted`` says so: the gripper keeps
        what it holds.
        """
        acted: tuple[str, ...] = ()
        if self._changed_ns is not None:
            # After a clock that was set back the dwell time begins anew; it does not last until
            # the old time has come again.
            self._changed_ns = min(self._changed_ns, now_ns)
        if fraction is not None and not math.isfinite(fraction):
            acted = (f'gripper: prediction {fraction} ignored',)
        elif fraction is not None and self.config.binary:
            acted = self._switch(now_ns, fraction)
        elif fraction is not None:
            width = self.range.width(min(max(fraction, 0.0), 1.0))
            acted = self._go(GripperState.CONTINUOUS, width)
        return GripperCommand(self._width, self.config.max_effort, self._state, acted)

    def force(self, now_ns: int, fraction: float) -> GripperCommand:
        """Return the command of this tick [ns] for a fraction that a human wants.

        It is taken at once: neither hysteresis nor dwell apply, the bounds of the width do. What
        the policy wants afterwards is decided from there, and not before the dwell time is over.
        """
        state = GripperState.CONTINUOUS
        if self.config.binary:
            state = GripperState.OPEN if fraction > 0.5 else GripperState.CLOSED
        if state is not self._state:
            self._changed_ns = now_ns
        acted = self._go(state, self.range.width(min(max(fraction, 0.0), 1.0)))
        return GripperCommand(self._width, self.config.max_effort, self._state, acted)

    def _switch(self, now_ns: int, fraction: float) -> tuple[str, ...]:
        """Open, close or stay; return why a wanted change was not taken."""
        low, high = self.config.close_below, self.config.open_above
        if low < fraction < high:
            nearer = GripperState.OPEN if fraction > 0.5 * (low + high) else GripperState.CLOSED
            return () if nearer is self._state else ('gripper: within hysteresis',)
        wanted = GripperState.OPEN if fraction >= high else GripperState.CLOSED
        if wanted is not self._state:
            since = self._changed_ns
            if since is not None and now_ns - since < self._dwell_ns:
                return ('gripper: dwell',)
            self._changed_ns = now_ns
        opened = wanted is GripperState.OPEN
        return self._go(wanted, self.range.open if opened else self.range.closed)

    def _go(self, state: GripperState, width: float) -> tuple[str, ...]:
        """Command a width [m] within the bounds; return what the bounds changed."""
        self._state = state
        self._width = min(max(width, self.range.closed), self._widest)
        return ('gripper: max_width',) if width > self._widest else ()
