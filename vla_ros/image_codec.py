"""Pictures <-> bytes: every common encoding of a camera message, without ROS.

The messages of ``rclpy`` and those of a bag's reader have the same fields, so one decoder serves
both, and a picture is the same live and in a replay.
"""

from __future__ import annotations

import struct
from typing import Any, Protocol

import numpy as np

from vla_ros.core.errors import DependencyError, InputError, unknown_choice


class ImageLike(Protocol):
    """The fields of ``sensor_msgs/Image`` that matter here; ``data`` is a buffer of bytes."""

    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: Any


class CompressedImageLike(Protocol):
    """The fields of ``sensor_msgs/CompressedImage`` that matter here."""

    format: str
    data: Any


# encoding -> (bytes per pixel, name of the OpenCV conversion to RGB; None: it is RGB already).
# OpenCV names a Bayer pattern after its second row, ROS after its first.
_ENCODINGS: dict[str, tuple[int, str | None]] = {
    'rgb8': (3, None),
    'bgr8': (3, 'COLOR_BGR2RGB'),
    '8UC3': (3, 'COLOR_BGR2RGB'),
    'rgba8': (4, 'COLOR_RGBA2RGB'),
    'bgra8': (4, 'COLOR_BGRA2RGB'),
    'mono8': (1, 'COLOR_GRAY2RGB'),
    '8UC1': (1, 'COLOR_GRAY2RGB'),
    'mono16': (2, 'COLOR_GRAY2RGB'),
    '16UC1': (2, 'COLOR_GRAY2RGB'),
    'yuv422': (2, 'COLOR_YUV2RGB_UYVY'),
    'uyvy': (2, 'COLOR_YUV2RGB_UYVY'),
    'yuv422_yuy2': (2, 'COLOR_YUV2RGB_YUY2'),
    'yuyv': (2, 'COLOR_YUV2RGB_YUY2'),
    'bayer_rggb8': (1, 'COLOR_BayerBG2RGB'),
    'bayer_bggr8': (1, 'COLOR_BayerRG2RGB'),
    'bayer_gbrg8': (1, 'COLOR_BayerGR2RGB'),
    'bayer_grbg8': (1, 'COLOR_BayerGB2RGB'),
}
_SIXTEEN_BIT = ('mono16', '16UC1')

ENCODINGS = tuple(_ENCODINGS)
"""The encodings of ``sensor_msgs/Image`` that :func:`rgb_from_image` reads by itself."""

COMPRESSED_FORMATS = ('jpeg', 'png')
"""The formats that :func:`encode_rgb` writes and :func:`rgb_from_compressed` reads."""

_JPEG_SCAN, _JPEG_END = b'\xff\xda', b'\xff\xd9'
_JPEG_MAGIC, _PNG_MAGIC = b'\xff\xd8\xff', b'\x89PNG\r\n\x1a\n'


def rgb_from_image(msg: ImageLike, topic: str = 'image') -> np.ndarray:
    """Return the picture of an ``Image`` message.

    Parameters
    ----------
    msg : ImageLike
        Rows may be padded (``step``).
    topic : str
        Where it came from, for the error.

    Returns
    -------
    np.ndarray
        (H, W, 3) uint8 RGB. An unpadded ``rgb8`` picture shares its memory with the message.

    Raises
    ------
    InputError
        When it cannot be read: the message names the topic and what was expected and found.

    """
    if msg.encoding not in _ENCODINGS:
        raise unknown_encoding(msg, topic)
    pixel_bytes, code = _ENCODINGS[msg.encoding]
    rows = _pixel_rows(msg, pixel_bytes, topic)
    if msg.encoding in _SIXTEEN_BIT:
        wide = np.ascontiguousarray(rows).view('>u2' if msg.is_bigendian else '<u2')
        # 65535 / 255 = 257, so this is the nearest 8-bit value, as cv_bridge scales mono16.
        pixels = ((wide.astype(np.uint32) + 128) // 257).astype(np.uint8)
    elif pixel_bytes > 1:
        pixels = rows.reshape(msg.height, msg.width, pixel_bytes)
    else:
        pixels = rows
    if code is None:
        return np.ascontiguousarray(pixels)
    if code.startswith('COLOR_YUV') and msg.width % 2:
        raise InputError(f'{topic}: encoding {msg.encoding!r} shares colour between two pixels, '
                         f'so the width must be even, found {msg.width}')
    if code.startswith('COLOR_Bayer') and min(msg.width, msg.height) < 3:
        raise InputError(f'{topic}: encoding {msg.encoding!r} needs at least 3x3 pixels, '
                         f'found {msg.width}x{msg.height}')
    cv2 = _cv2(f'{topic}: encoding {msg.encoding!r}')
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), getattr(cv2, code)))


def rgb_from_compressed(msg: CompressedImageLike, topic: str = 'image') -> np.ndarray:
    """Return the picture (H, W, 3) uint8 RGB of a ``CompressedImage`` (JPEG or PNG).

    Raises
    ------
    InputError
        When the format is another one, the data are cut short or they cannot be decoded.

    """
    if 'compressedDepth' in msg.format:
        raise InputError(f'{topic}: format {msg.format!r} is a depth image, not a picture; '
                         f'expected one of: {", ".join(COMPRESSED_FORMATS)}')
    data = np.frombuffer(msg.data, np.uint8)
    raw = data.tobytes()
    problem = f'{topic}: cannot decode a compressed image of {len(raw)} bytes ({msg.format!r})'
    # The content says what it is, more reliably than the free-text field `format`.
    if raw[:3] == _JPEG_MAGIC:
        # OpenCV fills the missing part of a cut JPEG with grey and calls it a picture.
        if not raw.endswith(_JPEG_END) and raw.rfind(_JPEG_END) <= raw.rfind(_JPEG_SCAN):
            raise InputError(f'{problem}: the JPEG is cut short')
        rgb = _jpeg_turbo(raw)
        if rgb is not None:
            return rgb
    elif raw[:8] != _PNG_MAGIC:
        raise InputError(f'{problem}: it is neither JPEG nor PNG')
    elif b'IEND' not in raw[-64:]:
        raise InputError(f'{problem}: the PNG is cut short')
    return _opencv(data, topic, problem)


def _jpeg_turbo(raw: bytes) -> np.ndarray | None:
    """Return the picture of a JPEG by libjpeg-turbo alone; None where OpenCV has to see to it.

    OpenCV's wheels decode with the same library, to the same pixels, and take a sixth longer. What
    is damaged is left to OpenCV, and what may have to be turned: this takes no notice of EXIF.
    """
    if b'Exif' in raw:
        return None
    try:
        import simplejpeg
    except ImportError:
        return None
    try:
        return np.asarray(simplejpeg.decode_jpeg(raw, 'RGB'))
    except ValueError:  # damaged, or of a kind that only OpenCV knows
        return None


def _opencv(data: np.ndarray, topic: str, problem: str) -> np.ndarray:
    cv2 = _cv2(f'{topic}: compressed images')
    straight = getattr(cv2, 'IMREAD_COLOR_RGB', None)  # since OpenCV 4.11
    try:
        pixels = cv2.imdecode(data, cv2.IMREAD_COLOR if straight is None else straight)
    except cv2.error as error:
        raise InputError(f'{problem}: {error}') from error
    if pixels is None:
        raise InputError(f'{problem}: its content is damaged')
    return np.asarray(pixels if straight is not None
                      else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))


def picture_size(data: bytes) -> tuple[int, int] | None:
    """Return (width, height) in pixels that a JPEG or PNG says it has; None when it says none.

    Only the header is read, so this is cheap, and says nothing about the rest.
    """
    if data[:8] == _PNG_MAGIC:
        return struct.unpack('>II', data[16:24]) if len(data) >= 24 else None
    if data[:3] != _JPEG_MAGIC:
        return None
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2:at + 4], 'big')
        # Start of frame: C0 to CF but for the tables DHT (C4), JPG (C8) and DAC (CC).
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack('>HH', data[at + 5:at + 9])
            return width, height
        at += 2 + length
    return None


def unknown_encoding(msg: ImageLike, topic: str) -> InputError:
    """Return the error for an ``Image`` that this module cannot read."""
    return InputError(f'{topic}: unknown image encoding {msg.encoding!r}. '
                      f'Supported: {", ".join(ENCODINGS)}')


def encode_rgb(rgb: np.ndarray, format: str = 'jpeg', quality: int = 90) -> bytes:
    """Return a (H, W, 3) uint8 RGB picture as JPEG or PNG.

    ``quality`` is the JPEG quality in percent; PNG has none.
    """
    if format not in COMPRESSED_FORMATS:
        raise unknown_choice('image format', format, COMPRESSED_FORMATS)
    check_rgb(rgb)
    cv2 = _cv2('compressed images')
    options = [cv2.IMWRITE_JPEG_QUALITY, int(quality)] if format == 'jpeg' else []
    _, data = cv2.imencode(f'.{format}', cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), options)
    return bytes(data.tobytes())


def check_rgb(rgb: np.ndarray) -> None:
    """Raise unless this is a (H, W, 3) uint8 picture."""
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.size == 0:
        raise InputError(f'picture: expected (H, W, 3) uint8 RGB, found {rgb.shape} {rgb.dtype}')


def _pixel_rows(msg: ImageLike, pixel_bytes: int, topic: str) -> np.ndarray:
    """Return the bytes of the pixels, (H, W * pixel_bytes) uint8, without the rows' padding."""
    width, height, step = int(msg.width), int(msg.height), int(msg.step)
    if width == 0 or height == 0:
        raise InputError(f'{topic}: the image has no pixels ({width}x{height}, '
                         f'encoding {msg.encoding!r})')
    row = width * pixel_bytes
    if step < row:
        raise InputError(f'{topic}: step is {step} bytes, but a row of {width} {msg.encoding!r} '
                         f'pixels has {row}')
    data = np.frombuffer(msg.data, np.uint8)
    # Some drivers leave out the padding of the last row.
    if not (height - 1) * step + row <= data.size <= height * step:
        raise InputError(f'{topic}: expected {height * step} bytes for {width}x{height} '
                         f'{msg.encoding!r} with step {step}, found {data.size}')
    if data.size < height * step:
        data = np.concatenate([data, np.zeros(height * step - data.size, np.uint8)])
    return data.reshape(height, step)[:, :row]


def _cv2(what: str) -> Any:
    try:
        import cv2
    except ImportError as error:
        raise DependencyError(f'{what} needs OpenCV. Install python3-opencv (apt) or '
                              'opencv-python-headless (pip).') from error
    return cv2
