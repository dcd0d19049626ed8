"""What the session does around the graph; the graph itself is made up here."""

from __future__ import annotations

import io
import json
import os
import signal
import threading
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from demo_recordings import made_up_recording

pytest.importorskip('av')
pytest.importorskip('matplotlib')

from vla_ros.bringup import Bringup
from vla_ros.core.errors import ConfigError
from vla_ros.demo import session
from vla_ros.demo.isolation import isolate
from vla_ros.demo.machine import CpuUse, cpu_seconds
from vla_ros.demo.session import DemoOptions, run_demo
from vla_ros.demo.table import LiveView, Screen

TASKS = ('pick up the insulator', 'hang the insulator on the hook')


class FakeProcesses:
    """Processes that run until the test says that one ended."""

    def __init__(self, specs, logs) -> None:
        self.specs = {spec.name: spec for spec in specs}
        self.logs = logs
        self.calls: list[str] = []
        self.ended: list[object] = []

    def start(self):
        self.calls.append('start')

    def poll(self):
        ended, self.ended = self.ended, []
        return ended

    def process(self, name):
        return SimpleNamespace(pid=os.getpid())

    def stop(self):
        self.calls.append('stop')


class FakeObserver:
    """Sees each task done (or not) at the next look."""

    def __init__(self, sequence, succeed=True) -> None:
        self.sequence, self.succeed = sequence, succeed
        self.recording = made_up_recording(2.0)
        self.absent: list[str] = []
        self.silence = 0.0
        self.on_view = lambda: None
        self._now = 0

    def missing(self):
        return self.absent

    def begin(self):
        self.sequence.begin(0)

    def silence_s(self):
        return self.silence

    def view(self):
        self.on_view()
        self._now += 1_000_000_000
        self.sequence.update(self._now, self.succeed, 0.03)
        return LiveView('piper', 'scripted expert (privileged)')


class Rig:
    """Runs a demo with made-up parts."""

    def __init__(self, out) -> None:
        self.out, self.stream = out, io.StringIO()
        self.processes = self.observer = None
        self.set_up = lambda rig: None
        self.closed = threading.Event()

    def run(self, tasks=TASKS, startup_timeout_s=5.0, record='') -> int:
        options = DemoOptions(Bringup.from_arguments({'record': record}), self.out, tasks, 90.0,
                              startup_timeout_s, seed=7)

        def make_processes(specs, logs):
            self.processes = FakeProcesses(specs, logs)
            self.set_up(self)
            return self.processes

        @contextmanager
        def open_observer(profile, sequence, video):
            self.observer = FakeObserver(sequence)
            yield self.observer
            self.closed.set()

        return run_demo(options, make_processes, open_observer, Screen(self.stream, 'demo'))

    @property
    def report(self):
        return json.loads((self.out / 'report.json').read_text())


class Judge:
    """A task monitor that is told the answer."""

    def __init__(self, task) -> None:
        if task not in TASKS:
            raise ConfigError(f'unknown task {task!r}')

    def update(self, time_ns, frames, gripper_width):
        return SimpleNamespace(success=frames, detail='judged')


@pytest.fixture
def rig(tmp_path, monkeypatch):
    monkeypatch.setattr(session, 'TaskMonitor', Judge)
    monkeypatch.setattr(session, '_TAIL_S', 0.05)
    for name in ('ROS_DOMAIN_ID', 'ROS_AUTOMATIC_DISCOVERY_RANGE', 'ROS_LOCALHOST_ONLY'):
        monkeypatch.setenv(name, '42')  # put back afterwards
    return Rig(tmp_path / 'out')


def test_a_recorded_demo_begins_with_its_bag_and_replaces_that_of_an_earlier_one(rig):
    (rig.out / 'bag').mkdir(parents=True)
    (rig.out / 'bag' / 'old.mcap').write_text('')
    seen = []

    def set_up(rig):
        recorder = rig.processes.specs['record_node']
        assert recorder.parameters['folder'] == str(rig.out)
        assert recorder.parameters['name'] == 'bag'
        seen.append((rig.out / 'bag').exists())
        begun = rig.observer.begin

        def begin():
            seen.append((rig.out / 'bag').exists())
            begun()

        rig.observer.begin = begin
        threading.Timer(0.3, (rig.out / 'bag').mkdir).start()

    rig.set_up = set_up
    assert rig.run(record=str(rig.out)) == 0
    assert seen == [False, True], 'not begun before the recorder is ready'
    assert f'bag: {rig.out / "bag"}' in rig.stream.getvalue()


def test_a_recorder_that_never_begins_is_named(rig):
    assert rig.run(record=str(rig.out), startup_timeout_s=0.2) == 1
    assert 'bag (from record_node)' in str(rig.report['verdict'])


def test_every_task_done_is_status_0_with_all_results_left(rig):
    assert rig.run() == 0
    assert rig.processes.calls == ['start', 'stop']
    assert rig.closed.is_set()
    assert rig.report['verdict']['word'] == 'SUCCESS'
    assert {path.name for path in rig.out.iterdir()} == {
        'joints.png', 'report.html', 'report.json', 'logs'}
    assert 'SUCCESS: 2 of 2 tasks done' in rig.stream.getvalue()


def test_the_seed_reaches_the_simulation_and_nobody_else(rig):
    rig.run()
    seeds = {name: spec.parameters.get('seed') for name, spec in rig.processes.specs.items()}
    assert seeds == {'sim_node': 7, 'control_node': None, 'policy_node': None}


def test_a_process_that_dies_is_named_with_its_log_and_the_report_is_still_written(rig):
    def kill(r):
        r.observer.succeed = False
        (r.processes.logs / 'policy_node.log').write_text('first\nout of memory\n')

        def die():
            if r.observer.sequence.begun and not r.processes.ended:
                r.processes.ended = [Ended('policy_node')]
                r.observer.on_view = lambda: None
        r.observer.on_view = die

    rig.set_up = kill
    assert rig.run() == 1
    assert rig.processes.calls == ['start', 'stop']
    assert 'policy_node was killed; the arm holds' in rig.report['verdict']['reason']
    assert rig.report['processes']['policy_node']['ended'] == (
        'policy_node was killed; the arm holds')
    assert 'out of memory' in rig.stream.getvalue()
    assert (rig.out / 'report.html').is_file()


class Ended:
    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return f'{self.name} was killed; the arm holds'


def test_what_never_comes_up_is_named(rig):
    rig.set_up = lambda r: setattr(r.observer, 'absent', ['mode (from control_node)'])
    assert rig.run(startup_timeout_s=0.2) == 1
    assert rig.processes.calls == ['start', 'stop']
    assert 'missing: mode (from control_node)' in rig.report['verdict']['reason']
    assert [task['outcome'] for task in rig.report['tasks']] == ['not begun', 'not begun']


def test_a_simulation_that_stands_still_ends_the_demo(rig):
    def stall(r):
        r.observer.succeed, r.observer.silence = False, 60.0
    rig.set_up = stall
    assert rig.run() == 1
    assert 'the simulation has said nothing' in rig.report['verdict']['reason']


@pytest.mark.parametrize(('number', 'status'), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_in_order_and_leaves_a_report(rig, number, status):
    def interrupt(r):
        r.observer.succeed = False
        looks = iter(range(5))

        def look():
            if next(looks, None) == 3:
                os.kill(os.getpid(), number)
        r.observer.on_view = look
    rig.set_up = interrupt
    before = signal.getsignal(number)
    assert rig.run() == status
    assert signal.getsignal(number) is before
    assert rig.processes.calls == ['start', 'stop']
    assert rig.report['verdict']['word'] == 'INTERRUPTED'
    assert rig.report['tasks'][0]['outcome'] == 'not finished'


def test_the_processes_are_stopped_also_when_the_observer_breaks(rig):
    def fail():
        raise RuntimeError('broken')
    rig.set_up = lambda r: setattr(r.observer, 'on_view', fail)
    with pytest.raises(RuntimeError, match='broken'):
        rig.run()
    assert rig.processes.calls == ['start', 'stop']


def test_the_processes_are_stopped_also_when_nobody_reads_the_output_any_more(rig, monkeypatch):
    def broken_pipe(text):
        raise BrokenPipeError
    monkeypatch.setattr(rig.stream, 'write', broken_pipe)
    with pytest.raises(BrokenPipeError):
        rig.run()
    assert rig.processes.calls == ['start', 'stop']


def test_a_task_that_nobody_can_judge_starts_nothing(rig):
    with pytest.raises(ConfigError, match='sing'):
        rig.run(tasks=('sing',))
    assert rig.processes is None
    assert not rig.out.exists()


def test_results_of_an_earlier_demo_do_not_stay(rig):
    rig.out.mkdir()
    (rig.out / 'demo.mp4').write_text('old')
    (rig.out / 'keep.txt').write_text('mine')
    rig.run()
    assert not (rig.out / 'demo.mp4').exists()
    assert (rig.out / 'keep.txt').exists()


def test_a_folder_that_cannot_be_written_is_named(rig):
    rig.out.write_text('a file')
    with pytest.raises(ConfigError, match='cannot write to'):
        rig.run()
    assert rig.processes is None


def test_a_domain_that_the_user_chose_stays():
    environment = {'ROS_DOMAIN_ID': '7'}
    assert isolate(environment) == '7'


def test_otherwise_the_domain_is_one_whose_ports_are_free_for_ros_and_stays_on_this_machine():
    environment: dict[str, str] = {}
    assert 1 <= int(isolate(environment)) <= 100
    assert (environment.get('ROS_AUTOMATIC_DISCOVERY_RANGE') == 'LOCALHOST'
            or environment.get('ROS_LOCALHOST_ONLY') == '1')


@pytest.mark.skipif(not os.path.exists('/proc/self/stat'), reason='needs /proc')
def test_cpu_time_of_this_process_grows_with_work():
    use = CpuUse()
    use.sample({'me': os.getpid(), 'nobody': 2 ** 30})
    before = cpu_seconds(os.getpid())
    while cpu_seconds(os.getpid()) < before + 0.05:
        sum(range(10_000))
    use.sample({'me': os.getpid()})
    assert use.percent()['me'] > 0.0
    assert 'nobody' not in use.percent()
