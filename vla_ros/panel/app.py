"""The panel's web application: the page's files and its socket."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import PlainTextResponse, Response

from vla_ros.panel.hub import Hub
from vla_ros.panel.session import Session

TYPES = {'.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript'}
"""Types of the page's files. There is nothing secret in them: anybody may have them."""

SOCKET = '/socket'

_POLICY_VIOLATION = 1008
_HEADERS = {
    # Nothing from elsewhere, and no page around it that could lead clicks astray.
    'Content-Security-Policy': "default-src 'none'; script-src 'self'; style-src 'self'; "
                               "img-src 'self' blob: data:; connect-src 'self' ws: wss:; "
                               "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    'X-Frame-Options': 'DENY', 'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer', 'Cache-Control': 'no-store',
}


def make_app(hub: Hub, folder: Path) -> FastAPI:
    """Return the application, with the page from the files in ``folder``."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    content = {f'/{path.name}': (path.read_bytes(), TYPES[path.suffix])
               for path in folder.glob('panel.*') if path.suffix in TYPES}
    content['/'] = content.pop('/panel.html')

    def serve(request: Request) -> Response:
        if why := hub.access.refuse_host(request.headers.get('host')):
            return PlainTextResponse(why, 403, _HEADERS)
        body, kind = content[request.url.path]
        return Response(body, headers=_HEADERS, media_type=kind)

    for path in content:
        app.add_api_route(path, serve, methods=['GET'], include_in_schema=False)

    @app.websocket(SOCKET)
    async def connect(socket: WebSocket) -> None:
        host = socket.headers.get('host')
        if hub.access.refuse_host(host) or hub.access.refuse_origin(
                socket.headers.get('origin'), host):
            await socket.close(_POLICY_VIOLATION)  # before it was accepted: HTTP 403
            return
        await socket.accept()
        await Session(socket, hub).run()

    return app
