"""How much memory the weights take in each precision, from their shapes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

QUANTIZED = re.compile(r'^language_model\.model\.layers\.\d+\..*_proj\.weight$')
"""Weights that quantization touches: linear layers of the decoder; a test asks bitsandbytes."""

ASSUMPTIONS = (
    'weights only: activations, key-value cache and the libraries\' own memory come on top',
    'quantized are the linear layers of the Llama decoder; vision, projector, embeddings, lm_head '
    'and the heads keep the full precision of the checkpoint',
)

_BLOCK, _NESTED_BLOCK = 64, 256  # values that share a scale; scales that share a scale
_TABLES = 16 * 4 + 256 * 4 + 4  # a layer's look-up tables and offset [bytes]


def weight_memory(shapes: Mapping[str, tuple[int, ...]], item: int) -> dict[str, int]:
    """Return the bytes of the weights for each of ``quantization.QUANTIZATIONS``.

    Parameters
    ----------
    shapes : Mapping
        Key -> shape of every weight that is used.
    item : int
        Bytes of a value in full precision.

    """
    full = sum(math.prod(shape) * item for shape in shapes.values())
    layers = [shape for key, shape in shapes.items() if QUANTIZED.search(key)]
    rest = full - sum(math.prod(shape) * item for shape in layers)
    return {
        'none': full,
        # A byte a value and a float32 scale for each row.
        'int8': rest + sum(math.prod(shape) + 4 * shape[0] for shape in layers),
        'nf4': rest + sum(_nf4(math.prod(shape)) for shape in layers),
    }


def _nf4(values: int) -> int:
    """Return the bytes of a layer in 4 bits with double quantization."""
    scales = math.ceil(values / _BLOCK)
    return math.ceil(values / 2) + scales + 4 * math.ceil(scales / _NESTED_BLOCK) + _TABLES
