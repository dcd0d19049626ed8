"""What the tests of running nodes share: processes, and an observer that hears what they say.

Waiting is always for something that must come, with a bound and a name; nothing here sleeps to see
whether something happens.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import termios
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger

from vla_ros.ros import qos
from vla_ros.ros.stamps import to_ns

TIMEOUT_S = 60.0  # of everything that must come; generous, because the machine may be busy
_ROOT = Path(__file__).resolve().parents[2]


def wait_until(condition: Callable[[], Any], what: str | Callable[[], str],
               timeout_s: float = TIMEOUT_S) -> Any:
    """Return the condition's value as soon as it is true; fail, naming ``what``, if it never is."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            text = what if isinstance(what, str) else what()
            pytest.fail(f'{text}: not within {timeout_s:g} s')
        time.sleep(0.002)
    return value


def _take_terminal() -> None:
    """Make stdin the controlling terminal of this process; between fork and exec."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Process:
    """One process of the package, its output in a file."""

    def __init__(self, name: str, command: Sequence[str], folder: Path) -> None:
        self.name = name
        self.env: dict[str, str] = {}  # beside what it inherits
        self.terminal: int | None = None  # its stdin, stdout and stderr, instead of a file
        self.command = list(command)
        self._file = folder / f'{name}.log'
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._popen is not None
        return self._popen.pid

    @property
    def alive(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    @property
    def log(self) -> str:
        return self._file.read_text(encoding='utf-8', errors='replace')

    def start(self) -> Process:
        path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get('PYTHONPATH')]))
        with self._file.open('ab') as out:
            inherit = self.terminal is not None
            self._popen = subprocess.Popen(
                self.command, stdin=self.terminal if inherit else subprocess.DEVNULL,
                stdout=self.terminal if inherit else out, stderr=subprocess.STDOUT,
                # Ctrl-C goes to whom a terminal controls: a session of its own, led by this one.
                preexec_fn=_take_terminal if inherit else None,
                env={**os.environ, 'PYTHONUNBUFFERED': '1', 'PYTHONPATH': path, **self.env},
                cwd=_ROOT)
        return self

    def signal(self, number: int) -> None:
        assert self._popen is not None
        self._popen.send_signal(number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait()

    def wait(self, timeout_s: float = TIMEOUT_S) -> int:
        assert self._popen is not None
        try:
            return self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            pytest.fail(f'{self.name} did not end within {timeout_s:g} s; it said:\n{self.log}')

    def stop(self) -> int:
        """End it as Ctrl-C does; return its exit status."""
        if self.alive:
            self.signal(signal.SIGINT)
        return self.wait()

    def clean_up(self) -> None:
        """End it without ceremony."""
        if self._popen is not None and self._popen.poll() is None:
            self._popen.kill()
            self._popen.wait()

    def wait_log(self, text: str) -> None:
        """Wait until a text is in its output."""
        deadline = time.monotonic() + TIMEOUT_S
        while text not in self.log:
            if time.monotonic() > deadline or not self.alive:
                assert text in self.log, f'{self.name} never said {text!r}'
            time.sleep(0.01)


def node_process(name: str, folder: Path, *ros_args: str, **parameters: object) -> Process:
    """Return (not started) a node of the package as a process."""
    command = [sys.executable, '-m', f'vla_ros.ros.{name}', '--ros-args', *ros_args]
    for key, value in parameters.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        command += ['-p', f"{key}:='{text}'" if isinstance(value, str) else f'{key}:={text}']
    return Process(name, command, folder)


class Heard(list):  # of (monotonic time [s], message)
    """What came on one topic, oldest first."""

    def __init__(self, topic: str) -> None:
        super().__init__()
        self.topic = topic

    @property
    def messages(self) -> list[Any]:
        return [message for _, message in list(self)]

    def wait(self, condition: Callable[[Any], Any], what: str, since: int = 0,
             timeout_s: float = TIMEOUT_S) -> Any:
        """Return the first message from index ``since`` on that fulfils the condition."""
        def search() -> Any:
            return next((m for _, m in self[since:] if condition(m)), None)

        deadline = time.monotonic() + timeout_s
        while (found := search()) is None:
            if time.monotonic() > deadline:
                last = self[-1][1] if self else 'nothing'
                pytest.fail(f'{self.topic}: {what}: not within {timeout_s:g} s; last: {last}')
            time.sleep(0.002)
        return found


class Observer:
    """A node in this process, spun in a thread, with all that the tests listen to and send."""

    def __init__(self, name: str = 'observer', namespace: str = '') -> None:
        self.policy_node = 'policy_node'  # the one that is asked for lifecycle transitions
        self.context = Context()
        rclpy.init(args=[], context=self.context, signal_handler_options=SignalHandlerOptions.NO)
        self.node = Node(name, context=self.context, namespace=namespace)
        self._clients: dict[str, Any] = {}
        self._closing = False
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()
        self.diagnostics = self.hear(DiagnosticArray, '/diagnostics', qos.DIAGNOSTICS)

    def _spin(self) -> None:
        while self.context.ok() and not self._closing:
            try:
                self._executor.spin_once(timeout_sec=0.2)
            except ExternalShutdownException:
                return
            except rclpy_implementation.InvalidHandle:
                pass  # a test destroyed a publisher while it was being waited for

    def close(self) -> None:
        # First the thread: rclpy does not shut an executor down in which another one works.
        self._closing = True
        self._executor.wake()
        self._thread.join(5.0)
        # Seen once: the middleware never came back from destroying a publisher, and the whole suite
        # stood still. What ends here is the listener, not what is tested.
        end = threading.Thread(target=self._end, daemon=True)
        end.start()
        end.join(TIMEOUT_S)
        if end.is_alive():
            warnings.warn('the middleware does not end this observer; it is left', stacklevel=2)

    def _end(self) -> None:
        self._executor.shutdown(timeout_sec=5.0)
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)

    def hear(self, kind: Any, topic: str, profile: Any,
             then: Callable[[Any], None] | None = None,
             only: Callable[[Any], Any] = lambda message: True) -> Heard:
        """Collect what comes on a topic; ``then`` is called with each message as well.

        Messages for which ``only`` says no are left out.
        """
        heard = Heard(topic)

        def on_message(message: Any) -> None:
            if not only(message):
                return
            heard.append((time.monotonic(), message))
            if then is not None:
                then(message)

        self.node.create_subscription(kind, topic, on_message, profile)
        return heard

    def publisher(self, kind: Any, topic: str, profile: Any) -> Any:
        return self.node.create_publisher(kind, topic, profile)

    def every(self, period_s: float, action: Callable[[], None]) -> Any:
        return self.node.create_timer(period_s, action)

    def call(self, kind: Any, service: str, request: Any) -> Any:
        # Kept: to destroy one while the other thread waits for it is asking for trouble.
        client = self._clients.get(service)
        if client is None:
            client = self._clients[service] = self.node.create_client(kind, service)
        wait_until(client.service_is_ready, f'service {service}')
        # Asked again now and then: the server that is ready may be one that was killed, of which
        # the middleware learns late.
        asked: list[tuple[float, Any]] = []

        def answered() -> Any:
            if not asked or time.monotonic() - asked[-1][0] > 2.0:
                asked.append((time.monotonic(), client.call_async(request)))
            return next((future for _, future in asked if future.done()), None)

        return wait_until(answered, f'answer of service {service}').result()

    def ask(self, service: str) -> Any:
        """Call a Trigger service; return its response."""
        return self.call(Trigger, service, Trigger.Request())

    def trigger(self, service: str) -> None:
        response = self.ask(service)
        assert response.success, response.message

    def change_state(self, transition: str) -> bool:
        """Ask the policy node for a lifecycle transition; return whether it succeeded."""
        number = getattr(Transition, f'TRANSITION_{transition.upper()}')
        request = ChangeState.Request(transition=Transition(id=number))
        return bool(self.call(ChangeState, f'{self.policy_node}/change_state', request).success)

    def state(self) -> str:
        """Return the policy node's lifecycle state."""
        return str(self.call(GetState, f'{self.policy_node}/get_state',
                             GetState.Request()).current_state.label)

    def wait_diagnostic(self, status: str, *parts: str, level: int | None = None,
                        since: int = 0) -> DiagnosticStatus:
        """Wait for a status (``node: name``) whose message has all these parts."""
        def found(m: DiagnosticArray) -> bool:
            return any(matches(s) for s in m.status)

        def matches(s: DiagnosticStatus) -> bool:
            return (s.name == status and all(part in s.message for part in parts)
                    and (level is None or s.level[0] == level))

        array = self.diagnostics.wait(found, f'{status!r} with {parts}', since)
        return next(s for s in array.status if matches(s))


def reason(mode: DiagnosticStatus) -> str:
    """Return the reason in a message of the topic ``mode``."""
    return next(v.value for v in mode.values if v.key == 'reason')


def stamp_ns(message: Any) -> int:
    return to_ns(message.header.stamp)


def speed(message: JointState, n: int = 6) -> float:
    """Return the largest speed of the arm's joints [rad/s]."""
    return max(abs(v) for v in message.velocity[:n])
