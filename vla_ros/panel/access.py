"""Who may talk to the panel: which address it is bound to, the token, and which pages may ask.

A browser lets every web page open a socket to every address. Two checks keep other pages out: the
page must come from the panel itself (``Origin``), and the panel must have been asked for by a name
that no stranger can point at it (``Host``), or a stranger's name could be made to lead here.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from vla_ros.core.errors import ConfigError

SHORTEST_TOKEN = 12
"""A token that somebody chose must have so many characters."""

_TOKEN_BYTES = 16


def is_loopback(host: str) -> bool:
    """Return whether an address to bind to is reachable from this machine only."""
    if host == 'localhost':
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def choose_token(host: str, given: str, require: bool) -> tuple[str, bool]:
    """Return the token that is asked for (empty: none), and whether it was made here.

    On an address that others can reach there always is one.

    Raises
    ------
    ConfigError
        When the given one can be guessed or cannot be typed.

    """
    if not given:
        needed = require or not is_loopback(host)
        return (secrets.token_urlsafe(_TOKEN_BYTES), True) if needed else ('', False)
    if not len(given) >= SHORTEST_TOKEN:
        raise ConfigError(f"parameter 'token' must have at least {SHORTEST_TOKEN} characters, "
                          f'found {len(given)}; leave it empty to have one made')
    if not (given.isascii() and given.isprintable() and ' ' not in given):
        raise ConfigError("parameter 'token' may have printable ASCII characters without spaces")
    return given, False


@dataclass(frozen=True)
class Access:
    """What is asked of everybody who wants something.

    Attributes
    ----------
    token : str
        The secret to begin with; empty: none.
    hosts : tuple[str, ...]
        Names by which the panel may be asked for, beside addresses in numbers.

    """

    token: str = ''
    hosts: tuple[str, ...] = ()

    @classmethod
    def of_machine(cls, host: str, token: str, more: Sequence[str] = ()) -> Access:
        """Return the rules for a panel bound to ``host``, with ``more`` names of its machine."""
        names = {'localhost', *(name.lower() for name in more)}
        if not is_loopback(host):
            own = socket.gethostname().lower()
            names |= {own, own.partition('.')[0], f'{own.partition(".")[0]}.local'}
            if not _is_address(host):
                names.add(host.lower())
        return cls(token, tuple(sorted(name for name in names if name)))

    def refuse_host(self, host: str | None) -> str:
        """Return why a request with this ``Host`` is refused; empty when it is not.

        An address in numbers cannot be taken over by whoever controls a name.
        """
        name = _name_of(host or '')
        if name in self.hosts or _is_address(name):
            return ''
        return (f'this panel does not answer to the name {name[:60]!r}. Use its address in numbers '
                "or localhost, or add the name to the parameter 'allowed_hosts'")

    def refuse_origin(self, origin: str | None, host: str | None) -> str:
        """Return why a socket that a page of this ``Origin`` opens is refused; empty when not.

        Only browsers send an origin, always; a program that sends none is no page of a stranger.
        """
        if origin is None:
            return ''
        try:
            parts = urlsplit(origin)
        except ValueError:
            parts = urlsplit('')
        if parts.scheme in ('http', 'https') and host and parts.netloc.lower() == host.lower():
            return ''
        return f'a page of {origin[:60]!r} may not use this panel'

    def allows(self, token: object) -> bool:
        """Return whether this is the token; it takes as long whatever is wrong with it."""
        if not self.token:
            return True
        given = token if isinstance(token, str) else ''
        return hmac.compare_digest(given.encode('utf-8', 'replace'), self.token.encode())


def _name_of(host: str) -> str:
    """Return the name or address in a ``Host`` header, without the port."""
    try:
        return (urlsplit(f'//{host}').hostname or '').lower()
    except ValueError:
        return ''


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
