"""One demo from start to report: bring up, wait, watch, stop in order, write down."""

from __future__ import annotations

import json
import shlex
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

import rclpy
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from vla_ros.bringup import Bringup, ProcessSpec
from vla_ros.cli.supervisor import Exit, Supervisor
from vla_ros.core.errors import ConfigError
from vla_ros.demo.isolation import isolate
from vla_ros.demo.machine import cpu_seconds, machine, versions
from vla_ros.demo.node import CAMERAS, RecorderNode
from vla_ros.demo.page import render
from vla_ros.demo.plot import draw_joints
from vla_ros.demo.report import build_report
from vla_ros.demo.sequence import TaskSequence
from vla_ros.demo.table import Screen
from vla_ros.demo.verdict import Verdict, judge
from vla_ros.demo.video import VideoWriter
from vla_ros.robots import load_profile
from vla_ros.sim.tasks import TaskMonitor

_POLL_S = 0.05
_STAND_STILL_S = 10.0  # of a simulation that says nothing, before the demo gives up
_TAIL_S = 1.0  # recorded after the verdict, so that the video shows it
_LOG_LINES = 12  # of a process that ended by itself, shown in the terminal


@dataclass(frozen=True)
class DemoOptions:
    """What to show, and where to leave it.

    Attributes
    ----------
    bringup : Bringup
        What runs.
    out : Path
        Folder for the results; those of an earlier demo in it are replaced.
    tasks : tuple[str, ...]
        Instructions in order.
    timeout_s : float
        Simulated seconds for each task.
    startup_timeout_s : float
        Real seconds until every topic must be there.
    seed : int
        Of the simulated scene.

    """

    bringup: Bringup
    out: Path
    tasks: tuple[str, ...]
    timeout_s: float
    startup_timeout_s: float
    seed: int


def run_demo(options: DemoOptions, stream: TextIO | None = None) -> int:
    """Run the demo and return its exit status: see :class:`~vla_ros.demo.verdict.Verdict`.

    Raises
    ------
    ConfigError
        When a task cannot be judged or the folder cannot be written; nothing was started then.

    """
    demo = _Demo(options, Screen(stream or sys.stdout, 'demo'))
    with _signals() as received:
        demo.run(received)
        return demo.report(received)


class _Demo:
    """The parts of a running demo, and what went wrong."""

    def __init__(self, options: DemoOptions, screen: Screen) -> None:
        self.options = options
        self.profile = load_profile(options.bringup.robot)
        self.sequence = TaskSequence(options.tasks, options.timeout_s, TaskMonitor)
        self.screen = screen
        self.exits: list[Exit] = []
        self.problems: list[str] = []
        self.cpu: dict[str, float] = {}
        self.started = datetime.now().astimezone()
        self._wall_s = 0.0
        self.logs = _empty_folder(options.out)
        self.domain = isolate()
        self.video = VideoWriter(options.out / 'demo.mp4', CAMERAS)
        self.node: RecorderNode | None = None

    def run(self, received: list[int]) -> None:
        """Run until the tasks are over, something ends, or a signal comes."""
        context = Context()
        rclpy.init(args=[], context=context, signal_handler_options=SignalHandlerOptions.NO)
        self.node = node = RecorderNode(context, self.profile, self.sequence, self.video)
        supervisor = Supervisor(_specs(self.options), self.logs)
        begin = time.monotonic()
        try:
            with _spinning(node, context), supervisor:
                self._follow(node, supervisor, received)
                self._measure_cpu(supervisor, time.monotonic() - begin)
                self.screen.say('stopping the arm, then every process')
        finally:
            self._wall_s = time.monotonic() - begin
            node.destroy_node()
            rclpy.shutdown(context=context)
            self.video.close()

    def _follow(self, node: RecorderNode, supervisor: Supervisor, received: list[int]) -> None:
        begin = time.monotonic()
        end: float | None = None
        while not received and (end is None or time.monotonic() < end):
            now = time.monotonic()
            self.screen.show(node.view(), now)
            for ended in supervisor.poll():
                self._lament(ended)
            if end is None:
                if self.exits:
                    # The node is watched a little longer: that the arm holds belongs in the report.
                    end = now + _TAIL_S
                elif self.sequence.ended:
                    end = now + _TAIL_S
                elif not self.sequence.begun:
                    if not (missing := node.missing()):
                        node.begin()
                    elif now - begin > self.options.startup_timeout_s:
                        self.problems.append(
                            f'not up after {self.options.startup_timeout_s:g} s, missing: '
                            + ', '.join(missing))
                        return
                elif node.silence_s() > _STAND_STILL_S:
                    self.problems.append(
                        f'the simulation has said nothing for {_STAND_STILL_S:g} s')
                    return
            time.sleep(_POLL_S)

    def _lament(self, ended: Exit) -> None:
        self.exits.append(ended)
        self.problems.append(str(ended))
        self.screen.say(f'{ended}. The last lines of its log:')
        for text in _tail(self.logs / f'{ended.name}.log'):
            self.screen.say(f'  {text}')

    def _measure_cpu(self, supervisor: Supervisor, wall_s: float) -> None:
        for name in supervisor.specs:
            if any(e.name == name for e in self.exits):
                continue
            used = cpu_seconds(supervisor.process(name).pid)
            if used is not None:
                self.cpu[name] = 100.0 * used / wall_s
        self.cpu['demo (this recorder)'] = 100.0 * time.process_time() / wall_s

    def report(self, received: Sequence[int]) -> int:
        """Write everything down and return the exit status."""
        assert self.node is not None
        out, recording = self.options.out, self.node.recording
        results = self.sequence.results()
        verdict = judge(results, problems=self.problems,
                        signal_number=received[0] if received else None)
        ended = {e.name: str(e) for e in self.exits}
        video = {'frames': self.video.frames, 'dropped': self.video.dropped,
                 'error': str(self.video.error) if self.video.error else ''}
        numbers = build_report(
            verdict, results, recording, self._facts(),
            processes={name: {'cpu_percent': self.cpu.get(name), 'ended': ended.get(name, '')}
                       for name in dict.fromkeys((*ended, *self.cpu))},
            video=video)
        png = None
        if len(recording.measured):
            label = recording.policy_label or 'policy never announced'
            png = draw_joints(recording, f'{self.profile.name} (simulated) · {label}')
            (out / 'joints.png').write_bytes(png)
        has_video = self.video.frames > 0 and self.video.error is None
        logs = sorted(f'{self.logs.name}/{path.name}' for path in self.logs.glob('*.log'))
        (out / 'report.json').write_text(json.dumps(numbers, indent=2) + '\n', encoding='utf-8')
        (out / 'report.html').write_text(
            render(numbers, png, 'demo.mp4' if has_video else None,
                   ['report.json', *(['joints.png'] if png else []), *logs]), encoding='utf-8')
        self._conclude(verdict)
        return verdict.status

    def _facts(self) -> dict[str, Any]:
        assert self.node is not None
        recording = self.node.recording
        return {
            'robot': self.profile.name, 'seed': self.options.seed,
            'started': self.started.isoformat(sep=' ', timespec='seconds'),
            'simulated_s': round((recording.end_ns() - recording.start_ns) * 1e-9, 2),
            'wall_s': round(self._wall_s, 2),
            'command': shlex.join(['vla-ros', *sys.argv[1:]]),
            'ros_domain_id': self.domain, 'machine': machine(), 'versions': versions(),
        }

    def _conclude(self, verdict: Verdict) -> None:
        for result in self.sequence.results():
            took = f' after {result.duration_s:.1f} s' if result.duration_s is not None else ''
            self.screen.say(f'{result.outcome.value:<12} {result.instruction}{took}'
                            + (f' ({result.detail})' if result.detail else ''))
        self.screen.say(f'{verdict.word}: {verdict.reason}')
        self.screen.say(f'report: {self.options.out / "report.html"}')


def _specs(options: DemoOptions) -> list[ProcessSpec]:
    return [replace(spec, parameters={**spec.parameters, 'seed': options.seed})
            if spec.name == 'sim_node' else spec for spec in options.bringup.processes()]


def _empty_folder(out: Path) -> Path:
    """Make the folder, without the results of an earlier demo; return the folder for logs."""
    logs = out / 'logs'
    try:
        logs.mkdir(parents=True, exist_ok=True)
        for path in (*(out / name for name in ('demo.mp4', 'joints.png', 'report.html',
                                               'report.json')), *logs.glob('*.log')):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f'out: cannot write to {out}: {error}') from error
    return logs


def _tail(path: Path) -> list[str]:
    try:
        return path.read_text(encoding='utf-8', errors='replace').splitlines()[-_LOG_LINES:]
    except OSError:
        return ['(it left no log)']


@contextmanager
def _spinning(node: RecorderNode, context: Context) -> Iterator[None]:
    """Run the node's callbacks in a thread."""
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    finished = threading.Event()
    failed: list[BaseException] = []

    def spin() -> None:
        try:
            while not finished.is_set():
                executor.spin_once(timeout_sec=0.2)
        except ExternalShutdownException:
            pass
        except BaseException as error:  # noqa: BLE001, raised again in the session's thread
            failed.append(error)

    thread = threading.Thread(target=spin, name='callbacks', daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()
        executor.shutdown(timeout_sec=1.0)
    if failed:
        raise failed[0]


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM instead of ending; the third one ends at once."""
    received: list[int] = []
    previous: dict[int, Any] = {}

    def on_signal(number: int, _frame: object) -> None:
        received.append(number)
        if len(received) == 2:
            for known in previous:
                signal.signal(known, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        previous[number] = signal.signal(number, on_signal)
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
