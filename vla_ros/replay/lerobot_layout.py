"""What the LeRobot dataset layouts v2.1 and v3.0 have in common, and where they put things."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vla_ros.core.errors import InputError
from vla_ros.replay.episode import Episode

VERSIONS = ('v2.1', 'v3.0')
"""Those that are written; v2.0 is read, too."""

CHUNK = 1000
"""Episodes (v2.1) or files (v3.0) in a folder."""

DATA_MB, VIDEO_MB = 100, 200
"""A file of v3.0 that reaches this is followed by another."""

STATE, ACTION, CAMERA = 'observation.state', 'action', 'observation.images.'
STAMP = 'stamp_ns'
"""Our column with the recorded stamp; its name keeps it from being taken for an observation."""

DATA_PATH = {
    'v2.1': 'data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet',
    'v3.0': 'data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet',
}
VIDEO_PATH = {
    'v2.1': 'videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4',
    'v3.0': 'videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4',
}
EPISODES_PATH = 'meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet'

INDEX_FEATURES: dict[str, str] = {'timestamp': 'float32', 'frame_index': 'int64',
                                  'episode_index': 'int64', 'index': 'int64',
                                  'task_index': 'int64', STAMP: 'int64'}


@dataclass(frozen=True)
class Shape:
    """What every episode of one dataset must share.

    Attributes
    ----------
    rate_hz : int
        Frames a second.
    sizes : Mapping[str, tuple[int, int]]
        Camera -> (width, height) [px].
    state_names, action_names : tuple[str, ...]
        Of the columns.

    """

    rate_hz: int
    sizes: Mapping[str, tuple[int, int]]
    state_names: tuple[str, ...]
    action_names: tuple[str, ...]

    @classmethod
    def of(cls, episode: Episode) -> Shape:
        """Return the shape of an episode.

        Raises
        ------
        InputError
            When its rate is not a whole number, which the layout needs.

        """
        rate = round(episode.rate_hz)
        if rate < 1 or abs(episode.rate_hz - rate) > 0.02 * rate:
            raise InputError(f'{episode.source}: {episode.rate_hz:.3f} steps a second; the LeRobot '
                             'layout needs a whole number: resample the episode to one')
        sizes = {}
        for camera in episode.images:
            height, width = next(episode.frames(camera)).shape[:2]
            sizes[camera] = (width, height)
        return cls(rate, sizes, episode.state_names, episode.action_names)

    def differences(self, other: Shape) -> list[str]:
        """Return in words what is not the same."""
        return [f'{name} {getattr(other, name)} instead of {getattr(self, name)}'
                for name in ('rate_hz', 'sizes', 'state_names', 'action_names')
                if getattr(self, name) != getattr(other, name)]

    def features(self, dtype: str) -> dict[str, dict[str, Any]]:
        """Return the ``features`` of ``info.json``; numbers are of ``dtype``."""
        found: dict[str, dict[str, Any]] = {}
        for camera, (width, height) in self.sizes.items():
            found[CAMERA + camera] = {
                'dtype': 'video', 'shape': [height, width, 3],
                'names': ['height', 'width', 'channels'],
                'info': {'video.height': height, 'video.width': width, 'video.codec': 'h264',
                         'video.pix_fmt': 'yuv420p', 'video.is_depth_map': False,
                         'video.fps': self.rate_hz, 'video.channels': 3, 'has_audio': False}}
        for key, names in ((STATE, self.state_names), (ACTION, self.action_names)):
            if names:
                found[key] = {'dtype': dtype, 'shape': [len(names)], 'names': list(names)}
        for key, kind in INDEX_FEATURES.items():
            found[key] = {'dtype': kind, 'shape': [1], 'names': None}
        return found


def vector_stats(values: np.ndarray) -> dict[str, list[float]]:
    """Return the statistics of the columns of (T, n) numbers, or of (T,) as one column."""
    table = np.asarray(values, np.float64).reshape(len(values), -1)
    found = {'min': table.min(axis=0), 'max': table.max(axis=0), 'mean': table.mean(axis=0),
             'std': table.std(axis=0)}
    return {**{name: value.tolist() for name, value in found.items()}, 'count': [len(table)]}


class PictureStats:
    """Mean, deviation, least and most of a camera's channels, 0 to 1, from a grid of pixels."""

    _GRID = 4  # every fourth pixel both ways; all of them change the mean by next to nothing

    def __init__(self) -> None:
        self._count = 0
        self._frames = 0
        self._sum, self._squares = np.zeros(3), np.zeros(3)
        self._least, self._most = np.full(3, np.inf), np.full(3, -np.inf)

    def add(self, rgb: np.ndarray) -> None:
        """Take in a (H, W, 3) uint8 picture."""
        pixels = rgb[::self._GRID, ::self._GRID].reshape(-1, 3) / 255.0
        self._count += len(pixels)
        self._frames += 1
        self._sum += pixels.sum(axis=0)
        self._squares += (pixels ** 2).sum(axis=0)
        self._least = np.minimum(self._least, pixels.min(axis=0))
        self._most = np.maximum(self._most, pixels.max(axis=0))

    def result(self) -> dict[str, Any]:
        """Return the statistics, each channel as the layout wants it: (3, 1, 1)."""
        mean = self._sum / self._count
        deviation = np.sqrt(np.maximum(self._squares / self._count - mean ** 2, 0.0))
        found = {'min': self._least, 'max': self._most, 'mean': mean, 'std': deviation}
        return {**{name: value.reshape(3, 1, 1).tolist() for name, value in found.items()},
                'count': [self._frames]}


def merged_stats(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the statistics of all parts together, from those of each (same keys)."""
    found: dict[str, Any] = {}
    for key in parts[0]:
        stats = [part[key] for part in parts]
        weights = np.array([stat['count'][0] for stat in stats], np.float64)
        mean, std = (np.array([stat[name] for stat in stats]) for name in ('mean', 'std'))
        shape = (-1, *[1] * (mean.ndim - 1))
        share = (weights / weights.sum()).reshape(shape)
        whole = (share * mean).sum(axis=0)
        spread = np.sqrt((share * (std ** 2 + (mean - whole) ** 2)).sum(axis=0))
        found[key] = {'min': np.min([stat['min'] for stat in stats], axis=0).tolist(),
                      'max': np.max([stat['max'] for stat in stats], axis=0).tolist(),
                      'mean': whole.tolist(), 'std': spread.tolist(),
                      'count': [int(weights.sum())]}
    return found
