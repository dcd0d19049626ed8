"""The live table in the terminal: redrawn in place, or one line now and then when nobody looks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TextIO

_REDRAW_S, _LINE_S = 0.25, 2.0
_BOLD, _DIM, _GREEN, _YELLOW, _RED, _PLAIN = (
    '\x1b[1m', '\x1b[2m', '\x1b[32m', '\x1b[33m', '\x1b[31m', '\x1b[0m')
_MODE_COLOURS = {'AUTONOMOUS': _GREEN, 'HOLD': _YELLOW, 'STOPPED': _RED}


@dataclass(frozen=True)
class StreamView:
    """One topic: messages a real second, and the age of the newest [s]; None: nothing yet."""

    name: str
    rate_hz: float | None = None
    age_s: float | None = None


@dataclass(frozen=True)
class LiveView:
    """What the table shows.

    ``waiting`` names what is not there yet; times are in seconds, widths in metres.
    """

    robot: str
    policy: str
    instruction: str = ''
    task: int = 0
    tasks: int = 0
    detail: str = ''
    mode: str = ''
    reason: str = ''
    override: str = ''
    sim_s: float = 0.0
    wall_s: float = 0.0
    real_time_factor: float | None = None
    streams: Sequence[StreamView] = ()
    gripper_commanded: float | None = None
    gripper_measured: float | None = None
    waiting: Sequence[str] = ()
    warnings: Sequence[str] = field(default_factory=tuple)


def table(view: LiveView, width: int = 80, colour: bool = False) -> list[str]:
    """Return the lines of the table, none wider than ``width``."""
    paint = _painter(colour)
    rule = paint('─' * min(width, 78), _DIM)
    lines = [
        paint(_cut(f'vla_ros demo · {view.robot} (simulated)', width), _BOLD),
        _cut(f'policy       {view.policy or "not announced yet"}', width),
    ]
    if view.waiting:
        lines += [rule, _cut(f'starting, {view.wall_s:.0f} s; waiting for:', width)]
        return lines + [_cut(f'  {name}', width) for name in view.waiting]
    mode = _cut(f'mode         {view.mode or "-"}{f" · {view.reason}" * bool(view.reason)}', width)
    if view.override:
        mode = _cut(f'{mode} · {view.override}', width)
    if view.mode:
        mode = mode.replace(view.mode, paint(view.mode, _MODE_COLOURS.get(view.mode, '')), 1)
    lines += [
        _cut(f'instruction  {view.instruction or "-"}'
             + (f'  (task {view.task} of {view.tasks})' if view.tasks else ''), width),
        _cut(f'state        {view.detail or "-"}', width),
        mode,
        _cut(f'time         {view.sim_s:.1f} s simulated, {view.wall_s:.1f} s real, '
             f'real-time factor {_number(view.real_time_factor, ".2f")}', width),
        _cut(f'gripper      commanded {_number(view.gripper_commanded, ".1f", 1e3)} mm, '
             f'measured {_number(view.gripper_measured, ".1f", 1e3)} mm', width),
        rule,
        paint(_cut(f'{"stream":<30}{"rate":>12}{"age of newest":>20}', width), _DIM),
    ]
    lines += [_cut(f'{s.name:<30}{_number(s.rate_hz, ".1f"):>9} Hz'
                   f'{_number(s.age_s, ".0f", 1e3):>17} ms', width) for s in view.streams]
    lines += [paint(_cut(f'! {text}', width), _YELLOW) for text in view.warnings]
    return lines


def line(view: LiveView) -> str:
    """Return the same in one line, for a log."""
    if view.waiting:
        return f'starting {view.wall_s:4.0f} s  waiting for {", ".join(view.waiting)}'
    rates = ', '.join(f'{s.name.removeprefix("camera/").removesuffix("/image_raw")} '
                      f'{_number(s.rate_hz, ".0f")} Hz/{_number(s.age_s, ".0f", 1e3)} ms'
                      for s in view.streams)
    reason = f' ({view.reason})' if view.reason else ''
    override = f' [{view.override}]' if view.override else ''
    return (f'{view.sim_s:6.1f} s  rtf {_number(view.real_time_factor, ".2f")}  '
            f'{view.mode}{reason}{override}  {view.instruction!r}: {view.detail or "-"}  '
            f'gripper {_number(view.gripper_measured, ".0f", 1e3)} mm  {rates}')


class Screen:
    """Shows the table in place on a terminal, or a line every two seconds anywhere else.

    Parameters
    ----------
    stream : TextIO
        Where to write.
    label : str
        What each line begins with when the stream is not a terminal.

    """

    def __init__(self, stream: TextIO, label: str) -> None:
        self._stream = stream
        self._label = label
        self._terminal = stream.isatty() and os.environ.get('TERM', '') != 'dumb'
        self._colour = self._terminal and 'NO_COLOR' not in os.environ
        self._height = 0
        self._next_s = float('-inf')

    def show(self, view: LiveView, now_s: float) -> None:
        """Show the state of ``now_s`` [s] when it is time to."""
        if now_s < self._next_s:
            return
        self._next_s = now_s + (_REDRAW_S if self._terminal else _LINE_S)
        if not self._terminal:
            self._write(f'[{self._label}] {line(view)}\n')
            return
        lines = table(view, shutil.get_terminal_size().columns - 1, self._colour)
        self._write(self._back() + ''.join(f'\x1b[2K{text}\n' for text in lines) + '\x1b[J')
        self._height = len(lines)

    def say(self, text: str) -> None:
        """Write a line that stays."""
        self._write(f'{text}\n' if self._terminal else f'[{self._label}] {text}\n')
        self._height = 0  # the table goes on below it

    def _back(self) -> str:
        return f'\x1b[{self._height}A\r' if self._height else ''

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def _painter(colour: bool) -> Callable[[str, str], str]:
    def paint(text: str, code: str) -> str:
        return f'{code}{text}{_PLAIN}' if colour and code else text
    return paint


def _cut(text: str, width: int) -> str:
    text = ' '.join(text.splitlines()) if '\n' in text else text
    return text if len(text) <= width else text[:max(width - 1, 0)] + '…'


def _number(value: float | None, form: str, scale: float = 1.0) -> str:
    return '-' if value is None else format(value * scale, form)
