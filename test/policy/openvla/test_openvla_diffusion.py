"""The diffusion head samples as the reference does."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from vla_ros.core.errors import ConfigError
from vla_ros.core.types import Observation
from vla_ros.policy.openvla.diffusion import DDIM, timestep_token

CASES = [(steps, case) for steps in (50, 10, 5) for case in ('case0', 'case1')]


def recorded(golden, steps, name):
    return load_file(golden / f'expected/oft/diffusion_{steps}steps__{name}.safetensors')


@pytest.fixture
def prepared(load, oft_case):
    """Return a function: steps, case -> policy and the context of that case."""

    def prepare(steps, name):
        policy, case = load('openvla_oft', 'diffusion', diffusion_steps=steps), oft_case(name)
        observation = Observation(0, case.instruction,
                                  dict(zip(policy.spec.cameras, case.images, strict=True)),
                                  {'proprio': case.proprio})
        ids = policy.parts.prompter.ids(case.instruction)
        pixels = torch.from_numpy(policy.parts.images.pixel_values(observation))[None]
        with torch.inference_mode():
            return policy, policy.context(ids, pixels, case.proprio), observation

    return prepare


@pytest.mark.parametrize('steps', [50, 10, 5])
def test_the_schedule_is_that_of_the_reference(golden, steps):
    expected = recorded(golden, steps, 'scheduler')
    ddim = DDIM(steps)
    assert ddim.timesteps == expected['timesteps'].tolist()
    torch.testing.assert_close(ddim.alpha_bar, expected['alphas_cumprod'], rtol=1e-6, atol=1e-9)
    tokens = torch.stack([timestep_token(t, 64) for t in (0, 1, 7, 49)])
    torch.testing.assert_close(tokens, expected['time_embedding_t0_t1_t7_t49'], rtol=0, atol=1e-6)


@pytest.mark.parametrize(('steps', 'name'), CASES)
def test_each_step_gives_the_reference_noise_and_sample(golden, prepared, steps, name):
    policy, context, _ = prepared(steps, name)
    expected, ddim = recorded(golden, steps, name), DDIM(steps)
    samples, noises = expected['x_t_before_each_step'], expected['predicted_noise_each_step']
    for i, timestep in enumerate(ddim.timesteps):
        with torch.inference_mode():
            noise = policy.decoder.predict_noise(context, samples[i], timestep)
        torch.testing.assert_close(noise, noises[i], rtol=0, atol=1e-4)
        after = ddim.previous(samples[i], noises[i], timestep)
        wanted = samples[i + 1] if i + 1 < steps else expected['normalized_actions']
        torch.testing.assert_close(after, wanted, rtol=0, atol=2e-6)


@pytest.mark.parametrize(('steps', 'name', 'tolerance'), [
    (5, 'case0', 3e-4), (5, 'case1', 3e-4), (10, 'case0', 2e-3), (10, 'case1', 2e-3)])
def test_the_chunk_is_that_of_the_reference(golden, prepared, steps, name, tolerance):
    policy, context, _ = prepared(steps, name)
    expected = recorded(golden, steps, name)
    with torch.inference_mode():
        found = policy.decode(context, expected['noise'][0])
    np.testing.assert_allclose(found, expected['normalized_actions'], rtol=0, atol=tolerance)


def test_the_sequence_is_that_of_the_reference(golden, prepared, close):
    policy, context, _ = prepared(50, 'case0')
    expected = recorded(golden, 50, 'case0')
    for key, sample, t in (('inputs_embeds', 0, 49), ('inputs_embeds_last_step', -1, 0)):
        slots = policy.components.noisy_action_projector(
            expected['x_t_before_each_step'][sample].reshape(1, 56, 1))
        sequence = policy.decoder.sequence(context, slots, timestep_token(t, 64)[None, None])
        close(sequence, expected[key], 3e-5, key)


def test_two_answers_differ_and_a_seed_repeats_them(load, prepared):
    policy, context, _ = prepared(5, 'case0')
    policy._noise.manual_seed(1)
    with torch.inference_mode():
        first, second = policy.decode(context), policy.decode(context)
        policy._noise.manual_seed(1)
        again = policy.decode(context)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize('steps', [0, 51])
def test_more_steps_than_training_had_are_refused(steps):
    with pytest.raises(ConfigError, match='expected 1 to 50'):
        DDIM(steps)
