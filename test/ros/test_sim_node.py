"""sim_node as a process: the topics of a real robot, and it lives through wrong commands."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import defaultdict

import numpy as np
import pytest

pytest.importorskip('mujoco', reason='the simulation needs mujoco')

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState
from std_srvs.srv import Trigger
from visualization_msgs.msg import MarkerArray

from vla_ros.robots import load_profile
from vla_ros.ros import qos
from vla_ros.ros.images import rgb_from_compressed, rgb_from_image
from vla_ros.ros.joint_states import joint_state_message, joint_vector
from vla_ros.ros.poses import frames_from_markers
from vla_ros.ros.stamps import to_ns

PROFILE = load_profile('piper')
JOINTS = list(PROFILE.joints.names)
NAMES = [*JOINTS, PROFILE.gripper.joint]
TOPICS = {
    '/clock': (Clock, qos.CLOCK),
    'joint_states': (JointState, qos.JOINTS),
    'sim/objects': (MarkerArray, qos.OBJECTS),
    '/diagnostics': (DiagnosticArray, qos.DIAGNOSTICS),
    'camera/wrist/image_raw': (Image, qos.CAMERA),
    'camera/third_person/image_raw': (Image, qos.CAMERA),
    'camera/third_person/image_raw/compressed': (CompressedImage, qos.CAMERA),
    'camera/third_person/camera_info': (CameraInfo, qos.CAMERA),
}


def start(log, *parameters, environment=()):
    arguments = [word for p in parameters for word in ('-p', p)]
    return subprocess.Popen(
        [sys.executable, '-m', 'vla_ros.ros.sim_node', '--ros-args', *arguments],
        stdout=log, stderr=subprocess.STDOUT,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(p for p in sys.path if p),
             **dict(environment)})


@pytest.fixture(scope='module')
def sim(tmp_path_factory):
    """Return (process, log file) of a simulation with small, rare images."""
    path = tmp_path_factory.mktemp('sim') / 'log'
    with path.open('w') as log:
        process = start(log, 'image_width:=64', 'image_height:=48', 'camera_hz:=4', 'seed:=3')
    yield process, path
    process.kill()
    process.wait()


@pytest.fixture
def listener(sim, make_node, spin_until):
    """Return a node that has heard from the simulation, ``received[topic]`` and ``wait``."""
    node, received = make_node('listener'), defaultdict(list)
    for topic, (kind, profile) in TOPICS.items():
        node.create_subscription(
            kind, topic, lambda msg, topic=topic: received[topic].append(msg), profile)

    def wait(condition, what):
        def alive_and_condition():
            assert sim[0].poll() is None, f'sim_node ended: {sim[1].read_text()}'
            return condition()
        spin_until([node], alive_and_condition, what, timeout_s=60.0)

    return node, received, wait


def call(node, wait, client, request):
    assert client.wait_for_service(timeout_sec=30)
    future = client.call_async(request)
    wait(future.done, client.srv_name)
    return future.result()


def test_publishes_what_a_robot_and_its_cameras_publish(listener):
    _, received, wait = listener
    wait(lambda: all(received[topic] for topic in TOPICS) and len(received['/clock']) > 50,
         'every topic')
    joints = received['joint_states'][-1]
    assert list(joints.name) == NAMES
    assert np.all(np.isfinite(joint_vector(joints, NAMES)))
    frames = frames_from_markers(received['sim/objects'][-1], frame_id=PROFILE.base_frame)
    assert {'insulator', 'insulator_grasp', 'hook_tip', 'cube_red'} <= set(frames)
    image = received['camera/wrist/image_raw'][-1]
    assert (image.encoding, image.width, image.height) == ('rgb8', 64, 48)
    assert rgb_from_image(image).std() > 5, 'the wrist camera sees one colour only'
    compressed = received['camera/third_person/image_raw/compressed'][-1]
    assert rgb_from_compressed(compressed).shape == (48, 64, 3)
    info = received['camera/third_person/camera_info'][-1]
    assert (info.width, info.height) == (64, 48)
    assert info.header.frame_id == 'third_person_camera_optical_frame'


def test_every_stamp_is_of_simulated_time_and_the_cameras_share_it(listener):
    _, received, wait = listener
    topics = ['camera/wrist/image_raw', 'camera/third_person/image_raw', 'joint_states']
    wait(lambda: all(len(received[t]) >= 3 for t in topics), 'images')
    sent = to_ns(received['camera/wrist/image_raw'][-1].header.stamp)
    wait(lambda: received['/clock'] and to_ns(received['/clock'][-1].clock) > sent, 'the clock')
    stamps = {t: {to_ns(m.header.stamp) for m in received[t]} for t in topics}
    assert stamps[topics[0]] & stamps[topics[1]]
    # Physics had gone on by the time an image was there, yet it has the time of what it shows. The
    # first one is a physics step late (a stamp of 0 would be none), all others are to the ns.
    assert not [stamp for stamp in stamps[topics[0]] - {2_000_000} if stamp % 250_000_000]
    assert stamps[topics[0]] & stamps['joint_states']
    wait(lambda: received['/diagnostics'], 'a report')
    topics.append('/diagnostics')
    for topic in topics:
        series = [to_ns(m.header.stamp) for m in received[topic]]
        assert series == sorted(series) and series[-1] < 3600 * 10**9, 'of the simulated day'


def test_reports_its_real_time_factor_and_its_cameras(listener):
    _, received, wait = listener

    def statuses():
        return {s.name: s for array in received['/diagnostics'] for s in array.status}

    wait(lambda: {'sim_node: simulation', 'sim_node: cameras'} <= set(statuses()), 'diagnostics')
    simulation = statuses()['sim_node: simulation']
    assert 'real-time factor' in simulation.message
    assert simulation.hardware_id == 'piper (simulated)'
    assert 'image rate [Hz]' in {v.key for v in statuses()['sim_node: cameras'].values}


@pytest.fixture
def command(listener):
    """Return ``command(msg, condition, what)``: send it again and again until the condition holds.

    Again and again, as a controller does: the first ones are lost while the two ends still find
    each other.
    """
    node, received, wait = listener
    publisher = node.create_publisher(JointState, 'joint_command', qos.COMMAND)

    def send(msg, condition, what):
        def sent_and_condition():
            publisher.publish(msg)
            return received['joint_states'] and condition()
        wait(sent_and_condition, what)

    return send


def value_of(received, joint):
    return joint_vector(received['joint_states'][-1], [joint])[0]


def test_wrong_command_is_refused_whole_and_the_right_one_is_carried_out(listener, command, sim):
    _, received, _ = listener
    home = np.append(PROFILE.joints.home, PROFILE.gripper.open)
    far, near = home.copy(), home.copy()
    far[0], near[0] = -1.0, 0.3

    # Sentinels: a right command gets through before and after, so the wrong ones did as well.
    command(joint_state_message(NAMES[::-1], near[::-1], stamp_ns=0),
            lambda: value_of(received, 'joint1') > 0.25, 'the right command')
    received.clear()
    for msg in [
            joint_state_message(NAMES[1:], far[1:], stamp_ns=0),
            joint_state_message([*NAMES, 'joint9'], [*far, 0.0], stamp_ns=0),
            joint_state_message([*JOINTS, 'joint9'], far, stamp_ns=0),
            joint_state_message(NAMES, [far[0], float('nan'), *far[2:]], stamp_ns=0),
            JointState(name=NAMES, position=far[:-1].tolist()),
            JointState()]:
        # Simulated time for it, in which the arm would go far.
        count = len(received['joint_states']) + 30
        command(msg, lambda count=count: len(received['joint_states']) > count, 'joint states')
    lowest = min(joint_vector(m, ['joint1'])[0] for m in received['joint_states'])
    assert lowest > 0.2
    command(joint_state_message(NAMES, home, stamp_ns=0),
            lambda: value_of(received, 'joint1') < 0.05, 'the next right command')
    assert 'joint_command: missing joints: joint1' in sim[1].read_text()


def test_command_without_the_gripper_leaves_it_alone(listener, command):
    _, received, _ = listener
    q = np.array(PROFILE.joints.home)
    command(joint_state_message(NAMES, [*q, 0.03], stamp_ns=0),
            lambda: abs(value_of(received, 'gripper') - 0.03) < 0.003, 'a narrow gripper')
    q[0] = -0.4
    command(joint_state_message(JOINTS, q, stamp_ns=0),
            lambda: value_of(received, 'joint1') < -0.35, 'the arm')
    assert abs(value_of(received, 'gripper') - 0.03) < 0.003


def test_reset_takes_the_seed_and_the_clock_goes_on(listener):
    node, received, wait = listener
    reset = node.create_client(Trigger, '/sim_node/reset')
    parameters = node.create_client(SetParameters, '/sim_node/set_parameters')

    def layout(seed):
        request = SetParameters.Request(
            parameters=[Parameter('seed', value=seed).to_parameter_msg()])
        result = call(node, wait, parameters, request)
        assert result.results[0].successful
        answer = call(node, wait, reset, Trigger.Request())
        assert (answer.success, answer.message) == (True, f'reset with seed {seed}')
        count = len(received['sim/objects'])
        wait(lambda: len(received['sim/objects']) > count + 2, 'objects')
        frames = frames_from_markers(received['sim/objects'][-1])
        return np.array([frames[name][:2, 3] for name in ('insulator', 'cube_red', 'hook_seat')])

    first, other, again = layout(3), layout(4), layout(3)
    assert np.allclose(first, again, atol=1e-3)
    assert np.abs(first - other).max() > 5e-3
    home = joint_vector(received['joint_states'][-1], JOINTS)
    assert np.allclose(home, PROFILE.joints.home, atol=0.05)
    series = [to_ns(m.clock) for m in received['/clock']]
    assert series == sorted(series)


def test_wrong_seed_is_refused_with_its_range(listener):
    node, _, wait = listener
    client = node.create_client(SetParameters, '/sim_node/set_parameters')
    request = SetParameters.Request(parameters=[Parameter('seed', value=-1).to_parameter_msg()])
    result = call(node, wait, client, request).results[0]
    assert (result.successful, '0 to 2147483647' in result.reason) == (False, True)


def test_interrupt_ends_it_in_order(sim):
    process, log = sim
    deadline = time.monotonic() + 60
    while 'simulating piper' not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 0
    assert 'Traceback' not in log.read_text()


@pytest.mark.parametrize(('parameter', 'environment', 'words'), [
    ('robot:=pipper', {}, ["'pipper'", "'piper'", 'ur5e']),
    ('camera_hz:=0.0', {}, ["'camera_hz' must be 0.1 to 100.0 Hz"]),
    ('seed:=1', {'MUJOCO_GL': 'glfw'}, ['MUJOCO_GL', 'osmesa']),
])
def test_wrong_start_is_one_line_that_says_what_is_valid(tmp_path, parameter, environment, words):
    path = tmp_path / 'log'
    with path.open('w') as log:
        status = start(log, parameter, environment=environment).wait(timeout=60)
    text = path.read_text()
    assert status == 2, text
    assert 'Traceback' not in text
    assert text.splitlines()[-1].startswith('[sim_node] error: ')
    for word in words:
        assert word in text
