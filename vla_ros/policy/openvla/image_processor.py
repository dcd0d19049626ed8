"""The image processor of ``preprocessor_config.json``: resize, crop, normalise, once per tower.

Two towers normalise differently, so one image becomes six channels: the first tower's RGB, then the
second's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vla_ros.core.errors import ConfigError, unknown_choice

FILE = 'preprocessor_config.json'
STRATEGIES = ('resize-naive', 'letterbox', 'resize-crop')
_LARGEST = 1 << 13  # side [px]
_INTERPOLATIONS = {'bicubic': Image.Resampling.BICUBIC, 'bilinear': Image.Resampling.BILINEAR,
                   3: Image.Resampling.BICUBIC, 2: Image.Resampling.BILINEAR}


@dataclass(frozen=True)
class ImageProcessor:
    """Turns a uint8 RGB image into the model's input.

    Attributes
    ----------
    size : tuple[int, int]
        Height and width of the result [px].
    strategy : str
        ``resize-naive`` stretches, ``resize-crop`` fills the square from the shorter side and cuts,
        ``letterbox`` pads to a square first.
    means, stds : tuple[tuple[float, float, float], ...]
        Per tower and channel, of values in [0, 1].
    fill : tuple[int, int, int]
        Colour of the letterbox.
    interpolation : Image.Resampling
        Pillow's filter, antialiased.

    """

    size: tuple[int, int]
    strategy: str
    means: tuple[tuple[float, ...], ...]
    stds: tuple[tuple[float, ...], ...]
    fill: tuple[int, ...]
    interpolation: Image.Resampling = Image.Resampling.BICUBIC

    @classmethod
    def of_directory(cls, directory: Path) -> ImageProcessor:
        """Read ``preprocessor_config.json`` of a checkpoint directory."""
        path = directory / FILE
        try:
            values = json.loads(path.read_text(encoding='utf-8'))
        except (OSError, ValueError) as error:
            raise ConfigError(f'{path}: cannot be read: {error}', path=path) from error
        try:
            return cls.from_dict(values)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError,
                OverflowError) as error:
            raise ConfigError(f'{path}: not what an OpenVLA image processor writes: {error!r}',
                              path=path) from error

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ImageProcessor:
        """Read the mapping of a ``preprocessor_config.json``.

        ``tvf_normalize_params`` wins over ``means`` and ``stds``: the released files hold the
        bfloat16 roundings there, and those were used in training.
        """
        strategy = values['image_resize_strategy']
        if strategy not in STRATEGIES:
            raise unknown_choice('image_resize_strategy', strategy, STRATEGIES)
        sizes = {tuple(size[-2:]) for size in values['input_sizes']}
        if len(sizes) != 1:
            raise ValueError(f'towers with different input sizes: {sorted(sizes)}')
        used = values.get('tvf_normalize_params')
        means = _triples('mean', [p['mean'] for p in used] if used else values['means'])
        stds = _triples('std', [p['std'] for p in used] if used else values['stds'])
        if len(means) != len(stds) or not all(part > 0.0 for std in stds for part in std):
            raise ValueError(f'expected a std above 0 for each of {len(means)} means, found {stds}')
        fill = values.get('tvf_letterbox_fill') or [int(255 * part) for part in means[-1]]
        if len(fill) != 3 or not all(isinstance(part, int) and 0 <= part <= 255 for part in fill):
            raise ValueError(f'tvf_letterbox_fill: expected a colour, found {fill}')
        size = sizes.pop()
        if len(size) != 2 or not all(isinstance(side, int) and 1 <= side <= _LARGEST
                                     for side in size):
            raise ValueError(f'input_sizes: expected height and width in pixels, found {size}')
        names = set(values.get('interpolations') or ['bicubic'])
        if len(names) != 1:
            raise ValueError(f'towers with different interpolations: {sorted(names)}')
        name = names.pop()
        if name not in _INTERPOLATIONS:
            raise unknown_choice('interpolation', name, ('bicubic', 'bilinear'))
        return cls(size, strategy, means, stds, tuple(fill), _INTERPOLATIONS[name])

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Return (3 * towers, H, W) float32 for an (h, w, 3) uint8 RGB image."""
        values = self.resize(image).transpose(2, 0, 1).astype(np.float32) / np.float32(255.0)
        return np.concatenate([
            (values - _per_channel(mean)) / _per_channel(std)
            for mean, std in zip(self.means, self.stds, strict=True)])

    def resize(self, image: np.ndarray) -> np.ndarray:
        """Return the (H, W, 3) uint8 image that is then normalised."""
        height, width = self.size
        picture = Image.fromarray(image)
        if self.strategy == 'resize-naive':
            return np.asarray(picture.resize((width, height), self.interpolation))
        if self.strategy == 'letterbox':
            picture = self._letterboxed(picture)
        return np.asarray(self._filled(picture))

    def _letterboxed(self, picture: Image.Image) -> Image.Image:
        side = max(picture.size)
        margin_x, margin_y = ((side - length) // 2 for length in picture.size)
        canvas = Image.new('RGB', (picture.width + 2 * margin_x, picture.height + 2 * margin_y),
                           self.fill)
        canvas.paste(picture, (margin_x, margin_y))
        return canvas

    def _filled(self, picture: Image.Image) -> Image.Image:
        """Return the picture with its shorter side resized to fit, the longer one cut evenly."""
        height, width = self.size
        short = min(picture.size)
        picture = picture.resize(tuple(int(width * length / short) for length in picture.size),
                                 self.interpolation)
        left = round((picture.width - width) / 2.0)
        top = round((picture.height - height) / 2.0)
        return picture.crop((left, top, left + width, top + height))


def _triples(name: str, given: Any) -> tuple[tuple[float, ...], ...]:
    array = np.asarray(given, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 3 or not len(array) or not np.isfinite(array).all():
        raise ValueError(f'expected three numbers of {name} for each tower, found {given!r:.80}')
    return tuple(tuple(row) for row in array.tolist())


def _per_channel(values: tuple[float, ...]) -> np.ndarray:
    return np.asarray(values, dtype=np.float32)[:, None, None]
