"""While a policy loads, which may take minutes, its node reports it, answers, and can be stopped.

The load is held up by a named pipe in place of the configuration file: it ends when something is
written to it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip('rclpy')

from graph_rig import Observer, Process, node_process, wait_until
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState

from vla_ros.resources import share_file

pytestmark = pytest.mark.ros

STATUS = 'slow: policy'


@pytest.fixture
def observer() -> Iterator[Observer]:
    observer = Observer('world', '/slow')
    observer.policy_node = 'slow'
    yield observer
    observer.close()


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / 'scripted.yaml'
    os.mkfifo(path)
    return path


@pytest.fixture
def start(tmp_path: Path, pipe: Path) -> Iterator[Any]:
    processes: list[Process] = []

    def start(**parameters: object) -> Process:
        process = node_process('policy_node', tmp_path, '-r', '__ns:=/slow', '-r', '__node:=slow',
                               policy_config=str(pipe), driver='sim', **parameters)
        processes.append(process.start())
        return process

    yield start
    for process in processes:
        process.clean_up()


def finish(pipe: Path) -> None:
    pipe.write_bytes(share_file('config', 'policies', 'scripted.yaml').read_bytes())


def wait_for_reports(observer: Observer, process: Process, count: int = 3) -> None:
    """Wait for several reports of the load, each further on than the one before."""
    def elapsed() -> list[float]:
        return [float(value.value) for array in observer.diagnostics.messages
                for status in array.status
                if status.name == STATUS and status.message == 'loading scripted'
                for value in status.values if value.key == 'elapsed_s']

    wait_until(lambda: len(elapsed()) >= count, f'{count} reports; the node said {process.log}')
    assert elapsed() == sorted(elapsed())
    assert elapsed()[-1] > elapsed()[0]


def ask_to_configure(observer: Observer) -> Any:
    client = observer.node.create_client(ChangeState, 'slow/change_state')
    wait_until(client.service_is_ready, 'the service')
    return client.call_async(ChangeState.Request(
        transition=Transition(id=Transition.TRANSITION_CONFIGURE)))


def test_a_node_that_starts_by_itself_reports_the_load_answers_and_becomes_active(
        observer: Observer, start: Any, pipe: Path) -> None:
    process = start()
    wait_for_reports(observer, process)
    assert observer.state() == 'unconfigured'
    finish(pipe)
    observer.wait_diagnostic(STATUS, 'scripted', level=0)
    wait_until(lambda: observer.state() == 'active', 'active')
    assert process.stop() == 0


def test_a_transition_waits_for_the_load_which_is_reported_meanwhile(
        observer: Observer, start: Any, pipe: Path) -> None:
    process = start(autostart=False)
    answer = ask_to_configure(observer)
    wait_for_reports(observer, process)
    assert not answer.done()
    finish(pipe)
    assert wait_until(answer.done, 'the answer')
    assert answer.result().success
    assert observer.state() == 'inactive'


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize('autostart', [True, False])
def test_a_node_in_the_middle_of_a_load_ends_at_a_signal(
        observer: Observer, start: Any, autostart: bool, number: signal.Signals) -> None:
    process = start(autostart=autostart)
    if not autostart:
        ask_to_configure(observer)
    wait_for_reports(observer, process, 2)
    process.signal(number)
    assert process.wait() == 0
    assert 'Traceback' not in process.log


def test_a_load_that_fails_is_told_and_can_be_tried_again(
        observer: Observer, start: Any, pipe: Path) -> None:
    process = start()
    wait_for_reports(observer, process, 2)
    pipe.write_text('dt: none\n')
    observer.wait_diagnostic(STATUS, 'scripted.yaml: ', level=2)
    process.wait_log('cannot configure: ')
    assert observer.state() == 'unconfigured'
    answer = ask_to_configure(observer)
    finish(pipe)
    assert wait_until(answer.done, 'the answer')
    assert answer.result().success
