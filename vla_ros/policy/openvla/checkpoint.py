"""What is in a checkpoint directory, found without loading a weight.

Everything that a broken directory can lack is looked for here, so that the error names the file
instead of a line inside a library.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vla_ros.core.errors import ConfigError
from vla_ros.policy.openvla.config_values import check_values

COMPONENTS = ('action_head', 'proprio_projector', 'noisy_action_projector', 'vision_backbone')
"""Names of the networks that OpenVLA-OFT keeps in files of their own."""

SINGLE_FILE = 'model.safetensors'
INDEX_FILE = 'model.safetensors.index.json'
ADAPTER_FOLDER = 'lora_adapter'


@dataclass(frozen=True)
class StoredTensor:
    """A tensor of a safetensors file, by its header.

    Attributes
    ----------
    path : Path
        The file that holds it.
    shape : tuple[int, ...]
        Its shape.
    dtype : str
        Its type as safetensors names it: ``BF16``, ``F32``, ….
    bytes : int
        Its size on disk.

    """

    path: Path
    shape: tuple[int, ...]
    dtype: str
    bytes: int


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint directory.

    Attributes
    ----------
    path : Path
        The directory.
    config : Mapping
        ``config.json`` as it is.
    tensors : Mapping[str, StoredTensor]
        All tensors of the model's own weights; none where only an adapter was saved.
    components : Mapping[str, Path]
        Name of ``COMPONENTS`` -> file.
    adapter : Path, optional
        Folder of the LoRA adapter.
    weights : Path
        The directory that the weights are in: this one, or that of the base model.

    """

    path: Path
    config: Mapping[str, Any]
    tensors: Mapping[str, StoredTensor]
    components: Mapping[str, Path]
    adapter: Path | None
    weights: Path

    @classmethod
    def open(cls, model_path: str | Path, base_path: str | Path | None = None) -> Checkpoint:
        """Look through a directory, and through that of its base model when one is given.

        Raises
        ------
        ConfigError
            The directory is none, or a file in it is missing, cut short or not what it should be.

        """
        path = _directory('model_path', model_path)
        weights = path if base_path is None else _directory('base_path', base_path)
        adapter = path / ADAPTER_FOLDER
        if not adapter.is_dir():
            if base_path is not None:
                raise ConfigError(f'{adapter}: no such folder; base_path is given, so an adapter '
                                  f'for that base is expected', path=adapter)
            adapter = None
        tensors = stored_tensors(weights)
        if not tensors:
            hint = (f' {path} has an adapter only (trained on '
                    f'{_trained_on(adapter)!r}): name the directory of that model with base_path.'
                    if adapter and base_path is None else '')
            raise ConfigError(f'{weights}: the weights are missing: no {SINGLE_FILE} and no '
                              f'{INDEX_FILE}.{hint}', path=weights)
        # A run directory that was not merged has no config.json of its own.
        own = path / 'config.json'
        file = own if own.is_file() else weights / 'config.json'
        config = read_json(file)
        if config.get('model_type') != 'openvla':
            raise ConfigError(f'{file}: expected model_type "openvla", found '
                              f'{config.get("model_type")!r:.80}', path=file)
        check_values(config, file)
        return cls(path, config, tensors, _components(path), adapter, weights)

    @property
    def fine_tuned(self) -> bool:
        """Whether the directory is that of a fine-tuning run, by what only such a run leaves."""
        return bool(self.components) or self.adapter is not None


def read_json(path: Path) -> dict[str, Any]:
    """Return the mapping in a JSON file."""
    try:
        values = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise ConfigError(f'{path}: no such file', path=path) from None
    except (OSError, ValueError) as error:
        raise ConfigError(f'{path}: cannot be read: {error}', path=path) from error
    if not isinstance(values, dict):
        raise ConfigError(f'{path}: expected a mapping, found {type(values).__name__}', path=path)
    return values


def stored_tensors(directory: Path) -> dict[str, StoredTensor]:
    """Return the tensors of a model's safetensors file or shards; none where there are neither."""
    single, index = directory / SINGLE_FILE, directory / INDEX_FILE
    if single.is_file():
        return safetensors_header(single)
    if not index.is_file():
        return {}
    content = read_json(index)
    placed = content.get('weight_map')
    if not isinstance(placed, dict) or not placed or 'metadata' not in content:
        raise ConfigError(f'{index}: expected "metadata" and a "weight_map", found '
                          f'{", ".join(content) or "nothing"}', path=index)
    missing = sorted({name for name in placed.values() if not (directory / name).is_file()})
    if missing:
        raise ConfigError(f'{directory}: missing shard {", ".join(missing)} of the '
                          f'{len(set(placed.values()))} that {INDEX_FILE} lists', path=directory)
    found: dict[str, StoredTensor] = {}
    for name in sorted(set(placed.values())):
        found.update(safetensors_header(directory / name))
    absent = [key for key in placed if key not in found]
    if absent:
        raise ConfigError(f'{index}: {absent[0]} should be in {placed[absent[0]]} and is not '
                          f'({len(absent)} such weights): shards of different checkpoints?',
                          path=index)
    return found


def safetensors_header(path: Path) -> dict[str, StoredTensor]:
    """Return the tensors of a safetensors file from its header.

    The format: eight bytes with the header's length, the header as JSON, the data.

    Raises
    ------
    ConfigError
        The file is no safetensors file, or shorter than its header says (a broken download).

    """
    try:
        size = path.stat().st_size
        with path.open('rb') as file:
            (length,) = struct.unpack('<Q', file.read(8))
            if length > size:
                raise ValueError(f'a header of {length} bytes in a file of {size}')
            header = json.loads(file.read(length))
        tensors = {key: StoredTensor(path, tuple(entry['shape']), entry['dtype'],
                                     entry['data_offsets'][1] - entry['data_offsets'][0])
                   for key, entry in header.items() if key != '__metadata__'}
        end = 8 + length + max((entry['data_offsets'][1] for key, entry in header.items()
                                if key != '__metadata__'), default=0)
    except (OSError, struct.error, ValueError, KeyError, TypeError, AttributeError,
            IndexError) as error:
        raise ConfigError(f'{path}: not a safetensors file: {error}', path=path) from error
    if end > size:
        raise ConfigError(f'{path}: expected {end} bytes, found {size}: the file is cut short '
                          f'(a broken download?)', path=path)
    return tensors


def compare(tensors: Mapping[str, StoredTensor], expected: Mapping[str, tuple[int, ...]],
            unused: list[str]) -> list[str]:
    """Return the keys that neither the model nor ``unused`` (patterns) knows.

    Raises
    ------
    ConfigError
        A weight that the model needs is missing or has another shape.

    """
    missing = [key for key in expected if key not in tensors]
    if missing:
        where = sorted({str(tensor.path) for tensor in tensors.values()})
        raise ConfigError(f'{", ".join(where[:1])}: {len(missing)} weights are missing, such as '
                          f'{", ".join(missing[:3])}')
    for key, shape in expected.items():
        if tensors[key].shape != shape:
            raise ConfigError(f'{tensors[key].path}: {key}: expected shape {shape} by config.json, '
                              f'found {tensors[key].shape}')
    return [key for key in tensors if key not in expected
            and not any(re.search(pattern, key) for pattern in unused)]


def _directory(option: str, given: str | Path) -> Path:
    path = Path(given).expanduser()
    if not path.is_dir():
        raise ConfigError(f'{option}: {path}: no such directory; it must name a checkpoint '
                          f'directory on this machine', path=path)
    return path


def _trained_on(adapter: Path) -> object:
    return read_json(adapter / 'adapter_config.json').get('base_model_name_or_path')


def _components(directory: Path) -> dict[str, Path]:
    """Return the component files, ``<name>--<step>_checkpoint.pt``; exactly one of each name."""
    found: dict[str, Path] = {}
    for name in COMPONENTS:
        files = sorted(path for path in directory.glob(f'{name}--*checkpoint*.pt')
                       if path.is_file())
        if len(files) > 1:
            raise ConfigError(f'{directory}: expected one file for {name}, found '
                              f'{", ".join(path.name for path in files)}; move the others away',
                              path=directory)
        if files:
            found[name] = files[0]
    return found
