"""``vla-ros up`` with the real nodes: Ctrl-C, and processes that die."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
pytest.importorskip('mujoco')

from diagnostic_msgs.msg import DiagnosticStatus
from graph_rig import Observer, Process, reason, speed, wait_until
from sensor_msgs.msg import JointState

from vla_ros.ros import qos

pytestmark = [pytest.mark.ros, pytest.mark.sim, pytest.mark.slow]

PARAMETERS = """
/**:
  ros__parameters:
    image_width: 64
    image_height: 48
    robot: ur5e
control_node:
  ros__parameters:
    rate_hz: 100
"""


class Up:
    """``vla-ros up`` as a process, its children, and one who listens."""

    def __init__(self, folder: Path) -> None:
        (folder / 'mine.yaml').write_text(PARAMETERS)
        self.known: dict[str, int] = {}  # children that were there once
        self.observer = Observer()
        self.commands = self.observer.hear(JointState, 'joint_command', qos.JOINTS)
        self.modes = self.observer.hear(DiagnosticStatus, 'mode', qos.LATCHED)
        self.process = Process('up', [
            sys.executable, '-m', 'vla_ros.cli.main', 'up',
            'instruction:=hang the insulator on the hook',
            f'params_file:={folder / "mine.yaml"}'], folder).start()

    def children(self) -> dict[str, int]:
        """Return the processes that it has started, by name."""
        found = {}
        path = Path(f'/proc/{self.process.pid}/task/{self.process.pid}/children')
        for pid in path.read_text().split():
            words = Path(f'/proc/{pid}/cmdline').read_text().split('\0')
            if '-m' in words:
                found[words[words.index('-m') + 1].rpartition('.')[2]] = int(pid)
        return found

    def close(self) -> None:
        if self.process.alive:
            self.known = {**self.known, **self.children()}
        self.process.clean_up()
        for pid in self.known.values():
            if _lives(pid):
                os.kill(pid, signal.SIGKILL)
        self.observer.close()

    def moving(self) -> None:
        def fast() -> bool:
            recent = self.commands[-5:]
            return bool(len(recent) == 5 and self.modes
                        and self.modes[-1][1].message == 'AUTONOMOUS'
                        and all(speed(m) > 0.1 for _, m in recent))

        wait_until(fast, 'motion by the policy')

    def wait_mode(self, mode: str, why: str) -> None:
        wait_until(lambda: self.modes and self.modes[-1][1].message == mode
                   and why in reason(self.modes[-1][1]), f'mode {mode}: {why}')


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    up = Up(tmp_path)
    try:
        try:
            up.moving()
        except pytest.fail.Exception:
            # On a busy machine the middleware now and then connects two processes and delivers
            # nothing (README, limits); what is tested here is how they end.
            warnings.warn(f'the graph is started again: {up.process.log[-800:]}', stacklevel=1)
            up.close()
            up = Up(tmp_path)
            up.moving()
        up.known = up.children()
        yield up
    finally:
        up.close()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_nodes_do_not_outlive_a_launcher_that_is_killed(up: Up) -> None:
    children = up.children()
    assert len(children) == 3
    up.process.kill()
    wait_until(lambda: not any(_lives(pid) for pid in children.values()), 'the end of every node')
    # What was sent last may still be on its way here.
    wait_until(lambda: up.modes[-1][1].message == 'STOPPED', 'STOPPED')
    wait_until(lambda: speed(up.commands[-1][1]) < 1e-6, 'the arm at rest before the end')


def test_ctrl_c_brakes_the_arm_then_ends_every_process(up: Up) -> None:
    children = up.children()
    assert set(children) == {'sim_node', 'control_node', 'policy_node'}
    assert up.modes[-1][1].hardware_id == 'piper', 'an argument did not win over the file'
    since = len(up.commands)
    assert up.process.stop() == 0, up.process.log
    up.wait_mode('STOPPED', 'shutting down')
    assert speed(up.commands[-1][1]) < 1e-6, 'it ended before the arm was at rest'
    assert len(up.commands) > since
    assert not [name for name, pid in children.items() if _lives(pid)]
    assert 'Traceback' not in up.process.log
    assert 'killed' not in up.process.log


def test_the_policy_may_die_but_what_is_required_may_not(up: Up) -> None:
    children = up.children()
    os.kill(children['policy_node'], signal.SIGKILL)
    up.process.wait_log('policy_node killed by SIGKILL; the arm holds')
    up.wait_mode('HOLD', 'policy process is gone')
    wait_until(lambda: speed(up.commands[-1][1]) < 1e-6, 'the arm at rest')
    assert up.process.alive
    assert set(up.children()) == {'sim_node', 'control_node'}, 'the policy was started again'

    os.kill(children['sim_node'], signal.SIGKILL)
    assert up.process.wait() == 1
    assert 'sim_node killed by SIGKILL' in up.process.log
    assert 'stopping the rest' in up.process.log
    assert not [name for name, pid in children.items() if _lives(pid)]
