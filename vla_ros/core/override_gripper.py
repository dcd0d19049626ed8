"""A human's hand on the gripper, and on nothing else: who has it, how long, and who gets it back.

The arm goes on with the policy; nothing here is known to it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from vla_ros.core.errors import ConfigError, InputError, InvariantError, unknown_choice
from vla_ros.core.limits import GripperRange
from vla_ros.core.override_sources import Sources

_WORDS = {'close': 0.0, 'open': 1.0}


class GripperOverrideMode(str, Enum):
    """When a human's gripper command ends by itself."""

    MOMENTARY = 'momentary'  # when nothing more is heard of it, and a dwell later
    LATCHED = 'latched'  # never
    UNTIL_AGREE = 'until_agree'  # when the policy has wanted the same for a while


class GripperOverrideState(str, Enum):
    """Who has the gripper."""

    POLICY = 'POLICY'
    MOMENTARY = 'MOMENTARY'  # a human, as long as the button is pressed
    DWELL = 'DWELL'  # a human still, who has let the button go a moment ago
    LATCHED = 'LATCHED'  # a human, until it is released
    UNTIL_AGREE = 'UNTIL_AGREE'  # a human, until the policy wants the same
    STOPPED = 'STOPPED'  # nobody: it keeps its last command until the arm is started again


class GripperOverrideEvent(str, Enum):
    """What happened."""

    PRESS = 'press'  # a momentary command
    LATCH = 'latch'
    ASK = 'ask'  # a command until the policy agrees
    RELEASE = 'release'
    SILENT = 'silent'  # nothing was heard of a pressed button for the deadman's time
    DWELLED = 'dwelled'
    AGREED = 'agreed'
    DISAGREED = 'disagreed'  # the time limit for agreeing is over
    STOP = 'stop'
    START = 'start'


_S, _E = GripperOverrideState, GripperOverrideEvent

TRANSITIONS: dict[tuple[GripperOverrideState, GripperOverrideEvent], GripperOverrideState] = {
    **{(state, event): after
       for state in (_S.POLICY, _S.MOMENTARY, _S.DWELL, _S.LATCHED, _S.UNTIL_AGREE)
       for event, after in ((_E.PRESS, _S.MOMENTARY), (_E.LATCH, _S.LATCHED),
                            (_E.ASK, _S.UNTIL_AGREE), (_E.STOP, _S.STOPPED), (_E.START, state))},
    (_S.POLICY, _E.RELEASE): _S.POLICY,
    (_S.MOMENTARY, _E.RELEASE): _S.DWELL,
    (_S.MOMENTARY, _E.SILENT): _S.DWELL,
    (_S.DWELL, _E.RELEASE): _S.POLICY,
    (_S.DWELL, _E.DWELLED): _S.POLICY,
    (_S.LATCHED, _E.RELEASE): _S.POLICY,
    (_S.UNTIL_AGREE, _E.RELEASE): _S.POLICY,
    (_S.UNTIL_AGREE, _E.AGREED): _S.POLICY,
    # Handing back to a policy that wants the opposite would drop what a human has gripped.
    (_S.UNTIL_AGREE, _E.DISAGREED): _S.LATCHED,
    **{(_S.STOPPED, event): _S.STOPPED
       for event in (_E.PRESS, _E.LATCH, _E.ASK, _E.RELEASE, _E.STOP)},
    (_S.STOPPED, _E.START): _S.POLICY,
}

_COMMANDS = {GripperOverrideMode.MOMENTARY: _E.PRESS, GripperOverrideMode.LATCHED: _E.LATCH,
             GripperOverrideMode.UNTIL_AGREE: _E.ASK}
_HOLDING = (_S.MOMENTARY, _S.LATCHED, _S.UNTIL_AGREE)


@dataclass(frozen=True)
class GripperOverrideConfig:
    """What can be set; the defaults are in ``config/nodes/control_node.yaml``, nowhere else.

    Attributes
    ----------
    deadman_s : float
        A momentary command of which nothing was heard for longer is let go [s].
    dwell_s : float
        How long a momentary command that was let go is still kept [s].
    agree_s : float
        How long the policy must have wanted the same before it gets the gripper back [s].
    agree_timeout_s : float
        When it has not done so for this long, the command is latched [s].
    binary : bool
        Whether the policy's gripper is open or closed, or has any width: what agreeing means.
    close_below, open_above : float
        Open fractions at or below which a binary policy wants it closed, and at or above which
        open; as those of the gripper's channel.
    agree_within : float
        Difference of the open fractions up to which a policy that is not binary agrees.

    Raises
    ------
    ConfigError
        When a value is out of its range.

    """

    deadman_s: float
    dwell_s: float
    agree_s: float
    agree_timeout_s: float
    binary: bool
    close_below: float
    open_above: float
    agree_within: float

    def __post_init__(self) -> None:
        for name in ('deadman_s', 'agree_timeout_s'):
            if not 0.0 < getattr(self, name) < math.inf:
                raise ConfigError(f'gripper override: {name} must be positive, found '
                                  f'{getattr(self, name)}')
        for name in ('dwell_s', 'agree_s'):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ConfigError(f'gripper override: {name} must not be negative, found '
                                  f'{getattr(self, name)}')
        if not 0.0 <= self.agree_within <= 1.0:
            raise ConfigError(f'gripper override: agree_within must be 0 to 1, found '
                              f'{self.agree_within}')
        if not self.agree_s < self.agree_timeout_s:
            raise ConfigError(f'gripper override: agree_s ({self.agree_s:g} s) must be shorter '
                              f'than agree_timeout_s ({self.agree_timeout_s:g} s)')


@dataclass(frozen=True)
class GripperDecision:
    """Who has the gripper at one tick, and what a human wants of it.

    Attributes
    ----------
    fraction : float | None
        Open fraction to command, 0 closed to 1 open; None: the policy has the gripper.
    label : str
        In words, e.g. ``gripper override: panel latched``; empty for the policy.
    source, mode : str
        Who has it and in which mode; empty for the policy.

    """

    fraction: float | None = None
    label: str = ''
    source: str = ''
    mode: str = ''


class GripperOverride:
    """Arbitrates the gripper's channel. Every command answers '' or why it was refused.

    Parameters
    ----------
    config : GripperOverrideConfig
        Times.
    sources : Sources
        Who may override.
    range : GripperRange
        The widths that may be asked for.

    """

    def __init__(self, config: GripperOverrideConfig, sources: Sources,
                 range: GripperRange) -> None:
        self.config = config
        self.sources = sources
        self.range = range
        self.state = GripperOverrideState.POLICY
        self.source = ''
        self.mode = ''
        self.since_ns = 0  # of the present state
        self._fraction = 0.0
        self._heard_ns = 0  # the newest sign of a pressed button
        self._commanded_ns = 0
        self._agreed_since_ns: int | None = None
        self._gave_up = False

    # What humans do

    def command(self, now_ns: int, source: str, target: float | str,
                mode: GripperOverrideMode | str) -> str:
        """Have the gripper go to a width [m], ``close`` or ``open``.

        Raises
        ------
        InputError
            When the source or the word is unknown, or the width is not one that the gripper has.
        ConfigError
            When the mode is unknown.

        """
        self.sources.check(source)
        fraction = self._target(target)
        try:
            mode = GripperOverrideMode(mode)
        except ValueError:
            raise unknown_choice('gripper override mode', mode,
                                 [m.value for m in GripperOverrideMode]) from None
        if refusal := self.refusal(source):
            return refusal
        if source != self.source:
            self.since_ns = now_ns
        self.source, self.mode, self._fraction = source, mode.value, fraction
        self._heard_ns = self._commanded_ns = now_ns
        self._agreed_since_ns, self._gave_up = None, False
        self._handle(now_ns, _COMMANDS[mode])
        return ''

    def release(self, now_ns: int, source: str) -> str:
        """Give the gripper back to the policy; a momentary command is let go and dwells first."""
        self.sources.check(source)
        if self.state in (_S.POLICY, _S.STOPPED):
            return ''
        if refusal := self.refusal(source):
            return refusal
        self._handle(now_ns, _E.RELEASE)
        return ''

    def refusal(self, source: str) -> str:
        """Return why a command of this source would be refused now; empty when it would not."""
        if self.state is _S.STOPPED:
            return 'gripper override refused: the arm is stopped (~/start) or not armed'
        if self.state in _HOLDING and not self.sources.beats(source, self.source):
            return f'gripper override of {source} refused: {self.source} has the gripper'
        return ''

    def alive(self, now_ns: int, source: str) -> None:
        """Take in that a source is there: the button that it holds is still pressed."""
        self.sources.check(source)
        if source == self.source:
            self._heard_ns = now_ns

    def stop(self, now_ns: int) -> None:
        """End every override, and refuse new ones until :meth:`start`."""
        self._handle(now_ns, _E.STOP)

    def start(self, now_ns: int) -> None:
        """Allow overrides again."""
        self._handle(now_ns, _E.START)

    # The tick

    def step(self, now_ns: int, policy_fraction: float | None) -> GripperDecision:
        """Return who has the gripper now [ns]; ``policy_fraction`` is what the policy wants."""
        # After a clock that was set back every time begins anew.
        self._heard_ns = min(self._heard_ns, now_ns)
        self._commanded_ns = min(self._commanded_ns, now_ns)
        self.since_ns = min(self.since_ns, now_ns)
        config = self.config
        if self.state is _S.MOMENTARY and _longer(now_ns - self._heard_ns, config.deadman_s):
            self._handle(now_ns, _E.SILENT)
        if self.state is _S.DWELL and not _shorter(now_ns - self.since_ns, config.dwell_s):
            self._handle(now_ns, _E.DWELLED)
        if self.state is _S.UNTIL_AGREE:
            self._judge(now_ns, policy_fraction)
        if self.state in (_S.POLICY, _S.STOPPED):
            return GripperDecision()
        return GripperDecision(self._fraction, self.label, self.source, self.mode)

    @property
    def label(self) -> str:
        """Who has the gripper, in words; empty when the policy has it."""
        if not self.source:
            return ''
        why = (f' (no agreement within {self.config.agree_timeout_s:g} s)'
               if self._gave_up else '')
        return f'gripper override: {self.source} {self.mode}{why}'

    def _judge(self, now_ns: int, policy_fraction: float | None) -> None:
        if not self._agrees(policy_fraction):
            self._agreed_since_ns = None
        else:
            since = self._agreed_since_ns
            # Counted from the newest command: a source that goes on commanding keeps the gripper.
            since = now_ns if since is None else min(max(since, self._commanded_ns), now_ns)
            self._agreed_since_ns = since
            if not _shorter(now_ns - since, self.config.agree_s):
                self._handle(now_ns, _E.AGREED)
                return
        if not _shorter(now_ns - self._commanded_ns, self.config.agree_timeout_s):
            self.mode, self._gave_up = GripperOverrideMode.LATCHED.value, True
            self._handle(now_ns, _E.DISAGREED)

    def _agrees(self, wanted: float | None) -> bool:
        """Return whether nothing would change much if the policy had the gripper."""
        if wanted is None or not math.isfinite(wanted):
            return False
        if not self.config.binary:
            return abs(wanted - self._fraction) <= self.config.agree_within
        return (wanted <= self.config.close_below if self._fraction <= 0.5
                else wanted >= self.config.open_above)

    def _target(self, target: float | str) -> float:
        if isinstance(target, str):
            if target not in _WORDS:
                raise InputError(f'gripper override: expected {" or ".join(_WORDS)} or a width '
                                 f'[m], found {target[:40]!r}')
            return _WORDS[target]
        low, high = self.range.closed, self.range.open
        if not low <= target <= high:
            raise InputError(f'gripper override: the width must be {low:g} to {high:g} m, '
                             f'found {target:g}')
        return (target - low) / (high - low)

    def _handle(self, now_ns: int, event: GripperOverrideEvent) -> None:
        try:
            after = TRANSITIONS[self.state, event]
        except KeyError:
            raise InvariantError(f'gripper override: no transition from {self.state} on '
                                 f'{event}') from None
        if after is not self.state:
            self.since_ns = now_ns
        self.state = after
        if after in (_S.POLICY, _S.STOPPED):
            self.source = self.mode = ''
            self._agreed_since_ns, self._gave_up = None, False


def _longer(duration_ns: int, seconds: float) -> bool:
    return duration_ns > round(seconds * 1e9)


def _shorter(duration_ns: int, seconds: float) -> bool:
    return duration_ns < round(seconds * 1e9)
