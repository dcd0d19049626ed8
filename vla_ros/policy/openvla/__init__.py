"""OpenVLA and OpenVLA-OFT on current transformers, from the checkpoints that people have.

::

    checkpoint ── what is in a directory      statistics ── units of the actions
        │                                         │
    loading ── lora, film, quantization ──> model: vision -> projector -> Llama
                                                  │
    images ── preprocessing, image_processor ──>  │ <── prompt
                                                  │
                   openvla_policy: decoding, action_tokens -> one action
                   oft_policy: parallel, heads, diffusion  -> a chunk

The only package that imports torch. Nothing in it runs code from a checkpoint: weights are
safetensors, component files are read as plain tensors, ``auto_map`` is not followed.
"""

from __future__ import annotations

import importlib
from typing import Any

_MODULES = {'OpenVLAOFTPolicy': 'oft_policy', 'load_openvla_oft': 'oft_policy',
            'OpenVLAPolicy': 'openvla_policy', 'load_openvla': 'openvla_policy'}

__all__ = ['OpenVLAOFTPolicy', 'OpenVLAPolicy', 'load_openvla', 'load_openvla_oft']


def __getattr__(name: str) -> Any:
    """Import a policy when it is asked for: reading a checkpoint's headers needs no torch."""
    if name not in _MODULES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(importlib.import_module(f'{__name__}.{_MODULES[name]}'), name)
