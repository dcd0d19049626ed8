"""What the tests of the panel share: a robot that only remembers, a real server, real sockets."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from vla_ros.panel.access import Access
from vla_ros.panel.commands import Limits
from vla_ros.panel.frames import CameraFrames
from vla_ros.panel.hub import Hub, PanelSettings
from vla_ros.panel.port import Answer
from vla_ros.panel.readings import Readings
from vla_ros.panel.server import PanelServer

WEB = Path(__file__).resolve().parents[2] / 'web'
LIMITS = Limits((0.0, 0.07), 0.1, 0.6)
TIMEOUT_S = 30.0
TOKEN = 'a-token-for-tests'


def wait_until(condition: Callable[[], Any], what: str, timeout_s: float = TIMEOUT_S) -> Any:
    """Return the condition's value as soon as it is true; fail, naming ``what``, if it never is."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f'{what}: not within {timeout_s:g} s')
        time.sleep(0.005)
    return value


class FakeRobot:
    """Takes what a panel says; gives the arm and the gripper at once."""

    def __init__(self, readings: Readings | None = None) -> None:
        self.said: list[tuple[Any, ...]] = []
        self.readings = readings
        self.answers: dict[str, Answer | None] = {}  # None: it never answers
        self.others = False
        self.grants = True
        self.override: dict[str, str] = {}

    def words(self, kind: str) -> list[Any]:
        """Return what was said on one topic, without heartbeats."""
        return [what for name, *rest in list(self.said) if name == kind
                for what in [rest[0] if len(rest) == 1 else tuple(rest)] if what != 'alive']

    def gripper(self, text: str) -> None:
        self.said.append(('gripper', text))
        self._grant(gripper_source='' if text == 'release' else 'panel')

    def arm(self, word: str) -> None:
        self.said.append(('arm', word))
        if word != 'alive':
            self._grant(arm={'release': 'POLICY', 'hold': 'HOLD'}.get(word, 'TAKEOVER'),
                        arm_source='' if word == 'release' else 'panel')

    def _grant(self, **changes: str) -> None:
        if self.readings is not None and self.grants:
            self.override.update(changes)
            self.readings.set_override(time.monotonic(), self.override)

    def twist(self, velocity: tuple[float, ...], in_tool_frame: bool) -> None:
        self.said.append(('twist', velocity, in_tool_frame))

    def instruction(self, text: str) -> None:
        self.said.append(('instruction', text))

    def say_estop(self, pressed: bool) -> None:
        self.said.append(('estop', pressed))

    def others_say_estop(self) -> bool:
        return self.others

    def call(self, service: str) -> Future[Answer]:
        self.said.append(('call', service))
        future: Future[Answer] = Future()
        answer = self.answers.get(service, Answer(True, f'{service} done'))
        if answer is not None:
            future.set_result(answer)
        return future

    def snapshot(self) -> dict[str, Any]:
        assert self.readings is not None
        return self.readings.snapshot(time.monotonic())


class Rig:
    """A real server in this process, around a fake robot."""

    def __init__(self, token: str = '', tls: tuple[str, str] | None = None,
                 **changes: Any) -> None:
        self.readings = Readings({'joint states': 'joint_states'}, 60.0, 'control_node')
        self.robot = FakeRobot(self.readings)
        self.frames = CameraFrames(('front', 'wrist'), 320, 70)
        settings = PanelSettings(**{
            'robot': 'piper', 'limits': LIMITS, 'deadman_s': 1.0, 'image_hz': 50.0,
            'max_panels': 4, 'service_timeout_s': 0.3, **changes})
        self.server = PanelServer(
            '127.0.0.1', 0, lambda: Hub(settings, Access.of_machine('127.0.0.1', token),
                                        self.robot, self.readings, self.frames), WEB, tls)
        self.server.start()
        self.pages: list[Page] = []

    @property
    def url(self) -> str:
        return f'http://127.0.0.1:{self.server.port}/'

    @property
    def socket_url(self) -> str:
        return f'ws://127.0.0.1:{self.server.port}/socket'

    def page(self, token: str = '', **options: Any) -> Page:
        """Open a socket as the page does, and say hello."""
        page = Page(self.socket_url, token, **options)
        self.pages.append(page)
        return page

    def close(self) -> None:
        for page in self.pages:
            page.close()
        self.server.stop()


class Page:
    """A page without a browser."""

    def __init__(self, url: str, token: str = '', **options: Any) -> None:
        self._stack = ExitStack()
        self.socket = self._stack.enter_context(
            connect(url, open_timeout=TIMEOUT_S, max_size=None, **options))
        self.seq = -1
        self.state: dict[str, Any] = {}
        self.pictures: list[bytes] = []
        self.others: list[dict[str, Any]] = []
        self._ids = 0
        self.say(do='hello', token=token)

    def close(self) -> None:
        self._stack.close()

    def raw(self, data: str | bytes) -> None:
        self.socket.send(data)

    def say(self, **message: Any) -> int:
        self._ids += 1
        self.raw(json.dumps({**message, 'id': self._ids, 'seq': self.seq}))
        return self._ids

    def hear(self, condition: Callable[[dict[str, Any]], Any], what: str,
             beat: bool = True) -> dict[str, Any]:
        """Return the first message that fulfils the condition; answer states meanwhile."""
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            data = self.socket.recv(timeout=TIMEOUT_S)
            if isinstance(data, bytes):
                self.pictures.append(data)
                if beat:
                    self.say(do='seen', camera=data[0])
                continue
            message = json.loads(data)
            if message['type'] == 'state':
                self.state, self.seq = message, message['seq']
                if beat:
                    self.say(do='beat')
            else:
                self.others.append(message)
            if condition(message):
                return message
        pytest.fail(f'{what}: not within {TIMEOUT_S:g} s')

    def next_state(self, condition: Callable[[dict[str, Any]], Any] = lambda state: True,
                   beat: bool = True) -> dict[str, Any]:
        """Return the next state that fulfils the condition."""
        return self.hear(lambda m: m['type'] == 'state' and condition(m), 'a state', beat)

    def ask(self, **message: Any) -> dict[str, Any]:
        """Say something just after a state; return its answer.

        What is refused as late, on a machine that is too busy, has done nothing and is said again.
        """
        while True:
            self.next_state()
            number = self.say(**message)
            answer = self.hear(lambda m, n=number: m['type'] == 'answer' and m['id'] == n,
                               f'answer {message}')
            if 'too late' not in answer['text']:
                return answer
