"""How a node's process starts, stops and ends: real processes, real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import pytest

SCRIPT = """
import sys, threading, time
from rclpy.node import Node
from std_msgs.msg import Empty
from vla_ros.core.errors import ConfigError, InputError
from vla_ros.ros.context import run_node

def say(text):
    print(text, flush=True)

class Arm(Node):
    def __init__(self, context):
        super().__init__('arm', context=context)
        self.at_rest = threading.Event()
        self.braking = False
        self.create_timer(0.01, self.on_timer)
        {init}

    def on_timer(self):
        if self.braking:
            self.at_rest.set()
        {timer}

    def shutdown(self):
        {shutdown}

status = run_node(Arm, 'arm')
{end}
sys.exit(status)
"""
BRAKE = "say('braking'); self.braking = True; say(f'at rest {self.at_rest.wait(20)}')"


@pytest.fixture
def start(repo_root):
    """Return ``start(init=…, timer=…, shutdown=…, args=…)``, which starts a node's process."""
    processes = []

    def start(init='pass', timer='pass', shutdown=BRAKE, end='pass', args=()):
        script = SCRIPT.format(init=init, timer=timer, shutdown=shutdown, end=end)
        processes.append(subprocess.Popen(
            [sys.executable, '-c', textwrap.dedent(script), *args], text=True, cwd=repo_root,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, 'PYTHONPATH': os.pathsep.join([str(repo_root), *sys.path])}))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_signal_runs_the_shutdown_hook_while_callbacks_still_run(start, number):
    process = start(init="say('up')")
    assert process.stdout.readline() == 'up\n'
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert out == 'braking\nat rest True\n'
    assert (process.returncode, err) == (0, '')


def test_ctrl_c_that_arrives_twice_does_not_cut_the_stop_short(start):
    process = start(init="say('up')",
                    shutdown="say('braking'); sys.stdin.readline(); say('at rest')")
    assert process.stdout.readline() == 'up\n'
    process.send_signal(signal.SIGINT)  # from the terminal
    assert process.stdout.readline() == 'braking\n'
    process.send_signal(signal.SIGINT)  # and from the launcher
    out, _ = process.communicate('\n', timeout=30)
    assert (out, process.returncode) == ('at rest\n', 0)


def test_ctrl_c_in_the_last_moments_of_a_process_is_not_its_end(start):
    # glibc calls raise(exit status) when Python has put the system's handlers back: SIGINT is 2.
    process = start(init="say('up')", end='import ctypes; libc = ctypes.CDLL(None); '
                                          "libc.on_exit(getattr(libc, 'raise'), None); status = 2")
    assert process.stdout.readline() == 'up\n'
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 2


def test_later_second_signal_ends_a_node_whose_shutdown_hangs(start):
    process = start(init="say('up')", shutdown="say('braking'); time.sleep(1.1); say('stuck'); "
                                               'time.sleep(60)')
    assert process.stdout.readline() == 'up\n'
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == 'braking\n'
    assert process.stdout.readline() == 'stuck\n'
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 128 + signal.SIGINT


def test_config_error_is_one_line_and_status_2(start):
    process = start(init="raise ConfigError('unknown robot')")
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (2, '', '[arm] error: unknown robot\n')


def test_bad_ros_arguments_are_one_line_and_status_2(start):
    process = start(args=['--ros-args', '-p', 'rate'])
    _, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert 'Traceback' not in err
    assert '[arm] error: bad ROS arguments' in err


def test_failing_callback_stops_the_arm_in_order_and_shows_why(start):
    process = start(timer="assert self.braking, 'a bug'")
    out, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert out == 'braking\nat rest True\n'
    assert 'Traceback' in err
    assert err.endswith('[arm] error: AssertionError: a bug\n')


def test_error_made_for_people_has_no_traceback(start):
    process = start(timer="raise InputError('the camera is gone')")
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (1, '[arm] error: the camera is gone\n')


def test_failing_shutdown_hook_still_ends_the_process(start):
    process = start(init="say('up')", shutdown="raise RuntimeError('stuck')")
    assert process.stdout.readline() == 'up\n'
    process.terminate()
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert err.endswith('[arm] error: RuntimeError: stuck\n')
