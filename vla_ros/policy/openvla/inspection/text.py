"""The report for people and for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from vla_ros.policy.openvla.inspection.conventions import TEMPLATE
from vla_ros.policy.openvla.inspection.report import Dataset, Report

_GIB = 1024 ** 3
_DATASETS = 4  # shown with every number; a base model lists dozens


def as_json(report: Report) -> str:
    """Return the whole report as JSON; a number that is not finite becomes null."""
    return json.dumps(_finite(asdict(report)), indent=2, ensure_ascii=False, allow_nan=False)


def as_text(report: Report) -> str:
    """Return the report for people, the verdict first."""
    return '\n'.join([*_head(report), *_statistics(report), *_memory(report),
                      *_conventions(report), *_remarks(report)])


def _head(report: Report) -> Iterator[str]:
    yield report.path
    count = len(report.problems)
    verdict = (f'as policy {report.policy}' if report.loads
               else f'NO, {count} problem{"s" if count != 1 else ""}')
    yield _line('will load', f'yes, {verdict}' if report.loads else verdict)
    yield _line('kind', report.kind)
    for problem in report.problems:
        yield _line('problem', problem)
    for need in report.needs:
        yield _line('needs', need)
    for tower in report.vision:
        registers = f', {tower["registers"]} registers' if tower['registers'] else ''
        yield _line('vision', f'{tower["id"] or "unnamed"}: {tower["blocks"]} blocks of '
                              f'{tower["width"]}, patches of {tower["patch"]} px{registers}')
    text = report.language
    if text:
        yield _line('language', f'{text["id"] or "Llama"}: {text["layers"]} layers of '
                                f'{text["width"]}, {text["heads"]} heads, vocabulary of '
                                f'{text["vocabulary"]}')
    images = report.images
    if images:
        number = ('as many as in training; the checkpoint does not say how many'
                  if images.get('count') is None else str(images['count']))
        yield _line('images', f'{number}; each becomes {images["channels"]} x '
                              f'{" x ".join(map(str, images["size"]))} ({images["strategy"]})')
    if report.proprio is not None:
        yield _line('proprioception', f'{report.proprio} numbers')
    adapter = report.adapter
    if adapter:
        yield _line('LoRA adapter', f'rank {adapter["rank"]}, alpha {adapter["alpha"]}, '
                                    f'{adapter["layers"]} layers; trained on '
                                    f'{adapter["trained_on"]}; merged: {adapter["merged"]}')
    if report.parameters:
        parts = ', '.join(f'{name} {_short(n)}' for name, n in report.parameters.items())
        yield _line('parameters', f'{_short(sum(report.parameters.values()))}: {parts}')


def _statistics(report: Report) -> Iterator[str]:
    if not report.datasets:
        return
    yield ''
    yield f'statistics: {report.statistics_source}'
    detailed = len(report.datasets) <= _DATASETS
    for dataset in report.datasets:
        yield f'  {dataset.key}: {_dataset(dataset)}'
        if dataset.error:
            yield f'    cannot be used: {dataset.error}'
        elif detailed:
            for i, number in enumerate(dataset.action):
                through = '' if number['normalised'] else '   passes through'
                yield f'    {i:3d}  {number["low"]:10.4f} to {number["high"]:8.4f}{through}'


def _dataset(dataset: Dataset) -> str:
    parts = []
    if dataset.chunk is not None:
        parts.append(f'{dataset.chunk} step{"s" if dataset.chunk != 1 else ""} of')
    parts.append(f'{dataset.action_size} numbers')
    text = ' '.join(parts)
    if dataset.proprio_size:
        text += f', proprioception {dataset.proprio_size}'
    if dataset.normalization:
        text += f', {dataset.normalization} ({dataset.reason})'
    if dataset.trajectories:
        text += f'; {dataset.trajectories} episodes, {dataset.transitions} steps'
    return text


def _memory(report: Report) -> Iterator[str]:
    if report.memory:
        yield ''
        yield 'memory of the weights: ' + ', '.join(
            f'{name} {_size(size)}' for name, size in report.memory.items())
        for line in report.memory_assumptions:
            yield f'  {line}'


def _conventions(report: Report) -> Iterator[str]:
    if not report.conventions:
        return
    yield ''
    yield 'ready-made conventions (config/policies, parameter policy_config):'
    for match in report.conventions:
        if match.verdict == 'no' and len(report.datasets) > _DATASETS:
            continue
        why = '; '.join(match.reasons) or match.motion
        yield f'  {match.verdict:8s} {match.convention} for {match.key}: {why}'
    yield (f'  Frame, rotation and which end of the gripper is open are in no checkpoint; for an '
           f'arm of your own copy {TEMPLATE}.yaml.')


def _remarks(report: Report) -> Iterator[str]:
    if report.notes:
        yield ''
        yield 'notes:'
        yield from (f'  {note}' for note in report.notes)


def _line(label: str, text: str) -> str:
    return f'  {label:15s} {text}'


def _short(count: int) -> str:
    for unit, size in (('G', 1e9), ('M', 1e6), ('k', 1e3)):
        if count >= size:
            return f'{count / size:.3g} {unit}'
    return str(count)


def _size(count: int) -> str:
    return f'{count / _GIB:.1f} GiB' if count >= 0.1 * _GIB else f'{count / 1024 ** 2:.1f} MiB'


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
