"""A pad or 3D mouse: what ``sensor_msgs/Joy`` says, turned into what a hand does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vla_ros.teleop.commands import Command, Tell
from vla_ros.teleop.controls import PRESSED, Press, Readings, without_dead_zone
from vla_ros.teleop.hand import Action, Hand
from vla_ros.teleop.mapping import DIRECTIONS, PadMapping

GUARDED = (Action.ARM, Action.RESET_ESTOP)
"""Done only while the deadman is held: they let the arm move again, as does the end of a pause."""


class Pad:
    """Reads a pad by its mapping.

    What is pressed when the pad is first heard of, or again after a silence, does nothing until it
    was let go once. A pad that falls silent has let go of everything.

    Parameters
    ----------
    mapping : PadMapping
        What each control does.
    hand : Hand
        Does it.
    timeout_s : float
        A pad that is silent for longer is gone [s].

    """

    def __init__(self, mapping: PadMapping, hand: Hand, timeout_s: float) -> None:
        self.mapping = mapping
        self.hand = hand
        self._timeout_ns = round(timeout_s * 1e9)
        self._readings = Readings(mapping.button_events)
        self._heard_ns: int | None = None
        self._stuck: set[Action | None] = set()  # pressed since before it counted; None: deadman
        self._pressed: set[Action | None] = set()
        self._rested = False  # all directions were at rest once

    @property
    def connected(self) -> bool:
        """Whether the pad is there."""
        return self._heard_ns is not None

    def heard(self, now_ns: int, axes: Sequence[float], buttons: Sequence[int]) -> list[Command]:
        """Take in a message of the pad.

        Raises
        ------
        ConfigError
            When the mapping has a control that the pad does not send.
        InputError
            When an axis is not finite.

        """
        if not len(axes) and not len(buttons):  # joy_node without a pad
            return self._gone('joy: no pad is connected')
        commands = self._silence(now_ns)
        first = self._heard_ns is None
        if first:
            self.mapping.check(len(axes), len(buttons))
        self._readings.update(axes, buttons)
        self._heard_ns = now_ns
        now_pressed = self._now_pressed()
        if first:
            self._stuck = set(now_pressed)
            commands.append(Tell(f'pad: {self.mapping.description}'))
        self._stuck &= now_pressed
        return commands + self._act(now_pressed - self._stuck)

    def step(self, now_ns: int) -> list[Command]:
        """Return what is due now [ns]."""
        return self._silence(now_ns) or (self.hand.step() if self.connected else [])

    def _silence(self, now_ns: int) -> list[Command]:
        if self._heard_ns is None or 0 <= now_ns - self._heard_ns <= self._timeout_ns:
            return []
        return self._gone(f'joy: nothing for {self._timeout_ns * 1e-9:g} s; is the pad connected, '
                          'and autorepeat_rate of its node above 0?')

    def _gone(self, why: str) -> list[Command]:
        if self._heard_ns is None:
            return []
        self._heard_ns = None
        self._readings.forget()
        self._pressed.clear()
        self._rested = False
        self.hand.lost()
        return [Tell(why)]

    def _now_pressed(self) -> set[Action | None]:
        controls: dict[Action | None, Press | None] = {None: self.mapping.deadman,
                                                       **self.mapping.actions}
        return {action for action, control in controls.items()
                if control is not None and control.value(self._readings) > PRESSED}

    def _act(self, pressed: set[Action | None]) -> list[Command]:
        new, old, self._pressed = pressed - self._pressed, self._pressed - pressed, pressed
        held = None in pressed or self.mapping.deadman is None
        commands: list[Command] = []
        for action in self.mapping.actions:  # in the file's order, not the set's
            if action in old:
                commands += self.hand.let_go(action)
            elif action in new and not held and self._guarded(action):
                commands.append(Tell(f'{action.value}: hold the deadman, too'))
            elif action in new:
                commands += self.hand.press(action)
        direction = self._direction()
        self._rested |= not direction.any()
        if self.mapping.deadman is None:
            held = self._rested and bool(direction.any())
        return commands + self.hand.move(direction if held else None)

    def _guarded(self, action: Action) -> bool:
        return action in GUARDED or (action is Action.PAUSE and self.hand.stopped)

    def _direction(self) -> np.ndarray:
        values = [self.mapping.motion[name].value(self._readings)
                  if name in self.mapping.motion else 0.0 for name in DIRECTIONS]
        return np.array([without_dead_zone(value, self.mapping.dead_zone) for value in values])
