"""Puts together what there is to say about a checkpoint directory."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vla_ros.core.errors import ConfigError
from vla_ros.policy.openvla.inspection.conventions import matches
from vla_ros.policy.openvla.inspection.memory import ASSUMPTIONS, weight_memory
from vla_ros.policy.openvla.inspection.report import Dataset, Report
from vla_ros.policy.openvla.inspection.survey import Survey, survey
from vla_ros.policy.openvla.statistics import Bounds, Normalization, Statistics

_BYTES = {'F64': 8, 'F32': 4, 'F16': 2, 'BF16': 2}
_EMBEDDINGS = 'language_model.model.embed_tokens.weight'


def inspect(model_path: str | Path, base_path: str | Path | None = None) -> Report:
    """Look through a checkpoint directory; reads headers, no weights.

    Parameters
    ----------
    model_path : path
        The directory.
    base_path : path, optional
        That of the base model, for a run directory that has only an adapter.

    Raises
    ------
    ConfigError
        When one of the two is no directory.

    """
    found = survey(model_path, base_path)
    report = Report(str(found.path), None if base_path is None else str(found.weights))
    report.files = {file.relative_to(found.path).as_posix(): file.stat().st_size
                    for file in sorted(found.path.rglob('*'))
                    if file.is_file() and len(file.relative_to(found.path).parts) <= 2}
    _identify(report, found)
    _sizes(report, found)
    checked = found.findings.attempt(found.path, lambda: _checked(found))
    if checked is not None and checked.processor is not None:
        report.images.update(size=list(checked.processor.size),
                             strategy=checked.processor.strategy,
                             channels=3 * len(checked.processor.means))
    _statistics(report, found, checked)
    _memory(report, found, checked)
    report.problems, notes = found.findings.problems, found.findings.notes
    report.notes += notes
    report.loads = not report.problems
    return report


def _checked(found: Survey) -> Any:
    from vla_ros.policy.openvla.inspection.checks import check  # needs torch

    return check(found)


def _identify(report: Report, found: Survey) -> None:
    """Say what kind of checkpoint it is, by its files."""
    if not found.config and not found.tensors and not found.components:
        report.kind = 'no OpenVLA checkpoint'
        return
    if found.config.get('model_type', 'openvla') != 'openvla':
        report.kind = f'a model of type {found.config["model_type"]!r}'
        return
    report.film = 'vision_backbone' in found.components
    if 'action_head' in found.components:
        head = found.contents.get('action_head', {})
        report.head = ('unreadable' if not head else 'diffusion' if any(
            key.startswith('noise_predictor.') for key in head) else 'l1')
    projector = found.contents.get('proprio_projector', {}).get('fc1.weight')
    report.proprio = projector.shape[-1] if projector and projector.shape else None
    oft = bool(found.components) or found.config.get('action_chunk') is not None
    report.policy = 'openvla_oft' if oft else 'openvla'
    names = {'l1': 'L1 head', 'diffusion': 'diffusion head', 'tokens': 'discrete tokens, no head',
             'unreadable': 'a head that cannot be read'}
    parts = [names[report.head], 'FiLM' if report.film else '',
             'proprioception' if 'proprio_projector' in found.components else '']
    report.kind = (f'OpenVLA-OFT: {", ".join(part for part in parts if part)}' if oft
                   else 'OpenVLA')
    if not oft:
        report.notes.append(
            'OpenVLA-OFT with discrete tokens has the same files; if it was fine-tuned so, load it '
            'as openvla_oft, with chunk_length')
    if found.config.get('random_weights'):
        report.notes.append('RANDOM WEIGHTS: it moves without purpose')
    if found.adapter is not None:
        report.adapter = {
            'rank': found.adapter_config.get('r'),
            'alpha': found.adapter_config.get('lora_alpha'),
            'trained_on': found.adapter_config.get('base_model_name_or_path'),
            'layers': sum(key.endswith('.lora_A.weight') for key in found.adapter_tensors),
            'merged': 'no, at load' if found.weights != found.path else 'seen at load'}
        if found.weights == found.path and found.tensors:
            report.notes.append(
                'weights and adapter are in one directory: usually the weights are merged already; '
                'the loader looks at their values and merges only if they are not')


def _sizes(report: Report, found: Survey) -> None:
    """Read geometry and number of parameters off the shapes."""
    shapes = {key: tensor.shape for key, tensor in found.tensors.items()}
    for key, tensor in found.contents.get('vision_backbone', {}).items():
        shapes[key.replace('.block.', '.').replace('.base_layer.', '.')] = tensor.shape
    ids = _list(found.config, 'timm_model_ids')
    for i, name in enumerate(('featurizer', 'fused_featurizer')):
        prefix = f'vision_backbone.{name}.'
        patch = shapes.get(f'{prefix}patch_embed.proj.weight', ())
        if len(patch) != 4:
            continue
        registers = shapes.get(f'{prefix}reg_token')
        report.vision.append({
            'id': ids[i] if i < len(ids) else None, 'width': patch[0], 'patch': patch[-1],
            'blocks': _count(shapes, rf'^{re.escape(prefix)}blocks\.(\d+)\.'),
            'registers': registers[1] if registers else 0})
    report.language = _language(found, shapes)
    sizes = _list(found.config, 'image_sizes')
    if sizes and report.policy:
        report.images.update(
            size=[sizes[0]] * 2, channels=3 * len(sizes),
            count=1 if report.policy == 'openvla' else None,
            strategy=found.config.get('image_resize_strategy'))
    groups: dict[str, int] = {}
    for key, tensor in found.tensors.items():
        part = key.split('.', 1)[0]
        groups[part] = groups.get(part, 0) + math.prod(tensor.shape)
    for name, content in found.contents.items():
        groups[f'{name} (file)'] = sum(math.prod(tensor.shape) for tensor in content.values())
    if found.adapter_tensors:
        groups['lora_adapter'] = sum(math.prod(t.shape) for t in found.adapter_tensors.values())
    report.parameters = groups


def _language(found: Survey, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    embeddings = shapes.get(_EMBEDDINGS, ())
    gate = shapes.get('language_model.model.layers.0.mlp.gate_proj.weight', ())
    if len(embeddings) != 2:
        return {}
    text = found.config.get('text_config')
    return {'id': found.config.get('hf_llm_id') or found.config.get('llm_backbone_id'),
            'vocabulary': embeddings[0], 'width': embeddings[1],
            'mlp': gate[0] if gate else None,
            'layers': _count(shapes, r'^language_model\.model\.layers\.(\d+)\.'),
            'heads': text.get('num_attention_heads', 32) if isinstance(text, Mapping) else None}


def _list(config: Mapping[str, Any], key: str) -> list[Any]:
    value = config.get(key)
    return value if isinstance(value, list) else []


def _count(shapes: Mapping[str, tuple[int, ...]], pattern: str) -> int:
    return len({match.group(1) for key in shapes if (match := re.match(pattern, key))})


def _statistics(report: Report, found: Survey, checked: Any) -> None:
    """Say for each dataset what its actions are, and whether the checkpoint loads with it."""
    statistics = found.statistics
    if statistics is None:
        return
    report.statistics_source = statistics.source
    unset = False
    for key in sorted(statistics.datasets):
        dataset = Dataset(key)
        report.datasets.append(dataset)
        try:
            bounds, asked = _describe(dataset, report, found, statistics, checked)
        except ConfigError as error:
            dataset.error = str(error)
            continue
        except Exception as error:  # noqa: BLE001  a broken file must not end the report
            dataset.error = (f'{statistics.source}: {key}: cannot be used: '
                             f'{type(error).__name__}: {error}')
            continue
        unset = unset or asked
        if report.policy:
            report.conventions += matches(report.policy, key, bounds, dataset.chunk,
                                          report.proprio, found.path.name)
    usable = [dataset.key for dataset in report.datasets if not dataset.error]
    if not usable:
        found.findings.problems += [dataset.error for dataset in report.datasets]
    elif len(report.datasets) > 1:
        report.needs.append(f'unnorm_key, one of {", ".join(usable)}')
    if unset:
        report.needs.append('chunk_length and normalization: they are not in the checkpoint and '
                            'its sizes are like none that is known')
    if usable and report.policy and not any(m.verdict != 'no' for m in report.conventions):
        report.needs.append('policy_config: no ready-made convention fits; copy '
                            'config/policies/openvla_oft_template.yaml')


def _describe(dataset: Dataset, report: Report, found: Survey, statistics: Statistics,
              checked: Any) -> tuple[Bounds, bool]:
    """Fill in a dataset; return its ranges, and whether the user has to set the chunk."""
    key, values = dataset.key, statistics.datasets[dataset.key]
    dataset.action_size = statistics.size(key, 'action')
    dataset.proprio_size = statistics.size(key, 'proprio')
    dataset.transitions = values.get('num_transitions')
    dataset.trajectories = values.get('num_trajectories')
    unset, mode = False, Normalization.BOUNDS_Q99
    if report.policy == 'openvla_oft' and checked is not None:
        from vla_ros.policy.openvla.inspection.checks import oft_layout

        layout, unset = oft_layout(found, key, checked)
        if not unset:
            dataset.chunk, dataset.reason = layout.chunk, layout.reason
            mode = layout.normalization
            dataset.normalization = mode.value
    elif report.policy == 'openvla':
        dataset.chunk, dataset.normalization, dataset.reason = 1, mode.value, 'as OpenVLA'
    bounds = statistics.bounds(key, 'action', mode)
    dataset.action = [
        {'low': float(low), 'high': float(high), 'normalised': bool(normalised)}
        for low, high, normalised in zip(bounds.low, bounds.high, bounds.mask)]
    return bounds, unset


def _memory(report: Report, found: Survey, checked: Any) -> None:
    """Add up the weights that the model needs; where that is unknown, all that are stored."""
    shapes = dict(checked.needed) if checked is not None else {}
    everything = not shapes
    if everything:
        shapes = {key: tensor.shape for key, tensor in found.tensors.items()}
    if not shapes or not report.policy:
        return
    for name, content in found.contents.items():
        if name != 'vision_backbone':
            shapes.update({f'{name}.{key}': tensor.shape for key, tensor in content.items()})
    stored = found.tensors[_EMBEDDINGS].dtype if _EMBEDDINGS in found.tensors else 'BF16'
    report.memory = weight_memory(shapes, _BYTES.get(stored, 2))
    report.memory_assumptions = [f'full precision is that of the checkpoint, {stored}',
                                 *ASSUMPTIONS]
    if everything:
        report.memory_assumptions.append('all that is stored is counted, also weights that the '
                                         'model does not use: somewhat too much')
    if report.film or report.adapter:
        report.memory_assumptions.append(
            'an adapter or FiLM is merged in RAM first: the machine needs the full precision '
            'there for a moment')
