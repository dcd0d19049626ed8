"""The vision weights of a FiLM run, from ``vision_backbone--*.pt``.

The file holds the whole backbone with its LoRA un-merged and each block wrapped:
``blocks.{i}.block.*`` is the block itself, ``blocks.{i}.scale`` and ``.shift`` are FiLM's. The
model's own safetensors hold the base's vision weights then, which are not to be used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch

from vla_ros.core.errors import ConfigError
from vla_ros.policy.openvla.lora import merged_weight

_WRAPPED = re.compile(r'(\.blocks\.\d+)\.block\.')
_FILM = re.compile(r'\.blocks\.0\.scale\.weight$')
PREFIX = 'vision_backbone.'
LARGEST_ALPHA = 16
"""The training script sets lora_alpha to min(r, 16)."""


def film_weights(state: Mapping[str, torch.Tensor], path: Path, dtype: torch.dtype,
                 ) -> dict[str, torch.Tensor]:
    """Return the model's vision weights, LoRA merged, under the keys of the model.

    Merged in float32 and rounded once: what counts is the sum that the un-merged layers compute.

    Raises
    ------
    ConfigError
        When the file has no FiLM layers.

    """
    if not any(_FILM.search(key) for key in state):
        raise ConfigError(f'{path}: expected FiLM layers (blocks.0.scale.weight), found none',
                          path=path)
    weights: dict[str, torch.Tensor] = {}
    for key, value in state.items():
        if '.lora_' in key:
            continue
        name = _WRAPPED.sub(r'\1.', key)
        if '.base_layer.' in key:
            layer, kind = key.split('.base_layer.')
            name = _WRAPPED.sub(r'\1.', f'{layer}.{kind}')
            a = state.get(f'{layer}.lora_A.default.weight')
            b = state.get(f'{layer}.lora_B.default.weight')
            if kind == 'weight' and a is not None and b is not None:
                scaling = min(len(a), LARGEST_ALPHA) / len(a)
                value = merged_weight(value, a, b, scaling, torch.float32)
        weights[name] = value.to(dtype)
    return weights
