"""Episodes as ``.npz`` files in the manner of RLDS: one file an episode, one array a feature.

====================================  ==========================================
``steps/observation/image/<camera>``  (T, H, W, 3) uint8 RGB
``steps/observation/state``           (T, S) float64
``steps/action``                      (T, A) float64
``steps/stamp_ns``                    (T,) int64
``steps/is_first``, ``is_last``,      (T,) bool; ``is_terminal`` is that of ``is_last``
``is_terminal``
``steps/language_instruction``        (T,) text
``state_names``, ``action_names``     text
``rate_hz``, ``state_topic``,         scalars
``source``
====================================  ==========================================

Pictures go through one at a time, both ways: an episode need not fit into memory.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.replay.episode import Episode, Frames

_IMAGE = 'steps/observation/image/'
_STATE, _ACTION, _STAMPS = 'steps/observation/state', 'steps/action', 'steps/stamp_ns'
_TEXT = 'steps/language_instruction'


def write_npz(path: Path, episode: Episode) -> None:
    """Write an episode.

    Raises
    ------
    ConfigError
        When the file exists.
    InputError
        When the pictures do not fit the steps, or cannot be decoded.

    """
    if path.exists():
        raise ConfigError(f'{path}: exists already', path=path)
    path.parent.mkdir(parents=True, exist_ok=True)
    first, last = np.zeros((2, episode.steps), bool)
    first[0] = last[-1] = True
    arrays = {
        _STATE: np.asarray(episode.state, np.float64),
        _ACTION: np.asarray(episode.actions, np.float64),
        _STAMPS: episode.stamps_ns, 'steps/is_first': first, 'steps/is_last': last,
        'steps/is_terminal': last, _TEXT: np.full(episode.steps, episode.instruction),
        'state_names': np.array(episode.state_names, dtype=np.str_),
        'action_names': np.array(episode.action_names, dtype=np.str_),
        'rate_hz': np.float64(episode.rate_hz), 'state_topic': np.str_(episode.state_topic),
        'source': np.str_(episode.source),
    }
    unfinished = path.with_name(path.name + '.new')
    with zipfile.ZipFile(unfinished, 'w', zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, values in arrays.items():
            with archive.open(f'{name}.npy', 'w', force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(values), allow_pickle=False)
        for camera in episode.images:
            with archive.open(f'{_IMAGE}{camera}.npy', 'w', force_zip64=True) as file:
                for step, rgb in enumerate(episode.frames(camera)):
                    if not step:
                        np.lib.format.write_array_header_1_0(
                            file, {'descr': '|u1', 'fortran_order': False,
                                   'shape': (episode.steps, *rgb.shape)})
                    file.write(np.ascontiguousarray(rgb).tobytes())
    unfinished.replace(path)


def is_npz_episode(path: Path) -> bool:
    """Return whether a file is one of these."""
    return zipfile.is_zipfile(path) and f'{_STAMPS}.npy' in zipfile.ZipFile(path).namelist()


def read_npz(path: Path) -> Episode:
    """Return the episode of a file.

    Raises
    ------
    InputError
        When an array is missing or does not fit.

    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files if not name.startswith(_IMAGE)}
            cameras = [name for name in arrays.files if name.startswith(_IMAGE)]
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f'{path}: cannot be read: {error}', path=path) from error
    try:
        return Episode(
            found[_STAMPS], {name.removeprefix(_IMAGE): _frames(path, name) for name in cameras},
            found[_STATE], tuple(map(str, found['state_names'])), found[_ACTION],
            tuple(map(str, found['action_names'])), str(found[_TEXT][0]), float(found['rate_hz']),
            str(found['source']), str(found['state_topic']))
    except KeyError as error:
        raise InputError(f'{path}: not an episode: {error} is missing', path=path) from error


def _frames(path: Path, name: str) -> Frames:
    def frames() -> Iterator[np.ndarray]:
        with zipfile.ZipFile(path) as archive, archive.open(f'{name}.npy') as file:
            shape = _header(file, path, name)
            size = int(np.prod(shape[1:]))
            for step in range(shape[0]):
                data = file.read(size)
                if len(data) != size:
                    raise InputError(f'{path}: {name} is cut short at step {step}', path=path)
                yield np.frombuffer(data, np.uint8).reshape(shape[1:])

    return frames


def _header(file: Any, path: Path, name: str) -> tuple[int, ...]:
    version = np.lib.format.read_magic(file)
    read = (np.lib.format.read_array_header_1_0 if version == (1, 0)
            else np.lib.format.read_array_header_2_0)
    shape, fortran, dtype = read(file)
    if fortran or dtype != np.uint8 or len(shape) != 4 or shape[3] != 3:
        raise InputError(f'{path}: {name}: expected (T, H, W, 3) uint8, found {shape} {dtype}',
                         path=path)
    return tuple(shape)
