"""Writes random checkpoints of the real size, for benchmarks: 7B weights without a download.

Shard after shard, so that it needs the memory of one. The weights are windows of one block of
random numbers: making seven thousand million of them would take longer than anything measured.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file

from vla_ros.policy.openvla.checkpoint import INDEX_FILE
from vla_ros.policy.openvla.configuration import OpenVLAConfig
from vla_ros.policy.openvla.loading import expected_shapes
from vla_ros.policy.openvla.tiny import TinyCheckpoint, write_beside_weights, write_config

_POOL = 1 << 25
_STD = 0.02


def full_size_config(layers: int = 32) -> OpenVLAConfig:
    """Return the sizes of the 7B model, with as many layers of the language model."""
    return OpenVLAConfig(text_config={'num_hidden_layers': layers},
                         action_chunk=TinyCheckpoint().chunk,
                         architectures=['OpenVLAForActionPrediction'])


def write_sharded_checkpoint(directory: Path, config: OpenVLAConfig, shard_bytes: int = 2 << 30,
                             say: Callable[[str], None] = lambda text: None) -> int:
    """Write a random OpenVLA-OFT checkpoint; return its bytes of weights.

    For two images, with an L1 head, chunks of 8 steps of 7 numbers, bfloat16.

    Parameters
    ----------
    directory : Path
        Where; it may exist.
    config : OpenVLAConfig
        Sizes of the model.
    shard_bytes : int
        A shard is closed when it has reached this size.
    say : Callable
        Is told, in words, what has been written.

    """
    directory.mkdir(parents=True, exist_ok=True)
    tiny = TinyCheckpoint(head='l1', proprio_size=8, dataset='libero_layout')
    generator = torch.Generator().manual_seed(tiny.seed)
    placed: dict[str, str] = {}
    total = 0
    for number, shard in enumerate(_shards(config, shard_bytes, generator), start=1):
        name = f'model-{number:05d}.safetensors'
        save_file(shard, directory / name, metadata={'format': 'pt'})
        placed.update(dict.fromkeys(shard, name))
        total += sum(value.nbytes for value in shard.values())
        say(f'{name}: {total / 1e9:.1f} GB written')
    (directory / INDEX_FILE).write_text(json.dumps(
        {'metadata': {'total_size': total}, 'weight_map': placed}), encoding='utf-8')
    write_config(directory, config)
    write_beside_weights(directory, tiny, config.text_config.hidden_size)
    return total


def _shards(config: OpenVLAConfig, shard_bytes: int,
            generator: torch.Generator) -> Iterator[dict[str, torch.Tensor]]:
    pool = (torch.randn(_POOL, generator=generator) * _STD).to(torch.bfloat16)
    shard: dict[str, torch.Tensor] = {}
    size = 0
    for key, shape in expected_shapes(config).items():
        shard[key] = _weight(key, shape, pool, generator)
        size += shard[key].nbytes
        if size >= shard_bytes:
            yield shard
            shard, size = {}, 0
    if shard:
        yield shard


def _weight(key: str, shape: tuple[int, ...], pool: torch.Tensor,
            generator: torch.Generator) -> torch.Tensor:
    if len(shape) == 1:  # norms and layer scales are about one, biases about nothing
        value = 0.0 if key.endswith('bias') else 1.0
        return torch.full(shape, value, dtype=torch.bfloat16)
    numbers = torch.Size(shape).numel()
    start = int(torch.randint(_POOL, (), generator=generator))
    rolled = torch.cat([pool[start:], pool[:start]])
    return rolled.repeat(-(-numbers // _POOL))[:numbers].reshape(shape).clone()
