"""Dataset statistics: what -1 and 1 of a normalised action mean in the robot's units.

They come from ``dataset_statistics.json`` beside the weights, else from ``norm_stats`` in
``config.json``; the file replaces the other wholly, because after fine-tuning ``norm_stats`` still
lists the datasets of the base model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from vla_ros.core.errors import ConfigError, InputError, unknown_choice

FILE = 'dataset_statistics.json'
OFT_EPSILON = 1e-8
"""OpenVLA-OFT adds this to every range; plain OpenVLA does not."""


class Normalization(str, Enum):
    """Which statistics are -1 and 1."""

    BOUNDS_Q99 = 'bounds_q99'  # first and 99th percentile
    BOUNDS = 'bounds'  # minimum and maximum

    @property
    def fields(self) -> tuple[str, str]:
        """Names of the two statistics."""
        return ('q01', 'q99') if self is Normalization.BOUNDS_Q99 else ('min', 'max')


@dataclass(frozen=True, eq=False)
class Bounds:
    """Range of each of n numbers.

    Attributes
    ----------
    low, high : np.ndarray
        (n,) float64, in the data's units.
    mask : np.ndarray
        (n,) bool; a number that is not masked in passes through as it is (the gripper).
    epsilon : float
        Added to every range.

    """

    low: np.ndarray
    high: np.ndarray
    mask: np.ndarray
    epsilon: float = 0.0

    @property
    def size(self) -> int:
        """How many numbers."""
        return len(self.low)

    def unnormalise(self, values: np.ndarray) -> np.ndarray:
        """Return ``(u + 1) / 2 * (high - low + epsilon) + low``, float64, for (…, n) values.

        The first half is done in the type of the values and the rest in float64, as the reference
        does with a head's float32; its results are then met to the last bit.
        """
        values = np.asarray(values)
        scaled = 0.5 * (values + 1.0) * (self.high - self.low + self.epsilon) + self.low
        return np.where(self.mask, scaled, values.astype(np.float64))

    def normalise(self, values: np.ndarray) -> np.ndarray:
        """Return ``2 (p - low) / (high - low + epsilon) - 1``, clipped to [-1, 1], float64.

        Numbers that pass through are clipped too, as in the reference. The argument is not changed.

        Raises
        ------
        InputError
            When there are not n finite numbers.

        """
        values = np.asarray(values, dtype=np.float64)
        if values.shape != self.low.shape or not np.isfinite(values).all():
            raise InputError(f'expected {self.size} finite numbers, found {values.tolist()}')
        width = self.high - self.low + self.epsilon
        scaled = 2.0 * (values - self.low) / np.where(width == 0.0, 1.0, width) - 1.0
        return np.clip(np.where(self.mask, scaled, values), -1.0, 1.0)


class Statistics:
    """Statistics of one or several datasets, checked.

    Parameters
    ----------
    datasets : Mapping
        Dataset key -> ``{'action': {...}, 'proprio': {...}}``.
    source : str
        Where they come from, for messages.

    """

    def __init__(self, datasets: Mapping[str, Any], source: str) -> None:
        if not isinstance(datasets, Mapping) or not datasets:
            raise ConfigError(f'{source}: expected statistics of at least one dataset, found none')
        for key, values in datasets.items():
            if not isinstance(values, Mapping) or not isinstance(values.get('action'), Mapping):
                raise ConfigError(f'{source}: {key}: expected a mapping with the key "action"')
        self.datasets = datasets
        self.source = source

    @classmethod
    def of_directory(cls, directory: Path, config: Mapping[str, Any],
                     own_file: bool = False) -> Statistics:
        """Return the statistics of a checkpoint directory.

        ``own_file`` says that the directory must bring its own file: what ``config.json`` of a
        fine-tuned model lists are the datasets of its base.

        Raises
        ------
        ConfigError
            When there are none, or they cannot be used.

        """
        path = directory / FILE
        if path.is_file():
            try:
                return cls(json.loads(path.read_text(encoding='utf-8')), str(path))
            except (OSError, ValueError) as error:
                raise ConfigError(f'{path}: cannot be read: {error}', path=path) from error
        norm_stats = config.get('norm_stats')
        if own_file or not norm_stats:
            found = (f'{directory / "config.json"} lists {", ".join(norm_stats)}, but those are '
                     f'the base model\'s' if norm_stats else 'config.json has no norm_stats either')
            raise ConfigError(f'{path}: no such file; without the statistics of the training data '
                              f'an action cannot be put into the robot\'s units ({found})',
                              path=path)
        return cls(norm_stats, f'{directory / "config.json"}: norm_stats')

    def choose(self, key: str | None) -> str:
        """Return the dataset key to use.

        None is accepted when there is exactly one dataset. ``<key>_no_noops`` is tried second, as
        the LIBERO suites are named.

        Raises
        ------
        ConfigError
            When the key is unknown or ambiguous; the message lists the keys.

        """
        if key is None:
            if len(self.datasets) != 1:
                raise ConfigError(f'{self.source} has several datasets; choose one with '
                                  f'unnorm_key. Choices: {", ".join(sorted(self.datasets))}',
                                  choices=sorted(self.datasets))
            return next(iter(self.datasets))
        for name in (key, f'{key}_no_noops'):
            if name in self.datasets:
                return name
        raise unknown_choice('unnorm_key', key, self.datasets)

    def size(self, key: str, part: str) -> int | None:
        """Return how many numbers an ``action`` or ``proprio`` has; None where there is none."""
        values = self.datasets[key].get(part)
        if not isinstance(values, Mapping):
            return None
        return next((len(values[name]) for name in ('q01', 'min')
                     if isinstance(values.get(name), list)), None)

    def bounds(self, key: str, part: str, normalization: Normalization,
               epsilon: float = 0.0) -> Bounds:
        """Return the range of each number of ``action`` or ``proprio``.

        Raises
        ------
        ConfigError
            When a statistic is missing, of another length, not finite, or upside down.

        """
        where = f'{self.source}: {key}.{part}'
        values = self.datasets[key].get(part)
        if not isinstance(values, Mapping):
            raise ConfigError(f'{where}: missing; it has {", ".join(sorted(self.datasets[key]))}')
        low_name, high_name = normalization.fields
        low, high = (_numbers(values, name, where) for name in (low_name, high_name))
        if low.shape != high.shape or not (low <= high).all():
            raise ConfigError(f'{where}: expected {low_name} <= {high_name}, one for one; found '
                              f'{low.tolist()} and {high.tolist()}')
        given = values.get('mask', [True] * len(low))
        if not isinstance(given, list) or not all(isinstance(part, bool) for part in given):
            raise ConfigError(f'{where}.mask: expected a list of true and false, found '
                              f'{given!r:.80}')
        if len(given) != len(low):
            raise ConfigError(f'{where}.mask: expected {len(low)} values, found {len(given)}')
        return Bounds(low, high, np.array(given), epsilon)


def _numbers(values: Mapping[str, Any], name: str, where: str) -> np.ndarray:
    try:
        array = np.asarray(values[name], dtype=np.float64)
    except KeyError:
        raise ConfigError(f'{where}.{name}: missing; it has {", ".join(sorted(values))}') from None
    except (TypeError, ValueError, OverflowError):
        array = np.empty(0)
    if array.ndim != 1 or array.size == 0 or not np.isfinite(array).all():
        raise ConfigError(f'{where}.{name}: expected a list of finite numbers, found '
                          f'{values[name]!r:.80}')
    return array
