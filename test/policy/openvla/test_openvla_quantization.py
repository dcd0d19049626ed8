"""Quantized models: what is quantized, how far their actions are off, and where they may lie."""

import logging

import numpy as np
import pytest
import torch

from vla_ros.core.errors import ConfigError, DependencyError
from vla_ros.core.types import Observation
from vla_ros.policy import load_policy
from vla_ros.policy.openvla import quantization

pytest.importorskip('bitsandbytes')

KINDS = {'int8': 'Linear8bitLt', 'nf4': 'Linear4bit'}
def actions(policy, case):
    return policy.infer(Observation(0, case.instruction,
                                    dict(zip(policy.spec.cameras, case.images, strict=True)),
                                    {'proprio': case.proprio})).actions


@pytest.mark.parametrize('kind', KINDS)
def test_only_the_layers_of_the_decoder_are_quantized(load, kind):
    model = load('openvla_oft', 'l1', quantization=kind).parts.model
    quantized = {name for name, module in model.named_modules()
                 if type(module).__name__ == KINDS[kind]}
    expected = {name for name, module in load('openvla_oft', 'l1').parts.model.named_modules()
                if isinstance(module, torch.nn.Linear)
                and name.startswith('language_model.model.layers.')}
    assert quantized == expected
    assert len(quantized) == 3 * 7


@pytest.mark.parametrize('kind', KINDS)
def test_the_rest_is_as_without_quantization(load, kind):
    plain, quantized = (load('openvla_oft', 'l1', quantization=k) for k in ('none', kind))
    for key in ('vision_backbone.featurizer.blocks.0.attn.qkv.weight', 'projector.fc1.weight',
                'language_model.lm_head.weight'):
        found = quantized.parts.model.get_parameter(key)
        assert torch.equal(found, plain.parts.model.get_parameter(key)), key
    head = quantized.components.action_head.fc1.weight
    assert head.dtype == torch.float32


@pytest.mark.parametrize('kind', KINDS)
def test_the_error_of_the_actions_is_reported_in_action_units(load, oft_case, kind,
                                                              record_property):
    """Random weights are far more sensitive than trained ones, so nf4 has no bound here."""
    case = oft_case('case0')
    exact = actions(load('openvla_oft', 'l1'), case)
    policy = load('openvla_oft', 'l1', quantization=kind)
    error = np.abs(actions(policy, case) - exact).max(axis=0)
    report = ', '.join(f'{name} {value:.4f}' for name, value in
                       zip(policy.spec.dims, error, strict=True))
    print(f'{kind}: largest action error against float32: {report}')  # noqa: T201
    record_property('action_error', report)
    assert np.isfinite(error).all()
    assert error.max() > 0, 'nothing was quantized'
    if kind == 'int8':
        assert error.max() < 0.3, report


def test_the_error_of_nf4_is_that_of_its_weights_and_of_nothing_else(load, oft_case):
    """The same as a plain model with the de-quantized weights."""
    from bitsandbytes.functional import dequantize_4bit

    case = oft_case('case0')
    quantized = load('openvla_oft', 'l1', quantization='nf4', seed=2)
    plain = load('openvla_oft', 'l1', seed=2)
    for name, module in quantized.parts.model.named_modules():
        if type(module).__name__ == KINDS['nf4']:
            module.support_avx512bf16_for_cpu = False  # that kernel computes in bfloat16
            weight = plain.parts.model.get_parameter(f'{name}.weight')
            weight.data = dequantize_4bit(module.weight.data, module.weight.quant_state).float()
    np.testing.assert_allclose(actions(quantized, case), actions(plain, case), rtol=0, atol=1e-3)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
def test_plain_openvla_answers_quantized(load, golden, kind, dtype):
    policy = load('openvla', unnorm_key='bridge_orig', quantization=kind, dtype=dtype, repeat=1)
    image = np.load(golden / 'inputs/images.npz')['B_gradient_256x256']
    chunk = policy.infer(Observation(0, 'pick up the red cup', {'third_person': image}))
    assert chunk.actions.shape == (1, 7)


def test_nothing_moves_a_quantized_model(load, monkeypatch):
    """Published loaders call .to() on it, which bitsandbytes refuses or gets wrong."""
    from vla_ros.policy.openvla.model import OpenVLAForActionPrediction

    def refuse(*_args, **_kwargs):
        raise AssertionError('.to() was called')

    for name in ('to', 'cuda', 'float', 'half', 'bfloat16'):
        monkeypatch.setattr(OpenVLAForActionPrediction, name, refuse)
    load('openvla_oft', 'l1', quantization='nf4', seed=1).warm_up()


def test_int8_does_not_fill_the_log(load, oft_case, caplog):
    policy = load('openvla_oft', 'l1', quantization='int8')
    with caplog.at_level(logging.WARNING):
        actions(policy, oft_case('case0'))
    assert 'will be cast' not in caplog.text


def test_an_adapter_is_merged_before_quantization(golden, tmp_path):
    import shutil

    directory = tmp_path / 'run'
    shutil.copytree(golden / 'openvla_oft_tiny', directory)
    (directory / 'model.safetensors').unlink()
    options = {'config': 'openvla_oft_libero', 'quantization': 'nf4', 'dtype': 'bfloat16'}
    late = load_policy('openvla_oft', model_path=directory, base_path=golden / 'openvla_tiny',
                       **options)
    early = load_policy('openvla_oft', model_path=golden / 'openvla_oft_tiny', **options)
    key = 'language_model.model.layers.0.mlp.up_proj.weight'
    assert torch.equal(late.parts.model.get_parameter(key), early.parts.model.get_parameter(key))


def test_weights_may_lie_on_disk(load, oft_case, tmp_path):
    """What max_memory leaves no room for is offloaded, and the actions stay the same."""
    case = oft_case('case0')
    policy = load('openvla_oft', 'l1', device='auto', max_memory={'cpu': '7MB'},
                  offload_folder=str(tmp_path))
    assert 'disk' in policy.parts.model.hf_device_map.values()
    np.testing.assert_allclose(actions(policy, case), actions(load('openvla_oft', 'l1'), case),
                               rtol=0, atol=1e-6)


def test_an_unknown_kind_lists_the_kinds():
    with pytest.raises(ConfigError, match='Choices: int8, nf4, none'):
        quantization.quantization_config('nf5', torch.float32)


def test_without_bitsandbytes_the_error_says_so(monkeypatch):
    monkeypatch.setattr(quantization.importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(DependencyError, match='needs bitsandbytes: pip install'):
        quantization.quantization_config('nf4', torch.float32)
