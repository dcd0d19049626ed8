"""The controls of a pad: buttons, triggers and sticks, read from the numbers that it sends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vla_ros.core.errors import InputError


class Readings:
    """What a pad has sent: its newest axes and buttons, and which axes were ever moved.

    A trigger whose rest is not 0 reads 0 until it is moved for the first time, which would be half
    pressed. Until it has sent anything else it counts as at rest.

    Parameters
    ----------
    button_events : bool
        Whether messages hold only buttons that have just changed, as spacenav's do; a button that
        a message does not have is as it was.

    """

    def __init__(self, button_events: bool = False) -> None:
        self.axes: tuple[float, ...] = ()
        self.buttons: list[int] = []
        self._button_events = button_events
        self._moved: set[int] = set()

    def update(self, axes: Sequence[float], buttons: Sequence[int]) -> None:
        """Take in a message.

        Raises
        ------
        InputError
            When an axis is not finite; the message is not taken then.

        """
        axes = tuple(float(value) for value in axes)
        if not all(map(math.isfinite, axes)):
            bad = next(i for i, value in enumerate(axes) if not math.isfinite(value))
            raise InputError(f'joy: axis {bad} is not finite: {axes[bad]}')
        self.axes = axes
        self._moved.update(i for i, value in enumerate(axes) if value != 0.0)
        if self._button_events:
            self.buttons[:len(buttons)] = buttons
        else:
            self.buttons = list(buttons)

    def forget(self) -> None:
        """Begin anew: the pad was away, and may be another."""
        self.__init__(self._button_events)  # type: ignore[misc]

    def axis(self, index: int, rest: float) -> float:
        """Return an axis; its rest when it was never moved or is not there."""
        moved = index in self._moved or rest == 0.0
        return self.axes[index] if moved and index < len(self.axes) else rest

    def button(self, index: int) -> bool:
        """Return whether a button is pressed; one that is not there is not."""
        return index < len(self.buttons) and bool(self.buttons[index])


@dataclass(frozen=True)
class Button:
    """A button: pressed or not."""

    index: int

    def value(self, readings: Readings) -> float:
        """Return 0 or 1."""
        return float(readings.button(self.index))


@dataclass(frozen=True)
class Trigger:
    """An axis that goes from ``rest`` to ``pressed``: a trigger, or one side of a cross."""

    index: int
    rest: float
    pressed: float

    def value(self, readings: Readings) -> float:
        """Return how far it is pressed, 0 to 1."""
        way = readings.axis(self.index, self.rest) - self.rest
        return float(np.clip(way / (self.pressed - self.rest), 0.0, 1.0))


@dataclass(frozen=True)
class Stick:
    """An axis that goes both ways from 0; ``sign`` -1 turns it around."""

    index: int
    sign: float

    def value(self, readings: Readings) -> float:
        """Return -1 to 1."""
        return self.sign * float(np.clip(readings.axis(self.index, 0.0), -1.0, 1.0))


@dataclass(frozen=True)
class Pair:
    """Two controls, one for each way."""

    plus: Button | Trigger
    minus: Button | Trigger

    def value(self, readings: Readings) -> float:
        """Return -1 to 1."""
        return self.plus.value(readings) - self.minus.value(readings)


Press = Button | Trigger
Motion = Stick | Pair

PRESSED = 0.5
"""A trigger is pressed from here on."""


def without_dead_zone(value: float, dead_zone: float) -> float:
    """Return 0 within the dead zone, and what is beyond it from 0 to 1: no jump at its edge."""
    beyond = abs(value) - dead_zone
    return math.copysign(beyond / (1.0 - dead_zone), value) if beyond > 0.0 else 0.0
