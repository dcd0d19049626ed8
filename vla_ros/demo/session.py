"""One demo from start to report: bring up, wait, watch, stop in order, write down."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from vla_ros.bringup import Bringup, ProcessSpec
from vla_ros.demo.graph_check import NOTE, WATCH_S, WatchMonitor, judge_graph
from vla_ros.demo.isolation import isolate
from vla_ros.demo.machine import CpuUse
from vla_ros.demo.recording import CAMERAS, Recording, Status
from vla_ros.demo.results import BAG, Run, empty_folder, write_results
from vla_ros.demo.sequence import Outcome, TaskSequence
from vla_ros.demo.table import LiveView, Screen
from vla_ros.demo.verdict import Verdict, judge
from vla_ros.demo.video import VideoWriter
from vla_ros.robots import RobotProfile, load_profile
from vla_ros.sim.tasks import TaskMonitor

_POLL_S = 0.05
_STAND_STILL_S = 10.0  # of a simulation that says nothing, before the demo gives up
_TAIL_S = 1.0  # recorded after the end, so that video and plot show it
_LOG_LINES = 12  # of a process that ended by itself, shown in the terminal


class Ended(Protocol):
    """A process that ended by itself; as text it says how."""

    @property
    def name(self) -> str:
        """Which one it was."""


class Processes(Protocol):
    """The processes of a bring-up, as ``vla_ros.cli.supervisor.Supervisor`` runs them."""

    @property
    def specs(self) -> Mapping[str, ProcessSpec]:
        """What was started, by name."""

    def start(self) -> None:
        """Start every process."""

    def poll(self) -> Sequence[Ended]:
        """Return those that ended by themselves since the last call."""

    def process(self, name: str) -> Any:
        """Return the process of a name, with its ``pid``."""

    def stop(self) -> None:
        """Stop the arm, then every process."""


class Observer(Protocol):
    """What watches the graph and leads the tasks, as ``vla_ros.ros.demo_node.DemoNode`` does."""

    recording: Recording

    def missing(self) -> Sequence[str]:
        """Return what has not been seen yet."""

    def begin(self) -> None:
        """Give the first instruction."""

    def silence_s(self) -> float:
        """Return for how long the simulation has said nothing [s]."""

    def view(self) -> LiveView:
        """Return what the live table shows."""


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
        Real seconds until everything must have been seen.
    seed : int
        Of the simulated scene.
    random : bool
        Whether the policy's weights are random: then no task is judged, but the graph.

    """

    bringup: Bringup
    out: Path
    tasks: tuple[str, ...]
    timeout_s: float
    startup_timeout_s: float
    seed: int
    random: bool = False

    def sequence(self) -> TaskSequence:
        """Return the tasks with what judges them."""
        if not self.random:
            return TaskSequence(self.tasks, self.timeout_s, TaskMonitor)
        watch_s = min(WATCH_S, self.timeout_s)
        return TaskSequence(self.tasks, 2 * watch_s, lambda task: WatchMonitor(task, watch_s),
                            Outcome.WATCHED)

    def processes(self) -> list[ProcessSpec]:
        """Return the processes of the bring-up: the scene has its seed, the bag its name."""
        own: dict[str, dict[str, Any]] = {'sim_node': {'seed': self.seed},
                                          'record_node': {'name': BAG}}
        return [replace(spec, parameters={**spec.parameters, **own.get(spec.name, {})})
                for spec in self.bringup.processes()]

    @property
    def bag(self) -> Path | None:
        """The bag of the demo; None: nothing is recorded."""
        return self.out / BAG if self.bringup.record else None


MakeProcesses = Callable[[Sequence[ProcessSpec], Path], Processes]
OpenObserver = Callable[[RobotProfile, TaskSequence, VideoWriter],
                        AbstractContextManager[Observer]]


def run_demo(options: DemoOptions, make_processes: MakeProcesses, open_observer: OpenObserver,
             screen: Screen) -> int:
    """Run the demo, leave its results, and return the exit status of its verdict.

    Parameters
    ----------
    options : DemoOptions
        What to show.
    make_processes : MakeProcesses
        Gets the processes to start and the folder for their logs.
    open_observer : OpenObserver
        Watches from the beginning of its context to the end.
    screen : Screen
        Where to show what happens.

    Raises
    ------
    ConfigError
        When a task cannot be judged or the folder cannot be written; nothing was started then.

    """
    profile = load_profile(options.bringup.robot)
    sequence = options.sequence()
    logs = empty_folder(options.out)
    domain = isolate()  # before anything of ROS is made, here or in a process
    started, begin = datetime.now().astimezone(), time.monotonic()
    video = VideoWriter(options.out / 'demo.mp4', CAMERAS)
    if options.random:
        screen.say(NOTE)
    with _signals() as received:
        try:
            with open_observer(profile, sequence, video) as observer:
                processes = make_processes(options.processes(), logs)
                watch = _Watch(options, sequence, observer, processes, screen, logs)
                try:
                    processes.start()
                    watch.follow(received)
                    screen.say('stopping the arm, then every process')
                finally:
                    processes.stop()
        finally:
            video.close()
        signal_number = received[0] if received else None
        if options.random:
            verdict = judge_graph(observer.recording, profile, watch.statuses, watch.end_ns,
                                  problems=watch.problems, signal_number=signal_number)
        else:
            verdict = judge(sequence.results(), problems=watch.problems,
                            signal_number=signal_number)
        write_results(
            options.out, verdict, sequence.results(), observer.recording, video,
            Run(profile.name, options.seed, domain, started, time.monotonic() - begin,
                watch.cpu.percent(), watch.ended, NOTE if options.random else ''))
    _conclude(screen, verdict, sequence, observer.recording, options)
    return verdict.status


class _Watch:
    """Follows a running demo until it is over, and keeps what went wrong."""

    def __init__(self, options: DemoOptions, sequence: TaskSequence, observer: Observer,
                 processes: Processes, screen: Screen, logs: Path) -> None:
        self.problems: list[str] = []
        self.ended: dict[str, str] = {}
        self.cpu = CpuUse()
        self.statuses: Mapping[str, Status] = {}
        self.end_ns = 0
        self._options = options
        self._sequence = sequence
        self._observer = observer
        self._processes = processes
        self._screen = screen
        self._logs = logs

    def follow(self, received: Sequence[int]) -> None:
        """Return after the tasks, a process that ended, a problem, or a signal."""
        start = time.monotonic()
        end: float | None = None
        while not received and (end is None or time.monotonic() < end):
            now = time.monotonic()
            self._screen.show(self._observer.view(), now)
            for ended in self._processes.poll():
                self._lament(ended)
            if end is None and (self.ended or self._sequence.ended):
                # Watched a little longer: that the arm holds belongs in the report, too.
                end = now + _TAIL_S
            elif end is None and not self._go_on(now - start):
                break
            time.sleep(_POLL_S)
        # As it was before anything is stopped.
        recording = self._observer.recording
        self.statuses, self.end_ns = dict(recording.statuses), recording.end_ns()
        if self._sequence.begun:
            self.cpu.sample(self._pids())

    def _go_on(self, since_start_s: float) -> bool:
        """Begin when all is there; return False when waiting has become useless."""
        if self._sequence.begun:
            if self._observer.silence_s() > _STAND_STILL_S:
                self.problems.append(f'the simulation has said nothing for {_STAND_STILL_S:g} s')
                return False
            return True
        missing = list(self._observer.missing())
        bag = self._options.bag
        if bag is not None and 'record_node' not in self.ended and not bag.is_dir():
            missing.append(f'{bag} (from record_node)')
        if not missing:
            self._observer.begin()
            self.cpu.sample(self._pids())
        elif since_start_s > self._options.startup_timeout_s:
            self.problems.append(f'not up after {self._options.startup_timeout_s:g} s, missing: '
                                 + ', '.join(missing))
            return False
        return True

    def _lament(self, ended: Ended) -> None:
        self.ended[ended.name] = str(ended)
        self.problems.append(str(ended))
        self._screen.say(f'{ended}. The last lines of its log:')
        for text in _tail(self._logs / f'{ended.name}.log'):
            self._screen.say(f'  {text}')

    def _pids(self) -> dict[str, int]:
        return {name: self._processes.process(name).pid for name in self._processes.specs
                if name not in self.ended}


def _conclude(screen: Screen, verdict: Verdict, sequence: TaskSequence, recording: Recording,
              options: DemoOptions) -> None:
    for result in sequence.results():
        took = f' after {result.duration_s:.1f} s' if result.duration_s is not None else ''
        screen.say(f'{result.outcome.value:<12} {result.instruction}{took}'
                   + (f' ({result.detail})' if result.detail else ''))
    for start_ns, end_ns, what in recording.interventions():
        screen.say(f'{what}, from {(start_ns - recording.start_ns) * 1e-9:.1f} s on for '
                   f'{(end_ns - start_ns) * 1e-9:.1f} s')
    screen.say(f'{verdict.word}: {verdict.reason}')
    screen.say(f'report: {options.out / "report.html"}')
    if options.bag is not None:
        screen.say(f'bag: {options.bag}')


def _tail(path: Path) -> list[str]:
    try:
        return path.read_text(encoding='utf-8', errors='replace').splitlines()[-_LOG_LINES:]
    except OSError:
        return ['(it left no log)']


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Collect signals instead of ending by them; after a second one, the third ends at once."""
    received: list[int] = []
    previous: dict[int, Any] = {}

    def on_signal(number: int, _frame: object) -> None:
        received.append(number)
        if len(received) == 2:
            for known in previous:
                signal.signal(known, signal.SIG_DFL)

    # SIGHUP: the terminal was closed. The nodes are in sessions of their own and would go on.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        previous[int(number)] = signal.signal(number, on_signal)
    try:
        yield received
    finally:
        for known, handler in previous.items():
            signal.signal(known, handler)
