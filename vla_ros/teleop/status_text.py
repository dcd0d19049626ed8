"""What the keyboard's human sees: who moves what, how fast, and which key does what."""

from __future__ import annotations

from dataclasses import dataclass

from vla_ros.teleop.hand import Hand
from vla_ros.teleop.keyboard import QUIT, Keyboard, KeyMapping
from vla_ros.teleop.mapping import DIRECTIONS

_SHORT = {'page_up': 'PgUp', 'page_down': 'PgDn', 'left': '←', 'right': '→', 'up': '↑',
          'down': '↓', 'space': 'SPACE', 'enter': 'ENTER', 'backspace': 'BKSP', 'esc': 'ESC'}
_HELP = (
    (('gripper:', ''), ('gripper_close', 'close'), ('gripper_open', 'open'),
     ('gripper_release', "policy's")),
    (('arm:', ''), ('takeover', 'take'), ('release', 'give back'), ('hold', 'hold'),
     ('frame', 'base/tool'), ('faster', 'faster'), ('slower', 'slower')),
    (('robot:', ''), ('estop', 'EMERGENCY STOP'), ('reset_estop', 'reset it'), ('arm', 'arm'),
     ('disarm', 'disarm'), ('pause', 'pause/start')),
    (('', ''), ('save_last', 'keep the last 60 s'), (QUIT, 'quit')),
)


@dataclass
class View:
    """What is known of the robot; None or empty: not known.

    Attributes
    ----------
    there : bool
        Whether a control node is there.
    mode, reason, safety : str
        As it says them.
    arm, gripper : str
        Who overrides the arm and the gripper, in words; empty: the policy has it.
    width : float | None
        Measured opening [m].
    said : str
        The newest thing that the human should know.

    """

    there: bool = False
    mode: str = ''
    reason: str = ''
    safety: str = ''
    arm: str = ''
    gripper: str = ''
    width: float | None = None
    said: str = ''


def status_lines(view: View, keyboard: Keyboard) -> list[str]:
    """Return the lines to show."""
    hand = keyboard.hand
    if not view.there:
        state = 'NO CONTROL NODE: nothing here moves anything'
    else:
        state = f'{view.mode or "mode not known yet"}' + (f': {view.reason}' if view.reason else '')
        if view.safety and view.safety != 'ARMED':
            state += f'  [{view.safety}]'
    width = '-' if view.width is None else f'{abs(round(view.width * 1e3))} mm'
    arm, gripper = view.arm or 'not overridden', view.gripper or 'not overridden'
    return [
        state,
        f'arm: {arm}  |  gripper: {gripper}, {width} open',
        f'you: {_doing(hand, keyboard)}  |  {"tool" if hand.in_tool_frame else "base"} frame, '
        f'speed {hand.speed:.0%} of {hand.config.linear:g} m/s',
        f'> {view.said}' if view.said else '>',
        *key_lines(keyboard.mapping),
    ]


def key_lines(mapping: KeyMapping) -> list[str]:
    """Return which key does what."""
    moves = [f'{_key(mapping, f"+{name}")}/{_key(mapping, f"-{name}")} {name}'
             for name in DIRECTIONS
             if mapping.key_of(f'+{name}') and mapping.key_of(f'-{name}')]
    lines = ['move:    ' + '  '.join(moves)] if moves else []
    for (title, _), *entries in _HELP:
        shown = [f'{_key(mapping, what)} {text}' for what, text in entries if mapping.key_of(what)]
        if shown:
            lines.append(f'{title:9}' + '  '.join(shown))
    return lines


def _doing(hand: Hand, keyboard: Keyboard) -> str:
    if keyboard.unknown:
        return f'the key {keyboard.unknown!r} does nothing'
    if keyboard.moving:
        return f'moving {keyboard.moving}'
    if hand.asked:
        return f'still; {_key(keyboard.mapping, "release")} gives the arm back'
    return 'watching'


def _key(mapping: KeyMapping, what: str) -> str:
    key = mapping.key_of(what)
    return _SHORT.get(key, key)
