"""The language model attends as each kind of model was trained: causal, or in both directions."""

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from vla_ros.core.errors import ConfigError
from vla_ros.policy.openvla.decoding import (
    attends_both_ways,
    bidirectional_mask,
    greedy_tokens,
    parallel_hidden_states,
)


def llama(attention='sdpa'):
    torch.manual_seed(3)
    config = LlamaConfig(vocab_size=99, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
                         num_attention_heads=4, attn_implementation=attention)
    model = LlamaForCausalLM(config).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter += 0.2 * torch.randn_like(parameter)
    return model


def plain_attention(model, embeds, allowed):
    """Return the states of a Llama with full attention, computed with nothing but matmul."""
    config, text = model.config, model.model
    length, heads = embeds.shape[1], config.num_attention_heads
    size = config.hidden_size // heads
    frequency = 10000.0 ** (-torch.arange(0, size, 2).float() / size)
    angle = torch.arange(length).float()[:, None] * frequency.repeat(2)

    def turned(x):
        half = torch.cat([-x[..., size // 2:], x[..., :size // 2]], dim=-1)
        return x * angle.cos() + half * angle.sin()

    def normed(x, norm):
        return norm.weight * x * (x.pow(2).mean(-1, keepdim=True) + 1e-6).rsqrt()

    h = embeds
    for layer in text.layers:
        x = normed(h, layer.input_layernorm)
        attention = layer.self_attn
        q, k, v = (getattr(attention, f'{n}_proj')(x).view(1, length, heads, size).transpose(1, 2)
                   for n in 'qkv')
        scores = turned(q) @ turned(k).transpose(-1, -2) / size ** 0.5
        mixed = scores.masked_fill(~allowed, -torch.inf).softmax(-1) @ v
        h = h + attention.o_proj(mixed.transpose(1, 2).reshape(1, length, -1))
        h = h + layer.mlp(normed(h, layer.post_attention_layernorm))
    return normed(h, text.norm)


@pytest.mark.parametrize('attention', ['sdpa', 'eager'])
def test_parallel_decoding_is_full_attention(attention):
    model, embeds = llama(attention), torch.randn(1, 9, 32)
    expected = plain_attention(model, embeds, torch.ones(9, 9, dtype=torch.bool))
    torch.testing.assert_close(parallel_hidden_states(model, embeds), expected, rtol=1e-4,
                               atol=1e-4)


@pytest.mark.parametrize('attention', ['sdpa', 'eager'])
def test_every_position_sees_every_other(attention):
    model, embeds = llama(attention), torch.randn(1, 6, 32)
    before = parallel_hidden_states(model, embeds)
    for changed in range(6):
        other = embeds.clone()
        other[:, changed] += 1.0
        moved = (parallel_hidden_states(model, other) - before).abs().amax(dim=(0, 2))
        assert (moved > 1e-4).all(), f'position {changed} is not seen by {moved}'


def test_the_check_tells_causal_attention(monkeypatch):
    model, embeds = llama(), torch.randn(1, 6, 32)
    assert attends_both_ways(model, embeds)
    monkeypatch.setattr('vla_ros.policy.openvla.decoding.bidirectional_mask', lambda *_: None)
    assert not attends_both_ways(model, embeds)


@pytest.mark.parametrize('attention', ['sdpa', 'eager'])
def test_padding_is_seen_by_no_one(attention):
    model, embeds = llama(attention), torch.randn(1, 7, 32)
    alone = parallel_hidden_states(model, embeds)
    padded = torch.cat([embeds, torch.randn(1, 3, 32)], dim=1)
    valid = torch.tensor([[1] * 7 + [0] * 3])
    found = parallel_hidden_states(model, padded, valid)[:, :7]
    torch.testing.assert_close(found, alone, rtol=1e-5, atol=1e-5)


def test_the_mask_costs_no_memory_for_its_rows():
    mask = bidirectional_mask(torch.zeros(2, 5, 4), torch.ones(2, 5))
    assert mask.shape == (2, 1, 5, 5)
    assert mask.untyped_storage().nbytes() == 2 * 5 * 4


def test_attention_that_would_stay_causal_is_refused():
    model = llama()
    model.config._attn_implementation = 'flash_attention_2'
    with pytest.raises(ConfigError, match='Choices: sdpa, eager'):
        parallel_hidden_states(model, torch.randn(1, 3, 32))


def test_greedy_decoding_with_the_cache_is_decoding_without_it():
    model, embeds = llama(), torch.randn(1, 5, 32)
    found = greedy_tokens(model, embeds, 6, stop=-1)
    sequence = embeds
    for token in found:
        allowed = torch.ones(sequence.shape[1], sequence.shape[1]).tril().bool()
        states = plain_attention(model, sequence, allowed)
        assert int(model.lm_head(states)[0, -1].argmax()) == token
        sequence = torch.cat([sequence, model.model.embed_tokens(torch.tensor([[token]]))], dim=1)


def test_greedy_decoding_ends_with_the_stop_token():
    model, embeds = llama(), torch.randn(1, 5, 32)
    free = greedy_tokens(model, embeds, 6, stop=-1)
    stopped = greedy_tokens(model, embeds, 6, stop=free[2])
    assert stopped == free[:free.index(free[2]) + 1]
