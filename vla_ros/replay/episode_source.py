"""Whatever episodes lie at a path, behind one small face."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from vla_ros.core.errors import ConfigError
from vla_ros.replay.episode import Episode
from vla_ros.replay.episode_npz import is_npz_episode, read_npz
from vla_ros.replay.public_episodes import read_public


class EpisodeSource(Protocol):
    """Episodes by number."""

    def __len__(self) -> int:
        """Return how many there are."""

    def episode(self, index: int) -> Episode:
        """Return one of them."""


class EpisodeList:
    """Episodes that are at hand."""

    def __init__(self, episodes: list[Episode]) -> None:
        self._episodes = episodes

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._episodes)

    def episode(self, index: int) -> Episode:
        """Return one of them."""
        return self._episodes[index]


def open_episodes(path: Path) -> EpisodeSource:
    """Return the episodes of a LeRobot data set, of ``.npz`` files, or of a public excerpt.

    Raises
    ------
    ConfigError
        When there is nothing at ``path``, or no episodes.
    InputError
        When what is there cannot be read.

    """
    if not path.exists():
        raise ConfigError(f'{path}: no such file or folder', path=path)
    if path.is_file():
        return EpisodeList([read_npz(path)] if is_npz_episode(path) else read_public(path))
    if (path / 'meta' / 'info.json').is_file():
        from vla_ros.replay.lerobot_reader import LeRobotDataset

        return LeRobotDataset(path)
    files = sorted(path.glob('*.npz'))
    if not files:
        raise ConfigError(f'{path}: no episodes: neither meta/info.json of a LeRobot data set nor '
                          '.npz files', path=path)
    return EpisodeList([read_npz(file) for file in files])
