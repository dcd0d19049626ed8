"""Quantization by bitsandbytes, on GPU and CPU.

Only the Llama decoder's layers are quantized. Vision, projector, ``lm_head`` and the small heads
stay in full precision: they are a tenth of the weights, and what they lose goes straight into the
action.
"""

from __future__ import annotations

import importlib.util
import logging

import torch
from torch import nn
from transformers import BitsAndBytesConfig

from vla_ros.core.errors import DependencyError, unknown_choice

QUANTIZATIONS = ('none', 'int8', 'nf4')
FULL_PRECISION = ('vision_backbone', 'projector', 'language_model.lm_head')
"""Parts that are never quantized."""


def quantization_config(kind: str, dtype: torch.dtype,
                        cpu_offload: bool = False) -> BitsAndBytesConfig | None:
    """Return what ``from_pretrained`` takes for a kind of quantization; None for ``none``.

    Parameters
    ----------
    kind : str
        ``none``, ``int8`` (LLM.int8) or ``nf4`` (4-bit normal floats, double quantization).
    dtype : torch.dtype
        Of the activations, and of everything that is not quantized.
    cpu_offload : bool
        Whether parts may lie on the CPU, unquantized, beside a GPU.

    Raises
    ------
    ConfigError, DependencyError
        For an unknown kind, or when bitsandbytes or accelerate is not installed.

    """
    if kind not in QUANTIZATIONS:
        raise unknown_choice('quantization', kind, QUANTIZATIONS)
    if kind == 'none':
        return None
    for library in ('bitsandbytes', 'accelerate'):
        if importlib.util.find_spec(library) is None:
            raise DependencyError(f'quantization {kind!r} needs {library}: pip install {library}')
    common = {'llm_int8_skip_modules': list(FULL_PRECISION),
              'llm_int8_enable_fp32_cpu_offload': cpu_offload}
    if kind == 'int8':
        return BitsAndBytesConfig(load_in_8bit=True, **common)
    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type='nf4',
                              bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype,
                              **common)


def make_usable(model: nn.Module, kind: str) -> None:
    """Work around two habits of bitsandbytes, on a model that has just been quantized.

    Its fast 4-bit kernel for CPUs with AVX512-BF16 wants rows by 32 and columns by 64, and fails on
    anything else instead of taking the general one. Its int8 layer writes the same warning to the
    log at every call.
    """
    if kind == 'int8':
        logging.getLogger('bitsandbytes.autograd._functions').addFilter(_without_cast_warning)
    for module in model.modules():
        if hasattr(module, 'support_avx512bf16_for_cpu') and (
                module.in_features % 64 or module.out_features % 32):
            module.support_avx512bf16_for_cpu = False


def _without_cast_warning(record: logging.LogRecord) -> bool:
    return 'inputs will be cast' not in str(record.msg)
