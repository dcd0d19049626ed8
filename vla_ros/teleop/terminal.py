"""A terminal that gives every key at once and shows a few lines that are drawn anew."""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import shutil
import sys
import threading
from collections.abc import Callable, Sequence

from vla_ros.core.errors import ConfigError
from vla_ros.teleop.keys import PASTE_OFF, PASTE_ON

_HIDE_CURSOR, _SHOW_CURSOR = '\x1b[?25l', '\x1b[?25h'
_CLEAR_BELOW = '\r\x1b[J'


class Terminal:
    """The terminal of this process, keys unbuffered, until :meth:`close`.

    Ctrl-C stays a signal. Ctrl-Z and Ctrl-S do nothing: they would stop who must go on saying that
    a human is there. It is put back as it was at :meth:`close`, and at the end of the process
    however that comes about, SIGKILL excepted (``stty sane`` then).

    The lines are below the cursor, which waits on the line above them: what others write to the
    terminal (logs) pushes them down, and they are drawn anew.

    Parameters
    ----------
    stdin, stdout : int
        Its file descriptors.

    Raises
    ------
    ConfigError
        When stdin is no terminal.

    """

    def __init__(self, stdin: int = 0, stdout: int = 1) -> None:
        if not os.isatty(stdin):
            raise ConfigError(
                'keyboard: stdin is no terminal. Run it by itself in one: ros2 run vla_ros '
                'teleop_node --ros-args -p input:=keyboard (ros2 launch and vla-ros up give a '
                'process no keyboard; ssh needs -t; docker needs -it)')
        try:
            import termios
        except ImportError:
            raise ConfigError('keyboard: this operating system has no termios') from None
        self._stdin, self._stdout = stdin, stdout
        self._shows = os.isatty(stdout)
        self._before = termios.tcgetattr(stdin)
        self._closed = threading.Lock()
        self._lines: tuple[str, ...] = ()
        atexit.register(self.close)
        mode = termios.tcgetattr(stdin)
        mode[0] &= ~(termios.IXON | termios.ICRNL)
        mode[3] &= ~(termios.ICANON | termios.ECHO)
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
        for key in (termios.VSUSP, getattr(termios, 'VDSUSP', termios.VSUSP)):
            mode[6][key] = b'\x00'
        termios.tcsetattr(stdin, termios.TCSAFLUSH, mode)
        self._write(PASTE_ON + _HIDE_CURSOR)

    def close(self) -> None:
        """Put it back as it was; once, from any thread."""
        import termios

        if not self._closed.acquire(blocking=False):
            return
        atexit.unregister(self.close)
        with contextlib.suppress(termios.error):  # it is gone: there is nothing to put back
            termios.tcsetattr(self._stdin, termios.TCSADRAIN, self._before)
        self._write(PASTE_OFF + _SHOW_CURSOR + '\n' * (len(self._lines) + 1))

    def read(self, timeout_s: float) -> bytes | None:
        """Return what was typed, b'' when nothing was in time; None when the terminal is gone."""
        try:
            ready, _, _ = select.select([self._stdin], [], [], timeout_s)
            return (os.read(self._stdin, 4096) or None) if ready else b''
        except OSError:
            return None

    def draw(self, lines: Sequence[str]) -> None:
        """Show these lines; what does not fit into the width is cut off."""
        if not self._shows or self._closed.locked():
            return
        # A terminal that takes nothing (a network that hangs) must not keep us waiting.
        if not select.select([], [self._stdout], [], 0.0)[1]:
            return
        size = shutil.get_terminal_size()
        shown = [line[:size.columns - 1] for line in lines][:max(1, size.lines - 2)]
        self._lines = tuple(shown)
        self._write(_CLEAR_BELOW + ''.join('\n' + line for line in shown)
                    + f'\r\x1b[{len(shown)}A')

    def _write(self, text: str) -> None:
        if not self._shows:
            return
        sys.stdout.flush()
        data = text.encode()
        while data:
            try:
                data = data[os.write(self._stdout, data):]
            except OSError:  # the terminal is gone
                return


class KeyReader(threading.Thread):
    """Hands what is typed to ``on_bytes``, in a thread of its own; None when the terminal is gone.

    Parameters
    ----------
    terminal : Terminal
        Where it is typed.
    on_bytes : Callable[[bytes | None], object]
        Gets it.

    """

    def __init__(self, terminal: Terminal, on_bytes: Callable[[bytes | None], object]) -> None:
        super().__init__(name='keys', daemon=True)
        self._terminal = terminal
        self._on_bytes = on_bytes
        self._finished = False

    def run(self) -> None:
        """Read until finished or the terminal is gone."""
        while not self._finished:
            data = self._terminal.read(0.1)
            if data != b'':
                self._on_bytes(data)
            if data is None:
                return

    def finish(self) -> None:
        """End soon, and wait for that."""
        self._finished = True
        self.join(1.0)
