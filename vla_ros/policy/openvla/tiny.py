"""Writes tiny random checkpoints in the published layouts, for tests and for trying things out.

They see, read and answer like the real ones and mean nothing by it: whatever arm they drive moves
without purpose.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, processors
from torch import nn

from vla_ros.policy.openvla.configuration import OpenVLAConfig, TowerGeometry, geometry_dict
from vla_ros.policy.openvla.heads import ActionHead, VectorProjector
from vla_ros.policy.openvla.model import OpenVLAForActionPrediction
from vla_ros.policy.openvla.prompt import BOS, EMPTY_TOKEN, EOS

STEP = 150
VOCABULARY = 32000
_WIDTH = 32
_TOWERS = (
    TowerGeometry(width=24, depth=3, heads=2, mlp_width=48, class_token=True, registers=4,
                  layer_scale=True),
    TowerGeometry(width=16, depth=3, heads=2, mlp_width=40),
)


@dataclass(frozen=True)
class TinyCheckpoint:
    """What to write.

    Attributes
    ----------
    head : str
        ``none`` (plain OpenVLA, or discrete OFT), ``l1`` or ``diffusion``.
    action_size, proprio_size, chunk : int
        Numbers of a step, of the proprioception (0: none), and steps.
    dataset : str
        Key of the statistics.
    image_size : int
        Side of the model's input [px].
    largest : float
        Range of the statistics of actions, in their units for each step.
    seed : int
        Of the weights.

    """

    head: str = 'none'
    action_size: int = 7
    proprio_size: int = 0
    chunk: int = 8
    dataset: str = 'tiny_random'
    image_size: int = 224
    seed: int = 0
    largest: float = 0.02


DEMO = {
    # Sizes of LIBERO's setup, which the loader recognises; at 20 steps a second at most 6 cm/s.
    'openvla_oft': TinyCheckpoint(head='l1', proprio_size=8, dataset='libero_layout',
                                  largest=0.003),
    'openvla': TinyCheckpoint(dataset='bridge_layout', largest=0.012),
}
"""Policy -> what drives a simulated arm for a demo."""


def write_demo_checkpoint(policy: str, directory: Path) -> Path:
    """Write the random checkpoint that demonstrates a policy; return its directory."""
    return write_tiny_checkpoint(directory, DEMO[policy])


def write_tiny_checkpoint(directory: Path, tiny: TinyCheckpoint) -> Path:
    """Write a random checkpoint and return its directory."""
    directory.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(tiny.seed)
        _write_model(directory, tiny)
        write_beside_weights(directory, tiny, _WIDTH)
    return directory


def write_beside_weights(directory: Path, tiny: TinyCheckpoint, width: int) -> None:
    """Write all but weights and configuration; ``width`` is that of the language model."""
    _write_components(directory, tiny, width)
    _write_json(directory / 'dataset_statistics.json', {tiny.dataset: _statistics(tiny)})
    _write_json(directory / 'preprocessor_config.json', _processor(tiny.image_size))
    tiny_tokenizer().save(str(directory / 'tokenizer.json'))


def write_config(directory: Path, config: OpenVLAConfig) -> None:
    """Write ``config.json``, with a mark that the weights are random."""
    values = json.loads(config.to_json_string(use_diff=False))
    values['random_weights'] = True  # so that nobody takes it for a trained one
    values['torch_dtype'] = values.pop('dtype', None) or 'bfloat16'
    _write_json(directory / 'config.json', values)


def tiny_config(tiny: TinyCheckpoint) -> OpenVLAConfig:
    """Return the configuration of a tiny model: every part of the real one, two layers of each."""
    return OpenVLAConfig(
        text_config={'hidden_size': _WIDTH, 'intermediate_size': 64, 'num_hidden_layers': 2,
                     'num_attention_heads': 2, 'pad_token_id': VOCABULARY},
        timm_model_ids=['tiny_dinov2', 'tiny_siglip'],
        vision_towers=[geometry_dict(tower) for tower in _TOWERS],
        image_sizes=[tiny.image_size] * 2,
        action_chunk=None if tiny.head == 'none' else tiny.chunk,
        architectures=['OpenVLAForActionPrediction'],
    )


def tiny_tokenizer() -> Tokenizer:
    """Return a tokenizer with Llama-2's special ids that spells everything in letters and bytes."""
    letters = {letter: 29872 + i for i, letter in enumerate('abcdefghijklmnopqrstuvwxyz:?,.')}
    vocabulary = {'<unk>': 0, '<s>': BOS, '</s>': EOS, '▁': EMPTY_TOKEN, **letters,
                  **{f'<0x{value:02X}>': 3 + value for value in range(256)}}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token='<unk>',
                                     byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend('▁'), normalizers.Replace(' ', '▁')])
    tokenizer.post_processor = processors.TemplateProcessing(
        single='<s> $A', special_tokens=[('<s>', BOS)])
    return tokenizer


def _write_model(directory: Path, tiny: TinyCheckpoint) -> None:
    config = tiny_config(tiny)
    model = OpenVLAForActionPrediction(config)
    for parameter in model.parameters():
        # Larger than transformers' own start: the answer shall depend on what comes in.
        parameter.data += 0.1 * torch.randn_like(parameter)
    head = model.language_model.lm_head.weight.data
    head[:VOCABULARY - config.n_action_bins] = 0.0  # so that every answer is an action
    head[VOCABULARY:] = 0.0
    state = {key: value.to(torch.bfloat16).contiguous()
             for key, value in model.state_dict().items()}
    save_file(state, directory / 'model.safetensors', metadata={'format': 'pt'})
    write_config(directory, config)


def _write_components(directory: Path, tiny: TinyCheckpoint, width: int) -> None:
    if tiny.head == 'none':
        return
    prefix = next(prefix for prefix, noise in ActionHead.PREFIXES.items()
                  if noise == (tiny.head == 'diffusion'))
    head = ActionHead(tiny.action_size * width, width, tiny.action_size, 2)
    _write_component(directory, 'action_head', head, torch.bfloat16, prefix)
    if tiny.proprio_size:
        _write_component(directory, 'proprio_projector',
                         VectorProjector(tiny.proprio_size, width))
    if tiny.head == 'diffusion':
        _write_component(directory, 'noisy_action_projector', VectorProjector(1, width))


def _write_component(directory: Path, name: str, module: nn.Module,
                     dtype: torch.dtype = torch.float32, prefix: str = '') -> None:
    state = {f'module.{prefix}{key}': value.to(dtype)
             for key, value in module.state_dict().items()}
    torch.save(state, directory / f'{name}--{STEP}_checkpoint.pt')


def _statistics(tiny: TinyCheckpoint) -> dict[str, Any]:
    random = np.random.default_rng(tiny.seed)
    action = _ranges(random, tiny.action_size, tiny.largest)
    # The last number is a gripper, 0 closed and 1 open, which passes through.
    for name, value in (('mean', 0.5), ('std', 0.5), ('min', 0.0), ('max', 1.0), ('q01', 0.0),
                        ('q99', 1.0)):
        action[name][-1] = value
    values: dict[str, Any] = {
        'action': {**action, 'mask': [True] * (tiny.action_size - 1) + [False]},
        'num_transitions': 0, 'num_trajectories': 0}
    if tiny.proprio_size:
        values['proprio'] = _ranges(random, tiny.proprio_size, 1.0)
    return values


def _ranges(random: np.random.Generator, size: int, scale: float) -> dict[str, list[float]]:
    high = scale * random.uniform(0.5, 1.0, size)
    return {'mean': [0.0] * size, 'std': (high / 3).tolist(), 'min': (-1.2 * high).tolist(),
            'max': (1.2 * high).tolist(), 'q01': (-high).tolist(), 'q99': high.tolist()}


def _processor(size: int) -> dict[str, Any]:
    means = [[0.484375, 0.455078125, 0.40625], [0.5, 0.5, 0.5]]
    stds = [[0.228515625, 0.2236328125, 0.224609375], [0.5, 0.5, 0.5]]
    return {'image_processor_type': 'PrismaticImageProcessor', 'use_fused_vision_backbone': True,
            'image_resize_strategy': 'resize-naive', 'input_sizes': [[3, size, size]] * 2,
            'interpolations': ['bicubic'] * 2, 'means': means, 'stds': stds,
            'tvf_normalize_params': [{'inplace': False, 'mean': mean, 'std': std}
                                     for mean, std in zip(means, stds, strict=True)]}


def _write_json(path: Path, values: Any) -> None:
    path.write_text(json.dumps(values, indent=2), encoding='utf-8')
