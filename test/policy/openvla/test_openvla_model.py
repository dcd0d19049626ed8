"""The model is that of the published checkpoints: its keys, its sizes, and how it is loaded."""

import json
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from vla_ros.core.errors import ConfigError
from vla_ros.policy.openvla.configuration import KNOWN_TOWERS, OpenVLAConfig
from vla_ros.policy.openvla.loading import expected_shapes
from vla_ros.policy.openvla.model import OpenVLAForActionPrediction, unused_weights
from vla_ros.policy.openvla.tiny import TinyCheckpoint, tiny_config


def shapes_of_7b():
    """Return every weight of openvla-7b that inference uses, written out from its description."""
    shapes = {}
    for name, width, mlp, depth, scaled in (('featurizer', 1024, 4096, 24, True),
                                            ('fused_featurizer', 1152, 4304, 27, False)):
        tower = f'vision_backbone.{name}'
        shapes |= {f'{tower}.pos_embed': (1, 256, width),
                   f'{tower}.patch_embed.proj.weight': (width, 3, 14, 14),
                   f'{tower}.patch_embed.proj.bias': (width,)}
        for i in range(depth - 1):
            block = f'{tower}.blocks.{i}'
            for norm in ('norm1', 'norm2'):
                shapes |= {f'{block}.{norm}.{kind}': (width,) for kind in ('weight', 'bias')}
            for layer, out, into in (('attn.qkv', 3 * width, width), ('attn.proj', width, width),
                                     ('mlp.fc1', mlp, width), ('mlp.fc2', width, mlp)):
                shapes |= {f'{block}.{layer}.weight': (out, into), f'{block}.{layer}.bias': (out,)}
            if scaled:
                shapes |= {f'{block}.{ls}.scale_factor': (width,) for ls in ('ls1', 'ls2')}
    shapes |= {'vision_backbone.featurizer.cls_token': (1, 1, 1024),
               'vision_backbone.featurizer.reg_token': (1, 4, 1024)}
    for layer, out, into in (('fc1', 8704, 2176), ('fc2', 4096, 8704), ('fc3', 4096, 4096)):
        shapes |= {f'projector.{layer}.weight': (out, into), f'projector.{layer}.bias': (out,)}
    text = 'language_model.model'
    for i in range(32):
        layer = f'{text}.layers.{i}'
        shapes |= {f'{layer}.self_attn.{p}_proj.weight': (4096, 4096) for p in 'qkvo'}
        shapes |= {f'{layer}.mlp.{p}_proj.weight': (11008, 4096) for p in ('gate', 'up')}
        shapes |= {f'{layer}.mlp.down_proj.weight': (4096, 11008),
                   f'{layer}.input_layernorm.weight': (4096,),
                   f'{layer}.post_attention_layernorm.weight': (4096,)}
    return {**shapes, f'{text}.norm.weight': (4096,), f'{text}.embed_tokens.weight': (32064, 4096),
            'language_model.lm_head.weight': (32064, 4096)}


def test_keys_and_shapes_at_full_size_are_those_of_openvla_7b():
    config = OpenVLAConfig(text_config={'model_type': 'llama', 'pad_token_id': 32000,
                                        'torch_dtype': 'bfloat16', 'vocab_size': 32064})
    assert expected_shapes(config) == shapes_of_7b()


def test_the_weights_that_are_not_built_are_the_unused_ones(golden):
    config = OpenVLAConfig.from_pretrained(golden / 'openvla_tiny')
    stored = load_file(golden / 'openvla_tiny/model.safetensors')
    left = set(stored) - set(expected_shapes(config))
    assert {key.split('.')[2] for key in left} == {'blocks', 'norm', 'attn_pool'}
    assert {key.split('.')[3] for key in left if '.blocks.' in key} == {'3', '2'}
    assert any('rotary' in pattern for pattern in unused_weights(config))


def test_the_language_model_has_the_constants_of_the_7b_model():
    text = OpenVLAConfig().text_config
    assert text.rms_norm_eps == 1e-6
    assert text.max_position_embeddings == 2048
    assert text.rope_parameters['rope_theta'] == 10000.0


def test_the_recorded_geometry_is_the_known_one(golden):
    recorded = json.loads((golden / 'openvla_tiny/vision_geometry.json').read_text())
    for name, tower in KNOWN_TOWERS.items():
        if name in recorded:
            found = recorded[name]
            assert (tower.width, tower.depth, tower.heads, tower.mlp_width) == (
                found['embed_dim'], found['depth'], found['num_heads'], found['mlp_hidden'])
            assert tower.registers == found['reg_tokens']
            assert tower.class_token == found['class_token']


def test_a_saved_model_loads_again_in_shards_and_in_another_dtype(tmp_path):
    torch.manual_seed(0)
    model = OpenVLAForActionPrediction(tiny_config(TinyCheckpoint(image_size=28))).eval()
    model.save_pretrained(tmp_path, max_shard_size='1MB')
    assert len(list(tmp_path.glob('model-*.safetensors'))) > 1
    again = OpenVLAForActionPrediction.from_pretrained(tmp_path, dtype=torch.bfloat16,
                                                       device_map='auto')
    ids, pixels = torch.tensor([[1, 5, 6]]), torch.randn(1, 6, 28, 28)
    with torch.no_grad():
        expected, found = model(ids, pixels).logits, again(ids, pixels).logits
    assert found.dtype == torch.bfloat16
    assert (expected - found.float()).abs().max() < 0.05 * expected.abs().max()


def test_nothing_asks_about_remote_code(golden):
    """The published config.json names remote code; a prompt would block, an import would run it."""
    code = ('from vla_ros.policy import load_policy\n'
            f'p = load_policy("openvla", model_path={str(golden / "openvla_tiny")!r},'
            ' unnorm_key="bridge_orig")\nprint("loaded", p.parts.model.dtype)')
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL)
    assert 'loaded torch.bfloat16' in done.stdout, done.stderr
    assert 'trust_remote_code' not in done.stdout + done.stderr


def test_the_model_trains_with_peft():
    peft = pytest.importorskip('peft')
    model = OpenVLAForActionPrediction(tiny_config(TinyCheckpoint(image_size=28)))
    tuned = peft.get_peft_model(model, peft.LoraConfig(r=4, target_modules=['q_proj', 'fc1']))
    tuned(torch.tensor([[1, 5]]), torch.randn(1, 6, 28, 28)).logits.sum().backward()
    touched = {name.split('.')[2] for name, p in tuned.named_parameters() if p.grad is not None}
    assert touched >= {'language_model', 'projector', 'vision_backbone'}


@pytest.mark.parametrize(('change', 'message'), [
    ({'timm_model_ids': ['vit_huge', 'vit_so400m_patch14_siglip_224']}, 'vit_huge'),
    ({'use_fused_vision_backbone': False}, 'expected 1 vision towers, found 2'),
    ({'timm_override_act_layers': ['quick_gelu', None]}, 'activation'),
    ({'image_sizes': [224, 384]}, 'one image size'),
    ({'text_config': {'model_type': 'mistral'}}, 'Choices: llama'),
    ({'vision_towers': [{'width': 8}]}, 'vision_towers'),
    ({'vision_towers': [{'widht': 8}]}, 'Did you mean'),
])
def test_a_model_that_is_not_known_is_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        OpenVLAConfig(**change)


def test_a_single_siglip_backbone_is_that_of_the_reference(golden, close, tmp_path):
    import numpy as np

    from vla_ros.policy.openvla.image_processor import ImageProcessor
    from vla_ros.policy.openvla.projector import Projector
    from vla_ros.policy.openvla.vision import VisionBackbone

    config = OpenVLAConfig(text_config={'hidden_size': 64, 'num_attention_heads': 4},
                           timm_model_ids=['vit_tiny_patch14_siglip_oracle_224'],
                           image_sizes=[224])
    parts = torch.nn.ModuleDict({'vision_backbone': VisionBackbone(config),
                                 'projector': Projector(config)}).eval()
    weights = {key: value.float() for key, value in load_file(
        golden / 'expected/single_backbone/weights.safetensors').items()}
    missing, _ = parts.load_state_dict(weights, strict=False)
    assert not missing
    processor = ImageProcessor((224, 224), 'letterbox', ((0.5,) * 3,), ((0.5,) * 3,), (127,) * 3)
    image = np.load(golden / 'inputs/images.npz')['C_natural_360x480']
    expected = load_file(golden / 'expected/single_backbone/outputs.safetensors')
    with torch.no_grad():
        patches = parts['vision_backbone'](torch.from_numpy(processor(image))[None])
        projected = parts['projector'](patches)
    close(patches, expected['patches'], 1e-5, 'patches')
    close(projected, expected['projected'], 3e-5, 'projected')


def test_a_single_file_wins_over_an_index_as_in_transformers(tiny, tmp_path):
    from vla_ros.policy.openvla.checkpoint import stored_tensors

    directory = tiny()
    copy = tmp_path / 'copy'
    shutil.copytree(directory, copy)
    save_file({'other': torch.zeros(1)}, copy / 'a.safetensors')
    (copy / 'model.safetensors.index.json').write_text(
        json.dumps({'metadata': {}, 'weight_map': {'other': 'a.safetensors'}}))
    assert stored_tensors(copy).keys() == stored_tensors(directory).keys()
