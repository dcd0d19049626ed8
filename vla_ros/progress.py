"""How far long work has got: one line on a terminal, nothing anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

_REDRAW_S = 0.1
_BAR = 24


class Progress:
    """A line that is redrawn in place and gone when the work is done.

    Written to a terminal only, so that logs and pipes stay clean. Use it in a ``with`` statement.

    Parameters
    ----------
    what : str
        What is done, e.g. ``reading``.
    total : float
        How much there is; 0 where it is not known.
    unit : str
        Of what.
    quiet : bool
        Whether to show nothing.
    stream : TextIO | None
        Where to write; None: ``sys.stderr``.
    monotonic : Callable[[], float]
        The clock [s].

    """

    def __init__(self, what: str, total: float = 0, unit: str = '', quiet: bool = False,
                 stream: TextIO | None = None,
                 monotonic: Callable[[], float] = time.monotonic) -> None:
        self._what, self._total, self._unit = what, total, unit
        self._stream = sys.stderr if stream is None else stream
        self._shown = not quiet and self._stream.isatty()
        self._monotonic = monotonic
        self._begin_s = monotonic()
        self._next_s = self._begin_s
        self._drawn = False
        self.done: float = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def advance(self, amount: float = 1) -> None:
        """Say that so much more is done."""
        self.done += amount
        if self._shown:
            self._draw()

    def close(self) -> None:
        """Take the line away."""
        if self._drawn:
            self._stream.write('\r\x1b[2K')
            self._stream.flush()
            self._drawn = False

    def _draw(self) -> None:
        now = self._monotonic()
        if now < self._next_s:
            return
        self._next_s = now + _REDRAW_S
        self._drawn = True
        self._stream.write(f'\r\x1b[2K{self.line(now)}')
        self._stream.flush()

    def line(self, now_s: float) -> str:
        """Return what is shown at this time of the clock [s]."""
        unit = f' {self._unit}' if self._unit else ''
        if not self._total > 0:
            return f'{self._what}: {self.done:,.0f}{unit}'
        share = min(max(self.done / self._total, 0.0), 1.0)
        bar = '█' * round(share * _BAR)
        text = f'{self._what}: {bar:·<{_BAR}} {share:4.0%} of {self._total:,.0f}{unit}'
        spent = now_s - self._begin_s
        if share > 0.02 and spent > 1.0:
            text += f', {spent * (1 / share - 1):.0f} s left'
        return text
