"""Plain OpenVLA gives what the reference implementation gave, stage by stage, in float32."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from vla_ros.core.errors import InputError
from vla_ros.core.types import Observation
from vla_ros.policy.openvla.model import after_bos

CASES = ('A_0', 'A_1', 'B_0', 'B_1', 'C_0', 'C_1', 'C_trailing_space', 'C_v01_template')
END_TO_END, PATCHES = 3e-5, 1e-5


@pytest.fixture(params=CASES)
def case(request, recorded):
    return recorded(request.param)


@pytest.fixture
def recorded(golden):
    """Return a function: name of a case -> what it is, its image, what the reference made of it."""
    return lambda name: _recorded(golden, name)


def _recorded(golden, name):
    meta = json.loads((golden / 'expected/openvla/meta.json').read_text())['cases'][name]
    image = np.load(golden / 'inputs/images.npz')[meta['image']]
    expected = load_file(golden / f'expected/openvla/{name}.safetensors')
    return meta, image, expected


@pytest.fixture(scope='module')
def policy(load):
    return load('openvla', unnorm_key='bridge_orig')


def embedded(policy, meta, image):
    ids = policy.parts.prompter.tokenize(meta['prompt'])
    pixels = torch.from_numpy(policy.parts.images.processor(image))[None]
    return ids, pixels


def test_ids_and_features_are_those_of_the_reference(policy, case, close):
    meta, image, expected = case
    ids, pixels = embedded(policy, meta, image)
    assert ids == expected['llm_input_ids'][0].tolist()
    model = policy.parts.model
    with torch.inference_mode():
        dino, siglip = (tower(pixels[:, 3 * i:3 * i + 3])
                        for i, tower in enumerate(model.vision_backbone.towers))
        projected = model.embed_images(pixels)
        embeds = after_bos(model.embed_text(torch.tensor([ids])), projected)
    for name, found, tolerance in (('dino_patches', dino, PATCHES),
                                   ('siglip_patches', siglip, PATCHES),
                                   ('projected', projected, END_TO_END),
                                   ('inputs_embeds', embeds, END_TO_END)):
        if name in expected:
            close(found, expected[name], tolerance, name)


def test_states_and_logits_are_those_of_the_reference(policy, case, close):
    meta, image, expected = case
    ids, pixels = embedded(policy, meta, image)
    with torch.inference_mode():
        out = policy.parts.model(torch.tensor([ids]), pixels, output_hidden_states=True)
    *layers, final = out.hidden_states
    close(out.logits[0, -1], expected['first_step_logits'], END_TO_END, 'first_step_logits')
    close(final[:, -1], expected['last_token_final_hidden'], END_TO_END, 'last state')
    if 'final_hidden' in expected:
        close(final, expected['final_hidden'], END_TO_END, 'final_hidden')
        for i, layer in enumerate(layers[1:]):  # the first is the embeddings, the last is normed
            close(layer[:, -8:], expected[f'llm_layer{i}_last8'], END_TO_END, f'layer {i}')


def test_tokens_and_actions_are_those_of_the_reference_for_every_key(load, case):
    meta, image, expected = case
    for key in meta['unnorm_keys']:
        size = len(expected[f'action.{key}'])
        policy = load('openvla', unnorm_key=key, dims=tuple(f'd{i}' for i in range(size)),
                      convention={'space': 'joint_position'})
        ids, pixels = embedded(policy, meta, image)
        tokens = policy.tokens(ids, pixels)
        assert tokens == expected[f'action_token_ids.{key}'].tolist()
        normalised = policy.parts.tokens.decode(np.array(tokens))
        np.testing.assert_array_equal(normalised, expected[f'normalized_action.{key}'])
        np.testing.assert_allclose(policy.action.unnormalise(normalised),
                                   expected[f'action.{key}'], rtol=0, atol=1e-12)


# All but C_trailing_space: no instruction makes a prompt that ends with a space.
@pytest.mark.parametrize('name', [name for name in CASES if 'trailing' not in name])
def test_the_whole_policy_gives_the_reference_action(load, recorded, name):
    meta, image, expected = recorded(name)
    prompt = 'openvla_v01' if meta['prompt'].startswith('A chat') else 'openvla'
    policy = load('openvla', unnorm_key='bridge_orig', prompt=prompt, repeat=1)
    chunk = policy.infer(Observation(7, meta['instruction'], {'third_person': image}))
    np.testing.assert_allclose(chunk.actions[0], expected['action.bridge_orig'], rtol=0,
                               atol=1e-12)
    assert (chunk.stamp_ns, chunk.horizon) == (7, 1)


@pytest.mark.parametrize('name', ['A_0', 'C_1'])
def test_with_the_cache_the_logits_are_those_without_it(policy, recorded, close, name):
    meta, image, expected = recorded(name)
    ids, pixels = embedded(policy, meta, image)
    tokens = expected['action_token_ids.bridge_orig'].tolist()
    with torch.inference_mode():
        logits = policy.parts.model(torch.tensor([[*ids, *tokens[:-1]]]), pixels).logits
    close(logits[0, -len(tokens):, 31744:32000], expected['all_step_logits_action_range'],
          END_TO_END, 'logits of each step')


def test_a_model_that_stops_early_is_an_error(policy, golden, monkeypatch):
    image = np.load(golden / 'inputs/images.npz')['B_gradient_256x256']
    monkeypatch.setattr('vla_ros.policy.openvla.openvla_policy.greedy_tokens',
                        lambda *_: [31800, 31900, 2])
    with pytest.raises(InputError, match='ended its answer after 2'):
        policy.infer(Observation(0, 'go', {'third_person': image}))


def test_a_token_that_is_no_action_is_refused_or_clipped(load, golden, monkeypatch):
    image = np.load(golden / 'inputs/images.npz')['B_gradient_256x256']
    observation = Observation(0, 'go', {'third_person': image})
    monkeypatch.setattr('vla_ros.policy.openvla.openvla_policy.greedy_tokens',
                        lambda *_: [31800] * 6 + [500])
    with pytest.raises(InputError, match=r'\(500, expected 31744 to 31999\) in place of number 6'):
        load('openvla', unnorm_key='bridge_orig').infer(observation)
    clipped = load('openvla', unnorm_key='bridge_orig', non_action_tokens='clip')
    assert clipped.infer(observation).actions[0, 6] == pytest.approx(0.99607843)
