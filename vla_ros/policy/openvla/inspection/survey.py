"""What is in a checkpoint directory by the headers of its files, and everything wrong with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from vla_ros.core.errors import ConfigError
from vla_ros.policy.openvla.checkpoint import (
    ADAPTER_FOLDER,
    COMPONENTS,
    INDEX_FILE,
    SINGLE_FILE,
    Checkpoint,
    StoredTensor,
    read_json,
    safetensors_header,
)
from vla_ros.policy.openvla.inspection.torch_file import PickledTensor, torch_file_header
from vla_ros.policy.openvla.statistics import Statistics

T = TypeVar('T')
_POINTER = b'version https://git-lfs'
_LIKE_A_HUB_NAME = re.compile(r'^[\w.-]+/[\w.-]+$')


@dataclass
class Findings:
    """What is wrong, and what is worth knowing; each a sentence that names the file."""

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def attempt(self, where: Path, action: Callable[[], T]) -> T | None:
        """Return what an action on a file returns, or note the error it raises: None."""
        try:
            return action()
        except ConfigError as error:
            self.problems.append(str(error))
        except ModuleNotFoundError as error:
            self.problems.append(f'{error.name} is not installed, so this machine cannot load it '
                                 f"yet and some things are not checked: pip install "
                                 f"'vla_ros[policy]'")
        except Exception as error:  # noqa: BLE001  a broken file must not end the report
            self.problems.append(f'{where}: cannot be used: {type(error).__name__}: {error}')
        return None


@dataclass
class Survey:
    """A checkpoint directory, as far as its files can be read.

    Attributes
    ----------
    path, weights : Path
        The directory, and the one that the weights are in: this one, or that of the base model.
    config : Mapping
        ``config.json``; empty when it cannot be read.
    tensors : Mapping[str, StoredTensor]
        Tensors of all weights that are there.
    awaited : set[str]
        Keys that should be in files which are missing or broken.
    components : Mapping[str, Path]
        Name of ``checkpoint.COMPONENTS`` -> file.
    contents : Mapping[str, Mapping[str, PickledTensor]]
        What is in the component files that can be read.
    adapter : Path, optional
        Folder of the LoRA adapter.
    adapter_config : Mapping
        Its ``adapter_config.json``.
    adapter_tensors : Mapping[str, StoredTensor]
        Its weights.
    statistics : Statistics, optional
        Of the training data.
    findings : Findings
        What is wrong.

    """

    path: Path
    weights: Path
    config: Mapping[str, Any] = field(default_factory=dict)
    tensors: dict[str, StoredTensor] = field(default_factory=dict)
    awaited: set[str] = field(default_factory=set)
    components: dict[str, Path] = field(default_factory=dict)
    contents: dict[str, Mapping[str, PickledTensor]] = field(default_factory=dict)
    adapter: Path | None = None
    adapter_config: Mapping[str, Any] = field(default_factory=dict)
    adapter_tensors: Mapping[str, StoredTensor] = field(default_factory=dict)
    statistics: Statistics | None = None
    findings: Findings = field(default_factory=Findings)

    @property
    def checkpoint(self) -> Checkpoint:
        """Return it as the loader's own checks take it."""
        return Checkpoint(self.path, self.config, self.tensors, self.components, self.adapter,
                          self.weights)


def survey(model_path: str | Path, base_path: str | Path | None = None) -> Survey:
    """Look through a directory, and that of its base model when one is given.

    Raises
    ------
    ConfigError
        When a path is no directory; whatever is wrong inside is among the findings.

    """
    path = _directory(model_path)
    weights = path if base_path is None else _directory(base_path)
    found = Survey(path, weights)
    for file in sorted({file for folder in (path, weights, path / ADAPTER_FOLDER)
                        for file in folder.glob('*') if is_pointer(file)}):
        found.findings.problems.append(
            f'{file}: a Git LFS pointer, not the file itself: the download left the content out. '
            f'Run "git lfs pull" there, or download again with the Hugging Face tools')
    _read_adapter(found)
    _read_config(found)
    _read_weights(found)
    for name in COMPONENTS:
        _read_component(found, name)
    _read_statistics(found)
    return found


def _directory(given: str | Path) -> Path:
    path = Path(given).expanduser()
    if path.is_dir():
        return path
    kind = 'a file, expected a directory' if path.exists() else 'no such directory'
    hint = (f'; if that is a name on the Hugging Face Hub, download it first: hf download {given} '
            f'--local-dir DIR' if _LIKE_A_HUB_NAME.match(str(given)) and not path.exists() else '')
    raise ConfigError(f'{path}: {kind}{hint}', path=path)


def is_pointer(path: Path) -> bool:
    """Return whether a file only says where Git LFS keeps the content."""
    try:
        with path.open('rb') as file:
            return file.read(len(_POINTER)) == _POINTER
    except OSError:
        return False


def _read_config(found: Survey) -> None:
    # A run directory that was not merged has no config.json of its own.
    own = found.path / 'config.json'
    path = own if own.is_file() else found.weights / 'config.json'
    if is_pointer(path):
        return
    found.config = found.findings.attempt(path, lambda: read_json(path)) or {}
    family = found.config.get('model_type')
    if found.config and family != 'openvla':
        found.findings.problems.append(
            f'{path}: expected model_type "openvla", found {family!r}: this is another kind of '
            f'model')
    if 'auto_map' in found.config:
        found.findings.notes.append('config.json names code to run (auto_map); it is never run')


def _read_weights(found: Survey) -> None:
    problems = found.findings.problems
    single, index = found.weights / SINGLE_FILE, found.weights / INDEX_FILE
    if single.is_file():
        _read_shard(found, single, set())
        return
    if not index.is_file():
        hint = ''
        if found.adapter is not None and found.weights == found.path:
            hint = (f'. There is an adapter, trained on '
                    f'{found.adapter_config.get("base_model_name_or_path")!r}: name the directory '
                    f'of that model with --base, and with base_path when loading')
        others = sorted(path.name for pattern in ('*.safetensors', 'pytorch_model*.bin')
                        for path in found.weights.glob(pattern))
        if others:
            hint += f'. Found instead: {", ".join(others)}, which are not read'
        problems.append(f'{found.weights}: the weights are missing: no {SINGLE_FILE} and no '
                        f'{INDEX_FILE}{hint}')
        return
    content = {} if is_pointer(index) else found.findings.attempt(index, lambda: read_json(index))
    if not content:
        return
    placed = content.get('weight_map')
    if not isinstance(placed, dict) or not placed or 'metadata' not in content:
        problems.append(f'{index}: expected "metadata" and a "weight_map", found '
                        f'{", ".join(content)}')
        return
    for name in sorted({str(name) for name in placed.values()}):
        keys = {key for key, file in placed.items() if file == name}
        if (found.weights / name).is_file():
            _read_shard(found, found.weights / name, keys)
        else:
            problems.append(f'{found.weights / name}: missing shard, listed in {INDEX_FILE} with '
                            f'{len(keys)} weights')
            found.awaited |= keys


def _read_shard(found: Survey, path: Path, keys: set[str]) -> None:
    tensors = None if is_pointer(path) else found.findings.attempt(
        path, lambda: safetensors_header(path))
    if tensors is None:
        found.awaited |= keys or {''}
        return
    found.tensors.update(tensors)
    absent = sorted(keys - set(tensors))
    if absent:
        found.findings.problems.append(
            f'{path}: {absent[0]} should be in it by {INDEX_FILE} and is not ({len(absent)} such '
            f'weights): shards of different checkpoints?')
        found.awaited |= set(absent)


def _read_component(found: Survey, name: str) -> None:
    files = sorted(path for path in found.path.glob(f'{name}--*checkpoint*.pt') if path.is_file())
    if not files:
        return
    if len(files) > 1:
        found.findings.problems.append(
            f'{found.path}: expected one file for {name}, found '
            f'{", ".join(path.name for path in files)}; move the others away')
    found.components[name] = files[0]
    for path in files:
        if not is_pointer(path):
            content = found.findings.attempt(path, partial(torch_file_header, path))
            if content is not None:
                found.contents.setdefault(name, content)


def _read_adapter(found: Survey) -> None:
    folder = found.path / ADAPTER_FOLDER
    if not folder.is_dir():
        if found.weights != found.path:
            found.findings.problems.append(f'{folder}: no such folder; a base is given, so an '
                                           f'adapter for it is expected')
        return
    found.adapter = folder
    config, weights = folder / 'adapter_config.json', folder / 'adapter_model.safetensors'
    if not is_pointer(config):
        found.adapter_config = found.findings.attempt(config, lambda: read_json(config)) or {}
    if not weights.is_file():
        found.findings.problems.append(f'{weights}: no such file')
    elif not is_pointer(weights):
        found.adapter_tensors = found.findings.attempt(
            weights, lambda: safetensors_header(weights)) or {}


def _read_statistics(found: Survey) -> None:
    path = found.path / 'dataset_statistics.json'
    if is_pointer(path):
        return
    found.statistics = found.findings.attempt(path, lambda: Statistics.of_directory(
        found.path, found.config, found.checkpoint.fine_tuned))
