"""Whether the loader would take a checkpoint: its own code, run on shapes instead of weights.

The networks of component files are built from tensors without content, so the loader's errors come
out as they would at load. What only the values can tell (NaN, whether an adapter is merged) is not
looked at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from vla_ros.core.errors import ConfigError
from vla_ros.policy.openvla import lora
from vla_ros.policy.openvla.checkpoint import StoredTensor
from vla_ros.policy.openvla.configuration import OpenVLAConfig
from vla_ros.policy.openvla.film import PREFIX as VISION
from vla_ros.policy.openvla.film import film_weights
from vla_ros.policy.openvla.heads import ActionHead, VectorProjector
from vla_ros.policy.openvla.image_processor import ImageProcessor
from vla_ros.policy.openvla.inspection.survey import Survey, is_pointer
from vla_ros.policy.openvla.layout import ChunkLayout, find_layout
from vla_ros.policy.openvla.loading import expected_shapes, model_config
from vla_ros.policy.openvla.model import unused_weights
from vla_ros.policy.openvla.parallel import Components
from vla_ros.policy.openvla.prompt import Prompter
from vla_ros.policy.openvla.statistics import Bounds, Normalization

_KINDS: dict[str, Any] = {'action_head': ActionHead, 'proprio_projector': VectorProjector,
                          'noisy_action_projector': VectorProjector}
_NORM = 'language_model.model.norm.weight'  # its length is the model's width
_LISTED = 3  # examples in a message about many weights


@dataclass
class Checked:
    """What the loader's own code makes of a checkpoint.

    Attributes
    ----------
    config : OpenVLAConfig, optional
        None when ``config.json`` describes no model that is known here.
    needed : Mapping[str, tuple[int, ...]]
        Every weight that the model needs and its shape.
    components : Components
        Heads and projectors without content.
    processor : ImageProcessor, optional
        Of ``preprocessor_config.json``.

    """

    config: OpenVLAConfig | None = None
    needed: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    components: Components = field(default_factory=Components)
    processor: ImageProcessor | None = None


def check(survey: Survey) -> Checked:
    """Look at all parts but the statistics; what is wrong goes to the survey's findings."""
    found, attempt = Checked(), survey.findings.attempt
    file = survey.path / 'config.json'
    if survey.config.get('model_type') == 'openvla':
        found.config = attempt(file, lambda: model_config(survey.checkpoint))
    if found.config is not None:
        found.needed = expected_shapes(found.config)
        _check_weights(survey, found.config, found.needed)
        _check_film(survey, found.config, found.needed)
    found.components = _components(survey, found.config)
    _check_adapter(survey)
    _check_inputs(survey, found)
    return found


def openvla_bounds(survey: Survey, key: str) -> Bounds:
    """Return the ranges of plain OpenVLA's actions; raises ConfigError as its loader does."""
    assert survey.statistics is not None
    return survey.statistics.bounds(key, 'action', Normalization.BOUNDS_Q99)


def oft_layout(survey: Survey, key: str, checked: Checked) -> tuple[ChunkLayout, bool]:
    """Return the layout of a chunk, and whether the user has to set length and normalisation.

    Raises
    ------
    ConfigError
        As the loader does, when files disagree.

    """
    assert survey.statistics is not None
    checkpoint, components = survey.checkpoint, checked.components
    if _NORM in checked.needed:  # its file may be missing; the head can be checked all the same
        norm = StoredTensor(Path(), checked.needed[_NORM], 'BF16', 0)
        checkpoint = replace(checkpoint, tensors={**checkpoint.tensors, _NORM: norm})
    elif _NORM not in checkpoint.tensors:
        components = replace(components, action_head=None)
    arguments = (checkpoint, survey.statistics, key, components)
    try:
        return find_layout(*arguments), False
    except ConfigError:
        pass
    # With both set, as an example only: does anything else stand in the way?
    chunk = survey.config.get('action_chunk') or 1
    try:
        return find_layout(*arguments, chunk, Normalization.BOUNDS.value), True
    except ConfigError:
        return find_layout(*arguments, chunk, Normalization.BOUNDS_Q99.value), True


def _check_weights(survey: Survey, config: OpenVLAConfig,
                   expected: Mapping[str, tuple[int, ...]]) -> None:
    if not survey.tensors:
        return
    # FiLM runs bring all vision weights in a file of their own.
    needed = {key: shape for key, shape in expected.items()
              if not (config.film and key.startswith(VISION))}
    everything_awaited = '' in survey.awaited
    missing = [key for key in needed if key not in survey.tensors
               and key not in survey.awaited and not everything_awaited]
    where = str(survey.weights)
    if missing:
        survey.findings.problems.append(
            f'{where}: {len(missing)} of {len(needed)} weights are missing, such as '
            f'{", ".join(missing[:_LISTED])}')
    wrong = [key for key, shape in needed.items()
             if key in survey.tensors and survey.tensors[key].shape != shape]
    if wrong:
        examples = ', '.join(f'{key} expected {needed[key]}, found {survey.tensors[key].shape}'
                             for key in wrong[:_LISTED])
        survey.findings.problems.append(
            f'{where}: {len(wrong)} weights have another shape than config.json says: {examples}')
    ignored = [*unused_weights(config), *([f'^{VISION}'] if config.film else [])]
    unknown = [key for key in survey.tensors if key not in needed
               and not any(re.search(pattern, key) for pattern in ignored)]
    if unknown:
        survey.findings.notes.append(
            f'{len(unknown)} weights that this model does not know are left out, such as '
            f'{unknown[0]}')


def _check_film(survey: Survey, config: OpenVLAConfig,
                expected: Mapping[str, tuple[int, ...]]) -> None:
    if not config.film or 'vision_backbone' not in survey.contents:
        return
    path = survey.components['vision_backbone']
    state = survey.findings.attempt(
        path, lambda: film_weights(_empty(survey, 'vision_backbone'), path, torch.bfloat16))
    if state is None:
        return
    for key, shape in expected.items():
        if key.startswith(VISION) and (key not in state or tuple(state[key].shape) != shape):
            found = tuple(state[key].shape) if key in state else 'no such weight'
            survey.findings.problems.append(f'{path}: {key}: expected shape {shape}, found {found}')
            return


def _components(survey: Survey, config: OpenVLAConfig | None) -> Components:
    parts: dict[str, Any] = {}
    for name, kind in _KINDS.items():
        if name not in survey.contents:
            continue
        path = survey.components[name]
        part = survey.findings.attempt(
            path, partial(kind.from_state, _empty(survey, name), str(path)))
        width = config.text_config.hidden_size if config is not None else None
        if isinstance(part, VectorProjector) and width not in (None, part.width):
            survey.findings.problems.append(f'{path}: makes tokens of {part.width} features; the '
                                            f'model has {width}')
        if part is not None:
            parts[name] = part
    return Components(**parts)


def _empty(survey: Survey, name: str) -> dict[str, torch.Tensor]:
    return {key: torch.empty(tensor.shape, device='meta')
            for key, tensor in survey.contents[name].items()}


def _check_adapter(survey: Survey) -> None:
    if survey.adapter is None or not survey.adapter_config:
        return
    attempt = survey.findings.attempt
    path = survey.adapter / lora.CONFIG_FILE
    attempt(path, lambda: lora.check_kind(survey.adapter_config, path))
    if not survey.adapter_tensors:
        return
    layers, prefix = {}, 'base_model.model.'
    shapes = {key.removeprefix(prefix): tensor.shape
              for key, tensor in survey.adapter_tensors.items()}
    for key, shape in shapes.items():
        layer = key.removesuffix('.lora_A.weight')
        b = shapes.get(f'{layer}.lora_B.weight')
        if layer == key:
            continue
        if b is None or len(b) < 2 or not shape or b[1] != shape[0]:
            survey.findings.problems.append(f'{survey.adapter / lora.WEIGHTS_FILE}: {layer}: '
                                            f'lora_A {shape} has no lora_B to go with it')
            continue
        layers[layer] = (torch.empty(shape, device='meta'), torch.empty(b, device='meta'))
    if not layers:
        survey.findings.problems.append(f'{survey.adapter / lora.WEIGHTS_FILE}: no LoRA weights '
                                        f'in it')
    if survey.tensors and not survey.awaited:
        adapter = lora.Adapter(survey.adapter / lora.WEIGHTS_FILE, survey.adapter_config, layers,
                               None)
        attempt(adapter.path, lambda: adapter.check_shapes(survey.tensors, survey.weights))


def _check_inputs(survey: Survey, found: Checked) -> None:
    """Look at the tokenizer and the image processor."""
    path, attempt = survey.path, survey.findings.attempt
    tokenizer, processor = path / 'tokenizer.json', path / 'preprocessor_config.json'
    if not is_pointer(tokenizer):
        longest = survey.config.get('llm_max_length', 2048)
        attempt(tokenizer, lambda: Prompter(path, 'openvla', int(longest)))
    if not is_pointer(processor):
        found.processor = attempt(processor, lambda: ImageProcessor.of_directory(path))
    if found.processor is None or found.config is None:
        return
    side, towers = found.config.image_size, len(found.config.towers)
    if found.processor.size != (side, side):
        survey.findings.problems.append(
            f'{path}: the image processor makes images of {found.processor.size}, the model takes '
            f'{side}')
    if len(found.processor.means) != towers:
        survey.findings.problems.append(
            f'{path}: the image processor is for {len(found.processor.means)} vision towers, the '
            f'model has {towers}')
