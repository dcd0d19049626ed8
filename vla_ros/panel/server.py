"""Runs the panel's web server in a thread of its own: nothing in ROS waits for a browser."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from vla_ros.core.errors import ConfigError, DependencyError
from vla_ros.panel.hub import Hub

_LARGEST_MESSAGE = 16384  # bytes of what a page may say at once
_CONNECTIONS = 32  # beside those of the panels; more are answered 503
_END_S = 5.0

_LOG = logging.getLogger(__name__)


def check_libraries() -> None:
    """Raise DependencyError, with what to install, when the server's libraries are missing."""
    missing = [name for name in ('fastapi', 'uvicorn', 'websockets') if find_spec(name) is None]
    if missing:
        raise DependencyError(
            f'the operator panel needs {", ".join(missing)}. Install '
            f'{" ".join(f"python3-{name}" for name in missing)} (apt), or '
            "pip install 'vla_ros[panel]'")


class PanelServer:
    """Serves from :meth:`start` to :meth:`stop`.

    Parameters
    ----------
    host, port : str, int
        Where; port 0 takes a free one.
    make_hub : Callable[[], Hub]
        Called in the server's thread, to which what it makes belongs.
    folder : Path
        Of the page's files.
    tls : tuple[str, str] | None
        Files of the certificate and its key; None serves without encryption.

    Raises
    ------
    ConfigError
        When nothing can be bound there; the message names both parameters.
    DependencyError
        When a library is missing.

    """

    def __init__(self, host: str, port: int, make_hub: Callable[[], Hub], folder: Path,
                 tls: tuple[str, str] | None = None) -> None:
        check_libraries()
        self.error: BaseException | None = None
        self._make_hub = make_hub
        self._folder = folder
        self._tls = _check_tls(tls) if tls else {}
        self._socket = _bind(host, port)
        self.port: int = self._socket.getsockname()[1]
        self.hub: Hub | None = None
        self._end: Callable[[], object] | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name='panel', daemon=True)

    def start(self) -> None:
        """Serve from now on; raises what kept it from starting."""
        self._thread.start()
        self._ready.wait()
        if self.error is not None:
            raise self.error

    def stop(self) -> None:
        """Close every page's socket, which lets go of what they held, and end."""
        if self._end is not None and self._thread.is_alive():
            with suppress(RuntimeError):  # it ended just now
                self._end()
            self._thread.join(_END_S)
        self._socket.close()

    def raise_error(self) -> None:
        """Raise what ended the server, if anything did."""
        if self.error is not None:
            raise self.error

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001, raised again in the node's thread
            self.error = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        import uvicorn

        from vla_ros.panel.app import make_app

        self.hub = hub = self._make_hub()
        config = uvicorn.Config(
            make_app(hub, self._folder), log_config=None, access_log=False, lifespan='off',
            ws_max_size=_LARGEST_MESSAGE, ws_ping_interval=5.0, ws_ping_timeout=5.0,
            limit_concurrency=hub.settings.max_panels + _CONNECTIONS, server_header=False,
            **self._tls)
        server = uvicorn.Server(config)
        self._end = lambda: loop.call_soon_threadsafe(clock.cancel)
        loop = asyncio.get_running_loop()
        clock = asyncio.ensure_future(hub.run())
        serving = asyncio.ensure_future(server.serve(sockets=[self._socket]))
        while not (server.started or serving.done()):
            await asyncio.sleep(0.01)
        self._ready.set()
        # Neither is any good without the other: nobody would let go of what lost pages held.
        await asyncio.wait([serving, clock], return_when=asyncio.FIRST_COMPLETED)
        hub.close()
        server.should_exit = True
        await serving
        if not clock.cancelled():
            clock.result()


def _check_tls(files: tuple[str, str]) -> dict[str, str]:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*files)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise ConfigError("cannot serve https with parameters 'tls_certificate' "
                          f"{files[0]!r} and 'tls_key' {files[1]!r}: {error}") from error
    return {'ssl_certfile': files[0], 'ssl_keyfile': files[1]}


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
        return listener
    except OSError as error:
        raise ConfigError(f"cannot serve the panel at parameters 'host' {host!r} and 'port' "
                          f'{port}: {error.strerror or error}') from error
