"""One page's socket: it says who it is, then commands come and states and pictures go."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import deque
from typing import Any

from fastapi import WebSocket, WebSocketDisconnect

from vla_ros.core.errors import InputError
from vla_ros.panel.commands import parse
from vla_ros.panel.hub import Hub

GREETING_S = 5.0
"""A socket that has not said who it is for so long is closed."""

_REFUSAL_S = 1.0  # a wrong token is answered no faster
_STATES_AHEAD = 10  # that a page has not answered yet: it is too slow for more
_PICTURES_AHEAD = 2  # of one camera
_ANSWERS = 50  # that wait to be sent
_RATE_HZ, _BURST = 150.0, 300.0  # messages; a page sends about 50 a second

_GOING_AWAY, _POLICY_VIOLATION, _TRY_LATER = 1001, 1008, 1013  # RFC 6455 and its registry

_LOG = logging.getLogger(__name__)


class Session:
    """Runs one accepted socket to its end.

    Pictures and states are never queued for a page: it gets the newest when it has taken in the
    ones before.
    """

    def __init__(self, socket: WebSocket, hub: Hub) -> None:
        self._socket = socket
        self._hub = hub
        self._number = 0
        self._ends = False
        self._news = asyncio.Event()
        self._answers: deque[dict[str, Any]] = deque(maxlen=_ANSWERS)
        self._seen_seq = 0
        self._sent_seq = 0
        self._timeline_version = -1
        names = hub.frames.names
        self._sent = dict.fromkeys(names, 0)  # number of the picture that went last
        self._sent_s = dict.fromkeys(names, 0.0)
        self._unseen = dict.fromkeys(names, 0)
        self._credit, self._credit_s = _BURST, time.monotonic()

    def wake(self) -> None:
        """There is something new to send."""
        self._news.set()

    def say(self, message: dict[str, Any]) -> None:
        """Send this soon."""
        self._answers.append(message)
        self._news.set()

    def end(self) -> None:
        """Close the socket."""
        self._ends = True
        self._news.set()

    async def run(self) -> None:
        """Greet, then listen and speak until the page is gone."""
        try:
            if not await self._greet():
                return
            client = self._socket.client
            self._number = self._hub.join(self, client.host if client else 'unknown')
            self._seen_seq = self._hub.seq
            self.say(self._hub.welcome(self._number))
            tasks = [asyncio.ensure_future(self._listen()), asyncio.ensure_future(self._speak())]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                # At once: what the page held must not wait for a socket that may take its time.
                self._hub.leave(self._number)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            for task in done:
                await self._socket.close(task.result())
        except (WebSocketDisconnect, ConnectionError) as error:
            _LOG.debug('socket: %s', error)
        except RuntimeError as error:
            # What Starlette raises for a socket that closed in between; anything else is ours.
            if not any(word in str(error).lower() for word in ('close', 'disconnect')):
                raise
            _LOG.debug('socket: %s', error)

    # Who is it

    async def _greet(self) -> bool:
        try:
            text = await asyncio.wait_for(self._receive(), GREETING_S)
            command = parse(text, self._hub.settings.limits)
        except (asyncio.TimeoutError, InputError):
            await self._refuse('say hello first', _POLICY_VIOLATION)
            return False
        if command.do != 'hello' or not self._hub.access.allows(command.values['token']):
            await asyncio.sleep(_REFUSAL_S)
            await self._refuse('wrong token' if command.do == 'hello' else 'say hello first',
                               _POLICY_VIOLATION)
            _LOG.warning('a page was refused: wrong token')
            return False
        if self._hub.full:
            await self._refuse('too many panels are open', _TRY_LATER)
            return False
        return True

    async def _refuse(self, why: str, code: int) -> None:
        await self._socket.send_text(json.dumps({'type': 'refused', 'text': why}))
        await self._socket.close(code)

    # What comes

    async def _receive(self) -> str | bytes:
        event = await self._socket.receive()
        if event['type'] == 'websocket.disconnect':
            raise WebSocketDisconnect(event.get('code', 1000))
        text = event.get('text')
        return event.get('bytes') or b'' if text is None else text

    async def _listen(self) -> int:
        """Listen until there is a reason to close the socket; return its code."""
        while True:
            text = await self._receive()
            if not self._may_speak():
                _LOG.warning('panel %d sends too much: closed', self._number)
                return _POLICY_VIOLATION
            try:
                command = parse(text, self._hub.settings.limits)
            except InputError as error:
                self.say({'type': 'answer', 'id': -1, 'do': '', 'ok': False, 'text': str(error)})
                continue
            self._seen_seq = min(max(self._seen_seq, command.seq), self._hub.seq)
            if command.do == 'seen':
                self._take_seen(command.values['camera'])
            elif command.do != 'hello':
                self._hub.act(self._number, command)

    def _may_speak(self) -> bool:
        now = time.monotonic()
        self._credit = min(self._credit + (now - self._credit_s) * _RATE_HZ, _BURST) - 1.0
        self._credit_s = now
        return self._credit >= 0.0

    def _take_seen(self, camera: int) -> None:
        names = self._hub.frames.names
        if 0 <= camera < len(names):
            self._unseen[names[camera]] = max(self._unseen[names[camera]] - 1, 0)
            self._news.set()

    # What goes

    async def _speak(self) -> int:
        """Speak until there is a reason to close the socket; return its code."""
        while True:
            await self._news.wait()
            self._news.clear()
            if self._ends:
                return _GOING_AWAY
            while self._answers:
                await self._socket.send_text(json.dumps(self._answers.popleft()))
            hub = self._hub
            if hub.seq > self._sent_seq and hub.seq - self._seen_seq <= _STATES_AHEAD and hub.state:
                self._sent_seq = hub.seq
                await self._socket.send_text(hub.state)
                if hub.timeline_version != self._timeline_version:
                    self._timeline_version = hub.timeline_version
                    await self._socket.send_text(json.dumps(hub.timeline()))
            for place, name in enumerate(hub.frames.names):
                await self._send_picture(place, name)

    async def _send_picture(self, place: int, name: str) -> None:
        frames, now = self._hub.frames, time.monotonic()
        # A little early rather than every other picture of a camera that has just this rate.
        due = now - self._sent_s[name] >= 0.7 / self._hub.settings.image_hz
        if self._unseen[name] >= _PICTURES_AHEAD or not due or (
                frames.number(name) == self._sent[name]):
            return
        loop = asyncio.get_running_loop()
        number, jpeg = await loop.run_in_executor(None, frames.jpeg, name)
        self._sent[name], self._sent_s[name] = number, now
        if jpeg:
            self._unseen[name] += 1
            await self._socket.send_bytes(bytes([place]) + jpeg)
