"""Every input as a process, with the real control node; the tests play the arm and the human."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy')

from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import Twist
from graph_rig import TIMEOUT_S, Observer, Process, node_process, wait_until
from sensor_msgs.msg import JointState, Joy
from std_msgs.msg import Bool
from std_srvs.srv import Trigger
from test_control_node import NAMES, Robot

from vla_ros.bringup import PARENT_VARIABLE
from vla_ros.ros import qos
from vla_ros.ros.joint_states import joint_state_message

pytestmark = pytest.mark.ros

A, RB, BACK, START, RS = 0, 5, 6, 7, 10  # of an Xbox pad


class Bench:
    """A control node with an arm that follows, and what is said of the overrides."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.observer = Observer('arm_and_human')
        self.robot = Robot(self.observer)
        self.overrides = self.observer.hear(DiagnosticStatus, 'override', qos.LATCHED)
        self.modes = self.observer.hear(DiagnosticStatus, 'mode', qos.LATCHED)
        self._processes: list[Process] = []
        self.control = self.start(node_process(
            'control_node', folder, joint_state_timeout_s=0.4, auto_arm=True, stop_after_s=0.0,
            driver='sim', override_deadman_s=1.0))  # the machine may be busy
        self.robot.commands.wait(lambda m: True, 'a first command')

    def start(self, process: Process) -> Process:
        """Start a process that ends with the test's at the latest."""
        process.env[PARENT_VARIABLE] = str(os.getpid())
        self._processes.append(process)
        return process.start()

    def teleop(self, name: str, *ros_args: str, **parameters: object) -> Process:
        folder = self.folder / name
        folder.mkdir()
        return self.start(node_process('teleop_node', folder, '-r', f'__node:={name}', *ros_args,
                                       **parameters))

    def override(self, key: str) -> str:
        if not self.overrides:
            return ''
        return next(v.value for v in self.overrides[-1][1].values if v.key == key)

    def wait_override(self, **wanted: str) -> None:
        wait_until(lambda: all(self.override(k) == v for k, v in wanted.items()),
                   f'override {wanted}')

    def wait_free(self) -> None:
        self.wait_override(arm_source='', gripper_source='')

    def close(self) -> None:
        for process in self._processes:
            process.clean_up()
        self.observer.close()


@pytest.fixture(scope='module')
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    b = Bench(tmp_path_factory.mktemp('teleop'))
    yield b
    b.close()


class Pad:
    """A pad that sends its state fifty times a second, as long as it is connected."""

    def __init__(self, observer: Observer, topic: str = 'joy', axes: int = 8) -> None:
        self.axes, self.buttons = [0.0] * axes, [0] * 11
        self.connected = True
        self.sent = 0
        self._publisher = observer.publisher(Joy, topic, qos.JOINTS)
        observer.every(0.02, self._say)

    def _say(self) -> None:
        if self.connected:
            self._publisher.publish(Joy(axes=self.axes, buttons=self.buttons))
            self.sent += 1

    def rest(self) -> None:
        self.axes, self.buttons = [0.0] * len(self.axes), [0] * 11

    def at_rest(self) -> None:
        """Let go of everything, and see to it that this is heard: only then is a press one."""
        self.rest()
        self.connected = True
        end = self.sent + 5
        wait_until(lambda: self.sent >= end, 'the pad at rest')


@pytest.fixture(scope='module')
def pad(bench: Bench) -> Iterator[Pad]:
    pad = Pad(bench.observer)
    process = bench.teleop('pad', input='joystick', input_timeout_s=1.0)
    process.wait_log('Xbox or XInput pad')
    _until_heard(bench, pad)
    yield pad
    pad.connected = False
    assert process.stop() == 0


def _until_heard(bench: Bench, pad: Pad) -> None:
    """Press until the control node has heard it: who is found late hears nothing of before."""
    def pressed() -> bool:
        pad.buttons[3] = 1 - pad.buttons[3]  # Y
        time.sleep(0.1)
        return bench.override('arm_source') == 'joystick'

    wait_until(pressed, 'the pad heard by the control node')
    pad.rest()
    time.sleep(0.1)
    pad.buttons[4] = 1  # LB
    bench.wait_free()


@pytest.fixture
def joystick(pad: Pad, bench: Bench) -> Iterator[Pad]:
    pad.at_rest()
    bench.wait_free()
    yield pad
    pad.rest()
    pad.connected = True
    for service in ('start', 'gripper_release', 'release'):
        bench.observer.ask(f'control_node/{service}')


def test_a_button_closes_the_gripper_and_leaves_the_arm_alone(bench, joystick):
    since = len(bench.robot.commands)
    joystick.buttons[A] = 1
    bench.wait_override(gripper_source='joystick', gripper_mode='until_agree', arm_source='')
    bench.robot.commands.wait(lambda m: m.position[6] == 0.0, 'a closed gripper', since)
    joystick.rest()
    joystick.buttons[2] = 1  # X
    bench.wait_free()


def test_the_stick_moves_the_arm_while_the_deadman_is_held_and_then_gives_it_back(bench, joystick):
    joystick.axes[1] = 1.0
    joystick.buttons[RB] = 1
    bench.wait_override(arm_source='joystick', arm='TWIST')
    bench.robot.commands.wait(lambda m: max(map(abs, m.velocity)) > 0.02, 'motion',
                              len(bench.robot.commands))
    joystick.buttons[RB] = 0
    bench.wait_free()
    bench.robot.commands.wait(lambda m: max(map(abs, m.velocity)) < 1e-6, 'standstill',
                              len(bench.robot.commands))


def test_a_pad_that_is_pulled_out_loses_the_arm_that_it_had_taken(bench, joystick):
    joystick.buttons[3] = 1  # Y
    bench.wait_override(arm_source='joystick', arm='TAKEOVER')
    joystick.connected = False
    bench.wait_free()
    bench.observer.wait_diagnostic('pad: input', 'not heard of',
                                   since=len(bench.observer.diagnostics))


def test_a_takeover_is_kept_as_long_as_the_pad_is_there_and_ended_by_its_release(bench, joystick):
    joystick.buttons[3] = 1
    bench.wait_override(arm_source='joystick')
    joystick.rest()
    seen = len(bench.robot.commands)
    wait_until(lambda: len(bench.robot.commands) > seen + 150, '1.5 s, longer than the deadman')
    assert bench.override('arm_source') == 'joystick'
    joystick.buttons[4] = 1  # LB
    bench.wait_free()


def test_pause_stops_and_starts_and_an_emergency_stop_needs_no_deadman(bench, joystick):
    joystick.buttons[START] = 1
    bench.modes.wait(lambda m: m.message == 'STOPPED', 'STOPPED', len(bench.modes))
    joystick.rest()
    wait_until(lambda: bench.modes[-1][1].message == 'STOPPED', 'STOPPED')
    since = len(bench.modes)
    joystick.buttons[RB] = 1
    _press_until(joystick, START, lambda: any(m.message == 'HOLD' for _, m in bench.modes[since:]))
    joystick.rest()
    since = len(bench.modes)
    joystick.buttons[BACK] = 1
    bench.modes.wait(lambda m: any('emergency stop' in v.value for v in m.values),
                     'emergency stop', since)
    joystick.rest()
    for service in ('reset_estop', 'arm'):  # each is done at the next tick
        wait_until(lambda name=service: bench.observer.ask(f'control_node/{name}').success, service)


def _press_until(pad: Pad, button: int, condition: Any) -> None:
    """Press a button once, when the release before it has certainly been seen."""
    time.sleep(0.1)
    pad.buttons[button] = 1
    wait_until(condition, f'button {button}')


def test_the_last_minute_is_kept_by_a_button_when_somebody_records(bench, joystick):
    asked = []

    def serve(request: Any, response: Any) -> Any:
        asked.append(request)
        response.success, response.message = True, 'kept'
        return response

    bench.observer.node.create_service(Trigger, 'record_node/save_last', serve)
    deadline = time.monotonic() + TIMEOUT_S
    while not asked and time.monotonic() < deadline:  # the client finds it sooner or later
        joystick.rest()
        time.sleep(0.1)
        joystick.buttons[RS] = 1
        time.sleep(0.1)
    assert asked


def test_a_teleop_node_that_is_killed_holds_nothing(bench, joystick):
    other = Pad(bench.observer, '/other/joy')
    process = bench.teleop('killed', '-r', 'joy:=/other/joy', input='joystick', source='panel',
                           input_timeout_s=5.0)
    process.wait_log('Xbox')

    def pressed() -> bool:  # it may not have been found by the control node yet
        other.buttons[3] = 1 - other.buttons[3]
        time.sleep(0.1)
        return bench.override('arm_source') == 'panel'

    wait_until(pressed, 'the arm taken')
    process.kill()
    bench.wait_free()


def test_a_mapping_that_does_not_fit_the_pad_ends_the_node_with_file_key_and_choices(bench):
    pad = Pad(bench.observer, '/small/joy', axes=4)
    process = bench.teleop('small', '-r', 'joy:=/small/joy', input='joystick', source='panel')
    assert process.wait() == 2
    pad.connected = False
    assert 'xbox.yaml: motion.z: axis 4 is not there: the pad sends 4 axes' in process.log
    assert 'Choices: 0 to 3' in process.log
    assert 'Traceback' not in process.log


@pytest.mark.parametrize(('parameters', 'part'), [
    ({'joystick_mapping': 'xbx'}, "Did you mean 'xbox'"), ({'input': 'mouse'}, 'spacemouse'),
    ({'input': 'keyboard'}, 'stdin is no terminal')])
def test_a_wrong_parameter_is_an_error_with_the_choices(tmp_path, parameters, part):
    process = node_process('teleop_node', tmp_path, **parameters).start()
    assert process.wait() == 2
    assert part in process.log
    assert 'Traceback' not in process.log


def test_a_3d_mouse_moves_and_keeps_the_arm_until_the_node_ends(bench, joystick):
    mouse = bench.observer.publisher(Twist, 'spacenav/twist', qos.JOINTS)
    twist = Twist()
    bench.observer.every(0.02, lambda: mouse.publish(twist))
    process = bench.teleop('mouse', input='spacemouse', spacemouse_message='twist',
                           input_timeout_s=1.0)
    process.wait_log('SpaceMouse')
    time.sleep(0.2)
    twist.linear.z = 0.5
    bench.wait_override(arm_source='spacemouse', arm='TWIST')
    twist.linear.z = 0.0
    bench.robot.commands.wait(lambda m: max(map(abs, m.velocity)) < 1e-6, 'standstill',
                              len(bench.robot.commands))
    assert bench.override('arm_source') == 'spacemouse'
    assert process.stop() == 0
    bench.wait_free()


def test_a_leader_arm_is_followed_when_it_is_asked_for_and_not_before(bench, joystick):
    goal = bench.robot.q.copy()
    leader = bench.observer.publisher(JointState, 'leader/joint_states', qos.JOINTS)
    bench.observer.every(0.02, lambda: leader.publish(joint_state_message(
        NAMES, [*goal, 0.02], stamp_ns=bench.robot.now_ns())))
    process = bench.teleop('leader', input='leader', input_timeout_s=1.0)
    process.wait_log('the leader is there')
    assert bench.override('arm_source') == ''
    bench.observer.trigger('leader/takeover')
    bench.wait_override(arm_source='leader', arm='JOINTS', gripper_source='leader')
    goal[0] += 0.2
    wait_until(lambda: np.abs(bench.robot.q - goal).max() < 0.01, 'the arm where the leader is')
    bench.observer.trigger('leader/release')
    bench.wait_override(arm_source='')
    follow = bench.observer.publisher(Bool, 'leader/follow', qos.WORDS)
    wait_until(follow.get_subscription_count, 'leader/follow')
    follow.publish(Bool(data=True))
    bench.wait_override(arm_source='leader')
    bench.observer.trigger('leader/release')
    assert bench.override('gripper_source') == 'leader', 'it may hold something'
    bench.observer.trigger('leader/gripper_release')
    bench.wait_free()
    assert process.stop() == 0


# The keyboard, in a real terminal


class Screen:
    """A terminal in which teleop_node runs."""

    def __init__(self, bench: Bench) -> None:
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack('HHHH', 30, 100, 0, 0))
        self.before = termios.tcgetattr(self.slave)
        self.text = b''
        self.process = Process('keyboard', [
            sys.executable, '-m', 'vla_ros.ros.teleop_node', '--ros-args', '-p', 'input:=keyboard',
            '-p', 'driver:=sim', '-p', 'key_hold_s:=0.5'], bench.folder)
        self.process.terminal = self.slave
        bench.start(self.process)

    def wait(self, text: str) -> None:
        """Wait until a text is on the screen, written after the last wait."""
        deadline = time.monotonic() + TIMEOUT_S
        while text.encode() not in self.text:
            if select.select([self.master], [], [], 0.1)[0]:
                self.text += os.read(self.master, 65536)
            assert time.monotonic() < deadline, f'{text!r} never came: {self.text[-2000:]!r}'
        self.text = b''

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def close(self) -> None:
        self.process.clean_up()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def screen(bench: Bench, joystick: Pad) -> Iterator[Screen]:
    s = Screen(bench)
    yield s
    s.close()


@pytest.mark.parametrize('end', ['q', 'ctrl-c', 'term'])
def test_keys_move_the_arm_the_screen_says_so_and_the_terminal_is_put_back(bench, screen, end):
    screen.wait('HOLD: action_chunk')
    screen.type('w')
    bench.wait_override(arm_source='keyboard', arm='TWIST')
    screen.wait('arm: YOURS')
    bench.wait_override(arm_source='keyboard', arm='TAKEOVER')
    screen.type('c')
    screen.wait('gripper: YOURS (until_agree)')
    screen.type('bt')
    screen.wait('gripper: not overridden')
    if end == 'term':
        screen.process.signal(signal.SIGTERM)
    else:
        screen.type('q' if end == 'q' else '\x03')
    screen.wait('\x1b[?25h')
    assert screen.process.wait() == 0
    assert termios.tcgetattr(screen.slave) == screen.before
    bench.wait_free()
