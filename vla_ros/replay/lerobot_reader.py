"""A dataset in the LeRobot layout (v2.0, v2.1, v3.0) -> episodes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vla_ros.core.errors import ConfigError, DependencyError, InputError
from vla_ros.replay.episode import Episode, Frame, Frames, regular_stamps
from vla_ros.replay.lerobot_layout import ACTION, CAMERA, STAMP, STATE
from vla_ros.replay.video_file import video_frames

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ImportError as error:  # pragma: no cover, depends on the machine
    raise DependencyError("LeRobot datasets need pyarrow, which is not installed: "
                          "pip install 'vla_ros[datasets]'") from error

_READABLE = ('v2.0', 'v2.1', 'v3.0')


class LeRobotDataset:
    """A dataset on disk.

    Raises
    ------
    ConfigError
        When there is no such dataset.
    InputError
        When its version cannot be read, or a part of it is missing or damaged.

    """

    def __init__(self, path: Path) -> None:
        self.path = path
        about = path / 'meta' / 'info.json'
        if not about.is_file():
            raise ConfigError(f'{path}: no LeRobot dataset, meta/info.json is missing', path=path)
        try:
            self.info: dict[str, Any] = json.loads(about.read_text(encoding='utf-8'))
            self.version = str(self.info['codebase_version'])
            self.features: dict[str, Any] = self.info['features']
            self.rate_hz = float(self.info['fps'])
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f'{about}: cannot be read: {error}', path=about) from error
        if self.version not in _READABLE:
            raise InputError(f'{path}: version {self.version} of the layout; readable: '
                             f'{", ".join(_READABLE)}', path=path)
        self._rows = self._guard('meta/episodes', self._episodes)
        told = self.info.get('total_episodes')
        if told is not None and len(self._rows) != told:
            raise InputError(f'{path}: info.json says {told} episodes, {len(self._rows)} are '
                             'listed', path=path)

    def __len__(self) -> int:
        """Return the number of episodes."""
        return len(self._rows)

    def episode(self, index: int) -> Episode:
        """Return an episode; its pictures are read when they are asked for.

        Raises
        ------
        ConfigError
            When there is none of this number.
        InputError
            When its files are missing, damaged, or have fewer steps than are listed.

        """
        if not 0 <= index < len(self):
            raise ConfigError(f'{self.path}: no episode {index}; there are 0 to {len(self) - 1}')
        row = self._rows[index]
        place = self.path / self.info['data_path'].format(**self._names(row, 'data'))
        images = tuple(key for key, feature in self.features.items()
                       if feature['dtype'] == 'image')
        table = self._guard(place, lambda: pq.read_table(
            place, filters=[('episode_index', '=', row['episode_index'])]))
        if table.num_rows != row['length']:
            raise InputError(f'{place}: {table.num_rows} steps of episode {index}, '
                             f'{row["length"]} are listed', path=place)
        stamps = (table[STAMP].to_numpy() if STAMP in table.column_names
                  else regular_stamps(table.num_rows, self.rate_hz))
        frames: dict[str, Frames] = {}
        for key, feature in self.features.items():
            if feature['dtype'] == 'video':
                frames[_camera(key)] = self._video(row, key)
            elif key in images:
                frames[_camera(key)] = _embedded(table[key], place)
        state, state_names = self._vector(table, STATE)
        actions, action_names = self._vector(table, ACTION)
        return Episode(stamps, frames, state, state_names, actions, action_names,
                       str((row.get('tasks') or [''])[0]), self.rate_hz,
                       f'{self.path.name} episode {index}')

    def _vector(self, table: Any, key: str) -> tuple[np.ndarray, tuple[str, ...]]:
        if key not in self.features or key not in table.column_names:
            return np.zeros((table.num_rows, 0)), ()
        values = np.array(table[key].to_pylist()).reshape(table.num_rows, -1)
        names = self.features[key].get('names')
        if isinstance(names, dict):  # {'motors': [...]} and its like
            names = next(iter(names.values()), None)
        if not isinstance(names, list) or len(set(names)) != values.shape[1]:
            names = [f'{key.rpartition(".")[2]}_{i}' for i in range(values.shape[1])]
        return values, tuple(map(str, names))

    def _video(self, row: dict[str, Any], key: str) -> Frames:
        place = self.path / self.info['video_path'].format(
            video_key=key, **self._names(row, f'videos/{key}'))
        start = float(row.get(f'videos/{key}/from_timestamp', 0.0))
        return lambda: video_frames(place, start, int(row['length']), self.rate_hz)

    def _names(self, row: dict[str, Any], prefix: str) -> dict[str, int]:
        if self.version == 'v3.0':
            return {name: row[f'{prefix}/{name}'] for name in ('chunk_index', 'file_index')}
        index = row['episode_index']
        return {'episode_index': index,
                'episode_chunk': index // int(self.info.get('chunks_size', 1000))}

    def _episodes(self) -> list[dict[str, Any]]:
        if self.version == 'v3.0':
            files = sorted((self.path / 'meta' / 'episodes').glob('*/*.parquet'))
            if not files:
                raise InputError(f'{self.path}: no list of episodes in meta/episodes')
            rows = [row for file in files for row in pq.read_table(file, columns=[
                name for name in pq.read_schema(file).names
                if not name.startswith('stats/')]).to_pylist()]
        else:
            text = (self.path / 'meta' / 'episodes.jsonl').read_text(encoding='utf-8')
            rows = [json.loads(line) for line in text.splitlines() if line.strip()]
        return sorted(rows, key=lambda row: int(row['episode_index']))

    def _guard(self, what: Path | str, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except (OSError, pa.ArrowException, ValueError, KeyError) as error:
            raise InputError(f'{self.path}: {what} cannot be read: {error}',
                             path=self.path) from error


def _camera(key: str) -> str:
    return key.removeprefix(CAMERA).removeprefix('observation.')


def _embedded(column: Any, place: Path) -> Frames:
    def frames() -> Iterator[Frame]:
        for value in column:
            found = value.as_py()
            data = found.get('bytes') if isinstance(found, dict) else None
            if not data:
                raise InputError(f'{place}: a picture lies outside the file', path=place)
            yield bytes(data)

    return frames
