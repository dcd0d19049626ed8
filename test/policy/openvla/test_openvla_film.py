"""The vision weights of a FiLM run come wholly from their own file."""

import pytest
import torch

from vla_ros.core.errors import ConfigError
from vla_ros.policy.openvla.checkpoint import Checkpoint
from vla_ros.policy.openvla.film import film_weights
from vla_ros.policy.openvla.loading import LoadOptions, load_model
from vla_ros.policy.openvla.tensors import read_component


@pytest.fixture
def film_file(golden):
    return next((golden / 'openvla_oft_film_tiny').glob('vision_backbone--*'))


def test_the_base_weights_of_the_model_are_not_used(golden, run_directory, film_file):
    model = load_model(Checkpoint.open(run_directory('film')), LoadOptions(dtype='float32'))
    stored = read_component(film_file)
    key = 'vision_backbone.featurizer.blocks.1.{}norm1.weight'
    torch.testing.assert_close(model.get_parameter(key.format('')),
                               stored[key.format('block.')].float())


def test_lora_is_in_the_weights_with_the_scaling_of_training(film_file):
    stored = read_component(film_file)
    layer = 'vision_backbone.featurizer.blocks.0.block.attn.qkv'
    base, a, b = (stored[f'{layer}.{name}.weight'].float()
                  for name in ('base_layer', 'lora_A.default', 'lora_B.default'))
    made = film_weights(stored, film_file, torch.float32)
    torch.testing.assert_close(made[f'{layer.replace(".block.", ".")}.weight'],
                               base + 16 / 32 * b @ a)


def test_a_file_without_film_is_refused(golden):
    state = {'vision_backbone.featurizer.pos_embed': torch.zeros(1)}
    with pytest.raises(ConfigError, match='expected FiLM layers'):
        film_weights(state, golden, torch.float32)


def test_a_file_that_lacks_a_layer_is_refused(run_directory, tmp_path, film_file):
    import shutil

    directory = tmp_path / 'film'
    shutil.copytree(run_directory('film'), directory)
    state = torch.load(film_file, weights_only=True)
    del state['vision_backbone.featurizer.blocks.1.shift.weight']
    torch.save(state, directory / film_file.name)
    with pytest.raises(ConfigError, match=r'blocks\.1\.shift\.weight.*no such weight'):
        load_model(Checkpoint.open(directory), LoadOptions())
