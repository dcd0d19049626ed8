"""The image as training saw it: TensorFlow's JPEG round trip, Lanczos resize and centre crop.

Own arithmetic in numpy, no TensorFlow; formulas measured against TF 2.15 (tests hold the distance
to its recorded results). Every image is (H, W, 3) uint8 RGB unless it says otherwise.
"""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
from PIL import Image

from vla_ros.core.errors import DependencyError

LANCZOS_RADIUS = 3.0
CROP_AREA = 0.9
"""Part of the area that the centre crop keeps, that of training's random crops."""


def jpeg_round_trip(image: np.ndarray, fast_dct: bool = True) -> np.ndarray:
    """Return an image encoded as JPEG (quality 95, 4:2:0) and decoded again.

    ``fast_dct`` decodes with the fast integer DCT as TensorFlow does, bit for bit; the accurate one
    of Pillow is off by 1 level in the mean and up to 13.

    Raises
    ------
    DependencyError
        When ``fast_dct`` is asked for and simplejpeg is not installed.

    """
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, 'JPEG', quality=95, subsampling='4:2:0')
    if not fast_dct:
        return np.asarray(Image.open(buffer).convert('RGB'))
    return decode_fast_dct(buffer.getvalue())


def decode_fast_dct(data: bytes) -> np.ndarray:
    """Return the image of a JPEG file, decoded with the fast integer DCT and smooth chroma."""
    try:
        import simplejpeg
    except ImportError as error:
        raise DependencyError(
            'the JPEG round trip needs simplejpeg to decode as TensorFlow does: pip install '
            'simplejpeg, or set image.jpeg_decoder to "accurate" (off by about 1 of 255)'
        ) from error
    return simplejpeg.decode_jpeg(data, colorspace='RGB', fastdct=True, fastupsample=False)


def lanczos_resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return an image resized by an antialiased Lanczos-3 filter, rounded half to even."""
    return np.clip(np.rint(lanczos_float(image, height, width)), 0.0, 255.0).astype(np.uint8)


def lanczos_float(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return the float32 result of the resize before rounding: vertical first, then horizontal."""
    rows, columns, channels = image.shape
    values = image.astype(np.float32).reshape(rows, columns * channels)
    values = (_lanczos_weights(rows, height) @ values).reshape(height, columns, channels)
    return np.einsum('xc,ycd->yxd', _lanczos_weights(columns, width), values, optimize=True)


@lru_cache(maxsize=32)
def _lanczos_weights(n_in: int, n_out: int) -> np.ndarray:
    """Return (n_out, n_in) float32: the part of each input pixel in each output pixel."""
    scale = np.float32(n_in / n_out)
    stretch = max(scale, np.float32(1.0))  # antialias only where the image shrinks
    centre = (np.arange(n_out, dtype=np.float32) + np.float32(0.5)) * scale
    distance = np.arange(n_in, dtype=np.float32) + np.float32(0.5) - centre[:, None]
    weights = _lanczos(np.abs(distance) / stretch).astype(np.float32)
    weights /= weights.sum(axis=1, keepdims=True)
    weights.flags.writeable = False
    return weights


def _lanczos(v: np.ndarray) -> np.ndarray:
    """Return 3 sin(pi v) sin(pi v / 3) / (pi v)^2 within the radius, zero beyond."""
    with np.errstate(divide='ignore', invalid='ignore'):
        kernel = (LANCZOS_RADIUS * np.sin(np.pi * v) * np.sin(np.pi * v / LANCZOS_RADIUS)
                  / (np.pi * v) ** 2)
    return np.where(v <= 1e-3, 1.0, np.where(v <= LANCZOS_RADIUS, kernel, 0.0))


def centre_crop(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return the middle 90 % of the area, resized to ``height`` x ``width``, uint8.

    Back from [0, 1] with ``floor(v * 255.5)``, as TensorFlow's saturating conversion does;
    rounding instead would move a quarter of the values by one.
    """
    values = np.clip(centre_crop_float(image, height, width), 0.0, 1.0)
    return np.floor(values * np.float32(255.5)).astype(np.uint8)


def centre_crop_float(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return the crop in [0, 1], float32: corner-aligned bilinear, first in x, then in y."""
    values = image.astype(np.float32) * np.float32(1.0 / 255.0)
    rows, columns, _ = image.shape
    left, right, part_x = _crop_samples(columns, width)
    top, bottom, part_y = _crop_samples(rows, height)
    across = values[:, left] + (values[:, right] - values[:, left]) * part_x[:, None]
    return across[top] + (across[bottom] - across[top]) * part_y[:, None, None]


@lru_cache(maxsize=32)
def _crop_samples(n_in: int, n_out: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return, for each output pixel, its two input pixels and the part of the second (float32)."""
    one = np.float32(1.0)
    side = np.sqrt(np.float32(CROP_AREA))
    start = (one - side) / np.float32(2.0)
    span = np.float32(n_in - 1)
    step = side * span / np.float32(n_out - 1)
    at = start * span + np.arange(n_out, dtype=np.float32) * step
    first = np.floor(at)
    return first.astype(int), np.ceil(at).astype(int), (at - first).astype(np.float32)
