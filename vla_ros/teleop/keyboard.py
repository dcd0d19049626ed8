"""A keyboard in a terminal: keys that are heard of, but never that they are let go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vla_ros.core.errors import unknown_choice
from vla_ros.resources import share_names
from vla_ros.section import Section
from vla_ros.teleop.commands import Command
from vla_ros.teleop.hand import Action, Hand
from vla_ros.teleop.keys import NAMES, KeyDecoder
from vla_ros.teleop.mapping import DIRECTIONS, find

_TOGGLES = (Action.PAUSE, Action.FRAME, Action.GRIPPER_TOGGLE, Action.SPEED, Action.SAVE_LAST)
_REPEATS_NS = 800_000_000  # longer than any terminal's delay before a held key repeats
QUIT = 'quit'


@dataclass(frozen=True)
class KeyMapping:
    """Key -> what it does: an action, ``quit`` or a direction with its sign (``+x``)."""

    path: Path
    actions: Mapping[str, Action]
    motion: Mapping[str, tuple[int, float]]  # key -> place in DIRECTIONS, sign
    quits: frozenset[str]

    def key_of(self, what: str) -> str:
        """Return the key of an action, of ``quit`` or of a direction; '' when it has none."""
        if what == QUIT:
            return next(iter(sorted(self.quits)), '')
        for key, action in self.actions.items():
            if action.value == what:
                return key
        for key, (place, sign) in self.motion.items():
            if f'{"+" if sign > 0 else "-"}{DIRECTIONS[place]}' == what:
                return key
        return ''


def load_keys(name: str) -> KeyMapping:
    """Load the mapping of a keyboard by name, or from a YAML file of your own.

    Raises
    ------
    ConfigError
        No such file, or a key is wrong; the message names file, key and choices.

    """
    names = [n for n in share_names('config/teleop', '.yaml') if n.startswith('keyboard')]
    top = Section.open(find('keyboard', name, names))
    entries = top.section('keys')
    directions = {f'{sign}{direction}': (place, float(f'{sign}1'))
                  for place, direction in enumerate(DIRECTIONS) for sign in '+-'}
    known = [*directions, *(action.value for action in Action), QUIT]
    actions: dict[str, Action] = {}
    motion: dict[str, tuple[int, float]] = {}
    quits = set()
    keys = entries.keys()
    for key in keys:
        what = entries.text(key)
        if key not in NAMES and not ((len(key) == 1 and key.isascii() and key.islower())
                                     or (len(key) == 1 and key.isascii() and not key.isalpha())):
            raise unknown_choice(f'key in {top.path}: keys:', key,
                                 [*NAMES, 'a small letter, digit or sign in quotes'])
        if what in directions:
            motion[key] = directions[what]
        elif what == QUIT:
            quits.add(key)
        elif what in known:
            actions[key] = Action(what)
        else:
            raise unknown_choice(f'action in {top.path}: keys.{key}:', what, known)
    top.close()
    return KeyMapping(top.path, actions, motion, frozenset(quits))


class Keyboard:
    """Turns keys into what a hand does.

    A terminal does not say when a key is let go. A motion key moves for ``hold_s``; while it is
    held the terminal repeats it, after its own delay, and the motion goes on. A key that is held
    repeats only the newest one, so two directions at once are two taps.

    Parameters
    ----------
    mapping : KeyMapping
        What each key does.
    hand : Hand
        Does it.
    hold_s : float
        How long a key moves [s]; longer than the time between two repetitions.

    """

    def __init__(self, mapping: KeyMapping, hand: Hand, hold_s: float) -> None:
        self.mapping = mapping
        self.hand = hand
        self.quit = False
        self.unknown = ''  # the newest key that does nothing
        self._decoder = KeyDecoder()
        self._hold_ns = round(hold_s * 1e9)
        self._moving: dict[int, tuple[float, int]] = {}  # place -> sign, until when [ns]
        self._last: dict[Action, int] = {}
        self._fed_ns = 0

    def heard(self, now_ns: int, data: bytes) -> list[Command]:
        """Take in bytes of the terminal [ns]."""
        self._fed_ns = now_ns
        return self._act(now_ns, self._decoder.feed(data))

    def step(self, now_ns: int) -> list[Command]:
        """Return what is due now [ns]."""
        commands: list[Command] = []
        if now_ns - self._fed_ns > self._hold_ns:
            commands += self._act(now_ns, self._decoder.flush())
        return commands + self._move(now_ns) + self.hand.step()

    @property
    def moving(self) -> str:
        """Which way it moves, in words: ``+x -yaw``; empty when it does not."""
        return ' '.join(f'{"+" if sign > 0 else "-"}{DIRECTIONS[place]}'
                        for place, (sign, _) in sorted(self._moving.items()))

    def _act(self, now_ns: int, keys: list[str]) -> list[Command]:
        commands: list[Command] = []
        for key in keys:
            self.unknown = ''
            if key in self.mapping.motion:
                place, sign = self.mapping.motion[key]
                self._moving[place] = sign, now_ns + self._hold_ns
                commands += self._move(now_ns)
            elif key in self.mapping.actions:
                commands += self._press(now_ns, self.mapping.actions[key])
            elif key in self.mapping.quits:
                self.quit = True
            else:
                self.unknown = key
        return commands

    def _press(self, now_ns: int, action: Action) -> list[Command]:
        last = self._last.get(action)
        self._last[action] = now_ns
        if action in _TOGGLES and last is not None and 0 <= now_ns - last < _REPEATS_NS:
            return []  # a key that is held would go to and fro
        if action in (Action.HOLD, Action.RELEASE, Action.RELEASE_ALL, Action.ESTOP):
            self._moving.clear()
        return self.hand.press(action, held=False)

    def _move(self, now_ns: int) -> list[Command]:
        direction = np.zeros(len(DIRECTIONS))
        for place, (sign, until_ns) in list(self._moving.items()):
            if now_ns < until_ns:
                direction[place] = sign
            else:
                del self._moving[place]
        return self.hand.move(direction if direction.any() else None)
