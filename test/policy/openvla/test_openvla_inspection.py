"""The inspection says what is in a checkpoint, agrees with the loader, names all that is wrong."""

import dataclasses
import json
import os
import pickle
import re
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from vla_ros.core.errors import VlaRosError
from vla_ros.policy import load_policy
from vla_ros.policy.openvla.configuration import OpenVLAConfig
from vla_ros.policy.openvla.inspection import as_json, as_text, inspect
from vla_ros.policy.openvla.inspection.conventions import Convention, objections, ready_made
from vla_ros.policy.openvla.inspection.memory import weight_memory
from vla_ros.policy.openvla.inspection.torch_file import torch_file_header
from vla_ros.policy.openvla.loading import expected_shapes
from vla_ros.policy.openvla.settings import read_settings
from vla_ros.policy.openvla.statistics import Bounds
from vla_ros.resources import share_file

SINGLE, INDEX = 'model.safetensors', 'model.safetensors.index.json'
HEAD = 'action_head--150_checkpoint.pt'
POINTER = (b'version https://git-lfs.github.com/spec/v1\n'
           b'oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n'
           b'size 123\n')


@pytest.fixture
def checkpoint(tiny):
    return tiny(head='l1', proprio_size=8, dataset='libero_tiny')


def problems(directory, base=None):
    report = inspect(directory, base)
    assert not report.loads
    assert as_text(report)
    json.loads(as_json(report))
    return '\n'.join(report.problems)


def in_shards(directory, drop=()):
    state = load_file(directory / SINGLE)
    (directory / SINGLE).unlink()
    placed = {key: f'model-0000{i % 3 + 1}-of-00003.safetensors'
              for i, key in enumerate(sorted(state))}
    for name in set(placed.values()) - set(drop):
        save_file({key: state[key] for key in state if placed[key] == name}, directory / name)
    (directory / INDEX).write_text(json.dumps({'metadata': {}, 'weight_map': placed}))


def change_json(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


# Golden checkpoints

@pytest.mark.parametrize(('variant', 'head', 'film', 'chunk', 'size', 'proprio', 'mode'), [
    ('l1', 'l1', False, 8, 7, 8, 'bounds_q99'),
    ('film', 'l1', True, 8, 7, 8, 'bounds_q99'),
    ('diffusion', 'diffusion', False, 8, 7, 8, 'bounds_q99'),
    ('aloha', 'l1', False, 25, 14, 14, 'bounds'),
])
def test_golden_oft_runs_are_recognised(run_directory, variant, head, film, chunk, size, proprio,
                                        mode):
    report = inspect(run_directory(variant))
    assert report.problems == []
    assert (report.policy, report.head, report.film) == ('openvla_oft', head, film)
    (dataset,) = report.datasets
    assert (dataset.chunk, dataset.action_size, dataset.normalization) == (chunk, size, mode)
    assert report.proprio == dataset.proprio_size == proprio
    assert [tower['width'] for tower in report.vision] == [48, 40]
    assert [tower['blocks'] for tower in report.vision] == [4, 3]
    assert [tower['registers'] for tower in report.vision] == [4, 0]
    assert report.language['layers'] == 3 and report.language['vocabulary'] == 32064
    assert report.images['size'] == [224, 224] and report.images['channels'] == 6


@pytest.mark.parametrize('variant', ['l1', 'film', 'diffusion'])
def test_what_is_said_to_load_with_the_fitting_convention_does(run_directory, variant):
    report = inspect(run_directory(variant))
    best = report.conventions[0]
    assert (best.verdict, best.convention) == ('fits', 'openvla_oft_libero')
    policy = load_policy(report.policy, model_path=run_directory(variant), unnorm_key=best.key,
                         config=share_file('config', 'policies', f'{best.convention}.yaml'))
    assert policy.spec.horizon == report.datasets[0].chunk
    assert policy.head == report.head
    assert policy.layout.normalization.value == report.datasets[0].normalization


def test_no_ready_made_convention_is_offered_for_two_arms(run_directory):
    report = inspect(run_directory('aloha'))
    assert all(match.verdict == 'no' for match in report.conventions)
    assert any('copy config/policies/openvla_oft_template.yaml' in need for need in report.needs)
    assert 'expected 7 numbers' in ' '.join(report.conventions[0].reasons)


def test_the_golden_base_needs_a_key_and_fits_by_it(golden):
    report = inspect(golden / 'openvla_tiny')
    assert report.problems == []
    assert (report.policy, report.kind, report.images['count']) == ('openvla', 'OpenVLA', 1)
    assert any('unnorm_key' in need and 'bridge_orig' in need for need in report.needs)
    fits = {match.key: match.convention for match in report.conventions if match.verdict == 'fits'}
    assert fits == {'bridge_orig': 'openvla_bridge', 'libero_spatial_no_noops': 'openvla_libero'}
    for key, name in fits.items():
        load_policy('openvla', model_path=golden / 'openvla_tiny', unnorm_key=key,
                    config=share_file('config', 'policies', f'{name}.yaml'))


def test_component_files_alone_are_told_what_they_lack(golden):
    said = problems(golden / 'openvla_oft_aloha_tiny')
    for name in ('config.json', 'weights are missing', 'tokenizer.json',
                 'preprocessor_config.json'):
        assert name in said


def test_headers_of_pt_files_are_those_of_torch(golden):
    names = {torch.bfloat16: 'BF16', torch.float32: 'F32'}
    files = sorted(golden.glob('openvla_oft*/*.pt'))
    assert len(files) >= 10
    for path in files:
        state = torch.load(path, map_location='cpu', weights_only=True)
        expected = {key.removeprefix('module.'): (tuple(value.shape), names[value.dtype])
                    for key, value in state.items()}
        found = torch_file_header(path)
        assert {key: (value.shape, value.dtype) for key, value in found.items()} == expected


# Adapters

@pytest.fixture
def adapter_only(golden, tmp_path):
    """Return an OFT run that was not merged: everything but the model's weights."""
    source = golden / 'openvla_oft_tiny'
    directory = tmp_path / 'run'
    shutil.copytree(source, directory, ignore=lambda *_: [SINGLE])
    for path in [directory, *directory.rglob('*')]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    return directory


def test_an_adapter_loads_with_its_base_and_asks_for_it(adapter_only, golden):
    assert "trained on 'openvla_tiny'" in problems(adapter_only)
    assert '--base' in problems(adapter_only)
    report = inspect(adapter_only, golden / 'openvla_tiny')
    assert report.problems == []
    assert report.adapter['rank'] == 32 and report.adapter['layers'] == 60
    load_policy('openvla_oft', config='openvla_oft_libero', model_path=adapter_only,
                base_path=golden / 'openvla_tiny')


def test_an_adapter_for_another_base_is_named(adapter_only, tiny):
    assert 'made for another base' in problems(adapter_only, tiny('base'))


def test_a_kind_of_adapter_that_is_not_known_is_named(adapter_only, golden):
    change_json(adapter_only / 'lora_adapter' / 'adapter_config.json', use_dora=True)
    assert 'use_dora: expected False, found True' in problems(adapter_only, golden / 'openvla_tiny')


# Broken directories; where the loader is called too, it must refuse what the inspection refuses

def test_a_sound_checkpoint_has_no_problem(checkpoint):
    report = inspect(checkpoint)
    assert report.problems == []
    assert 'will load       yes, as policy openvla_oft' in as_text(report)
    assert any('RANDOM WEIGHTS' in note for note in report.notes)
    load_policy('openvla_oft', model_path=checkpoint)


def _remove(name):
    return lambda directory: (directory / name).unlink()


def _write(name, content):
    return lambda directory: (directory / name).write_bytes(content)


def _cut(name, kept):
    return lambda directory: (directory / name).write_bytes((directory / name).read_bytes()[:kept])


def _config(**values):
    return lambda directory: change_json(directory / 'config.json', **values)


def _component(change, name=HEAD):
    def apply(directory):
        state = torch.load(directory / name, weights_only=True)
        change(state)
        torch.save(state, directory / name)

    return apply


def _weights(change):
    def apply(directory):
        state = load_file(directory / SINGLE)
        (directory / SINGLE).unlink()
        change(state)
        save_file(state, directory / SINGLE)

    return apply


BREAKAGES = {
    'no weights': (_remove(SINGLE), 'the weights are missing'),
    'no statistics': (_remove('dataset_statistics.json'), 'dataset_statistics.json: no such file'),
    'no config': (_remove('config.json'), 'config.json: no such file'),
    'no tokenizer': (_remove('tokenizer.json'), 'tokenizer.json: no such file'),
    'no image processor': (_remove('preprocessor_config.json'), 'preprocessor_config.json'),
    'cut weights': (_cut(SINGLE, -1000), 'the file is cut short'),
    'cut header': (_cut(SINGLE, 300), 'not a safetensors file'),
    'empty weights': (_cut(SINGLE, 0), 'not a safetensors file'),
    'pointer to weights': (_write(SINGLE, POINTER), 'model.safetensors: a Git LFS pointer'),
    'pointer to head': (_write(HEAD, POINTER), f'{HEAD}: a Git LFS pointer'),
    'pointer to tokenizer': (_write('tokenizer.json', POINTER), 'tokenizer.json: a Git LFS'),
    'missing weight': (_weights(lambda s: s.pop('projector.fc2.bias')),
                       r'1 of \d+ weights are missing, such as projector.fc2.bias'),
    'wrong shape': (_weights(lambda s: s.update({'projector.fc2.bias': torch.zeros(3)})),
                    r'projector.fc2.bias expected \(32,\), found \(3,\)'),
    'llama': (_config(model_type='llama'), "model_type \"openvla\", found 'llama'"),
    'unknown tower': (_config(vision_towers=None), 'unknown vision tower'),
    'config no JSON': (_write('config.json', b'{'), 'config.json: cannot be read'),
    'config a list': (_write('config.json', b'[]'), 'config.json: expected a mapping'),
    'statistics no JSON': (_write('dataset_statistics.json', b'{'), 'cannot be read'),
    'statistics empty': (_write('dataset_statistics.json', b'{}'), 'at least one dataset'),
    'head is no pickle': (_write(HEAD, b'no pickle'), f'{HEAD}: not a file of plain tensors'),
    'head cut': (_cut(HEAD, -500), f'{HEAD}: not a file of plain tensors'),
    'head of other numbers': (_component(lambda s: s.update(
        {'module.model.fc2.bias': torch.zeros(3)})), r'fc2\.bias: expected shape'),
    'head lacks a weight': (_component(lambda s: s.pop('module.model.fc2.bias')),
                            "missing weight 'fc2.bias'"),
    'head is no state dict': (lambda d: torch.save([torch.zeros(1)], d / HEAD),
                              'expected named tensors, found list'),
    'head of numbers': (lambda d: torch.save({'a': 1}, d / HEAD), 'expected named tensors'),
    'two heads': (lambda d: (d / 'action_head--50_checkpoint.pt').write_bytes(
        (d / HEAD).read_bytes()), 'expected one file for action_head'),
    'tokenizer of another model': (_write('tokenizer.json', b'{}'), 'not a tokenizer'),
    'processor of another size': (
        lambda d: change_json(d / 'preprocessor_config.json', input_sizes=[[3, 56, 56]] * 2),
        'image processor makes images of'),
}


@pytest.mark.parametrize('name', BREAKAGES)
def test_a_broken_checkpoint_is_refused_by_inspection_and_loader(checkpoint, name):
    damage, message = BREAKAGES[name]
    damage(checkpoint)
    assert re.search(message, problems(checkpoint))
    with pytest.raises(VlaRosError):
        load_policy('openvla_oft', model_path=checkpoint)


@pytest.mark.parametrize(('name', 'content'), [
    ('dataset_statistics.json', b'{"a": {"action": {"q01": 3}}}'),
    ('dataset_statistics.json', b'{"a": {"action": {"q01": {"x": 1}, "q99": null}}}'),
    ('dataset_statistics.json', b'{"a": 1}'),
    (SINGLE, (10).to_bytes(8, 'little') + b'[1, 2, 3 ]'),
    (SINGLE, (17).to_bytes(8, 'little') + b'{"a": {"b": "c"}}'),
    ('preprocessor_config.json', b'[]'),
    ('preprocessor_config.json', b'{"image_resize_strategy": "letterbox", "means": [[1e999]], '
                                 b'"input_sizes": [[3, 28, 28]], "stds": [[1]]}'),
    ('config.json', b'{"model_type": "openvla", "text_config": 3}'),
    ('config.json', b'{"model_type": "openvla", "timm_model_ids": 3, "image_sizes": 4}'),
    ('config.json', b'{"model_type": "openvla", "norm_stats": [1]}'),
    (HEAD, b'hello'),
])
def test_whatever_is_in_a_file_the_report_is_made(checkpoint, name, content):
    (checkpoint / name).write_bytes(content)
    assert problems(checkpoint)


def test_every_problem_is_listed_not_only_the_first(checkpoint):
    in_shards(checkpoint, drop=['model-00002-of-00003.safetensors'])
    _cut('model-00003-of-00003.safetensors', -100)(checkpoint)
    _remove('dataset_statistics.json')(checkpoint)
    _remove('tokenizer.json')(checkpoint)
    _write(HEAD, b'no pickle')(checkpoint)
    _config(auto_map={'AutoConfig': 'evil.Config'})(checkpoint)
    said = problems(checkpoint)
    for part in ('model-00002-of-00003.safetensors: missing shard', 'the file is cut short',
                 'dataset_statistics.json: no such file', 'tokenizer.json: no such file',
                 f'{HEAD}: not a file of plain tensors'):
        assert part in said
    assert len(said.splitlines()) == 5  # weights of a missing shard are not missing once more


def test_shards_are_as_good_as_one_file(checkpoint):
    whole = inspect(checkpoint)
    in_shards(checkpoint)
    split = inspect(checkpoint)
    assert split.problems == []
    assert (split.parameters, split.memory) == (whole.parameters, whole.memory)


def test_a_shard_of_another_checkpoint_is_named(checkpoint):
    in_shards(checkpoint)
    save_file({'x': torch.zeros(1)}, checkpoint / 'model-00001-of-00003.safetensors')
    assert 'should be in it by' in problems(checkpoint)


@pytest.mark.parametrize(('size', 'message'), [(6, 'reads 6 states and gives 6'),
                                               (14, r'another chunk length')])
def test_a_head_for_another_chunk_or_action_is_named(checkpoint, tiny, size, message):
    other = tiny('other', head='l1', proprio_size=8, action_size=size)
    (checkpoint / HEAD).write_bytes((other / HEAD).read_bytes())
    said = problems(checkpoint)
    assert message in said
    (checkpoint / SINGLE).unlink()  # the config alone tells how wide the model is
    assert message in problems(checkpoint)


def test_a_proprio_projector_for_another_robot_is_named(checkpoint, tiny):
    other = tiny('other', head='l1', proprio_size=14)
    name = 'proprio_projector--150_checkpoint.pt'
    (checkpoint / name).write_bytes((other / name).read_bytes())
    assert 'takes 14 numbers' in problems(checkpoint)


def test_a_diffusion_head_without_its_projector_is_named(tiny):
    checkpoint = tiny(head='diffusion', proprio_size=8)
    next(checkpoint.glob('noisy_action_projector--*')).unlink()
    assert 'no noisy_action_projector file' in problems(checkpoint)


def test_an_empty_directory_lacks_everything(tmp_path):
    report = inspect(tmp_path)
    assert report.kind == 'no OpenVLA checkpoint'
    said = problems(tmp_path)
    for name in ('config.json', 'model.safetensors', 'tokenizer.json', 'dataset_statistics.json',
                 'preprocessor_config.json'):
        assert name in said


def test_weights_under_another_name_are_pointed_at(checkpoint):
    (checkpoint / SINGLE).rename(checkpoint / 'adapter_model.safetensors')
    assert 'Found instead: adapter_model.safetensors' in problems(checkpoint)


class Payload:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, 'w')


@pytest.mark.parametrize('wrapped', [True, False])
def test_a_pickle_that_runs_code_is_refused_and_not_run(checkpoint, tmp_path, wrapped):
    trace = tmp_path / 'trace'
    if wrapped:
        torch.save({'module.model.fc1.weight': Payload(trace)}, checkpoint / HEAD)
    else:
        (checkpoint / HEAD).write_bytes(pickle.dumps(Payload(trace)))
    assert f'{HEAD}: not a file of plain tensors' in problems(checkpoint)
    assert not trace.exists()


def test_code_that_config_json_names_is_not_run(checkpoint, tmp_path):
    trace = tmp_path / 'trace'
    (checkpoint / 'evil.py').write_text(f'open({str(trace)!r}, "w")\n')
    _config(auto_map={'AutoConfig': 'evil.Config', 'AutoModel': 'evil.Model'})(checkpoint)
    report = inspect(checkpoint)
    assert report.problems == []
    assert any('auto_map' in note for note in report.notes)
    assert not trace.exists()


def test_the_old_format_of_torch_is_read(checkpoint):
    state = torch.load(checkpoint / HEAD, weights_only=True)
    torch.save(state, checkpoint / HEAD, _use_new_zipfile_serialization=False)
    report = inspect(checkpoint)
    assert (report.problems, report.head) == ([], 'l1')


def test_no_weight_is_read(checkpoint):
    """Weights that are holes in the file, of which not a byte was ever written, do not matter."""
    path = checkpoint / SINGLE
    data = path.read_bytes()
    length = 8 + int.from_bytes(data[:8], 'little')
    path.write_bytes(data[:length])
    os.truncate(path, len(data))
    assert inspect(checkpoint).problems == []


def test_an_unknown_chunk_length_is_asked_for(tiny):
    checkpoint = tiny(head='l1', action_size=9, dataset='mine')
    values = json.loads((checkpoint / 'config.json').read_text())
    values['action_chunk'] = None
    (checkpoint / 'config.json').write_text(json.dumps(values))
    report = inspect(checkpoint)
    assert report.problems == []
    assert any(need.startswith('chunk_length and normalization') for need in report.needs)
    assert report.datasets[0].chunk is None


def test_a_dataset_that_cannot_be_used_is_told_beside_one_that_can(tiny):
    checkpoint = tiny()
    path = checkpoint / 'dataset_statistics.json'
    values = json.loads(path.read_text())
    path.write_text(json.dumps({**values, 'broken': {'action': {'q01': [0.0], 'q99': [-1.0]}}}))
    report = inspect(checkpoint)
    assert report.problems == []
    assert [bool(dataset.error) for dataset in report.datasets] == [True, False]
    assert any('unnorm_key, one of tiny_random' in need for need in report.needs)


# Memory

@pytest.mark.parametrize('quantization', ['none', 'int8', 'nf4'])
def test_memory_is_what_the_loaded_model_takes(tiny, quantization):
    if quantization != 'none':
        pytest.importorskip('bitsandbytes')
    checkpoint = tiny(head='l1', proprio_size=8)
    said = inspect(checkpoint).memory[quantization]
    policy = load_policy('openvla_oft', model_path=checkpoint, quantization=quantization,
                         normalization='bounds_q99')
    modules = [policy.parts.model, *filter(None, vars(policy.components).values())]
    total = 0
    for module in modules:
        for parameter in module.parameters():
            total += parameter.nbytes
            state = getattr(parameter, 'quant_state', None)
            if state is not None:
                parts = [state.absmax, state.code, state.offset, state.state2.absmax,
                         state.state2.code]
                total += sum(part.nbytes for part in parts)
            scales = getattr(parameter, 'SCB', None)
            if scales is not None:
                total += scales.nbytes
    assert said == total


def test_memory_of_the_7b_model():
    """Known of the published model: 7.5 billion weights, so 14 GiB in bfloat16, 4.4 in 4 bits."""
    memory = weight_memory(expected_shapes(OpenVLAConfig()), 2)
    assert memory['none'] / 1024 ** 3 == pytest.approx(14.0, abs=0.3)
    assert memory['int8'] / 1024 ** 3 == pytest.approx(8.0, abs=0.3)
    assert memory['nf4'] / 1024 ** 3 == pytest.approx(5.0, abs=0.3)


# Conventions

@pytest.mark.parametrize('convention', ready_made(), ids=lambda convention: convention.name)
def test_every_ready_made_convention_can_be_read_by_its_policy(convention):
    path = share_file('config', 'policies', f'{convention.name}.yaml')
    settings, _ = read_settings(convention.policy, path, {})
    assert settings.dims == convention.dims
    ours = Convention.of_settings(convention.policy, settings)
    assert ours == dataclasses.replace(convention, name='')


def test_the_gripper_of_both_datasets_is_read_as_the_model_gives_it():
    """The flip to -1 open, 1 closed is done by LIBERO's evaluation, behind the model."""
    for convention in ready_made():
        if convention.dataset in ('libero', 'bridge'):
            assert (convention.gripper_open, convention.gripper_closed) == (1.0, 0.0)


def bounds(translation=0.5, rotation=0.5, gripper=(0.0, 1.0), size=7):
    low = [-translation] * 3 + [-rotation] * (size - 4) + [gripper[0]]
    high = [translation] * 3 + [rotation] * (size - 4) + [gripper[1]]
    return Bounds(np.array(low), np.array(high), np.ones(size, dtype=bool))


@pytest.mark.parametrize(('action', 'chunk', 'message'), [
    (bounds(), 8, None),
    (bounds(gripper=(0.02, 0.98)), 8, None),
    (bounds(size=6), 8, 'expected 7 numbers'),
    (bounds(), 5, 'chunk length: expected 8, found 5'),
    (bounds(gripper=(-1.0, 1.0)), 8, 'gripper: expected 0 (closed) to 1 (open), found -1 to 1'),
    (bounds(gripper=(0.0, 0.08)), 8, 'found 0 to 0.08'),
    (bounds(translation=50.0), 8, 'translation: expected at most 0.3 m'),
    (bounds(rotation=180.0), 8, 'rotation: expected at most 1.6 rad'),
])
def test_a_convention_that_the_statistics_contradict_is_told_with_both_sides(action, chunk,
                                                                             message):
    convention = Convention('openvla_oft_libero', 'openvla_oft',
                            ('x', 'y', 'z', 'rx', 'ry', 'rz', 'gripper'), 0.05, 8, 'ee_delta',
                            0.05, 0.5, 1.0, 0.0, 8)
    reasons = [str(objection) for objection in objections(convention, action, chunk, 8)]
    assert (reasons == []) if message is None else any(message in reason for reason in reasons)


def test_a_convention_of_another_proprioception_is_told():
    convention = next(c for c in ready_made() if c.name == 'openvla_oft_libero')
    assert [str(objection) for objection in objections(convention, bounds(), 8, 7)] == [
        'proprioception: expected 8 numbers, found 7']
    assert objections(convention, bounds(), 8, None) == []


DELTAS = Convention('mine', 'openvla_oft', ('x', 'y', 'z', 'rx', 'ry', 'rz', 'gripper'), 0.05, 8,
                    'ee_delta', 1.0, 1.0, 1.0, 0.0, 8)
SMALL = {'translation': 0.02, 'rotation': 0.1}


@pytest.mark.parametrize(('action', 'change', 'certain'), [
    # Inputs of a controller in -1 to 1, millimetres, degrees, a dt that makes 19 m/s of it.
    (bounds(0.94, 0.2), {}, True),
    (bounds(12.0, 0.1), {}, True),
    (bounds(0.02, 5.0), {}, True),
    (bounds(0.3, 0.1), {'dt': 0.01}, True),
    (bounds(0.02, 1.5), {'dt': 0.02}, True),
    # Fast, but an arm could; and slow enough when a step takes long.
    (bounds(0.4, 0.1), {'dt': 0.2}, False),
    (bounds(0.02, 2.0), {'dt': 0.2}, False),
    # Numbers that the gripper's range does not have, against a range that is not used up.
    (bounds(**SMALL, gripper=(-1.0, 1.0)), {}, True),
    (bounds(**SMALL, gripper=(0.0, 255.0)), {}, True),
    (bounds(**SMALL, gripper=(-1.0, -0.2)), {}, True),
    (bounds(**SMALL, gripper=(1.2, 1.3)), {}, True),
    (bounds(**SMALL, gripper=(-0.3, 1.0)), {}, False),
    (bounds(**SMALL, gripper=(1.0, 1.0)), {}, False),
    (bounds(**SMALL, gripper=(0.0, 1.0)), {'gripper_open': -1.0, 'gripper_closed': 1.0}, False),
    # Poses in millimetres, joints in degrees; a wrist that turns once around is none.
    (bounds(600.0, 3.1), {'space': 'ee_pose'}, True),
    (bounds(0.6, 180.0), {'space': 'ee_pose'}, True),
    (bounds(3.0, 3.1), {'space': 'ee_pose'}, False),
    (bounds(90.0, 90.0), {'space': 'joint_position', 'dims': (*'abcdef', 'gripper')}, True),
    (bounds(7.0, 7.0), {'space': 'joint_position', 'dims': (*'abcdef', 'gripper')}, False),
    (bounds(5.0, 5.0), {'space': 'joint_delta', 'dims': (*'abcdef', 'gripper')}, True),
])
def test_it_is_certain_only_where_no_robot_could_mean_it(action, change, certain):
    found = objections(dataclasses.replace(DELTAS, **change), action)
    assert len(found) == 1, found
    assert found[0].certain is certain


@pytest.mark.parametrize(('action', 'change'), [
    (bounds(**SMALL), {}),
    (bounds(0.6, 3.1), {'space': 'ee_pose'}),
    (bounds(6.28, 6.28), {'space': 'joint_position', 'dims': (*'abcdef', 'gripper')}),
    (bounds(0.1, 0.1), {'space': 'joint_delta', 'dims': (*'abcdef', 'gripper')}),
])
def test_what_robots_do_is_no_objection(action, change):
    assert objections(dataclasses.replace(DELTAS, **change), action) == []


def test_a_value_that_is_none_is_certain():
    found = objections(DELTAS, bounds(float('nan'), 0.1))
    assert [objection.certain for objection in found] == [True]
