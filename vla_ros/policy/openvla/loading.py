"""Loads a checkpoint: finds out what it is, checks it, merges what has to be merged, then loads."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from vla_ros.core.errors import ConfigError, VlaRosError, unknown_choice
from vla_ros.policy.openvla.checkpoint import Checkpoint, compare
from vla_ros.policy.openvla.config_values import check_values, known_values
from vla_ros.policy.openvla.configuration import OpenVLAConfig
from vla_ros.policy.openvla.decoding import BIDIRECTIONAL_BACKENDS
from vla_ros.policy.openvla.film import PREFIX as VISION
from vla_ros.policy.openvla.film import film_weights
from vla_ros.policy.openvla.heads import ActionHead, VectorProjector
from vla_ros.policy.openvla.lora import Adapter
from vla_ros.policy.openvla.model import (
    OpenVLAForActionPrediction,
    execution_device,
    unused_weights,
)
from vla_ros.policy.openvla.parallel import Components
from vla_ros.policy.openvla.quantization import make_usable, quantization_config
from vla_ros.policy.openvla.tensors import check_all_finite, read_component, read_tensors

_log = logging.getLogger(__name__)

DTYPES = {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}
_MERGED, _UNMERGED = 0.75, 0.25  # of an adapter's update that is in the weights


@dataclass(frozen=True)
class LoadOptions:
    """How to load the weights.

    Attributes
    ----------
    device : str
        ``cpu``, ``cuda``, ``cuda:1``, …; empty: ``cuda`` where there is one, else ``cpu``; or
        ``auto``, which spreads the model over what is there, GPUs first.
    dtype : str
        ``float32``, ``bfloat16``, ``float16`` or ``auto``, that of the checkpoint.
    quantization : str
        ``none``, ``int8`` or ``nf4``.
    attention : str
        ``sdpa`` or ``eager``.
    max_memory : Mapping, optional
        For ``device`` ``auto``: device -> memory, as accelerate takes it (``{0: '8GiB'}``).
    offload_folder : str, optional
        For ``auto``: where weights go that fit nowhere else.
    check_weights : bool
        Whether to look for NaN in every weight; it reads them all once more.

    """

    device: str = ''
    dtype: str = 'auto'
    quantization: str = 'none'
    attention: str = 'sdpa'
    max_memory: Mapping[Any, Any] | None = None
    offload_folder: str | None = None
    check_weights: bool = True

    def __post_init__(self) -> None:
        if self.dtype not in (*DTYPES, 'auto'):
            raise unknown_choice('dtype', self.dtype, (*DTYPES, 'auto'))
        if self.attention not in BIDIRECTIONAL_BACKENDS:
            raise unknown_choice('attention', self.attention, BIDIRECTIONAL_BACKENDS)
        if self.max_memory is not None and self.device != 'auto':
            raise ConfigError(f'max_memory is for device "auto"; device is {self.device!r}')
        if self.device.startswith('cuda') and not torch.cuda.is_available():
            raise ConfigError(f'device {self.device!r}: this PyTorch ({torch.__version__}) finds '
                              f'no CUDA device. Choices: cpu, auto')

    @property
    def place(self) -> str:
        """The device, chosen where none is named."""
        return self.device or ('cuda' if torch.cuda.is_available() else 'cpu')

    def describe_place(self) -> str:
        """Return, for people, where the model goes and why."""
        if self.device == 'auto':
            return 'auto: spread over what is there'
        if self.device:
            return self.device
        return (f'{self.place}, since there is a CUDA device' if self.place == 'cuda' else
                f'{self.place}, since PyTorch {torch.__version__} finds no CUDA device')


def model_config(checkpoint: Checkpoint) -> OpenVLAConfig:
    """Return the model's configuration, FiLM included where the checkpoint has it.

    Raises
    ------
    ConfigError
        When ``config.json`` does not describe a model that is known here.

    """
    check_values(checkpoint.config, checkpoint.path / 'config.json')
    try:
        config = OpenVLAConfig.from_dict(known_values(checkpoint.config))
    except VlaRosError as error:
        raise ConfigError(f'{checkpoint.path / "config.json"}: {error}') from error
    except Exception as error:  # whatever transformers' own validation raises
        raise ConfigError(f'{checkpoint.path / "config.json"}: {type(error).__name__}: '
                          f'{" ".join(str(error).split())}') from error
    config.film = 'vision_backbone' in checkpoint.components
    return config


def expected_shapes(config: OpenVLAConfig) -> dict[str, tuple[int, ...]]:
    """Return every weight that the model needs and its shape; takes no memory."""
    try:
        with torch.device('meta'):
            model = OpenVLAForActionPrediction(config)
    except VlaRosError:
        raise
    except Exception as error:  # each library has its own for sizes that do not go together
        raise ConfigError(f'config.json: no model can be made of its values: '
                          f'{type(error).__name__}: {" ".join(str(error).split())}') from error
    return {key: tuple(value.shape) for key, value in model.state_dict().items()}


def load_model(checkpoint: Checkpoint, options: LoadOptions) -> OpenVLAForActionPrediction:
    """Return the model of a checkpoint, ready for inference.

    Raises
    ------
    ConfigError
        The checkpoint is broken; the message names the file and what is wrong.

    """
    config = model_config(checkpoint)
    config._attn_implementation = options.attention
    dtype = _dtype(checkpoint, options)
    # FiLM runs bring all vision weights in a file of their own; those of the model are the base's.
    needed = {key: shape for key, shape in expected_shapes(config).items()
              if not (config.film and key.startswith(VISION))}
    unknown = compare(checkpoint.tensors, needed,
                      [*unused_weights(config), *([f'^{VISION}'] if config.film else [])])
    if unknown:
        _log.warning('%s: %d weights that this model does not know are left out, such as %s',
                     checkpoint.weights, len(unknown), unknown[0])
    if options.check_weights:
        check_all_finite(checkpoint.tensors, needed)
    adapter = _adapter_to_merge(checkpoint)
    state = None
    if adapter or config.film:
        state = read_tensors(checkpoint.tensors, needed)
    if adapter and state is not None:
        _log.info('merged %d layers of %s', adapter.merge(state, dtype), adapter.path)
    if config.film and state is not None:
        path = checkpoint.components['vision_backbone']
        state.update(_checked_vision(film_weights(read_component(path), path, dtype), config, path))
    automatic = options.device == 'auto'
    _log.info('device: %s', options.describe_place())
    try:
        model = OpenVLAForActionPrediction.from_pretrained(
            None if state is not None else checkpoint.weights,
            config=config,
            state_dict=state,
            dtype=dtype,
            device_map='auto' if automatic else {'': options.place},
            max_memory=dict(options.max_memory) if options.max_memory else None,
            offload_folder=options.offload_folder,
            quantization_config=quantization_config(options.quantization, dtype, automatic),
            local_files_only=True,
            use_safetensors=True,
        )
    except torch.OutOfMemoryError as error:
        raise ConfigError(f'{checkpoint.weights}: does not fit on {options.place}: '
                          f'{" ".join(str(error).split())[:160]} Try quantization nf4, or device '
                          f'auto, which puts the rest elsewhere') from error
    make_usable(model, options.quantization)
    return model.requires_grad_(False)


def load_components(checkpoint: Checkpoint, model: OpenVLAForActionPrediction) -> Components:
    """Return the heads and projectors beside a model, in its dtype, never quantized.

    Raises
    ------
    ConfigError
        A file is broken, or a projector makes tokens of another width than the model's.

    """
    kinds = {'action_head': ActionHead, 'proprio_projector': VectorProjector,
             'noisy_action_projector': VectorProjector}
    parts: dict[str, Any] = {}
    width = model.config.text_config.hidden_size
    for name, kind in kinds.items():
        path = checkpoint.components.get(name)
        if path is None:
            continue
        parts[name] = kind.from_state(read_component(path), str(path))
        if kind is VectorProjector and parts[name].width != width:
            raise ConfigError(f'{path}: makes tokens of {parts[name].width} features; the model '
                              f'has {width}', path=path)
    norm = model.language_model.model.norm
    return Components(**parts).to(execution_device(norm),
                                  model.vision_backbone.featurizer.pos_embed.dtype)


def _adapter_to_merge(checkpoint: Checkpoint) -> Adapter | None:
    """Return the adapter if the weights do not contain it yet.

    A run directory keeps its adapter beside the merged weights; merging it twice would be wrong
    without any sign of it, so the weights themselves are asked.
    """
    if checkpoint.adapter is None:
        return None
    adapter = Adapter.open(checkpoint.adapter)
    adapter.check_shapes(checkpoint.tensors, checkpoint.weights)
    presence = adapter.presence(read_tensors(checkpoint.tensors, adapter.probes(
        checkpoint.tensors)))
    separate = checkpoint.weights != checkpoint.path
    if presence > _MERGED and not separate:
        _log.info('%s is merged in %s already', adapter.path, checkpoint.weights)
        return None
    if not abs(presence) < _UNMERGED:
        raise ConfigError(f'{adapter.path}: the weights in {checkpoint.weights} have '
                          f'{presence:.2f} of its update in them; expected 0 (base model) or, in '
                          f'one directory, 1 (merged). It was made for another base, or is '
                          f'merged already.',
                          path=adapter.path)
    adapter.check_base(checkpoint.tensors, checkpoint.weights)
    return adapter


def _checked_vision(state: dict[str, torch.Tensor], config: OpenVLAConfig, path: Path,
                    ) -> dict[str, torch.Tensor]:
    checked = {}
    for key, shape in expected_shapes(config).items():
        if not key.startswith(VISION):
            continue
        if key not in state or tuple(state[key].shape) != shape:
            found = tuple(state[key].shape) if key in state else 'no such weight'
            raise ConfigError(f'{path}: {key}: expected shape {shape}, found {found}', path=path)
        checked[key] = state[key]
    return checked


def _dtype(checkpoint: Checkpoint, options: LoadOptions) -> torch.dtype:
    if options.dtype != 'auto':
        return DTYPES[options.dtype]
    stored = checkpoint.tensors['language_model.model.embed_tokens.weight'].dtype \
        if 'language_model.model.embed_tokens.weight' in checkpoint.tensors else 'BF16'
    return {'F32': torch.float32, 'F16': torch.float16}.get(stored, torch.bfloat16)
