"""The random checkpoints of our own: complete, the same each time, and marked as random."""

import json

import numpy as np
import pytest
import torch

from vla_ros.core.types import Observation
from vla_ros.policy import LEARNED, POLICIES, load_policy
from vla_ros.policy.openvla.checkpoint import Checkpoint, compare
from vla_ros.policy.openvla.configuration import OpenVLAConfig
from vla_ros.policy.openvla.full_size import full_size_config, write_sharded_checkpoint
from vla_ros.policy.openvla.loading import expected_shapes
from vla_ros.policy.openvla.stopwatch import STAGES, Stopwatch
from vla_ros.policy.openvla.tiny import DEMO, write_demo_checkpoint


@pytest.fixture(scope='module', params=LEARNED)
def demo(request, tmp_path_factory):
    path = tmp_path_factory.mktemp('demo') / request.param
    return request.param, write_demo_checkpoint(request.param, path)


def observation(policy, level=99):
    images = {name: np.full((256, 256, 3), level, np.uint8) for name in policy.spec.cameras}
    state = {'tool_pose': np.eye(4), 'gripper': np.array(0.03)}
    return Observation(7, 'pick up the insulator', images, state)


def test_every_learned_policy_has_its_demo():
    assert set(DEMO) == set(LEARNED) == set(POLICIES) - {'scripted', 'hover'}


def test_it_is_complete_and_small_and_says_what_it_is(demo):
    name, path = demo
    found = {file.name for file in path.iterdir()}
    assert {'config.json', 'model.safetensors', 'tokenizer.json', 'preprocessor_config.json',
            'dataset_statistics.json'} <= found
    assert (name == 'openvla_oft') == any(file.startswith('action_head--') for file in found)
    assert sum(file.stat().st_size for file in path.iterdir()) < 20e6
    assert json.loads((path / 'config.json').read_text())['random_weights'] is True


def test_it_answers_with_small_steps_under_a_label_that_warns(demo):
    name, path = demo
    policy = load_policy(name, model_path=path)
    policy.warm_up()
    chunk = policy.infer(observation(policy))
    assert policy.spec.label.startswith('RANDOM WEIGHTS, moves without purpose: OpenVLA')
    assert np.abs(chunk.actions[:, :3]).max() / policy.settings.dt < 0.25  # m/s
    assert not np.array_equal(policy.infer(observation(policy, 10)).actions, chunk.actions)


def test_the_one_action_of_openvla_goes_on_while_the_next_is_computed(tmp_path):
    path = write_demo_checkpoint('openvla', tmp_path)
    for repeat in (1, 4):
        policy = load_policy('openvla', model_path=path, repeat=repeat)
        chunk = policy.infer(observation(policy))
        assert policy.spec.horizon == chunk.horizon == repeat
        assert (chunk.actions == chunk.actions[0]).all()


def test_it_is_the_same_each_time(demo, tmp_path):
    name, path = demo
    again = write_demo_checkpoint(name, tmp_path / 'again')
    for file in path.iterdir():
        if not file.name.endswith('.pt'):  # those hold the name of their file
            assert (again / file.name).read_bytes() == file.read_bytes(), file.name


def test_the_time_of_each_stage_of_the_last_inference_is_known(demo):
    name, path = demo
    policy = load_policy(name, model_path=path)
    assert policy.timings == {}
    policy.infer(observation(policy))
    stages = dict(policy.timings)
    total = stages.pop('total')
    assert tuple(stages) == STAGES
    assert all(ms > 0 for ms in stages.values())
    assert sum(stages.values()) <= total


def test_a_stage_that_comes_again_adds_up_and_a_new_inference_begins_anew():
    watch = Stopwatch(torch.device('cpu'))
    for expected in (3, 1):
        watch.start()
        for _ in range(expected):
            with watch.stage('language'):
                sum(range(20000))
        found = watch.stop()
        assert set(found) == {'language', 'total'}
        assert found['language'] <= found['total']


def test_a_sharded_checkpoint_has_every_weight_and_loads(tmp_path):
    tower = {'width': 32, 'depth': 3, 'heads': 2, 'mlp_width': 48}
    config = OpenVLAConfig(
        text_config={'hidden_size': 64, 'intermediate_size': 96, 'num_attention_heads': 2,
                     'num_hidden_layers': 2},
        vision_towers=[{**tower, 'class_token': True, 'registers': 4, 'layer_scale': True}, tower],
        action_chunk=8)
    said = []
    size = write_sharded_checkpoint(tmp_path, config, shard_bytes=1 << 20, say=said.append)
    checkpoint = Checkpoint.open(tmp_path)
    assert compare(checkpoint.tensors, expected_shapes(config), []) == []
    assert size == sum(tensor.bytes for tensor in checkpoint.tensors.values())
    assert len(said) == len(list(tmp_path.glob('model-*.safetensors'))) > 1
    policy = load_policy('openvla_oft', model_path=tmp_path)
    assert np.isfinite(policy.infer(observation(policy)).actions).all()


def test_the_full_size_is_that_of_the_released_model():
    with torch.device('meta'):
        shapes = expected_shapes(full_size_config())
    numbers = sum(torch.Size(shape).numel() for shape in shapes.values())
    assert 7.4e9 < numbers < 7.6e9
