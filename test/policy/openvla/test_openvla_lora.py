"""Adapters are merged at load: once, into the base that they were made for, as the script does."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from vla_ros.core.errors import ConfigError
from vla_ros.core.types import Observation
from vla_ros.policy import load_policy
from vla_ros.policy.openvla.checkpoint import Checkpoint, stored_tensors
from vla_ros.policy.openvla.loading import LoadOptions, load_model
from vla_ros.policy.openvla.lora import Adapter, merged_weight
from vla_ros.policy.openvla.tensors import read_tensors


@pytest.fixture
def unmerged(golden, tmp_path):
    """Return a run directory as it is when merging was skipped: no config.json, no weights."""
    directory = tmp_path / 'run'
    shutil.copytree(golden / 'openvla_oft_tiny', directory)
    for name in ('model.safetensors', 'config.json', 'generation_config.json'):
        (directory / name).unlink()
    return directory


def rewrite_adapter(directory, change):
    path = directory / 'lora_adapter/adapter_model.safetensors'
    state = load_file(path)
    path.unlink()
    change(state)
    save_file(state, path)


def test_merging_in_bfloat16_gives_the_merged_checkpoint(golden):
    state = read_tensors(stored_tensors(golden / 'openvla_tiny'))
    merged = read_tensors(stored_tensors(golden / 'openvla_oft_tiny'))
    adapter = Adapter.open(golden / 'openvla_oft_tiny/lora_adapter')
    assert adapter.merge(state) == 60
    different = {key: int((state[key] != merged[key]).sum()) for key in merged}
    # Of 2 million values of lm_head one may round the other way: the order of a sum is the
    # library's business.
    assert sum(different.values()) <= 3, different


def test_merging_in_float32_gives_the_recorded_weights(golden):
    state = read_tensors(stored_tensors(golden / 'openvla_tiny'))
    Adapter.open(golden / 'openvla_oft_tiny/lora_adapter').merge(state, torch.float32)
    expected = load_file(golden / 'expected/oft/lora__merged_tensors_fp32.safetensors')
    for name, wanted in expected.items():
        key, _, rows = name.partition('[')
        found = state[key][31740:31780] if rows else state[key]
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6, msg=name)


@pytest.mark.parametrize('name', ['merged', 'unmerged'])
def test_a_run_that_was_not_merged_acts_as_the_reference(golden, unmerged, oft_case, close, name):
    policy = load_policy('openvla_oft', model_path=unmerged, base_path=golden / 'openvla_tiny',
                         config='openvla_oft_libero', dtype='float32', proprio='given',
                         image={'round_trip': 'never', 'center_crop': False})
    case = oft_case('case0')
    observation = Observation(0, case.instruction,
                              dict(zip(policy.spec.cameras, case.images, strict=True)),
                              {'proprio': case.proprio})
    expected = load_file(golden / f'expected/oft/lora__{name}_fp32.safetensors')
    close(policy.infer(observation).actions, expected['actions'], 3e-5)


def test_merged_weights_beside_their_adapter_are_not_merged_again(golden, load):
    found = load('openvla_oft', 'l1').parts.model.projector.fc1.weight
    stored = read_tensors(stored_tensors(golden / 'openvla_oft_tiny'))['projector.fc1.weight']
    torch.testing.assert_close(found, stored.float(), rtol=0, atol=0)


def test_base_weights_beside_an_adapter_are_merged(golden, unmerged):
    for name in ('model.safetensors', 'config.json'):
        shutil.copy(golden / 'openvla_tiny' / name, unmerged / name)
    model = load_model(Checkpoint.open(unmerged), LoadOptions(dtype='bfloat16'))
    merged = read_tensors(stored_tensors(golden / 'openvla_oft_tiny'))
    assert torch.equal(model.projector.fc1.weight, merged['projector.fc1.weight'])


def test_an_adapter_without_its_base_says_what_it_was_trained_on(unmerged):
    with pytest.raises(ConfigError, match=r"trained on 'openvla_tiny'.*base_path"):
        Checkpoint.open(unmerged)


def test_a_base_that_holds_the_adapter_already_is_refused(golden, unmerged):
    with pytest.raises(ConfigError, match=r'have 1\.\d\d of its update in them'):
        load_model(Checkpoint.open(unmerged, golden / 'openvla_oft_tiny'), LoadOptions())


def test_an_adapter_for_a_base_of_other_sizes_is_refused(unmerged, tiny):
    with pytest.raises(ConfigError, match='made for another base'):
        load_model(Checkpoint.open(unmerged, tiny()), LoadOptions())


def test_an_adapter_for_a_base_of_other_values_is_refused(golden, unmerged):
    weights = load_file(golden / 'openvla_tiny/model.safetensors')
    base_head = weights['language_model.lm_head.weight']
    key = 'base_model.model.language_model.lm_head.base_layer.weight'
    rewrite_adapter(unmerged, lambda state: state.update({key: base_head.clone()}))
    load_model(Checkpoint.open(unmerged, golden / 'openvla_tiny'), LoadOptions())
    rewrite_adapter(unmerged, lambda state: state.update({key: base_head + 0.25}))
    with pytest.raises(ConfigError, match='lm_head in it has other values'):
        load_model(Checkpoint.open(unmerged, golden / 'openvla_tiny'), LoadOptions())


@pytest.mark.parametrize(('change', 'message'), [
    (lambda s: s.clear() or s.update(x=torch.zeros(1)), 'no LoRA weights'),
    (lambda s: s.pop('base_model.model.projector.fc1.lora_B.weight'), 'has no lora_B'),
    (lambda s: s['base_model.model.projector.fc1.lora_A.weight'].fill_(float('nan')),
     'not finite'),
])
def test_a_broken_adapter_is_refused(golden, unmerged, change, message):
    rewrite_adapter(unmerged, change)
    with pytest.raises(ConfigError, match=message):
        load_model(Checkpoint.open(unmerged, golden / 'openvla_tiny'), LoadOptions())


@pytest.mark.parametrize(('key', 'value'), [('use_dora', True), ('peft_type', 'IA3'),
                                            ('bias', 'all')])
def test_another_kind_of_adapter_is_refused(golden, unmerged, key, value):
    path = unmerged / 'lora_adapter/adapter_config.json'
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(ConfigError, match=f'{key}: expected'):
        load_model(Checkpoint.open(unmerged, golden / 'openvla_tiny'), LoadOptions())


def test_a_convolution_merges_as_the_convolution_of_both():
    torch.manual_seed(0)
    base, a = torch.randn(5, 3, 2, 2), torch.randn(4, 3, 2, 2)
    b, image = torch.randn(5, 4, 1, 1), torch.randn(1, 3, 6, 6)
    conv = torch.nn.functional.conv2d
    expected = conv(image, base, stride=2) + 0.5 * conv(conv(image, a, stride=2), b)
    torch.testing.assert_close(conv(image, merged_weight(base, a, b, 0.5), stride=2), expected)


def test_the_scaling_follows_the_configuration(golden):
    adapter = Adapter.open(golden / 'openvla_oft_tiny/lora_adapter')
    assert adapter.scaling('projector.fc1', 32) == 0.5
    rs = Adapter(adapter.path, {**adapter.config, 'use_rslora': True}, {}, None)
    assert rs.scaling('projector.fc1', 16) == 4.0
    pattern = Adapter(adapter.path, {**adapter.config, 'alpha_pattern': {'fc1': 64}}, {}, None)
    assert pattern.scaling('projector.fc1', 32) == 2.0
    assert pattern.scaling('projector.fc2', 32) == 0.5


def test_peft_merges_to_the_same_weights(golden):
    """The library that made the adapter agrees, where it can load it."""
    peft = pytest.importorskip('peft')
    from vla_ros.policy.openvla.model import OpenVLAForActionPrediction

    model = OpenVLAForActionPrediction.from_pretrained(golden / 'openvla_tiny',
                                                       dtype=torch.float32)
    merged = peft.PeftModel.from_pretrained(
        model, golden / 'openvla_oft_tiny/lora_adapter').merge_and_unload()
    state = read_tensors(stored_tensors(golden / 'openvla_tiny'))
    Adapter.open(golden / 'openvla_oft_tiny/lora_adapter').merge(state, torch.float32)
    for key in ('projector.fc1.weight', 'vision_backbone.featurizer.patch_embed.proj.weight',
                'language_model.model.layers.1.mlp.up_proj.weight'):
        torch.testing.assert_close(merged.get_parameter(key), state[key], rtol=0, atol=1e-6)
