"""LoRA adapters, merged at load: ``W + scaling * B A``, linear layers and convolutions alike.

Done on the tensors rather than through peft, so that the merge comes before quantization and the
arithmetic is that of the training script: in the dtype of the model, which in bfloat16 gives its
merged checkpoint bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from vla_ros.core.errors import ConfigError
from vla_ros.policy.openvla.checkpoint import StoredTensor, read_json, safetensors_header
from vla_ros.policy.openvla.tensors import check_finite, read_tensors

CONFIG_FILE = 'adapter_config.json'
WEIGHTS_FILE = 'adapter_model.safetensors'
LM_HEAD = 'language_model.lm_head'
_PREFIX = 'base_model.model.'


@dataclass(frozen=True, eq=False)
class Adapter:
    """A LoRA adapter.

    Attributes
    ----------
    path : Path
        Its weights file.
    config : Mapping
        ``adapter_config.json``.
    layers : Mapping[str, tuple[torch.Tensor, torch.Tensor]]
        Layer -> A (r, …in), B (out, r, …).
    base_lm_head : torch.Tensor, optional
        The copy of the base model's head that peft saved along: it tells which base this is for.

    """

    path: Path
    config: Mapping[str, Any]
    layers: Mapping[str, tuple[torch.Tensor, torch.Tensor]]
    base_lm_head: torch.Tensor | None

    @classmethod
    def open(cls, folder: Path) -> Adapter:
        """Read an adapter folder.

        Raises
        ------
        ConfigError
            A file is missing or broken, or it is a kind of adapter that is not known here.

        """
        config = read_json(folder / CONFIG_FILE)
        check_kind(config, folder / CONFIG_FILE)
        path = folder / WEIGHTS_FILE
        if not path.is_file():
            raise ConfigError(f'{path}: no such file', path=path)
        state = {key.removeprefix(_PREFIX): value
                 for key, value in read_tensors(safetensors_header(path)).items()}
        for key, value in state.items():
            check_finite(path, key, value)
        layers = {}
        for key, a in state.items():
            if key.endswith('.lora_A.weight'):
                layer = key.removesuffix('.lora_A.weight')
                b = state.get(f'{layer}.lora_B.weight')
                if b is None or b.shape[1] != a.shape[0]:
                    raise ConfigError(f'{path}: {layer}: lora_A {tuple(a.shape)} has no lora_B to '
                                      f'go with it', path=path)
                layers[layer] = (a, b)
        if not layers:
            raise ConfigError(f'{path}: no LoRA weights in it', path=path)
        return cls(path, config, layers, state.get(f'{LM_HEAD}.base_layer.weight'))

    def scaling(self, layer: str, rank: int) -> float:
        """Return the factor of a layer's update, alpha / r."""
        alpha = self.config.get('lora_alpha', rank)
        for pattern, value in (self.config.get('alpha_pattern') or {}).items():
            if layer == pattern or layer.endswith(f'.{pattern}'):
                alpha = value
        return alpha / (math.sqrt(rank) if self.config.get('use_rslora') else rank)

    def check_shapes(self, base: Mapping[str, StoredTensor], where: Path) -> None:
        """Raise unless the adapted layers are all there, in the adapter's sizes."""
        for layer, (a, b) in self.layers.items():
            if _of_film(layer):
                continue
            key, wanted = f'{layer}.weight', (b.shape[0], *a.shape[1:])
            found = base[key].shape if key in base else None
            if found != wanted:
                raise ConfigError(
                    f'{self.path}: made for another base than {where}: it adapts {layer} of shape '
                    f'{wanted}, found {found or "no such weight"}', path=self.path)

    def check_base(self, base: Mapping[str, StoredTensor], where: Path) -> None:
        """Raise when the copy of the base's lm_head in the adapter is not the base's lm_head."""
        key = f'{LM_HEAD}.weight'
        if self.base_lm_head is None or key not in base:
            return
        stored = read_tensors(base, [key])[key]
        if not torch.equal(stored, self.base_lm_head.to(stored)):
            raise ConfigError(
                f'{self.path}: made for another base than {where}: the copy of the base\'s '
                f'lm_head in it has other values', path=self.path)

    def probes(self, base: Mapping[str, StoredTensor], count: int = 32) -> list[str]:
        """Return the keys of some adapted weights, evenly over the model, to ask them."""
        keys = [f'{layer}.weight' for layer in sorted(self.layers)
                if not _of_film(layer) and f'{layer}.weight' in base]
        return keys[::max(1, len(keys) // count)]

    def presence(self, state: Mapping[str, torch.Tensor]) -> float:
        """Return how much of the update is in some weights already: near 0 none, near 1 all.

        The projection of the weights on the update. A base's weights and its update have nothing to
        do with each other, so theirs is noise around 0, small over millions of weights.
        """
        along = size = 0.0
        for layer in sorted(self.layers.keys() & {k.removesuffix('.weight') for k in state}):
            a, b = (value.float() for value in self.layers[layer])
            update = (b.flatten(1) @ a.flatten(1)).flatten() * self.scaling(layer, len(a))
            along += float(state[f'{layer}.weight'].float().flatten() @ update)
            size += float(update @ update)
        return along / size if size > 0.0 else 0.0

    def merge(self, state: dict[str, torch.Tensor], dtype: torch.dtype | None = None) -> int:
        """Merge into a state dict, in place; return how many layers were merged.

        Parameters
        ----------
        state : dict[str, torch.Tensor]
            The base's weights; layers that are not in it are left out.
        dtype : torch.dtype, optional
            What to compute in and return; default that of each weight.

        """
        merged = 0
        for layer, (a, b) in self.layers.items():
            key = f'{layer}.weight'
            if key in state:
                state[key] = merged_weight(state[key], a, b, self.scaling(layer, len(a)), dtype)
                merged += 1
        return merged


def merged_weight(base: torch.Tensor, a: torch.Tensor, b: torch.Tensor, scaling: float,
                  dtype: torch.dtype | None = None) -> torch.Tensor:
    """Return ``base + scaling * (B A)``, each step rounded to ``dtype`` (default the base's).

    A is (r, in) or (r, in, h, w); B is (out, r) or (out, r, 1, 1).
    """
    base = base.to(dtype or base.dtype)
    delta = b.to(base.dtype).flatten(1) @ a.to(base.dtype).flatten(1)
    return base + delta.reshape(base.shape) * scaling


def _of_film(layer: str) -> bool:
    """Return whether a layer is inside the FiLM wrapper, whose weights come from its own file."""
    return layer.startswith('vision_backbone.vision_backbone.')


def check_kind(config: Mapping[str, Any], path: Path) -> None:
    """Raise unless ``adapter_config.json`` is that of a plain LoRA adapter, as is merged here.

    Raises
    ------
    ConfigError
        When a key has another value than the one that is known; the message names file and key.

    """
    known = {'peft_type': ('LORA',), 'use_dora': (False, None), 'bias': ('none', None),
             'fan_in_fan_out': (False, None), 'modules_to_save': (None, [])}
    for key, choices in known.items():
        if config.get(key) not in choices:
            raise ConfigError(f'{path}: {key}: expected {choices[0]!r}, found {config.get(key)!r}; '
                              f'this kind of adapter is not known', path=path)
    _check_numbers(config, path)


def _check_numbers(config: Mapping[str, Any], path: Path) -> None:
    patterns = config.get('alpha_pattern') or {}
    if not isinstance(patterns, Mapping):
        raise ConfigError(f'{path}: alpha_pattern: expected a mapping, found {patterns!r:.80}',
                          path=path)
    given = {f'alpha_pattern.{name}': value for name, value in patterns.items()}
    if 'lora_alpha' in config:
        given['lora_alpha'] = config['lora_alpha']
    for key, value in given.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) \
                or not math.isfinite(value):
            raise ConfigError(f'{path}: {key}: expected a finite number, found {value!r:.80}',
                              path=path)
