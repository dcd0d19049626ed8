"""Images: every encoding is read right, and what cannot be read is refused with its topic."""

from __future__ import annotations

import array
import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sensor_msgs.msg import CompressedImage, Image

from vla_ros.core.errors import InputError
from vla_ros.ros.images import (
    ENCODINGS,
    camera_info,
    compressed_from_rgb,
    image_from_rgb,
    rgb_from_compressed,
    rgb_from_image,
)

TOPIC = '/camera/wrist/image_raw'


def message(encoding, rows, width, *, padding=0, is_bigendian=0):
    """Return an Image whose rows (H, bytes) are padded with garbage."""
    garbage = np.full((rows.shape[0], padding), 0xAB, np.uint8)
    data = np.hstack([rows, garbage])
    return Image(height=rows.shape[0], width=width, encoding=encoding, step=data.shape[1],
                 is_bigendian=is_bigendian, data=array.array('B', data.tobytes()))


def picture(height=6, width=8, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@given(height=st.integers(1, 9), width=st.integers(1, 9), padding=st.integers(0, 5),
       seed=st.integers(0, 1000), order=st.sampled_from(['rgb8', 'bgr8', '8UC3', 'rgba8', 'bgra8']))
@settings(deadline=None, max_examples=60)
def test_colour_encodings_of_any_size_and_padding_give_the_same_picture(height, width, padding,
                                                                        seed, order):
    rgb = picture(height, width, seed)
    channels = rgb if order.startswith('rgb') else rgb[..., ::-1]
    if order.endswith('a8'):
        channels = np.dstack([channels, np.full((height, width), 7, np.uint8)])
    msg = message(order, channels.reshape(height, -1), width, padding=padding)
    assert np.array_equal(rgb_from_image(msg, TOPIC), rgb)


@pytest.mark.parametrize('encoding', ['mono8', '8UC1'])
def test_grey_is_repeated_in_three_channels(encoding):
    grey = picture()[..., 0]
    rgb = rgb_from_image(message(encoding, grey, 8, padding=3), TOPIC)
    assert np.array_equal(rgb, np.repeat(grey[..., None], 3, axis=2))


@pytest.mark.parametrize('encoding', ['mono16', '16UC1'])
@pytest.mark.parametrize('bigendian', [0, 1])
def test_sixteen_bits_are_scaled_to_eight_in_either_byte_order(encoding, bigendian):
    values = np.array([[0, 128, 129, 257, 32896, 65535]], np.uint16)
    rows = values.astype('>u2' if bigendian else '<u2').view(np.uint8)
    rgb = rgb_from_image(message(encoding, rows, 6, padding=1, is_bigendian=bigendian), TOPIC)
    assert rgb[0, :, 0].tolist() == [0, 0, 1, 1, 128, 255]


@pytest.mark.parametrize(('encoding', 'luma', 'chroma'), [
    ('yuv422', 1, 0), ('uyvy', 1, 0), ('yuv422_yuy2', 0, 1), ('yuyv', 0, 1)])
def test_yuv_gives_the_colours_of_bt601(encoding, luma, chroma):
    y, u, v = 120, 90, 200
    rows = np.zeros((2, 8), np.uint8)
    rows[:, luma::2] = y
    rows[:, chroma::4], rows[:, chroma + 2::4] = u, v
    expected = [1.164 * (y - 16) + 1.596 * (v - 128),
                1.164 * (y - 16) - 0.813 * (v - 128) - 0.391 * (u - 128),
                1.164 * (y - 16) + 2.018 * (u - 128)]
    rgb = rgb_from_image(message(encoding, rows, 4), TOPIC)
    assert np.allclose(rgb.reshape(-1, 3), expected, atol=2)


@pytest.mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
def test_bayer_pattern_is_named_by_its_first_two_rows(pattern):
    colour = {'r': 200, 'g': 100, 'b': 30}
    tile = np.array([colour[c] for c in pattern], np.uint8).reshape(2, 2)
    rgb = rgb_from_image(message(f'bayer_{pattern}8', np.tile(tile, (4, 4)), 8), TOPIC)
    assert np.allclose(rgb[2:-2, 2:-2], [200, 100, 30], atol=1)


def test_last_row_may_lack_its_padding():
    rgb = picture()
    msg = message('rgb8', rgb.reshape(6, -1), 8, padding=4)
    msg.data = msg.data[:-4]
    assert np.array_equal(rgb_from_image(msg, TOPIC), rgb)


@pytest.mark.parametrize('encoding', ENCODINGS)
def test_cv_bridge_agrees(encoding):
    cv_bridge = pytest.importorskip('cv_bridge', reason='cv_bridge is not installed here')
    if encoding[0].isdigit() or encoding in ('uyvy', 'yuyv'):
        pytest.skip(f'cv_bridge does not turn {encoding} into rgb8 in every release')
    from vla_ros.image_codec import _ENCODINGS

    rows = picture(8, 8 * _ENCODINGS[encoding][0])[..., 0]
    msg = message(encoding, rows, 8)
    theirs = cv_bridge.CvBridge().imgmsg_to_cv2(msg, 'rgb8')
    assert np.array_equal(rgb_from_image(msg, TOPIC), theirs)


def change(**fields):
    msg = message('rgb8', picture().reshape(6, -1), 8)
    for name, value in fields.items():
        setattr(msg, name, value)
    return msg


@pytest.mark.parametrize(('msg', 'words'), [
    (change(encoding='rgb9'), ["'rgb9'", 'Supported', 'bayer_rggb8']),
    (change(encoding=''), ["''", 'Supported']),
    (change(height=7), ['expected 168 bytes', 'found 144']),
    (change(height=5), ['expected 120 bytes', 'found 144']),
    (change(data=array.array('B')), ['found 0']),
    (change(width=0), ['no pixels', '0x6']),
    (change(height=0, data=array.array('B')), ['no pixels', '8x0']),
    (change(step=23), ['step is 23', '24']),
    (change(encoding='yuv422', width=7), ['even', '7']),
    (message('bayer_rggb8', np.zeros((2, 2), np.uint8), 2), ['at least 3x3', '2x2']),
])
def test_unusable_image_is_refused_with_topic_and_reason(msg, words):
    with pytest.raises(InputError) as error:
        rgb_from_image(msg, TOPIC)
    for word in [TOPIC, *words]:
        assert word in str(error.value)


def test_image_survives_the_round_trip_with_its_header():
    rgb = picture()
    msg = image_from_rgb(rgb, 12_000_000_345, 'wrist_camera_optical_frame')
    assert np.array_equal(rgb_from_image(msg), rgb)
    assert (msg.header.stamp.sec, msg.header.stamp.nanosec) == (12, 345)
    assert msg.header.frame_id == 'wrist_camera_optical_frame'


def test_png_is_exact_and_jpeg_close():
    across, down = np.meshgrid(np.arange(0, 128, 2), np.arange(0, 96, 2))
    smooth = np.dstack([across, down, np.full_like(across, 180)]).astype(np.uint8)
    png = compressed_from_rgb(smooth, 0, '', format='png')
    assert np.array_equal(rgb_from_compressed(png), smooth)
    jpeg = compressed_from_rgb(smooth, 0, '')
    assert np.abs(rgb_from_compressed(jpeg).astype(int) - smooth).mean() < 3


@pytest.mark.parametrize('format', ['jpeg', 'png'])
@pytest.mark.parametrize('kept', [0, 10, 0.3, 0.9])
def test_cut_compressed_image_is_refused_and_not_filled_with_grey(format, kept):
    msg = compressed_from_rgb(picture(64, 64), 0, '', format=format)
    size = kept if isinstance(kept, int) else int(kept * len(msg.data))
    msg.data = msg.data[:size]
    with pytest.raises(InputError, match=f'{TOPIC}: cannot decode .* {size} bytes'):
        rgb_from_compressed(msg, TOPIC)


@pytest.mark.parametrize(('msg', 'words'), [
    (CompressedImage(format='jpeg', data=array.array('B', b'0123456789')), 'neither JPEG nor PNG'),
    (CompressedImage(format='jpeg', data=array.array('B', b'\xff\xd8\xff\xda\xff\xd9' * 2)),
     'cannot decode'),
    (CompressedImage(format='16UC1; compressedDepth png'), 'depth'),
])
def test_content_that_is_no_picture_is_refused(msg, words):
    with pytest.raises(InputError, match=words) as error:
        rgb_from_compressed(msg, TOPIC)
    assert TOPIC in str(error.value)


@given(data=st.binary(max_size=200),
       start=st.sampled_from([b'', b'\xff\xd8\xff', b'\x89PNG\r\n\x1a\n']))
@settings(deadline=None, max_examples=150)
def test_any_bytes_are_a_picture_or_an_input_error(data, start):
    rgb = None
    with contextlib.suppress(InputError):  # anything else is a crash of the node
        rgb = rgb_from_compressed(CompressedImage(data=array.array('B', start + data)), TOPIC)
    assert rgb is None or (rgb.dtype == np.uint8 and rgb.shape[2] == 3)


@pytest.mark.parametrize('wrong', [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)),
                                   np.zeros((0, 4, 3), np.uint8)])
def test_array_that_is_no_picture_is_not_published(wrong):
    with pytest.raises(InputError, match=r'expected \(H, W, 3\) uint8'):
        image_from_rgb(wrong, 0, '')


def test_camera_info_projects_with_its_own_intrinsics():
    K = np.array([[200.0, 0, 128], [0, 210, 120], [0, 0, 1]])
    msg = camera_info(K, 256, 240, 5, 'frame')
    assert np.array_equal(np.array(msg.k).reshape(3, 3), K)
    assert np.array_equal(np.array(msg.p).reshape(3, 4)[:, :3], K)
    assert (msg.width, msg.height, len(msg.d)) == (256, 240, 5)
