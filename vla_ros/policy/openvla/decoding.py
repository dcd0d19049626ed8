"""Two ways to run the language model: token by token (OpenVLA), all positions at once (OFT).

OpenVLA-OFT needs every position to see every other. The supported way to say so, in every version
of transformers with 4D masks, is an additive mask of shape (B, 1, S, S): the decoder takes it as it
is, under ``sdpa`` and ``eager``. Leaving the mask out would be causal again, without an error, so
:func:`attends_both_ways` measures it.
"""

from __future__ import annotations

import torch
from transformers import DynamicCache, LlamaForCausalLM

from vla_ros.core.errors import ConfigError

BIDIRECTIONAL_BACKENDS = ('sdpa', 'eager')
"""Attention implementations that take an additive mask; flash attention takes none."""


def bidirectional_mask(embeds: torch.Tensor, valid: torch.Tensor | None = None) -> torch.Tensor:
    """Return an additive mask (B, 1, S, S) in which every valid position sees all valid ones.

    Parameters
    ----------
    embeds : torch.Tensor
        (B, S, D), for size, dtype and device.
    valid : torch.Tensor, optional
        (B, S), 0 for padding, which no position may see.

    """
    batch, length, _ = embeds.shape
    mask = embeds.new_zeros(batch, 1, 1, length)
    if valid is not None:
        mask = mask.masked_fill(~valid.bool()[:, None, None, :], torch.finfo(embeds.dtype).min)
    return mask.expand(batch, 1, length, length)


def parallel_hidden_states(language_model: LlamaForCausalLM, embeds: torch.Tensor,
                           valid: torch.Tensor | None = None) -> torch.Tensor:
    """Return the hidden states (B, S, D) after the final norm, with bidirectional attention.

    Positions are 0…S-1 whatever is padded.

    Raises
    ------
    ConfigError
        When the attention implementation cannot be bidirectional.

    """
    backend = language_model.config._attn_implementation
    if backend not in BIDIRECTIONAL_BACKENDS:
        raise ConfigError(f'attention {backend!r} stays causal, which OpenVLA-OFT was not trained '
                          f'with. Choices: {", ".join(BIDIRECTIONAL_BACKENDS)}')
    positions = torch.arange(embeds.shape[1], device=embeds.device)[None]
    return language_model.model(inputs_embeds=embeds, position_ids=positions, use_cache=False,
                                attention_mask=bidirectional_mask(embeds, valid),
                                ).last_hidden_state


def attends_both_ways(language_model: LlamaForCausalLM, embeds: torch.Tensor) -> bool:
    """Return whether the first position of a sequence (1, S, D) really sees the last one."""
    changed = embeds.clone()
    changed[:, -1] = -changed[:, -1] + 1.0
    before, after = (parallel_hidden_states(language_model, sequence)[:, 0]
                     for sequence in (embeds, changed))
    return not torch.equal(before, after)


def greedy_tokens(language_model: LlamaForCausalLM, embeds: torch.Tensor, count: int,
                  stop: int) -> list[int]:
    """Return the ``count`` likeliest next tokens, causal, with a KV cache.

    The choice is over the whole vocabulary, as in training. An answer that ends early comes back
    shorter, ``stop`` its last token.

    Parameters
    ----------
    language_model : LlamaForCausalLM
        The decoder.
    embeds : torch.Tensor
        (1, S, D), the prompt with its images.
    count : int
        How many tokens.
    stop : int
        Id that ends the answer.

    """
    cache = DynamicCache(config=language_model.config)
    length = embeds.shape[1]
    positions = torch.arange(length + count, device=embeds.device)[None]
    tokens: list[int] = []
    step, at = embeds, positions[:, :length]
    while True:
        logits = language_model(inputs_embeds=step, position_ids=at, past_key_values=cache,
                                use_cache=True, logits_to_keep=1).logits
        token = logits[:, -1].argmax(dim=-1)
        tokens.append(int(token))
        if len(tokens) == count or tokens[-1] == stop:
            return tokens
        step = language_model.get_input_embeddings()(token.to(embeds.device)[:, None])
        at = positions[:, length + len(tokens) - 1:length + len(tokens)]
