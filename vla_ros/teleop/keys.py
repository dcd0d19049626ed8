"""From the bytes that a terminal sends to the names of keys."""

from __future__ import annotations

import re

_NAMED = {b' ': 'space', b'\r': 'enter', b'\n': 'enter', b'\t': 'tab', b'\x7f': 'backspace',
          b'\x08': 'backspace'}
_SEQUENCES = {'A': 'up', 'B': 'down', 'C': 'right', 'D': 'left', 'H': 'home', 'F': 'end',
              '1~': 'home', '4~': 'end', '2~': 'insert', '3~': 'delete', '5~': 'page_up',
              '6~': 'page_down'}
_CSI = re.compile(rb'\x1b(?:\[|O)([0-9;?<>=]*)([A-Za-z~])')
_UNFINISHED = re.compile(rb'\x1b(?:[\[O][0-9;?<>=]*)?')
_PASTE, _PASTED = b'\x1b[200~', b'\x1b[201~'
_LONGEST = 32  # bytes of a sequence; more is none

PASTE_ON, PASTE_OFF = '\x1b[?2004h', '\x1b[?2004l'
"""Have the terminal mark what is pasted, so that a pasted text is not taken for keys."""

NAMES = tuple(sorted({*_NAMED.values(), *_SEQUENCES.values(), 'esc'}))
"""Keys that have a name; the others are their own character."""


class KeyDecoder:
    """Takes a terminal's bytes apart, wherever they were cut on the way.

    Letters come out small: with Caps Lock the keys stay what they are. What is pasted is left out.
    """

    def __init__(self) -> None:
        self._rest = b''
        self._pasting = False

    def feed(self, data: bytes) -> list[str]:
        """Return the keys in these bytes: ``a``, ``+``, ``space``, ``up``, …."""
        self._rest += data
        found: list[str] = []
        while self._rest:
            before = len(self._rest)
            self._one(found)
            if len(self._rest) == before:
                break  # the rest of a sequence is still to come
        return found

    def flush(self) -> list[str]:
        """Return what a sequence that did not go on stands for: the key Escape."""
        escape = self._rest == b'\x1b' and not self._pasting
        if not self._pasting:
            self._rest = b''
        return ['esc'] if escape else []

    def _one(self, found: list[str]) -> None:
        data = self._rest
        if self._pasting:
            end = data.find(_PASTED)
            # The end may have been cut: keep as much as may be its beginning.
            self._rest = data[end + len(_PASTED):] if end >= 0 else data[-(len(_PASTED) - 1):]
            self._pasting = end < 0
            return
        if data.startswith(_PASTE):
            self._rest, self._pasting = data[len(_PASTE):], True
        elif match := _CSI.match(data):
            self._rest = data[match.end():]
            name = _SEQUENCES.get((match[1] + match[2]).decode() if match[2] == b'~'
                                  else match[2].decode() if not match[1] else '')
            if name:
                found.append(name)
        elif _UNFINISHED.fullmatch(data) and len(data) < _LONGEST:
            return
        else:
            self._rest = data[1:]
            if data[:1] in _NAMED:
                found.append(_NAMED[data[:1]])
            elif 0x21 <= data[0] <= 0x7e:
                found.append(chr(data[0]).lower())
