"""Camera messages <-> (H, W, 3) uint8 RGB arrays."""

from __future__ import annotations

import array
from typing import Any

import numpy as np
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from vla_ros.core.errors import ConfigError, DependencyError, InputError
from vla_ros.ros.stamps import time_message

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
"""The formats that :func:`compressed_from_rgb` writes and :func:`rgb_from_compressed` reads."""

_JPEG_SCAN, _JPEG_END = b'\xff\xda', b'\xff\xd9'


def rgb_from_image(msg: Image, topic: str = 'image') -> np.ndarray:
    """Return the picture of an ``Image`` message.

    An encoding that is not in :data:`ENCODINGS` is left to ``cv_bridge`` where that is installed.

    Parameters
    ----------
    msg : sensor_msgs.msg.Image
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
    known = _ENCODINGS.get(msg.encoding)
    if known is None:
        return _rgb_by_cv_bridge(msg, topic)
    pixel_bytes, code = known
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


def rgb_from_compressed(msg: CompressedImage, topic: str = 'image') -> np.ndarray:
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
    if raw[:3] == b'\xff\xd8\xff':
        # OpenCV fills the missing part of a cut JPEG with grey and calls it a picture.
        if raw.rfind(_JPEG_END) <= raw.rfind(_JPEG_SCAN):
            raise InputError(f'{problem}: the JPEG is cut short')
    elif raw[:8] != b'\x89PNG\r\n\x1a\n':
        raise InputError(f'{problem}: it is neither JPEG nor PNG')
    elif b'IEND' not in raw[-64:]:
        raise InputError(f'{problem}: the PNG is cut short')
    cv2 = _cv2(f'{topic}: compressed images')
    try:
        bgr = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise InputError(f'{problem}: {error}') from error
    if bgr is None:
        raise InputError(f'{problem}: its content is damaged')
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))


def image_from_rgb(rgb: np.ndarray, stamp_ns: int, frame_id: str) -> Image:
    """Return the ``Image`` (rgb8) of a (H, W, 3) uint8 RGB picture taken at ``stamp_ns``."""
    _check_rgb(rgb)
    msg = Image(height=rgb.shape[0], width=rgb.shape[1], encoding='rgb8', is_bigendian=0,
                step=rgb.shape[1] * 3)
    msg.header.stamp = time_message(stamp_ns)
    msg.header.frame_id = frame_id
    msg.data = _byte_array(np.ascontiguousarray(rgb).tobytes())
    return msg


def compressed_from_rgb(rgb: np.ndarray, stamp_ns: int, frame_id: str, *, format: str = 'jpeg',
                        quality: int = 90) -> CompressedImage:
    """Return the ``CompressedImage`` of a (H, W, 3) uint8 RGB picture taken at ``stamp_ns``.

    ``quality`` is the JPEG quality in percent; PNG has none.
    """
    if format not in COMPRESSED_FORMATS:
        raise ConfigError(f'unknown image format {format!r}. '
                          f'Choices: {", ".join(COMPRESSED_FORMATS)}')
    _check_rgb(rgb)
    cv2 = _cv2('compressed images')
    options = [cv2.IMWRITE_JPEG_QUALITY, int(quality)] if format == 'jpeg' else []
    _, data = cv2.imencode(f'.{format}', cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), options)
    # This is how image_transport writes it, so that its subscribers find the colour order.
    msg = CompressedImage(format=f'rgb8; {format} compressed bgr8')
    msg.header.stamp = time_message(stamp_ns)
    msg.header.frame_id = frame_id
    msg.data = _byte_array(data.tobytes())
    return msg


def camera_info(K: np.ndarray, width: int, height: int, stamp_ns: int,
                frame_id: str) -> CameraInfo:
    """Return the ``CameraInfo`` of an undistorted pinhole camera, K (3, 3) in pixels."""
    K = np.asarray(K, dtype=np.float64)
    if K.shape != (3, 3) or not np.isfinite(K).all():
        raise ConfigError(f'camera intrinsics: expected a finite 3x3 matrix, found {K.tolist()}')
    msg = CameraInfo(width=width, height=height, distortion_model='plumb_bob')
    msg.header.stamp = time_message(stamp_ns)
    msg.header.frame_id = frame_id
    msg.d = [0.0] * 5
    msg.k = K.ravel()
    msg.r = np.eye(3).ravel()
    msg.p = np.hstack([K, np.zeros((3, 1))]).ravel()
    return msg


def _pixel_rows(msg: Image, pixel_bytes: int, topic: str) -> np.ndarray:
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


def _rgb_by_cv_bridge(msg: Image, topic: str) -> np.ndarray:
    problem = (f'{topic}: unknown image encoding {msg.encoding!r}. '
               f'Supported: {", ".join(ENCODINGS)}')
    try:
        from cv_bridge import CvBridge
    except (ImportError, AttributeError):  # the latter when it was built for another numpy
        raise InputError(f'{problem} (and, where cv_bridge is installed, those that it '
                         'converts)') from None
    try:
        return np.asarray(CvBridge().imgmsg_to_cv2(msg, 'rgb8'))
    except Exception as error:  # CvBridgeError, cv2.error, or whatever its C++ raised
        raise InputError(f'{problem}; cv_bridge: {error}') from error


def _check_rgb(rgb: np.ndarray) -> None:
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.size == 0:
        raise InputError(f'picture: expected (H, W, 3) uint8 RGB, found {rgb.shape} {rgb.dtype}')


def _byte_array(data: bytes) -> array.array[int]:
    # rclpy copies an array.array('B') as one block; anything else it may take number by number
    # (measured for a 256x256 picture: 0.02 ms against 9.6 ms).
    out = array.array('B')
    out.frombytes(data)
    return out


def _cv2(what: str) -> Any:
    try:
        import cv2
    except ImportError as error:
        raise DependencyError(f'{what} needs OpenCV. Install python3-opencv (apt) or '
                              'opencv-python-headless (pip).') from error
    return cv2
