"""What the tests of arm adapters share: fake drivers as processes, and a loop around an adapter."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graph_rig import Heard, Observer, Process, wait_until
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from vla_ros.robots import load_profile
from vla_ros.robots.adapters import load_driver
from vla_ros.ros.adapters import make_adapter

FAKES = Path(__file__).resolve().parent / 'fake_drivers'
PERIOD_S = 0.01


def fake_process(name: str, folder: Path, *ros_args: str, **parameters: object) -> Process:
    """Return (not started) a fake driver as a process."""
    command = [sys.executable, str(FAKES / f'{name}.py'), '--ros-args', *ros_args]
    for key, value in parameters.items():
        command += ['-p', f'{key}:={value}']
    process = Process(name, command, folder)
    # After a subscriber was killed, Fast DDS' shared memory now and then delivers nothing.
    process.env['FASTDDS_BUILTIN_TRANSPORTS'] = 'UDPv4'
    return process


class Rig:
    """An adapter on the observer's node, and a control loop that owns what it commands.

    The loop begins at the measured joints, goes toward ``goal`` at ``speed`` [rad/s] per joint, and
    goes on from the measured joints after a command that was not sent.
    """

    def __init__(self, robot: str, driver: str = '', **options: Any) -> None:
        self.observer = Observer()
        plain = load_profile(robot)
        self.driver = load_driver(plain, driver)
        self.profile = self.driver.bounded(plain)
        self.errors: list[str] = []
        self.reasons: list[str] = []
        self.measured: np.ndarray | None = None
        self.width: float | None = None
        self.stamps: list[int] = []
        self.said: Heard = self.observer.hear(String, 'fake/said', 50)
        self.applied: Heard = self.observer.hear(JointState, 'fake/applied', 50)
        self.position: Heard = self.observer.hear(JointState, 'fake/position', 50)
        self.goal: np.ndarray | None = None
        self.speed = 0.5
        self.command_width: float | None = None
        self.effort: float | None = None
        self.q: np.ndarray | None = None
        self.sent: list[bool] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.adapter = make_adapter(self.observer.node, self.profile, self.driver, 100.0, **options)
        self.adapter.on_state(self._on_state)
        self.adapter.on_error(self.errors.append)
        self.adapter.on_rearm(self.reasons.append)

    def _on_state(self, stamp_ns: int, q: np.ndarray, width: float | None) -> None:
        self.stamps.append(stamp_ns)
        self.measured, self.width = q, width

    def ready(self) -> None:
        wait_until(lambda: self.adapter.ready == '' and self.measured is not None,
                   f'adapter ready; it says {self.adapter.ready!r}')

    def wait_reason(self, *parts: str) -> str:
        """Wait until the adapter is not ready for a reason with these words; return it."""
        def found() -> str:
            reason = self.adapter.ready
            return reason if reason and all(part in reason for part in parts) else ''

        return str(wait_until(found, f'a reason with {parts}'))

    def start_loop(self) -> None:
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()

    def _loop(self) -> None:
        while not self._stop.wait(PERIOD_S):
            if self.measured is not None:
                self.step()

    def step(self) -> bool:
        assert self.measured is not None
        if self.q is None:
            self.q = self.measured.copy()
        velocity = np.zeros_like(self.q)
        if self.goal is not None:
            step = np.clip(self.goal - self.q, -self.speed * PERIOD_S, self.speed * PERIOD_S)
            velocity, self.q = step / PERIOD_S, self.q + step
        stamp = self.observer.node.get_clock().now().nanoseconds
        sent = self.adapter.send(self.q, velocity, self.command_width, self.effort, stamp)
        if not sent:
            self.q = None
        self.sent.append(sent)
        return sent

    def wait_at(self, what: str, condition: Callable[[np.ndarray], Any]) -> np.ndarray:
        """Wait until the measured joints fulfil a condition; return them."""
        def found() -> Any:
            return self.measured is not None and condition(self.measured)

        wait_until(found, what)
        assert self.measured is not None
        return self.measured

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self.observer.close()


@pytest.fixture(name='fake')
def fake_fixture(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    processes = []

    def start(name: str, *ros_args: str, **parameters: object) -> Any:
        process = fake_process(name, tmp_path, *ros_args, **parameters)
        processes.append(process.start())
        process.wait_log('fake driver up')
        return process

    yield start
    for process in processes:
        process.clean_up()


@pytest.fixture(name='rig')
def rig_fixture() -> Iterator[Callable[..., Rig]]:
    rigs = []

    def make(*args: Any, **options: Any) -> Rig:
        rigs.append(Rig(*args, **options))
        return rigs[-1]

    yield make
    for one in rigs:
        one.close()
