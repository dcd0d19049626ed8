"""A broken checkpoint is a clear error that names the file and what is wrong with it."""

import json
import pickle
import struct

import pytest
import torch
from safetensors.torch import load_file, save_file

from vla_ros.core.errors import ConfigError
from vla_ros.policy import load_policy

SINGLE = 'model.safetensors'


def load(directory, **options):
    return load_policy('openvla_oft', model_path=directory, normalization='bounds_q99', **options)


@pytest.fixture
def checkpoint(tiny):
    return tiny(head='l1', proprio_size=8)


def change_weights(directory, change, name=SINGLE):
    state = load_file(directory / name)
    (directory / name).unlink()
    change(state)
    save_file(state, directory / name)


def change_component(directory, name, change):
    path = next(directory.glob(f'{name}--*'))
    state = torch.load(path, weights_only=True)
    change(state)
    torch.save(state, path)


def in_shards(directory, drop=None):
    state = load_file(directory / SINGLE)
    (directory / SINGLE).unlink()
    placed = {}
    for i, key in enumerate(sorted(state)):
        placed[key] = f'model-0000{i % 3 + 1}-of-00003.safetensors'
    for name in set(placed.values()) - {drop}:
        save_file({key: state[key] for key in state if placed[key] == name}, directory / name)
    (directory / 'model.safetensors.index.json').write_text(
        json.dumps({'metadata': {}, 'weight_map': placed}))


def test_an_index_that_is_none_is_refused(checkpoint):
    in_shards(checkpoint)
    (checkpoint / 'model.safetensors.index.json').write_text('{"weight_map": {}}')
    with pytest.raises(ConfigError, match='expected "metadata" and a "weight_map"'):
        load(checkpoint)


def test_the_checkpoint_loads_before_it_is_broken(checkpoint):
    assert load(checkpoint).head == 'l1'


def test_shards_load(checkpoint):
    in_shards(checkpoint)
    assert load(checkpoint).head == 'l1'


def test_a_missing_shard_is_named(checkpoint):
    in_shards(checkpoint, drop='model-00002-of-00003.safetensors')
    with pytest.raises(ConfigError, match='missing shard model-00002-of-00003.*of the 3 that'):
        load(checkpoint)


def test_a_shard_of_another_checkpoint_is_refused(checkpoint):
    in_shards(checkpoint)
    save_file({'x': torch.zeros(1)}, checkpoint / 'model-00001-of-00003.safetensors')
    with pytest.raises(ConfigError, match='should be in model-00001-of-00003.safetensors'):
        load(checkpoint)


@pytest.mark.parametrize('kept', [0, 5, 2000, -1000])
def test_a_file_that_was_cut_short_is_named(checkpoint, kept):
    path = checkpoint / SINGLE
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ConfigError, match=r'model.safetensors: (not a safetensors|expected)'):
        load(checkpoint)


def test_a_header_that_is_no_header_is_refused(checkpoint):
    (checkpoint / SINGLE).write_bytes(struct.pack('<Q', 4) + b'oops')
    with pytest.raises(ConfigError, match='not a safetensors file'):
        load(checkpoint)


def test_missing_weights_are_named(checkpoint):
    change_weights(checkpoint, lambda state: state.pop('projector.fc2.bias'))
    with pytest.raises(ConfigError, match=r'1 weights are missing.*projector\.fc2\.bias'):
        load(checkpoint)


def test_a_wrong_shape_is_named_with_both_shapes(checkpoint):
    change_weights(checkpoint, lambda s: s.update({'projector.fc2.bias': torch.zeros(3)}))
    with pytest.raises(ConfigError,
                       match=r'projector\.fc2\.bias: expected shape \(32,\).*found \(3,\)'):
        load(checkpoint)


def test_unknown_weights_are_left_out_with_a_warning(checkpoint, caplog):
    change_weights(checkpoint, lambda s: s.update({'value_head.weight': torch.zeros(3)}))
    load(checkpoint)
    assert 'value_head.weight' in caplog.text


@pytest.mark.parametrize('bad', [float('nan'), float('inf')])
@pytest.mark.parametrize('quantization', ['none', 'nf4'])
def test_weights_that_are_not_finite_are_refused(checkpoint, bad, quantization):
    key = 'language_model.model.layers.1.mlp.up_proj.weight'
    change_weights(checkpoint, lambda state: state[key].view(-1)[77:78].fill_(bad))
    with pytest.raises(ConfigError, match=r'up_proj\.weight: 1 of 2048 values are not finite'):
        load(checkpoint, quantization=quantization)


def test_no_weights_at_all_is_said(checkpoint):
    (checkpoint / SINGLE).unlink()
    with pytest.raises(ConfigError, match='the weights are missing'):
        load(checkpoint)


def test_missing_statistics_are_said(checkpoint):
    (checkpoint / 'dataset_statistics.json').unlink()
    with pytest.raises(ConfigError, match='dataset_statistics.json: no such file'):
        load(checkpoint)


def test_a_directory_that_is_none_is_named(tmp_path):
    with pytest.raises(ConfigError, match='nowhere: no such directory'):
        load(tmp_path / 'nowhere')


def test_a_directory_of_another_model_is_refused(checkpoint):
    (checkpoint / 'config.json').write_text('{"model_type": "llava"}')
    with pytest.raises(ConfigError, match="expected model_type \"openvla\", found 'llava'"):
        load(checkpoint)


def test_a_config_that_is_no_json_is_refused(checkpoint):
    (checkpoint / 'config.json').write_text('{')
    with pytest.raises(ConfigError, match='config.json: cannot be read'):
        load(checkpoint)


def test_an_unknown_tower_names_the_file(checkpoint):
    values = json.loads((checkpoint / 'config.json').read_text())
    del values['vision_towers']
    (checkpoint / 'config.json').write_text(json.dumps(values))
    with pytest.raises(ConfigError, match=r'config.json: unknown vision tower.*tiny_dinov2'):
        load(checkpoint)


def test_a_head_for_another_action_size_is_refused(checkpoint, tiny):
    other = tiny('other', head='l1', proprio_size=8, action_size=6)
    name = 'action_head--150_checkpoint.pt'
    (checkpoint / name).write_bytes((other / name).read_bytes())
    with pytest.raises(ConfigError, match='7 numbers a step.*reads 6 states and gives 6'):
        load(checkpoint)


def test_a_head_for_another_chunk_length_is_refused(checkpoint, tiny):
    """One that gives two steps at once; the known heads give one step after the other."""
    other = tiny('other', head='l1', proprio_size=8, action_size=14)
    name = 'action_head--150_checkpoint.pt'
    (checkpoint / name).write_bytes((other / name).read_bytes())
    with pytest.raises(ConfigError, match=r'another chunk length.*2 steps at once'):
        load(checkpoint)


def test_a_chunk_length_that_the_checkpoint_contradicts_is_refused(checkpoint):
    with pytest.raises(ConfigError, match='chunk length: expected 8 by config.json.*found 5'):
        load(checkpoint, chunk_length=5)


def test_a_proprio_projector_for_another_robot_is_refused(checkpoint, tiny):
    other = tiny('other', head='l1', proprio_size=14)
    name = 'proprio_projector--150_checkpoint.pt'
    (checkpoint / name).write_bytes((other / name).read_bytes())
    with pytest.raises(ConfigError, match='takes 14 numbers.*the statistics have 8'):
        load(checkpoint)


def test_a_diffusion_head_without_its_projector_is_refused(tiny):
    checkpoint = tiny(head='diffusion', proprio_size=8)
    next(checkpoint.glob('noisy_action_projector--*')).unlink()
    with pytest.raises(ConfigError, match='no noisy_action_projector file'):
        load(checkpoint)


def test_two_files_of_one_component_are_refused(checkpoint):
    head = next(checkpoint.glob('action_head--*'))
    (checkpoint / 'action_head--50_checkpoint.pt').write_bytes(head.read_bytes())
    with pytest.raises(ConfigError, match='expected one file for action_head'):
        load(checkpoint)


class Payload:
    """Would leave a file behind when unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, 'w')


def test_a_pickle_that_runs_code_is_refused_and_not_run(checkpoint, tmp_path):
    trace = tmp_path / 'trace'
    path = next(checkpoint.glob('action_head--*'))
    torch.save({'module.model.fc1.weight': Payload(trace)}, path)
    with pytest.raises(ConfigError, match=f'{path.name}: not a file of plain tensors'):
        load(checkpoint)
    path.write_bytes(pickle.dumps(Payload(trace)))
    with pytest.raises(ConfigError, match='not a file of plain tensors'):
        load(checkpoint)
    assert not trace.exists()


@pytest.mark.parametrize('content', [[torch.zeros(1)], {'a': 1}, {}, {1: torch.zeros(1)}])
def test_a_pickle_of_something_else_is_refused(checkpoint, content):
    torch.save(content, next(checkpoint.glob('action_head--*')))
    with pytest.raises(ConfigError, match='expected named tensors'):
        load(checkpoint)


@pytest.mark.parametrize('content', [b'', b'no pickle', b'PK\x03\x04broken zip'])
def test_a_component_that_is_no_pickle_is_refused(checkpoint, content):
    next(checkpoint.glob('action_head--*')).write_bytes(content)
    with pytest.raises(ConfigError, match='not a file of plain tensors'):
        load(checkpoint)


@pytest.mark.parametrize(('change', 'message'), [
    (lambda s: s.pop('module.model.fc2.bias'), "missing weight 'fc2.bias'"),
    (lambda s: s.update({'module.model.fc2.bias': torch.zeros(3)}), r'fc2\.bias: expected shape'),
    (lambda s: s.update({'module.model.extra': torch.zeros(3)}), 'unknown weights extra'),
    (lambda s: s['module.model.fc2.bias'].fill_(float('nan')), '7 of 7 values are not finite'),
    (lambda s: s.pop('module.model.fc1.weight'), 'expected a matrix under'),
])
def test_a_component_with_wrong_weights_is_refused(checkpoint, change, message):
    change_component(checkpoint, 'action_head', change)
    with pytest.raises(ConfigError, match=message):
        load(checkpoint)


def test_a_component_of_the_latest_step_is_found(checkpoint):
    path = next(checkpoint.glob('action_head--*'))
    path.rename(checkpoint / 'action_head--latest_checkpoint.pt')
    assert load(checkpoint).head == 'l1'


def test_an_image_processor_of_another_size_is_refused(checkpoint):
    path = checkpoint / 'preprocessor_config.json'
    values = json.loads(path.read_text())
    path.write_text(json.dumps({**values, 'input_sizes': [[3, 224, 224]] * 2}))
    with pytest.raises(ConfigError, match=r'\(224, 224\), the model takes 28'):
        load(checkpoint)
