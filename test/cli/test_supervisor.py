"""``vla-ros up`` and its supervisor, with stand-ins for the nodes: real processes, no ROS."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from vla_ros.bringup import Bringup, ProcessSpec
from vla_ros.cli import supervisor
from vla_ros.cli.supervisor import Exit, Supervisor, command

# A node's stand-in writes down what happens to it. `slow` takes a moment to end, as braking does.
STAND_IN = """
import os, signal, sys, time
name, book = sys.argv[1:]
def note(what):
    with open(book, 'a') as f:
        f.write(f'{name} {what} {os.getpid()}\\n')
def end(*_):
    note('told')
    time.sleep(0.2)
    note('ended')
    sys.exit(0)
signal.signal(signal.SIGINT, signal.SIG_IGN if name == 'deaf' else end)
note('began')
while True:
    time.sleep(0.02)
"""

# `vla-ros up` as it is, but for what a process runs.
UP = f"""
import sys
import vla_ros.cli.supervisor as supervisor
supervisor.command = lambda spec: [sys.executable, '-c', {STAND_IN!r}, spec.name, sys.argv[1]]
from vla_ros.cli.main import main
sys.exit(main(['up', *sys.argv[2:]]))
"""


class Book:
    """What the stand-ins wrote down: (name, what, pid), in order."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def entries(self) -> list[tuple[str, str, int]]:
        if not self.path.exists():
            return []
        return [(n, w, int(p)) for n, w, p in map(str.split, self.path.read_text().splitlines())]

    def pid(self, name: str) -> int:
        return next(p for n, w, p in self.entries() if (n, w) == (name, 'began'))

    def wait(self, what: str, count: int) -> None:
        _wait(lambda: sum(w == what for _, w, _ in self.entries()) >= count, f'{count} x {what!r}')


def _wait(condition: Callable[[], object], what: str, timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f'{what}: not within {timeout_s:g} s')
        time.sleep(0.01)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    book = Book(tmp_path / 'book')
    yield book
    for _, _, pid in book.entries():
        if _lives(pid):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def up(book: Book, repo_root: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return what starts ``vla-ros up`` with stand-ins and waits until they run."""
    made = []

    def start(*arguments: str, processes: int = 3) -> subprocess.Popen[str]:
        made.append(subprocess.Popen(
            [sys.executable, '-c', UP, str(book.path), *arguments], cwd=repo_root,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        book.wait('began', processes)
        return made[-1]

    yield start
    for process in made:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_arm_then_every_process(
        up: Callable[..., subprocess.Popen[str]], book: Book, number: int) -> None:
    process = up()
    process.send_signal(number)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    assert 'stopping the arm' in output
    order = [(name, what) for name, what, _ in book.entries() if what != 'began']
    # Each only after the one before has ended: the arm brakes while its driver still listens.
    assert order == [(name, what) for name in ('control_node', 'policy_node', 'sim_node')
                     for what in ('told', 'ended')]
    assert not [n for n, _, pid in book.entries() if _lives(pid)]


def test_a_required_process_that_dies_is_named_and_the_rest_stopped(
        up: Callable[..., subprocess.Popen[str]], book: Book) -> None:
    process = up()
    os.kill(book.pid('sim_node'), signal.SIGKILL)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 1, output
    assert 'sim_node killed by SIGKILL' in output
    assert 'stopping the rest' in output
    assert [n for n, w, _ in book.entries() if w == 'ended'] == ['control_node', 'policy_node']
    assert not [n for n, _, pid in book.entries() if _lives(pid)]


def test_a_policy_that_dies_is_named_and_the_others_live_without_it(
        up: Callable[..., subprocess.Popen[str]], book: Book) -> None:
    process = up()
    os.kill(book.pid('policy_node'), signal.SIGTERM)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert 'policy_node killed by SIGTERM; the arm holds' in line
    assert process.poll() is None
    assert _lives(book.pid('control_node'))
    assert _lives(book.pid('sim_node'))
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert sum(w == 'began' for _, w, _ in book.entries()) == 3, 'something was started again'


def test_without_the_simulation_two_processes_run(
        up: Callable[..., subprocess.Popen[str]], book: Book) -> None:
    process = up('sim:=false', processes=2)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert {n for n, _, _ in book.entries()} == {'control_node', 'policy_node'}


def test_what_does_not_end_is_killed(
        book: Book, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(supervisor, 'command', lambda spec: [
        sys.executable, '-c', STAND_IN, spec.name, str(book.path)])
    with Supervisor([ProcessSpec('deaf', stop_timeout_s=0.3)]):
        book.wait('began', 1)
    assert not _lives(book.pid('deaf'))
    assert 'deaf did not end within 0.3 s: killed' in capfd.readouterr().err


def test_a_start_that_fails_leaves_nothing_behind(
        book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    def stand_in(spec: ProcessSpec) -> list[str]:
        if spec.name == 'broken':
            book.wait('began', 1)
            return ['/no/such/program']
        return [sys.executable, '-c', STAND_IN, spec.name, str(book.path)]

    monkeypatch.setattr(supervisor, 'command', stand_in)
    with pytest.raises(FileNotFoundError), Supervisor([ProcessSpec('well'), ProcessSpec('broken')]):
        pytest.fail('it said that it had started')
    assert not _lives(book.pid('well'))


def test_logs_go_to_files_and_a_process_can_be_started_again(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, 'command', lambda spec: [
        sys.executable, '-c', 'import sys; print("out"); print("err", file=sys.stderr)'])
    found: list[Exit] = []
    with Supervisor([ProcessSpec('one')], log_dir=tmp_path / 'logs') as running:
        _wait(lambda: found.extend(running.poll()) or found, 'the end of the process')
        running.start_one('one')
        _wait(lambda: found.extend(running.poll()) or len(found) == 2, 'its end once more')
    assert found == [Exit('one', 0, True)] * 2
    assert sorted((tmp_path / 'logs/one.log').read_text().split()) == ['err', 'err', 'out', 'out']


def test_exits_are_told_in_words() -> None:
    assert str(Exit('sim_node', 3, True)) == 'sim_node ended with status 3'
    assert str(Exit('policy_node', -9, False, 'the arm holds')) == (
        'policy_node killed by SIGKILL; the arm holds')
    assert str(Exit('record_node', 1, False, 'nothing is recorded any more')) == (
        'record_node ended with status 1; nothing is recorded any more')


@pytest.mark.parametrize('instruction', [
    'pick up the insulator', "don't: [stop] # now", 'true', '3.0', 'über – 漢字', '"'])
def test_the_command_line_gives_ros_the_parameters_unharmed(
        tmp_path: Path, instruction: str) -> None:
    file = tmp_path / 'mine.yaml'
    file.write_text('')
    given = {'instruction': instruction, 'params_file': str(file)}
    for spec in Bringup.from_arguments(given).processes():
        line = command(spec)
        assert line[:4] == [sys.executable, '-m', spec.module, '--ros-args']
        assert line[4:6] == ['--params-file', str(file)], 'what comes later wins'
        assert line[6::2] == ['-p'] * len(spec.parameters)
        # ROS reads the value of -p as YAML.
        read = {name: yaml.safe_load(value)
                for name, value in (word.split(':=', 1) for word in line[7::2])}
        assert read == dict(spec.parameters)
