"""What all sessions share: the desk, the state that they show, and the clock of both."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from vla_ros.panel.access import Access
from vla_ros.panel.commands import Command, Limits
from vla_ros.panel.desk import Desk
from vla_ros.panel.frames import CameraFrames
from vla_ros.panel.port import Answer, RobotPort
from vla_ros.panel.readings import Readings
from vla_ros.panel.service_calls import ServiceCalls

TICK_S = 0.05  # the robot must hear of a panel that is there within its own deadman's time
_TICKS_A_STATE = 2
_REMEMBERED = 200  # states whose time is known, far more than the deadman's time has

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class PanelSettings:
    """What can be set; the defaults are in ``config/nodes/operator_node.yaml``, nowhere else.

    Attributes
    ----------
    robot : str
        Its name, for people.
    limits : Limits
        What may be asked for.
    deadman_s : float
        A panel that is silent for longer has lost what it held, and a command that was given on
        an older picture is refused [s].
    image_hz : float
        Pictures a second of each camera that a page gets at most [Hz].
    max_panels : int
        Pages at a time.
    service_timeout_s : float
        How long the answer of a service is waited for [s].
    task_examples : tuple[str, ...]
        Instructions that are offered.

    """

    robot: str
    limits: Limits
    deadman_s: float
    image_hz: float
    max_panels: int
    service_timeout_s: float
    task_examples: tuple[str, ...] = ()


class Listener(Protocol):
    """A session, as the hub sees it."""

    def wake(self) -> None:
        """There is something new to send."""

    def say(self, message: dict[str, Any]) -> None:
        """Send this soon."""

    def end(self) -> None:
        """Close the socket."""


class Hub:
    """Lives in the panel's event loop; nothing here is called from another thread.

    Parameters
    ----------
    settings : PanelSettings
        Everything that can be set.
    access : Access
        Who may talk.
    robot : RobotPort
        Where commands go.
    readings : Readings
        What is shown.
    frames : CameraFrames
        The cameras' pictures.

    """

    def __init__(self, settings: PanelSettings, access: Access, robot: RobotPort,
                 readings: Readings, frames: CameraFrames) -> None:
        self.settings = settings
        self.access = access
        self.frames = frames
        self.seq = 0
        self.state = ''  # the newest, as text, made once for all pages
        self.timeline_version = 0
        self._robot = robot
        self._readings = readings
        self._listeners: dict[int, Listener] = {}
        self._numbers = itertools.count(1)
        self._made: OrderedDict[int, float] = OrderedDict()  # seq -> time of that state [s]
        self._desk = Desk(robot, settings.deadman_s, self._tell)
        self._services = ServiceCalls(robot, settings.service_timeout_s,
                                      lambda: readings.safety == 'ESTOPPED')
        self._waiting: set[asyncio.Future[None]] = set()

    # The clock

    async def run(self) -> None:
        """Keep what panels hold and make states until cancelled."""
        for tick in itertools.count():
            now = time.monotonic()
            self._desk.update(now, self._readings.holding())
            self._services.step(asyncio.get_running_loop().time())
            if tick % _TICKS_A_STATE == 0:
                self._make_state(now)
            await asyncio.sleep(TICK_S)

    def _make_state(self, now: float) -> None:
        self.seq += 1
        self._made[self.seq] = now
        while len(self._made) > _REMEMBERED:
            self._made.popitem(last=False)
        if not self._listeners:
            return
        snapshot = self._robot.snapshot()
        self.timeline_version = snapshot['timeline_version']
        cameras = {name: problem for name in self.frames.names
                   if (problem := self.frames.problem(name))}
        self.state = json.dumps({'type': 'state', 'seq': self.seq, **snapshot,
                                 'desk': self._desk.view(), 'camera_problems': cameras})
        for listener in self._listeners.values():
            listener.wake()

    def timeline(self) -> dict[str, Any]:
        """Return the message with the time line."""
        return {'type': 'timeline', 'rows': self._readings.timeline(time.monotonic())}

    # Sessions

    def close(self) -> None:
        """Let go of what all panels hold, and close them."""
        for number, listener in list(self._listeners.items()):
            self._desk.leave(time.monotonic(), number)
            listener.end()
        self._listeners.clear()

    @property
    def pages(self) -> int:
        """How many pages are open."""
        return len(self._listeners)

    @property
    def full(self) -> bool:
        """Whether no more pages are let in."""
        return len(self._listeners) >= self.settings.max_panels

    def join(self, listener: Listener, name: str) -> int:
        """Let a page in; return its number."""
        number = next(self._numbers)
        self._listeners[number] = listener
        self._desk.join(time.monotonic(), number, f'panel {number} ({name})')
        _LOG.info('panel %d opened from %s', number, name)
        return number

    def leave(self, number: int) -> None:
        """Take in that a page is gone."""
        if self._listeners.pop(number, None) is not None:
            self._desk.leave(time.monotonic(), number)
            _LOG.info('panel %d is gone', number)

    def welcome(self, number: int) -> dict[str, Any]:
        """Return the first message to a page."""
        settings, limits = self.settings, self.settings.limits
        return {'type': 'welcome', 'you': number, 'robot': settings.robot,
                'widths': limits.widths, 'speed': limits.speed,
                'rotation_speed': limits.rotation_speed, 'deadman_s': settings.deadman_s,
                'cameras': self.frames.names, 'tasks': settings.task_examples}

    # Commands

    def act(self, number: int, command: Command) -> None:
        """Do what a page said, and answer it."""
        now = time.monotonic()
        if command.do == 'estop':
            _LOG.warning('panel %d: emergency stop', number)
            self._answer_later(number, command, self._services.estop())
            return
        age = now - self._made.get(command.seq, -float('inf'))
        fresh = age <= self.settings.deadman_s
        if fresh:
            self._desk.beat(now, number)
        if command.do == 'beat':
            return
        if not fresh and not _only_stops(command):
            self._answer(number, command, Answer(False, 'too late: the connection is slow'))
            return
        if command.do == 'call':
            self._answer_later(number, command, self._services.call(command.values['service']))
        elif command.do == 'instruction':
            text = command.values['text']
            self._robot.instruction(text)
            self._answer(number, command, Answer(
                True, f'told the policy: {text}' if text else 'the instruction is taken back'))
        else:
            act = {'gripper': self._desk.gripper, 'arm': self._desk.arm,
                   'twist': self._desk.twist}[command.do]
            self._answer(number, command, act(now, number, **command.values))
        if command.do != 'twist':
            _LOG.info('panel %d: %s %s', number, command.do, ' '.join(
                str(value) for value in command.values.values()))

    def _answer_later(self, number: int, command: Command,
                      wait: Coroutine[Any, Any, Answer]) -> None:
        async def answer() -> None:
            self._answer(number, command, await wait)

        task = asyncio.ensure_future(answer())
        self._waiting.add(task)  # the loop itself keeps no reference
        task.add_done_callback(self._waiting.discard)

    def _answer(self, number: int, command: Command, answer: Answer) -> None:
        if answer.text or not answer.ok:
            self._say(number, {'type': 'answer', 'id': command.id, 'do': command.do,
                               'ok': answer.ok, 'text': answer.text})

    def _tell(self, number: int, answer: Answer) -> None:
        self._say(number, {'type': 'answer', 'id': -1, 'do': '', 'ok': answer.ok,
                           'text': answer.text})

    def _say(self, number: int, message: dict[str, Any]) -> None:
        listener = self._listeners.get(number)
        if listener is not None:
            listener.say(message)


def _only_stops(command: Command) -> bool:
    """Return whether a command may come late, since it can only end a motion.

    Giving back the arm or the gripper is none of these: the policy moves them then.
    """
    return ((command.do == 'call' and command.values['service'] in ('stop', 'disarm'))
            or (command.do == 'twist' and not any(command.values['velocity'])))
