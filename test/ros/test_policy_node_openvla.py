"""The policy node with a learned policy: a tiny random checkpoint in a real process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('torch', reason="PyTorch is not installed (pip install 'vla_ros[policy]')")
pytest.importorskip('transformers')
pytest.importorskip('accelerate')
pytest.importorskip('simplejpeg')

from graph_rig import Observer, Process, node_process
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from vla_ros.core.policy_description import PolicyDescription
from vla_ros.policy.openvla.tiny import write_demo_checkpoint
from vla_ros.robots import load_profile
from vla_ros.ros import qos
from vla_ros.ros.chunk_message import chunk_from_message
from vla_ros.ros.images import image_from_rgb
from vla_ros.ros.joint_states import joint_state_message

pytestmark = [pytest.mark.ros, pytest.mark.slow]

PROFILE = load_profile('piper')
NAMES = [*PROFILE.joints.names, PROFILE.gripper.joint]
INFERENCE = 'learned: inference'
TIMEOUT_S = 90.0  # the imports of PyTorch and transformers alone take a while on a busy machine
# The tests play the world in Python, and one inference may take long while others use the machine.
PATIENT = {'joint_state_timeout_s': 5.0, 'image_timeout_s': 5.0}


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_demo_checkpoint('openvla_oft', tmp_path_factory.mktemp('model') / 'tiny')


@pytest.fixture
def world() -> Iterator[Observer]:
    """Cameras and joints, in a namespace of their own."""
    observer = Observer('world', '/learned')
    observer.policy_node = 'learned'
    picture = np.full((64, 64, 3), 99, dtype=np.uint8)
    images = [observer.publisher(Image, f'camera/{name}/image_raw', qos.CAMERA)
              for name in ('third_person', 'wrist')]
    joints = observer.publisher(JointState, 'joint_states', qos.JOINTS)

    def play() -> None:
        stamp = int(observer.node.get_clock().now().nanoseconds)
        for publisher in images:
            publisher.publish(image_from_rgb(picture, stamp, 'camera'))
        joints.publish(joint_state_message(NAMES, [*PROFILE.joints.home, 0.07], stamp_ns=stamp))

    observer.every(0.05, play)
    yield observer
    observer.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    processes: list[Process] = []

    def start(**parameters: object) -> Process:
        process = node_process('policy_node', tmp_path, '-r', '__ns:=/learned', '-r',
                               '__node:=learned', driver='sim', **PATIENT, **parameters)
        process.env = {'OMP_NUM_THREADS': '1'}
        processes.append(process.start())
        return process

    yield start
    for process in processes:
        process.clean_up()


def values(status: Any) -> dict[str, str]:
    return {item.key: item.value for item in status.values}


def test_a_tiny_checkpoint_sends_chunks_and_reports_the_time_of_each_stage(
        world: Observer, start: Any, checkpoint: Path) -> None:
    chunks = world.hear(JointTrajectory, 'action_chunk', qos.CHUNK)
    descriptions = world.hear(String, 'policy', qos.policy_profile(5.0))
    process = start(policy='openvla_oft', model_path=str(checkpoint), device='cpu',
                    quantization='none', dtype='float32', unnorm_key='libero_layout',
                    instruction='pick up the insulator')
    chunk = chunks.wait(lambda m: True, f'a chunk; the node said: {process.log}',
                        timeout_s=TIMEOUT_S)
    description = PolicyDescription.from_json(
        descriptions.wait(lambda m: True, 'the description').data)
    assert description.name == 'openvla_oft'
    assert description.label.startswith('RANDOM WEIGHTS, moves without purpose')
    decoded = chunk_from_message(chunk, description, PROFILE.base_frame)
    assert (decoded.horizon, decoded.dt_ns) == (8, 50_000_000)

    reported = values(world.wait_diagnostic(INFERENCE, level=0))
    stages = {name: float(reported[f'{name}_ms'])
              for name in ('preprocess', 'vision', 'language', 'head', 'total')}
    assert all(ms > 0.0 for ms in stages.values())
    total = stages.pop('total')
    assert 0.5 * total < sum(stages.values()) <= total * 1.001, 'the stages are not the whole'
    assert total <= float(reported['infer_ms']) + 1.0

    loaded = values(world.wait_diagnostic('learned: policy', level=0))
    assert float(loaded['load_s']) > 0.0
    assert float(loaded['warm_up_s']) > 0.0, 'it was not warmed up when it was configured'
    # By which rules it is fed and read is said where the user looks.
    for part in ('chunks of 8 x 7, torch.float32', 'Lanczos-3', 'dataset_statistics.json',
                 'normalisation bounds_q99'):
        assert part in process.log, part
    # The images here have another size than those of training.
    process.wait_log("camera 'third_person' sends 64x64")
    assert process.stop() == 0


@pytest.mark.parametrize(('parameters', 'parts'), [
    ({'policy': 'scripted', 'model_path': '/tmp'}, ["option of policy scripted 'model_path'"]),
    ({'policy': 'openvla_oft'}, ['model_path is missing']),
    ({'policy': 'openvla_oft', 'unnorm_key': 'bridge'}, ["unknown unnorm_key 'bridge'",
                                                         'Choices: libero_layout']),
])
def test_what_the_policy_does_not_take_is_named_and_the_node_lives(
        world: Observer, start: Any, checkpoint: Path, parameters: dict[str, str],
        parts: list[str]) -> None:
    if 'unnorm_key' in parameters:
        parameters = {'model_path': str(checkpoint), **parameters}
    process = start(**parameters)
    world.diagnostics.wait(
        lambda m: any(s.name == 'learned: policy' and s.level[0] == 2
                      and all(part in s.message for part in parts) for s in m.status),
        f'an error with {parts}; the node said: {process.log}', timeout_s=TIMEOUT_S)
    assert 'cannot configure: ' in process.log
    assert 'Traceback' not in process.log
    assert process.alive
