"""``record_node`` as a process: what it records, and what becomes of it whatever happens."""

from __future__ import annotations

import importlib.util
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graph_rig import Heard, Observer, Process, node_process, wait_until

if importlib.util.find_spec('rosbags') is None:
    pytest.skip('rosbags is not installed', allow_module_level=True)

from diagnostic_msgs.msg import DiagnosticStatus
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Bool, String
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vla_ros.core.errors import ConfigError
from vla_ros.replay.bag import Bag
from vla_ros.replay.bag_info import inspect_bag
from vla_ros.replay.recording_summary import LOST
from vla_ros.robots import load_profile
from vla_ros.ros import qos
from vla_ros.ros.diagnostics import Level, status_message
from vla_ros.ros.images import image_from_rgb
from vla_ros.ros.joint_states import joint_state_message
from vla_ros.ros.record_node import RecordNode

PROFILE = load_profile('piper')
NAMES = [*PROFILE.joints.names, PROFILE.gripper.joint]
THIRD, WRIST = 'camera/third_person/image_raw', 'camera/wrist/image_raw'
MS = 1_000_000


class Run:
    """Somebody who publishes what a run publishes, and a recorder that is a process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.observer = observer = Observer('run')
        self.joints = observer.publisher(JointState, 'joint_states', qos.JOINTS)
        self.chunks = observer.publisher(JointTrajectory, 'action_chunk', qos.CHUNK)
        self.instruction = observer.publisher(String, 'instruction', qos.LATCHED)
        self.mode = observer.publisher(DiagnosticStatus, 'mode', qos.LATCHED)
        self.estop = observer.publisher(Bool, 'estop', qos.SAFETY)
        self.images = {name: observer.publisher(Image, name, qos.CAMERA) for name in (THIRD, WRIST)}
        self.state: Heard = observer.hear(DiagnosticStatus, 'recording_state', qos.LATCHED)
        self.process: Process | None = None
        self.rounds = 0

    def record(self, *ros_args: str, **parameters: Any) -> Process:
        """Start a recorder that does not mind how full this machine's disk is."""
        given = {'driver': 'sim', 'reserve_pictures_mb': 0.0, 'reserve_all_mb': 0.0, **parameters}
        self.process = recorder(self.folder, *ros_args, **given).start()
        return self.process

    def heard(self) -> None:
        """Wait until the recorder listens to everything."""
        wait_until(lambda: all(p.get_subscription_count() for p in (
            self.joints, self.chunks, self.instruction, self.mode, self.estop,
            *self.images.values())), 'the recorder listens')

    def say(self, text: str) -> DiagnosticStatus:
        """Wait for a state of the recording."""
        return self.state.wait(lambda m: text in m.message, text)

    def play(self, rounds: int, size: int = 16) -> None:
        """Publish a joint state, a chunk and two pictures, so many times, 10 ms apart."""
        done = threading.Event()
        end = self.rounds + rounds

        def one() -> None:
            if self.rounds >= end:
                done.set()
                return
            stamp = 1_000_000_000 + self.rounds * 10 * MS
            self.joints.publish(joint_state_message(NAMES, [self.rounds] * 7, stamp_ns=stamp))
            chunk = JointTrajectory(joint_names=['x'], points=[
                JointTrajectoryPoint(positions=[float(self.rounds)])])
            self.chunks.publish(chunk)
            rgb = np.full((size, size, 3), self.rounds % 251, np.uint8)
            for name, publisher in self.images.items():
                publisher.publish(image_from_rgb(rgb, stamp, name))
            self.rounds += 1

        timer = self.observer.every(0.01, one)
        wait_until(done.is_set, 'the run', 120.0)
        self.observer.node.destroy_timer(timer)

    def bag(self) -> Path:
        (path,) = (self.folder / 'bags').iterdir()
        return path

    def close(self) -> None:
        if self.process is not None:
            self.process.clean_up()
        self.observer.close()


def recorder(folder: Path, *ros_args: str, **parameters: Any) -> Process:
    return node_process('record_node', folder, '-p', f'folder:={folder / "bags"}', *ros_args,
                        **parameters)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    made = Run(tmp_path)
    yield made
    made.close()


def counts(path: Path) -> dict[str, int]:
    with Bag(path) as bag:
        return dict(Counter(record.topic for record in bag.records()))


def lost(process: Process) -> str:
    return next((line for line in process.log.splitlines() if LOST in line), '')


def test_a_recording_can_be_replayed_and_tells_with_what_it_was_made(run: Run) -> None:
    run.instruction.publish(String(data='pick it up'))  # before anybody records
    process = run.record('-p', 'additional_topics:=[/late]')
    run.heard()
    run.say('recording')
    late = run.observer.publisher(Bool, '/late', qos.LATCHED)  # its type is found out
    late.publish(Bool(data=True))
    wait_until(late.get_subscription_count, 'it is listened to')
    run.play(100)
    run.observer.wait_diagnostic('record_node: recording', 'recording')
    assert process.stop() == 0, process.log
    path = run.bag()
    found = counts(path)
    missing = lost(process)
    assert found['/action_chunk'] == 100, 'asked for again when it is lost'
    assert found['/late'] == 1
    for name in ('/joint_states', f'/{THIRD}', f'/{WRIST}'):
        assert found[name] == 100 or name in missing, f'{name} {found[name]}, and no word of it'
    with Bag(path) as bag:
        info = inspect_bag(bag)
        assert not info.missing
        said = [bag.message(r).data for r in bag.records(['/instruction'])]
        assert said == ['pick it up']
        values = [bag.message(r).position[0] for r in bag.records(['/joint_states'])]
        assert values == sorted(set(values)) and values[-1] == 99.0
        facts = json.loads([bag.message(r).data for r in bag.records(['/recording'])][-1])
        assert facts['versions']['vla_ros'] and facts['config'].startswith('sha256:')
        assert facts['parameters']['/record_node']['driver'] == 'sim'
        assert facts['robot'][str(PROFILE.path)].startswith('sha256:')
        assert bag.custom['config'] == facts['config']


def test_a_recorder_that_is_killed_loses_the_open_file_only(run: Run) -> None:
    process = run.record(split_mb=0.1)
    run.heard()
    run.say('recording')
    run.play(100, size=32)  # 0.6 MB of pictures
    path = run.bag()

    def several() -> bool:
        if len(list(path.glob('*.mcap'))) >= 8:
            return True
        run.play(10, size=32)  # a busy machine loses pictures: as many again as it takes
        return False

    wait_until(several, 'several files are complete')
    process.kill()
    files = len(list(path.glob('*.mcap')))
    with Bag(path) as bag:
        read = list(bag.records())
        values = [bag.message(r).points[0].positions[0] for r in read if r.topic == '/action_chunk']
        assert bag.message_count == len(read)
    assert values == [float(i) for i in range(len(values))], 'without a hole'
    assert len(values) >= 8 * 10 and files >= 8


def test_bags_begin_and_end_when_asked(run: Run) -> None:
    process = run.record(autostart=False)
    run.heard()
    run.say('idle')
    first = run.observer.ask('record_node/start')
    assert first.success and Path(first.message).is_dir()
    run.say('recording')
    again = run.observer.ask('record_node/start')
    assert not again.success and 'recording already' in again.message
    run.play(10)
    assert run.observer.ask('record_node/stop').success
    with Bag(first.message) as bag:  # complete although the recorder lives
        assert bag.topics['/action_chunk'].count == 10
    refused = run.observer.ask('record_node/save_last')
    assert not refused.success and 'keep_last_s is 0' in refused.message
    second = run.observer.ask('record_node/start')
    assert second.success and second.message != first.message
    assert process.stop() == 0
    with Bag(second.message) as bag:
        assert '/action_chunk' not in bag.topics


def test_the_last_seconds_are_saved_when_the_arm_is_stopped(run: Run) -> None:
    process = run.record(keep_last_s=30.0, after_fault_s=0.1, min_between_saves_s=3600.0)
    run.heard()
    run.say('keeping the last 30 s')
    run.mode.publish(status_message('mode', Level.OK, 'AUTONOMOUS', {'reason': ''}))
    run.play(20)
    assert list((run.folder / 'bags').iterdir()) == [], 'nothing is written before'
    run.mode.publish(status_message('mode', Level.WARN, 'STOPPED', {'reason': 'emergency stop'}))
    process.wait_log('messages of')
    path = run.bag()
    with Bag(path) as bag:
        assert bag.custom['reason'] == 'STOPPED: emergency stop'
        assert bag.topics['/action_chunk'].count == 20
        modes = [bag.message(r).message for r in bag.records(['/mode'])]
        assert modes == ['AUTONOMOUS', 'STOPPED']
    run.estop.publish(Bool(data=True))  # another fault, too soon
    process.wait_log('not saved, the last save is too near: emergency stop')
    asked = run.observer.ask('record_node/save_last')
    assert asked.success and Path(asked.message) != path, 'a human may ask at any time'
    assert process.stop() == 0
    assert len(list((run.folder / 'bags').iterdir())) == 2


def test_nobody_waits_for_a_recorder_that_is_frozen(run: Run) -> None:
    """Its reliable subscriptions would keep a publisher waiting that keeps everything."""
    process = run.record()
    heard = run.observer.hear(JointTrajectory, 'action_chunk', qos.CHUNK)
    run.heard()
    run.say('recording')
    process.signal(signal.SIGSTOP)
    try:
        run.play(300, size=64)
        wait_until(lambda: len(heard) == 300, 'others hear everything')
    finally:
        process.signal(signal.SIGCONT)
    assert process.stop() == 0, process.log
    values = [m.points[0].positions[0] for m in heard.messages]
    assert values == [float(i) for i in range(300)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real filesystem of 24 MB."""
    disk = tmp_path / 'bags'
    disk.mkdir()
    mount = shutil.which('mount')
    if mount is None or subprocess.run([mount, '-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', disk],
                                       capture_output=True, check=False).returncode:
        pytest.skip('a filesystem of its own cannot be mounted here (needs root)')
    yield disk
    subprocess.run(['umount', '-l', disk], check=True)


def test_a_disk_that_fills_up_costs_pictures_and_no_command(run: Run, small_disk: Path) -> None:
    process = run.record('-p', 'name:=bag', reserve_pictures_mb=12.0, reserve_all_mb=4.0,
                         split_mb=4.0)
    run.heard()
    run.say('recording')
    run.play(100, size=256)  # 39 MB of pictures
    run.observer.wait_diagnostic('record_node: recording', 'without pictures', level=1)
    run.say('recording without pictures')
    assert process.stop() == 0, process.log
    found = counts(small_disk / 'bag')
    assert found['/action_chunk'] == 100
    assert 0 < found[f'/{WRIST}'] < 60
    assert 'dropped, the disk is nearly full' in process.log
    assert shutil.disk_usage(small_disk).free > 4e6


@pytest.mark.parametrize(('arguments', 'words'), [
    (['without_topics:=[joint_stats]'], 'not recorded anyway'),
    (['reserve_all_mb:=10', 'reserve_pictures_mb:=5'], 'must not be above'),
    (['image_transport:=jpeg'], 'compressed')])
def test_what_cannot_be_recorded_is_refused(ros_context: Any, tmp_path: Path,
                                            arguments: list[str], words: str) -> None:
    given = [word for text in (*arguments, f'folder:={tmp_path}') for word in ('-p', text)]
    with pytest.raises(ConfigError, match=words):
        RecordNode(ros_context, cli_args=['--ros-args', *given])


def test_enter_saves_the_last_seconds(run: Run, tmp_path: Path) -> None:
    """The command line, at a terminal."""
    master, slave = pty.openpty()
    try:
        command = subprocess.Popen(
            [sys.executable, '-m', 'vla_ros.cli.main', 'record', '--keep-last', '20', '--driver',
             'sim', '--out', str(tmp_path / 'bags'), '--json', str(tmp_path / 'summary.json')],
            stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)})
        try:
            run.heard()
            run.say('keeping the last 20 s')
            run.mode.publish(status_message('mode', Level.OK, 'HOLD', {'reason': ''}))
            run.play(10)
            os.write(master, b'\n')
            (path,) = wait_until(lambda: list(tmp_path.glob('bags/*/metadata.yaml')), 'the bag')
            command.send_signal(signal.SIGINT)
            out, _ = command.communicate(timeout=60)
        finally:
            command.kill()
            command.wait()
    finally:
        os.close(master)
        os.close(slave)
    assert command.returncode == 0 and f'saved: {path.parent}' in out
    (summary,) = json.loads((tmp_path / 'summary.json').read_text())
    assert summary['written'] == counts(path.parent) and summary['written']['/mode'] == 1
