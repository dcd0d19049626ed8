"""A human's hand on the arm: who moves it, by what, and when the policy gets it back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import ConfigError, InputError, InvariantError
from vla_ros.core.override_sources import Sources

Array = NDArray[np.float64]

_FASTEST = 100.0  # m/s or rad/s; beyond it a twist is no arm's motion but a mistake


class ArmState(str, Enum):
    """Who moves the arm."""

    POLICY = 'POLICY'
    HOLD = 'HOLD'  # nobody, since a human wants it to hold
    TAKEOVER = 'TAKEOVER'  # nobody yet: it is a human's, who has not said where to
    TWIST = 'TWIST'  # a human, by velocities of the tool
    JOINTS = 'JOINTS'  # a human, by the joints of a leader arm
    STOPPED = 'STOPPED'  # nobody, until the arm is started again


class ArmEvent(str, Enum):
    """What happened."""

    HOLD = 'hold'
    TAKEOVER = 'takeover'
    TWIST = 'twist'
    JOINTS = 'joints'
    RELEASE = 'release'
    QUIET = 'quiet'  # no motion command for the deadman's time, but the human is still there
    SILENT = 'silent'  # nothing at all for the deadman's time
    STOP = 'stop'
    START = 'start'


_S, _E = ArmState, ArmEvent

TRANSITIONS: dict[tuple[ArmState, ArmEvent], ArmState] = {
    **{(state, event): after
       for state in (_S.POLICY, _S.HOLD, _S.TAKEOVER, _S.TWIST, _S.JOINTS)
       for event, after in ((_E.HOLD, _S.HOLD), (_E.TAKEOVER, _S.TAKEOVER), (_E.TWIST, _S.TWIST),
                            (_E.JOINTS, _S.JOINTS), (_E.RELEASE, _S.POLICY),
                            (_E.STOP, _S.STOPPED), (_E.START, state))},
    **{(state, _E.SILENT): _S.POLICY for state in (_S.HOLD, _S.TAKEOVER, _S.TWIST, _S.JOINTS)},
    (_S.TWIST, _E.QUIET): _S.TAKEOVER,
    (_S.JOINTS, _E.QUIET): _S.TAKEOVER,
    **{(_S.STOPPED, event): _S.STOPPED
       for event in (_E.HOLD, _E.TAKEOVER, _E.TWIST, _E.JOINTS, _E.RELEASE, _E.STOP)},
    (_S.STOPPED, _E.START): _S.POLICY,
}

_WORDS = {_S.HOLD: 'hold: {}', _S.TAKEOVER: 'takeover: {} waiting', _S.TWIST: 'takeover: {} twist',
          _S.JOINTS: 'takeover: {} joints'}
_MOVING = (_S.TWIST, _S.JOINTS)


@dataclass(frozen=True)
class ArmOverrideConfig:
    """What can be set; the defaults are in ``config/nodes/control_node.yaml``, nowhere else.

    Attributes
    ----------
    deadman_s : float
        A motion command that is older is over, and so is the hold on the arm of a source that has
        sent nothing since, unless it has asked for the arm and never sent a heartbeat [s].
    leader_start : float
        A leader arm takes over while no joint of it is further than this from the measured one
        [rad].
    leader_distance : float
        The same once it is followed; beyond it the arm waits [rad].

    Raises
    ------
    ConfigError
        When a value is out of its range.

    """

    deadman_s: float
    leader_start: float
    leader_distance: float

    def __post_init__(self) -> None:
        for name in ('deadman_s', 'leader_start', 'leader_distance'):
            if not 0.0 < getattr(self, name) < math.inf:
                raise ConfigError(f'arm override: {name} must be positive, found '
                                  f'{getattr(self, name)}')
        if not self.leader_start <= self.leader_distance:
            raise ConfigError(f'arm override: leader_start ({self.leader_start:g} rad) must not be '
                              f'more than leader_distance ({self.leader_distance:g} rad)')


@dataclass(frozen=True, eq=False)
class ArmDecision:
    """Who moves the arm at one tick, and what a human wants of it.

    Attributes
    ----------
    kind : ArmState
        Who, and by what.
    twist : np.ndarray
        (6,) velocity of the tool [m/s, rad/s], finite; zero unless ``kind`` is TWIST.
    in_tool_frame : bool
        Whether the twist's axes are those of the tool frame instead of the base frame; the
        rotation is about the tool's origin in both cases.
    joints, joint_velocity : np.ndarray | None
        (n,) where the leader arm is [rad] and how it moves [rad/s]; None unless ``kind`` is JOINTS.
    source, label : str
        Who has the arm, and in words, e.g. ``takeover: panel twist``; empty for the policy.
    handed_back : bool
        Whether a human had the arm at the last tick and the policy has it at this one.

    """

    kind: ArmState
    twist: Array
    in_tool_frame: bool = False
    joints: Array | None = None
    joint_velocity: Array | None = None
    source: str = ''
    label: str = ''
    handed_back: bool = False

    @property
    def held(self) -> bool:
        """Whether the arm is a human's."""
        return self.kind not in (ArmState.POLICY, ArmState.STOPPED)


_NOBODY = {state: ArmDecision(state, np.zeros(6)) for state in (_S.POLICY, _S.STOPPED)}
"""What is decided while no human has the arm."""


class ArmOverride:
    """Arbitrates the arm's channel. Every command answers '' or why it was refused.

    A source that only sends motion has the arm as long as it goes on. One that asks for the arm
    (``hold``, ``takeover``) has it until it releases it; once it has sent a heartbeat (``alive``),
    it must go on doing so.

    Parameters
    ----------
    config : ArmOverrideConfig
        Times and distances.
    sources : Sources
        Who may override.
    n : int
        Number of joints.

    """

    def __init__(self, config: ArmOverrideConfig, sources: Sources, n: int) -> None:
        self.config = config
        self.sources = sources
        self.n = n
        self.state = ArmState.POLICY
        self.source = ''
        self.since_ns = 0  # of the present state
        self._deadman_ns = round(config.deadman_s * 1e9)
        self._heard_ns = 0  # the newest of anything
        self._moved_ns = 0  # the newest motion command
        self._asked = False  # for the arm, rather than just moved it
        self._heartbeat = False
        self._twist = np.zeros(6)
        self._in_tool_frame = False
        self._joints = self._velocity = np.zeros(n)
        self._measured: Array | None = None
        self._was_held = False

    # What humans do

    def takeover(self, now_ns: int, source: str) -> str:
        """Take the arm: it brakes and holds until it is told where to move, or released."""
        return self._command(now_ns, source, _E.TAKEOVER)

    def hold(self, now_ns: int, source: str) -> str:
        """Have the arm brake and hold until it is released."""
        return self._command(now_ns, source, _E.HOLD)

    def twist(self, now_ns: int, source: str, twist: Array, in_tool_frame: bool) -> str:
        """Move the tool at this velocity (6,) [m/s, rad/s] for the deadman's time at most.

        No motion from a source that does not have the arm is no wish to have it: a joystick at
        rest may say that it is.

        Raises
        ------
        InputError
            When it is not six finite numbers of an arm's size.

        """
        twist = np.array(twist, dtype=np.float64)
        if twist.shape != (6,) or not (np.abs(twist) <= _FASTEST).all():
            raise InputError(f'arm override: expected six velocities of at most {_FASTEST:g} m/s '
                             f'or rad/s, found {twist}')
        self.sources.check(source)
        if source != self.source and not twist.any():
            return ''
        if refusal := self._command(now_ns, source, _E.TWIST):
            return refusal
        self._twist, self._in_tool_frame = twist, in_tool_frame
        return ''

    def joints(self, now_ns: int, source: str, q: Array, velocity: Array | None = None) -> str:
        """Follow a leader arm at these joints (n,) [rad], which move at ``velocity`` [rad/s].

        It is refused while it is too far from the measured joints: nothing shall jump. A leader
        that is followed and gets too far has the arm wait for it to come back.

        Raises
        ------
        InputError
            When these are not n finite numbers.

        """
        self.sources.check(source)
        q = np.array(q, dtype=np.float64)
        speed = np.zeros(self.n) if velocity is None else np.array(velocity, dtype=np.float64)
        for numbers in (q, speed):
            if numbers.shape != (self.n,) or not (np.abs(numbers) <= _FASTEST).all():
                raise InputError(f'arm override: expected {self.n} joints of at most {_FASTEST:g} '
                                 f'rad or rad/s, found {numbers}')
        if refusal := self.refusal(source):
            return refusal
        if self._measured is None:
            return f'arm override of {source} refused: no joint state was received yet'
        follows = self.state is _S.JOINTS and self.source == source
        limit = self.config.leader_distance if follows else self.config.leader_start
        distance = np.abs(q - self._measured)
        worst = int(distance.argmax())
        if not distance[worst] <= limit:
            if self.source == source:
                self._heard_ns = now_ns
            return (f'arm override of {source} refused: its joint {worst + 1} is '
                    f'{distance[worst]:.2f} rad > {limit:g} rad from the measured one')
        refusal = self._command(now_ns, source, _E.JOINTS)
        if not refusal:
            self._joints, self._velocity = q, speed
        return refusal

    def release(self, now_ns: int, source: str) -> str:
        """Give the arm back to the policy."""
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
            return 'arm override refused: the arm is stopped (~/start) or not armed'
        if self.source and not self.sources.beats(source, self.source):
            return f'arm override of {source} refused: {self.source} has the arm'
        return ''

    def alive(self, now_ns: int, source: str) -> None:
        """Take in a heartbeat: the source keeps what it has, and must go on sending them."""
        self.sources.check(source)
        if source == self.source:
            self._heard_ns, self._heartbeat = now_ns, True

    def stop(self, now_ns: int) -> None:
        """End every override, and refuse new ones until :meth:`start`."""
        self._handle(now_ns, _E.STOP)

    def start(self, now_ns: int) -> None:
        """Allow overrides again."""
        self._handle(now_ns, _E.START)

    # The tick

    def measured(self, q: Array | None) -> None:
        """Take in the measured joints (n,) [rad]; None: they are not known any more."""
        self._measured = q

    def step(self, now_ns: int) -> ArmDecision:
        """Return who moves the arm now [ns], and how."""
        # After a clock that was set back every time begins anew.
        self._heard_ns = min(self._heard_ns, now_ns)
        self._moved_ns = min(self._moved_ns, now_ns)
        self.since_ns = min(self.since_ns, now_ns)
        if self.state in _MOVING and now_ns - self._moved_ns > self._deadman_ns:
            self._handle(now_ns, _E.SILENT if self._gone(now_ns) else _E.QUIET)
        if self.state in (_S.HOLD, _S.TAKEOVER) and self._gone(now_ns):
            self._handle(now_ns, _E.SILENT)

        held = self.state not in (_S.POLICY, _S.STOPPED)
        handed_back = self._was_held and self.state is _S.POLICY
        self._was_held = held
        if not (held or handed_back):
            return _NOBODY[self.state]
        twists, follows = self.state is _S.TWIST, self.state is _S.JOINTS
        return ArmDecision(
            self.state, self._twist if twists else np.zeros(6), twists and self._in_tool_frame,
            self._joints if follows else None, self._velocity if follows else None,
            self.source, self.label, handed_back)

    @property
    def label(self) -> str:
        """Who has the arm, in words; empty when the policy has it."""
        return _WORDS[self.state].format(self.source) if self.state in _WORDS else ''

    def _gone(self, now_ns: int) -> bool:
        """Return whether nobody is there any more who should be."""
        waits_for_release = self._asked and not self._heartbeat
        return not waits_for_release and now_ns - self._heard_ns > self._deadman_ns

    def _command(self, now_ns: int, source: str, event: ArmEvent) -> str:
        self.sources.check(source)
        if refusal := self.refusal(source):
            return refusal
        if source != self.source:
            self.source, self.since_ns = source, now_ns
            self._asked = self._heartbeat = False
        self._asked |= event in (_E.HOLD, _E.TAKEOVER)
        self._heard_ns = now_ns
        if event in (_E.TWIST, _E.JOINTS):
            self._moved_ns = now_ns
        self._handle(now_ns, event)
        return ''

    def _handle(self, now_ns: int, event: ArmEvent) -> None:
        try:
            after = TRANSITIONS[self.state, event]
        except KeyError:
            raise InvariantError(f'arm override: no transition from {self.state} on '
                                 f'{event}') from None
        if after is not self.state:
            self.since_ns = now_ns
        self.state = after
        if after in (_S.POLICY, _S.STOPPED):
            self.source = ''
            self._asked = self._heartbeat = False
