"""One human's hand: what is pressed, moved and held, whatever the device; and what to say of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import ConfigError
from vla_ros.teleop.commands import Call, Command, Move, Say, Tell

Array = NDArray[np.float64]

SPEEDS = (0.1, 0.25, 0.5, 1.0)
"""Shares of the full speed that a human can choose from."""


class Action(str, Enum):
    """What a button or key can do."""

    GRIPPER_CLOSE = 'gripper_close'
    GRIPPER_OPEN = 'gripper_open'
    GRIPPER_TOGGLE = 'gripper_toggle'  # close, then open, then close, …
    GRIPPER_RELEASE = 'gripper_release'
    TAKEOVER = 'takeover'
    HOLD = 'hold'
    RELEASE = 'release'
    RELEASE_ALL = 'release_all'  # the arm and the gripper
    ESTOP = 'estop'
    RESET_ESTOP = 'reset_estop'
    ARM = 'arm'
    DISARM = 'disarm'
    PAUSE = 'pause'  # stop; start when it is stopped
    SAVE_LAST = 'save_last'
    FRAME = 'frame'  # base, tool, base, …
    FASTER = 'faster'
    SLOWER = 'slower'
    SPEED = 'speed'  # slower each time, then the fastest again


_ARM_WORDS = {Action.TAKEOVER: 'takeover', Action.HOLD: 'hold'}
_GRIPPER_WORDS = {Action.GRIPPER_CLOSE: 'close', Action.GRIPPER_OPEN: 'open'}
_SERVICES = {Action.ESTOP: 'estop', Action.RESET_ESTOP: 'reset_estop', Action.ARM: 'arm',
             Action.DISARM: 'disarm', Action.SAVE_LAST: 'save_last'}


@dataclass(frozen=True)
class HandConfig:
    """What can be set; the defaults are in ``config/nodes/teleop_node.yaml``, nowhere else.

    Attributes
    ----------
    linear, angular : float
        Velocities at full deflection and full speed [m/s, rad/s].
    speed : float
        Share of them at the start, one of :data:`SPEEDS`.
    gripper_mode : str
        Mode of the gripper's overrides. ``momentary`` is repeated as long as a button is pressed.
    keep_arm : bool
        Whether a motion keeps the arm until it is released, or only while it lasts.
    in_tool_frame : bool
        Whose axes the motion has at the start.

    Raises
    ------
    ConfigError
        When a value is out of its range.

    """

    linear: float
    angular: float
    speed: float
    gripper_mode: str
    keep_arm: bool
    in_tool_frame: bool

    def __post_init__(self) -> None:
        for name in ('linear', 'angular'):
            if not 0.0 < getattr(self, name) < math.inf:
                raise ConfigError(f'teleop: {name} speed must be positive, found '
                                  f'{getattr(self, name)}')
        if self.speed not in SPEEDS:
            raise ConfigError(f'teleop: speed must be one of {", ".join(map(str, SPEEDS))}, '
                              f'found {self.speed}')


class Hand:
    """Turns actions and directions into commands.

    Who asks for the arm (:attr:`Action.TAKEOVER`, a motion with ``keep_arm``) says so and sends a
    heartbeat from then on: when the device, this process or the network is gone, the control node
    hears no more of it, and its deadman gives the arm back.

    Parameters
    ----------
    config : HandConfig
        Speeds and ways.
    source : str
        As which it overrides.

    """

    def __init__(self, config: HandConfig, source: str) -> None:
        self.config = config
        self.source = source
        self.in_tool_frame = config.in_tool_frame
        self.speed = config.speed
        self.asked = False  # for the arm, and not released it
        self.direction: Array | None = None  # (6,) -1 to 1; None: no motion is meant
        self.stopped = False  # whether the control node says that it is STOPPED
        self._moved = False  # since the motion began
        self._had = False  # the control node has said that the arm is ours
        self._pressed = ''  # word of the momentary command that is held
        self._closes_next = True

    # What the human does

    def press(self, action: Action, held: bool = True) -> list[Command]:
        """Do something; ``held``: whether the device will say when the button is let go."""
        if action in _ARM_WORDS:
            self.asked = True
            return [Say('arm', _ARM_WORDS[action])]
        if action in (Action.RELEASE, Action.RELEASE_ALL):
            return self._release() + (
                self._let_gripper_go() if action is Action.RELEASE_ALL else [])
        if action is Action.GRIPPER_RELEASE:
            return self._let_gripper_go()
        if action is Action.GRIPPER_TOGGLE:
            action = Action.GRIPPER_CLOSE if self._closes_next else Action.GRIPPER_OPEN
        if action in _GRIPPER_WORDS:
            self._closes_next = action is Action.GRIPPER_OPEN
            word = f'{_GRIPPER_WORDS[action]} {self.config.gripper_mode}'
            self._pressed = word if held and self.config.gripper_mode == 'momentary' else ''
            return [Say('gripper', word)]
        if action is Action.PAUSE:
            return [Call('start' if self.stopped else 'stop')]
        if action in _SERVICES:
            return [Call(_SERVICES[action])]
        return self._adjust(action)

    def let_go(self, action: Action) -> list[Command]:
        """Take in that the button of an action is not pressed any more."""
        word = self._pressed.partition(' ')[0]
        toggled = action is Action.GRIPPER_TOGGLE and bool(word)
        if not toggled and (not word or _GRIPPER_WORDS.get(action) != word):
            return []
        self._pressed = ''
        return [Say('gripper', 'release')]

    def move(self, direction: Array | None) -> list[Command]:
        """Move the tool in a direction (6,), each -1 to 1; None: no motion is meant any more."""
        before, self.direction = self.direction, direction
        if direction is None:
            if before is None or not self._moved:
                return []
            self._moved = False
            still = Move(np.zeros(6), self.in_tool_frame)
            return [still] if self.asked else [still, Say('arm', 'release')]
        if not direction.any() or self._moved:
            return []
        self._moved = True
        if self.config.keep_arm and not self.asked:
            self.asked = True
            return [Say('arm', 'takeover')]
        return []

    def lost(self) -> None:
        """Forget what was held: nobody can tell whether it still is. The deadman ends it."""
        self.direction, self._pressed = None, ''
        self.asked = self._moved = self._had = False

    # What the control node says

    def told(self, arm_source: str) -> None:
        """Take in who has the arm: what is ours no more (a stop, a higher source) is not kept."""
        if arm_source == self.source:
            self._had = True
        elif self._had:
            self._had = self.asked = False

    # Now and then

    def step(self) -> list[Command]:
        """Return what has to be said again and again: motion, heartbeat, a pressed button."""
        commands: list[Command] = []
        if self.asked:
            commands.append(Say('arm', 'alive'))
        if self._pressed:
            commands.append(Say('gripper', self._pressed))
        if self.direction is not None:
            commands.append(Move(self._twist(self.direction), self.in_tool_frame))
        return commands

    def give_back(self) -> list[Command]:
        """Return what ends everything that would end by itself: for an orderly end."""
        commands = self._release() if self.asked or self._moved else []
        if self._pressed:
            commands += self._let_gripper_go()
        return commands

    def _twist(self, direction: Array) -> Array:
        twist = np.clip(direction, -1.0, 1.0)
        for part, full in ((slice(0, 3), self.config.linear), (slice(3, 6), self.config.angular)):
            # A stick in the corner of its square is not faster than one at its edge.
            twist[part] *= self.speed * full / max(1.0, float(np.linalg.norm(twist[part])))
        return twist

    def _release(self) -> list[Command]:
        self.asked = self._moved = self._had = False
        return [Say('arm', 'release')]

    def _let_gripper_go(self) -> list[Command]:
        self._pressed, self._closes_next = '', True
        return [Say('gripper', 'release')]

    def _adjust(self, action: Action) -> list[Command]:
        if action is Action.FRAME:
            self.in_tool_frame = not self.in_tool_frame
            return [Tell(f'axes of the {"tool" if self.in_tool_frame else "base"} frame')]
        step = 1 if action is Action.FASTER else -1
        place = SPEEDS.index(self.speed) + step
        if action is not Action.SPEED:
            place = min(max(place, 0), len(SPEEDS) - 1)
        self.speed = SPEEDS[place]  # -1, below the slowest, is the fastest
        return [Tell(f'speed {self.speed:.0%}')]
