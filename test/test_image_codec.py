"""Pictures without ROS: sizes from headers, and the same decoder for rclpy's and a bag's messages.

What each encoding looks like decoded is held in test/ros/test_images.py and
test/replay/test_pictures.py.
"""

from __future__ import annotations

import subprocess
import sys
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.image_codec import encode_rgb, picture_size, rgb_from_compressed

try:
    import simplejpeg
except ImportError:
    simplejpeg = None


@given(width=st.integers(1, 300), height=st.integers(1, 300),
       format=st.sampled_from(['jpeg', 'png']))
@settings(deadline=None, max_examples=40)
def test_size_is_read_from_the_header_alone(width, height, format):
    data = encode_rgb(np.zeros((height, width, 3), np.uint8), format)
    assert picture_size(data) == (width, height)
    assert picture_size(data[:len(data) * 2 // 3 + 30]) in ((width, height), None)


@given(st.binary(max_size=80), st.sampled_from([b'', b'\xff\xd8\xff', b'\x89PNG\r\n\x1a\n']))
def test_any_bytes_have_a_size_or_none(data, start):
    size = picture_size(start + data)
    assert size is None or len(size) == 2


def test_unknown_format_lists_the_known_ones():
    with pytest.raises(ConfigError, match='jpeg, png'):
        encode_rgb(np.zeros((4, 4, 3), np.uint8), 'gif')


def test_the_codec_loads_without_ros_and_opencv():
    script = ('import sys; sys.modules["cv2"] = sys.modules["rclpy"] = None; '
              'import vla_ros.image_codec')
    done = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr


class Compressed:
    """The fields of a ``CompressedImage`` that are read."""

    format = 'jpeg'

    def __init__(self, data: bytes) -> None:
        self.data = data


def both_ways(data: bytes, monkeypatch) -> list[np.ndarray | str]:
    """Return what simplejpeg and what OpenCV alone make of it: a picture, or what is wrong."""
    found: list[np.ndarray | str] = []
    for module in (simplejpeg, None):
        monkeypatch.setitem(sys.modules, 'simplejpeg', module)
        try:
            found.append(rgb_from_compressed(Compressed(data)))
        except InputError as error:
            found.append(str(error))
    return found


def photograph(width: int, height: int) -> np.ndarray:
    """Return a picture with edges, gradients and noise."""
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(width).integers(0, 40, (height, width, 3))
    rgb = np.stack([x * 5 % 256, y * 3 % 256, (x * y) % 256], axis=-1)
    return ((rgb + noise) % 256).astype(np.uint8)


def jpeg(image: np.ndarray, **options: object) -> bytes:
    image_module = pytest.importorskip('PIL.Image')
    out = BytesIO()
    mode = options.pop('mode', None)
    picture = image_module.fromarray(image)
    (picture.convert(mode) if mode else picture).save(out, 'JPEG', **options)
    return out.getvalue()


needs_both = pytest.mark.skipif(simplejpeg is None, reason='simplejpeg is not installed')


@needs_both
@pytest.mark.parametrize('options', [
    {'quality': 90, 'subsampling': 0}, {'quality': 75, 'subsampling': 1},
    {'quality': 40, 'subsampling': 2}, {'quality': 85, 'progressive': True},
    {'quality': 85, 'mode': 'L'}, {'quality': 85, 'optimize': True},
    {'quality': 90, 'restart_marker_blocks': 4}, {'quality': 90, 'mode': 'CMYK'}],
    ids=lambda o: ' '.join(map(str, o.items())))
@pytest.mark.parametrize('size', [(64, 48), (37, 21), (1, 1), (640, 480)])
def test_the_fast_jpeg_decoder_gives_the_pixels_of_opencv(options, size, monkeypatch):
    fast, slow = both_ways(jpeg(photograph(*size), **dict(options)), monkeypatch)
    assert isinstance(fast, np.ndarray) and fast.shape == (size[1], size[0], 3)
    assert np.array_equal(fast, slow)


@needs_both
def test_a_picture_that_says_how_it_is_turned_is_turned_either_way(monkeypatch):
    image_module = pytest.importorskip('PIL.Image')
    exif = image_module.Exif()
    exif[0x0112] = 6  # orientation: turn by 90 degrees
    fast, slow = both_ways(jpeg(photograph(40, 30), exif=exif.tobytes()), monkeypatch)
    assert np.asarray(fast).shape == (40, 30, 3)
    assert np.array_equal(fast, slow)


@needs_both
@settings(deadline=None, max_examples=60)
@given(place=st.floats(0.0, 1.0), value=st.integers(0, 255), cut=st.floats(0.3, 1.0))
def test_a_damaged_jpeg_is_the_same_either_way(place, value, cut):
    data = bytearray(encode_rgb(photograph(48, 32)))
    data[min(int(place * len(data)), len(data) - 1)] = value
    with pytest.MonkeyPatch.context() as monkeypatch:
        for raw in (bytes(data), bytes(data[:int(cut * len(data))]) + b'\xff\xd9'):
            fast, slow = both_ways(raw, monkeypatch)
            assert type(fast) is type(slow)
            assert np.array_equal(fast, slow)


def test_a_jpeg_needs_either_library_only():
    script = ('import sys; sys.modules["cv2"] = None\n'
              'from types import SimpleNamespace\n'
              'from vla_ros.image_codec import rgb_from_compressed as decode\n'
              'data = sys.stdin.buffer.read()\n'
              'print(decode(SimpleNamespace(data=data, format="jpeg")).shape)')
    data = encode_rgb(photograph(16, 8))
    if simplejpeg is None:
        pytest.skip('simplejpeg is not installed')
    done = subprocess.run([sys.executable, '-c', script], input=data, capture_output=True,
                          check=False)
    assert done.stdout.strip() == b'(8, 16, 3)', done.stderr
