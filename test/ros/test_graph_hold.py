"""The whole graph as processes: what is killed, frozen or taken away in the middle of a motion."""

from __future__ import annotations

import signal
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('mujoco')

from diagnostic_msgs.msg import DiagnosticStatus
from graph_rig import Observer, Process, node_process, reason, speed, wait_until
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from vla_ros.robots import load_profile
from vla_ros.ros import qos

pytestmark = [pytest.mark.ros, pytest.mark.sim, pytest.mark.slow]

HOLD_S = 0.3
ACCELERATION = float(min(load_profile('piper').joints.acceleration))
TASK = 'hang the insulator on the hook'


class Graph:
    """Simulation, control and policy as processes, and one who listens."""

    def __init__(self, folder: Any) -> None:
        self.observer = Observer()
        self.commands = self.observer.hear(JointState, 'joint_command', qos.JOINTS)
        self.joints = self.observer.hear(JointState, 'joint_states', qos.JOINTS)
        self.chunks = self.observer.hear(JointTrajectory, 'action_chunk', qos.CHUNK)
        self.modes = self.observer.hear(DiagnosticStatus, 'mode', qos.LATCHED)
        self.task = self.observer.publisher(String, 'instruction', qos.LATCHED)
        self.sim = node_process('sim_node', folder, image_width=64, image_height=64)
        self.control = node_process('control_node', folder, use_sim_time=True, auto_arm=True,
                                   driver='sim')
        self.policy = node_process('policy_node', folder, use_sim_time=True, driver='sim')
        self.task.publish(String(data=TASK))
        for process in self.processes:
            # After a subscriber was killed, Fast DDS' shared memory now and then delivers no more
            # images to anybody for many seconds (its issue 5469). That is not what is tested here.
            process.env['FASTDDS_BUILTIN_TRANSPORTS'] = 'UDPv4'

    @property
    def processes(self) -> tuple[Process, ...]:
        return self.sim, self.control, self.policy

    def wait_mode(self, mode: str, why: str = '') -> float:
        """Wait until this is the mode; return when that was heard (monotonic) [s]."""
        def now() -> float:
            at, message = self.modes[-1] if self.modes else (0.0, DiagnosticStatus())
            return at if message.message == mode and why in reason(message) else 0.0

        return float(wait_until(now, f'mode {mode} {why}'))

    def moving(self, low: float = 0.05, high: float = np.inf) -> float:
        """Wait until the policy moves the arm this fast [rad/s]; return how fast it is."""
        def fast() -> float:
            recent = self.commands[-8:]
            ok = (len(recent) == 8 and len(self.joints) >= 20 and self.modes
                  and self.modes[-1][1].message == 'AUTONOMOUS'
                  and all(low <= speed(m) <= high for _, m in recent))
            return speed(recent[-1][1]) if ok else 0.0

        def state() -> str:
            mode = self.modes[-1][1] if self.modes else None
            return (f'motion by the policy ({mode.message if mode else "no mode"}: '
                    f'{reason(mode) if mode else ""}; {len(self.chunks)} chunks; '
                    f'{[speed(m) for _, m in self.commands[-8:]]} rad/s; control_node: '
                    f'{self.control.log[-1500:]}; policy_node: {self.policy.log[-800:]}; '
                    f'sim_node: {self.sim.log[-800:]})')

        return float(wait_until(fast, state))

    def at_rest(self) -> None:
        def resting() -> bool:
            recent = self.joints[-20:]
            return len(recent) == 20 and all(speed(m) < 0.02 for _, m in recent)

        wait_until(resting, 'the arm at rest')


@pytest.fixture(scope='module')
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    graph = Graph(tmp_path_factory.mktemp('graph'))
    try:
        yield graph
    finally:
        for process in graph.processes:
            process.clean_up()
        graph.observer.close()


@pytest.fixture
def graph(running: Graph) -> Graph:
    """Return the graph in the middle of a motion, whatever the test before has done to it."""
    _in_motion(running)
    return running


def _in_motion(running: Graph) -> None:
    """Start what is not running, and wait until the policy moves the arm."""
    _start(running)
    try:
        running.moving(0.25, 0.5)
    except pytest.fail.Exception as error:
        # On a busy machine the middleware now and then connects two processes and delivers nothing
        # (README, limits); what is tested here is what becomes of a graph that works.
        warnings.warn(f'the graph is started again: {error}', stacklevel=1)
        for process in running.processes:
            process.clean_up()
        running.modes.clear()
        _start(running)
        running.moving(0.25, 0.5)


def _start(running: Graph) -> None:
    for process in running.processes:
        if not process.alive:
            process.start()
    if running.modes and (state := running.observer.state()) != 'active':
        if state == 'unconfigured':
            running.observer.change_state('configure')
        running.observer.change_state('activate')
    if running.modes:
        running.observer.trigger('sim_node/reset')
        # Not before there is a clock again, if the simulation was killed.
        wait_until(lambda: running.observer.ask('control_node/start').success, 'the start')


def _assert_holds(graph: Graph, disturb: Callable[[], None], mend: Callable[[], None]) -> None:
    """Assert that the arm brakes and stands still within ``HOLD_S`` of a disturbance.

    A machine on which this process itself stalls cannot tell; then it is tried again.
    """
    for _ in range(4):
        # Braking takes as long as the profile's acceleration asks for: at most 0.1 s from this
        # speed. (At the 1.8 rad/s that the task reaches at most it is 0.36 s.)
        fastest = graph.moving(0.25, 0.5)
        assert fastest / ACCELERATION <= 0.1
        seen, since = len(graph.joints), time.monotonic()
        disturb()
        held = graph.wait_mode('HOLD', 'policy process is gone')
        end = since + 3 * HOLD_S
        wait_until(lambda end=end: min(graph.commands[-1][0], graph.joints[-1][0]) > end,
                   'further commands and joint states')
        sent = [np.array(m.position[:6]) for t, m in graph.commands[:] if t > since + HOLD_S]
        measured = [np.array(m.position[:6]) for t, m in graph.joints[:] if t > since + HOLD_S]
        arrivals = [t for t, _ in graph.joints[seen - 1:] if t < since + 2 * HOLD_S]
        if max(np.diff(arrivals), default=1.0) < 0.05 and len(sent) > 10:
            assert held - since <= HOLD_S, f'HOLD only after {held - since:.3f} s'
            assert np.ptp(sent, axis=0).max() < 2e-3, 'commands still moved after 0.3 s'
            assert np.ptp(measured, axis=0).max() < 5e-3, 'the arm still moved after 0.3 s'
            return
        # It comes to rest in any case, however busy the machine is.
        graph.at_rest()
        wait_until(lambda: all(speed(m) < 1e-6 for _, m in graph.commands[-10:]),
                   'commands at rest')
        mend()
        graph.observer.trigger('sim_node/reset')
    pytest.skip('this machine is too busy: joint states at 100 Hz came more than 0.05 s apart in '
                'each of four attempts')


def test_killing_the_policy_holds_the_arm_and_starting_it_again_resumes(graph: Graph) -> None:
    for _ in range(2):
        _assert_holds(graph, graph.policy.kill, lambda: graph.policy.start() and None)
        assert graph.control.alive
        graph.policy.start()
        graph.wait_mode('AUTONOMOUS')
        graph.observer.trigger('sim_node/reset')


def test_a_frozen_policy_holds_the_arm_and_resumes_when_it_thaws(graph: Graph) -> None:
    def thaw() -> None:
        graph.policy.signal(signal.SIGCONT)

    try:
        _assert_holds(graph, lambda: graph.policy.signal(signal.SIGSTOP), thaw)
    finally:
        thaw()
    graph.wait_mode('AUTONOMOUS')
    graph.moving()


def test_deactivating_the_policy_holds_the_arm_and_activating_it_resumes(graph: Graph) -> None:
    def change(transition: str) -> None:
        assert graph.observer.change_state(transition)

    _assert_holds(graph, lambda: change('deactivate'), lambda: change('activate'))
    assert graph.observer.state() == 'inactive'
    change('activate')
    graph.wait_mode('AUTONOMOUS')
    graph.moving()


def test_the_policy_can_be_let_go_and_configured_again(graph: Graph) -> None:
    for transition, state in (('deactivate', 'inactive'), ('cleanup', 'unconfigured')):
        assert graph.observer.change_state(transition)
        assert graph.observer.state() == state
    graph.wait_mode('HOLD', 'policy process is gone')
    graph.at_rest()
    for transition, state in (('configure', 'inactive'), ('activate', 'active')):
        assert graph.observer.change_state(transition)
        assert graph.observer.state() == state
    graph.wait_mode('AUTONOMOUS')


def test_the_arm_stops_and_starts_by_service(graph: Graph) -> None:
    graph.observer.trigger('control_node/stop')
    graph.wait_mode('STOPPED', 'stopped by service')
    graph.at_rest()
    seen = len(graph.chunks)  # the policy goes on, and is not followed
    wait_until(lambda: len(graph.chunks) >= seen + 5, 'further chunks')
    assert speed(graph.commands[-1][1]) < 1e-6
    assert graph.modes[-1][1].message == 'STOPPED'
    graph.observer.trigger('control_node/start')
    graph.moving()


def test_a_simulation_that_dies_ends_the_motion_and_a_new_one_resumes_it(graph: Graph) -> None:
    since = len(graph.observer.diagnostics)
    graph.sim.kill()
    # Time itself has ended: no tick, no command, and both nodes say so.
    graph.observer.wait_diagnostic('control_node: mode', 'no control tick', '/clock', level=2,
                                   since=since)
    graph.observer.wait_diagnostic('policy_node: inference', 'no chunk: clock', level=2,
                                   since=since)
    assert graph.control.alive
    assert graph.policy.alive
    commands, chunks = len(graph.commands), len(graph.chunks)
    graph.sim.start()  # the sentinel: the next command and chunk are of the new time
    wait_until(lambda: len(graph.commands) > commands, 'a command in the new simulation')
    assert graph.commands[commands][1].header.stamp.sec < 10
    graph.moving()
    assert graph.chunks[chunks][1].header.stamp.sec < 10


def test_ctrl_c_on_the_control_node_brakes_first(graph: Graph) -> None:
    since = len(graph.commands)
    assert graph.control.stop() == 0
    graph.wait_mode('STOPPED', 'shutting down')
    sent = graph.commands.messages[since:]
    assert speed(sent[-1]) < 1e-6
    graph.at_rest()
    _in_motion(graph)
