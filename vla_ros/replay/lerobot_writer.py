"""Episodes -> a dataset in the LeRobot layout: v2.1 (a file an episode) or v3.0 (many in one)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from vla_ros.core.errors import ConfigError, DependencyError, InputError, unknown_choice
from vla_ros.replay import lerobot_layout as layout
from vla_ros.replay.episode import Episode
from vla_ros.replay.lerobot_layout import (
    ACTION,
    CAMERA,
    CHUNK,
    DATA_PATH,
    EPISODES_PATH,
    INDEX_FEATURES,
    STAMP,
    STATE,
    VIDEO_PATH,
    PictureStats,
    Shape,
    merged_stats,
    vector_stats,
)
from vla_ros.replay.video_file import VideoFile

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ImportError as error:  # pragma: no cover, depends on the machine
    raise DependencyError("LeRobot datasets need pyarrow, which is not installed: "
                          "pip install 'vla_ros[datasets]'") from error

DTYPES = ('float32', 'float64')


def write_lerobot(path: Path, episodes: Iterable[Episode], version: str = 'v3.0',
                  dtype: str = 'float32', robot_type: str = '') -> dict[str, Any]:
    """Write episodes as a dataset and return its ``info.json``.

    Pictures become H.264, states and actions ``dtype`` (training code expects float32), and a
    column ``stamp_ns`` keeps the recorded stamps, as the layout's own time is frame / fps.

    Raises
    ------
    ConfigError
        When the folder exists, or the version or dtype is unknown.
    InputError
        When there is no episode, or one does not have the cameras, sizes, names and rate of the
        first.

    """
    if version not in layout.VERSIONS:
        raise unknown_choice('version of the LeRobot layout', version, layout.VERSIONS)
    if dtype not in DTYPES:
        raise unknown_choice('dtype', dtype, DTYPES)
    if path.exists():
        raise ConfigError(f'{path}: exists already', path=path)
    unfinished = path.with_name(f'{path.name}.new')
    if unfinished.exists():
        raise ConfigError(f'{unfinished}: left over from an export that failed; remove it')
    writer = (_OneFileEach if version == 'v2.1' else _ManyInOne)(unfinished, dtype)
    try:
        for episode in episodes:
            writer.add(episode)
        if writer.shape is None:
            raise InputError(f'{path}: there is no episode to write')
        info = writer.finish(robot_type)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    unfinished.rename(path)
    return info


class _Writer:
    """What the two versions have in common."""

    version = ''

    def __init__(self, path: Path, dtype: str) -> None:
        self.path, self.dtype = path, dtype
        self.shape: Shape | None = None
        self.tasks: dict[str, int] = {}
        self.rows: list[dict[str, Any]] = []  # one an episode
        self.stats: list[dict[str, Any]] = []
        self.frames = 0

    def add(self, episode: Episode) -> None:
        shape = Shape.of(episode)
        self.shape = self.shape or shape
        if wrong := self.shape.differences(shape):
            raise InputError(f'{episode.source} does not fit the episodes before: '
                             f'{"; ".join(wrong)}')
        task = self.tasks.setdefault(episode.instruction, len(self.tasks))
        index = len(self.rows)
        columns = self._columns(episode, index, task)
        stats = {name: vector_stats(values) for name, values in columns.items()}
        self.rows.append({'episode_index': index, 'tasks': [episode.instruction],
                          'length': episode.steps})
        self.put_data(self._table(columns))
        for camera in self.shape.sizes:
            pictures = PictureStats()
            self.put_video(CAMERA + camera, episode, camera, pictures)
            stats[CAMERA + camera] = pictures.result()
        self.stats.append(stats)
        self.frames += episode.steps

    def put_data(self, table: Any) -> None:
        raise NotImplementedError

    def put_video(self, key: str, episode: Episode, camera: str, stats: PictureStats) -> None:
        raise NotImplementedError

    def finish(self, robot_type: str) -> dict[str, Any]:
        raise NotImplementedError

    def info(self, robot_type: str) -> dict[str, Any]:
        assert self.shape is not None
        return {'codebase_version': self.version, 'robot_type': robot_type or None,
                'total_episodes': len(self.rows), 'total_frames': self.frames,
                'total_tasks': len(self.tasks), 'chunks_size': CHUNK, 'fps': self.shape.rate_hz,
                'splits': {'train': f'0:{len(self.rows)}'}, 'data_path': DATA_PATH[self.version],
                'video_path': VIDEO_PATH[self.version] if self.shape.sizes else None,
                'features': self.shape.features(self.dtype)}

    def json(self, name: str, value: Any) -> None:
        path = self.path / 'meta' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value, indent=4) + '\n', encoding='utf-8')

    def _columns(self, episode: Episode, index: int, task: int) -> dict[str, np.ndarray]:
        assert self.shape is not None
        steps = np.arange(episode.steps)
        found: dict[str, np.ndarray] = {}
        if episode.state_names:
            found[STATE] = np.asarray(episode.state, self.dtype)
        if episode.action_names:
            found[ACTION] = np.asarray(episode.actions, self.dtype)
        found['timestamp'] = (steps / self.shape.rate_hz).astype(np.float32)
        found['frame_index'] = steps
        found['episode_index'] = np.full(episode.steps, index)
        found['index'] = self.frames + steps
        found['task_index'] = np.full(episode.steps, task)
        found[STAMP] = episode.stamps_ns
        return found

    def _table(self, columns: dict[str, np.ndarray]) -> Any:
        arrays = {}
        for name, values in columns.items():
            if values.ndim == 2:
                flat = pa.array(values.reshape(-1), pa.from_numpy_dtype(values.dtype))
                arrays[name] = pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
            else:
                arrays[name] = pa.array(values, INDEX_FEATURES[name])
        return pa.table(arrays)


class _OneFileEach(_Writer):
    version = 'v2.1'

    def put_data(self, table: Any) -> None:
        self._write(DATA_PATH, table)

    def put_video(self, key: str, episode: Episode, camera: str, stats: PictureStats) -> None:
        assert self.shape is not None
        video = VideoFile(self._place(VIDEO_PATH, video_key=key), self.shape.rate_hz)
        _encode(video, episode, camera, stats)
        video.close()

    def finish(self, robot_type: str) -> dict[str, Any]:
        info = self.info(robot_type)
        info['total_chunks'] = (len(self.rows) - 1) // CHUNK + 1
        info['total_videos'] = len(self.rows) * len(self.shape.sizes if self.shape else ())
        self._lines('tasks.jsonl', [{'task_index': index, 'task': task}
                                    for task, index in self.tasks.items()])
        self._lines('episodes.jsonl', self.rows)
        self._lines('episodes_stats.jsonl', [{'episode_index': index, 'stats': stats}
                                             for index, stats in enumerate(self.stats)])
        self.json('info.json', info)
        return info

    def _place(self, template: dict[str, str], **names: Any) -> Path:
        index = len(self.rows) - 1
        return self.path / template[self.version].format(
            episode_chunk=index // CHUNK, episode_index=index, **names)

    def _write(self, template: dict[str, str], table: Any) -> None:
        place = self._place(template)
        place.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, place)

    def _lines(self, name: str, rows: list[dict[str, Any]]) -> None:
        path = self.path / 'meta' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(''.join(json.dumps(row) + '\n' for row in rows), encoding='utf-8')


class _ManyInOne(_Writer):
    version = 'v3.0'

    def __init__(self, path: Path, dtype: str) -> None:
        super().__init__(path, dtype)
        self._data: Any = None  # parquet file that is being written
        self._data_file, self._data_bytes = 0, 0
        self._videos: dict[str, VideoFile] = {}
        self._video_files: dict[str, int] = {}

    def put_data(self, table: Any) -> None:
        if self._data is not None and self._data_bytes + table.nbytes > layout.DATA_MB * 2 ** 20:
            self._data.close()
            self._data, self._data_bytes = None, 0
            self._data_file += 1
        if self._data is None:
            place = self._place(DATA_PATH['v3.0'], self._data_file)
            place.parent.mkdir(parents=True, exist_ok=True)
            self._data = pq.ParquetWriter(place, table.schema)
        self._data.write_table(table)
        self._data_bytes += table.nbytes
        self.rows[-1].update({
            'dataset_from_index': self.frames, 'dataset_to_index': self.frames + table.num_rows,
            **_indices('data', self._data_file)})

    def put_video(self, key: str, episode: Episode, camera: str, stats: PictureStats) -> None:
        assert self.shape is not None
        video = self._videos.get(key)
        if video is not None and video.bytes > layout.VIDEO_MB * 2 ** 20:
            video.close()
            video = None
            self._video_files[key] += 1
        if video is None:
            number = self._video_files.setdefault(key, 0)
            video = self._videos[key] = VideoFile(
                self._place(VIDEO_PATH['v3.0'], number, video_key=key), self.shape.rate_hz)
        before = video.frames
        _encode(video, episode, camera, stats)
        rate = self.shape.rate_hz
        self.rows[-1].update({
            **_indices(f'videos/{key}', self._video_files[key]),
            f'videos/{key}/from_timestamp': before / rate,
            f'videos/{key}/to_timestamp': video.frames / rate})

    def finish(self, robot_type: str) -> dict[str, Any]:
        self._data.close()
        for video in self._videos.values():
            video.close()
        info = {**self.info(robot_type), 'data_files_size_in_mb': layout.DATA_MB,
                'video_files_size_in_mb': layout.VIDEO_MB}
        for row, stats in zip(self.rows, self.stats, strict=True):
            row.update({f'stats/{feature}/{name}': value for feature, found in stats.items()
                        for name, value in found.items()})
            row.update(_indices('meta/episodes', 0))
        place = self._place(EPISODES_PATH, 0)
        place.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(self.rows), place)
        pq.write_table(_task_table(self.tasks), self.path / 'meta' / 'tasks.parquet')
        self.json('stats.json', merged_stats(self.stats))
        self.json('info.json', info)
        return info

    def _place(self, template: str, number: int, **names: Any) -> Path:
        return self.path / template.format(chunk_index=number // CHUNK,
                                           file_index=number % CHUNK, **names)


def _indices(prefix: str, number: int) -> dict[str, int]:
    return {f'{prefix}/chunk_index': number // CHUNK, f'{prefix}/file_index': number % CHUNK}


def _encode(video: VideoFile, episode: Episode, camera: str, stats: PictureStats) -> None:
    for rgb in episode.frames(camera):
        video.add(rgb)
        stats.add(rgb)


def _task_table(tasks: dict[str, int]) -> Any:
    """Return the table of tasks; its readers use pandas and find a task by the row's label."""
    text = {'encoding': 'UTF-8'}
    kinds = {'task_index': ('int64', 'int64', None),
             '__index_level_0__': ('unicode', 'object', None)}
    about = {
        'index_columns': ['__index_level_0__'],
        'column_indexes': [{'name': None, 'field_name': None, 'pandas_type': 'unicode',
                            'numpy_type': 'object', 'metadata': text}],
        'columns': [{'name': None if name.startswith('__') else name, 'field_name': name,
                     'pandas_type': kind, 'numpy_type': numpy_kind, 'metadata': metadata}
                    for name, (kind, numpy_kind, metadata) in kinds.items()],
        'creator': {'library': 'pyarrow', 'version': pa.__version__}, 'pandas_version': '2.0.0',
    }
    table = pa.table({'task_index': pa.array(tasks.values(), pa.int64()),
                      '__index_level_0__': pa.array(tasks.keys(), pa.string())})
    return table.replace_schema_metadata({'pandas': json.dumps(about)})
