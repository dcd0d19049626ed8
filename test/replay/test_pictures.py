"""Pictures of a bag: every encoding, in order whatever the threads do, and never a wrong size."""

from __future__ import annotations

import numpy as np
import pytest

from vla_ros.core.errors import InputError
from vla_ros.image_codec import encode_rgb
from vla_ros.replay import messages
from vla_ros.replay.bag import Bag
from vla_ros.replay.bag_writer import BagWriter
from vla_ros.replay.pictures import COMPRESSED_IMAGE, IMAGE, picture_of, read_items
from vla_ros.replay.topic_choice import STRING

TOPIC = '/camera/wrist/image_raw'
COLOUR = (200, 100, 30)


def encoded(encoding: str, width: int = 8, height: int = 6) -> tuple[np.ndarray, int]:
    """Return the rows (H, bytes) of a picture of one colour, and the tolerance of its decoding."""
    r, g, b = COLOUR
    grey = round(0.299 * r + 0.587 * g + 0.114 * b)
    luma = round(16 + 0.257 * r + 0.504 * g + 0.098 * b)
    u = round(128 - 0.148 * r - 0.291 * g + 0.439 * b)
    v = round(128 + 0.439 * r - 0.368 * g - 0.071 * b)
    pixels = {'rgb8': (r, g, b), 'bgr8': (b, g, r), 'rgba8': (r, g, b, 9), 'bgra8': (b, g, r, 9),
              'mono8': (grey,), 'mono16': (grey, grey), '16UC1': (grey, grey),
              'yuv422': (u, luma, v, luma), 'yuv422_yuy2': (luma, u, luma, v)}
    if encoding.startswith('bayer_'):
        tile = np.array([dict(r=r, g=g, b=b)[c] for c in encoding[6:10]], np.uint8).reshape(2, 2)
        return np.tile(tile, (height // 2, width // 2)), 1
    row = pixels[encoding]
    count = width // 2 if encoding.startswith('yuv') else width
    return np.tile(np.array(row, np.uint8), (height, count)), 2


def write_images(path, *images):
    with BagWriter(path) as bag:
        for i, (encoding, rows, width) in enumerate(images):
            message = messages.image(np.zeros((rows.shape[0], width, 3), np.uint8), i + 1, 'wrist')
            message.encoding, message.step = encoding, rows.shape[1]
            message.data = np.ascontiguousarray(rows).reshape(-1)
            bag.write_message(TOPIC, IMAGE, i + 1, message)
    return path


@pytest.mark.parametrize('encoding', [
    'rgb8', 'bgr8', 'rgba8', 'bgra8', 'mono8', 'mono16', '16UC1', 'yuv422', 'yuv422_yuy2',
    'bayer_rggb8', 'bayer_bggr8', 'bayer_gbrg8', 'bayer_grbg8'])
def test_every_encoding_gives_its_colour(tmp_path, encoding):
    rows, tolerance = encoded(encoding)
    path = write_images(tmp_path / 'bag', (encoding, rows, 8))
    with Bag(path) as bag:
        rgb = next(read_items(bag)).value
    grey = encoding.startswith('mono') or encoding == '16UC1'
    wanted = [round(0.299 * 200 + 0.587 * 100 + 0.114 * 30)] * 3 if grey else COLOUR
    assert rgb.shape == (6, 8, 3)
    assert np.abs(rgb[2:-2, 2:-2].astype(int) - wanted).max() <= tolerance


@pytest.mark.parametrize(('format', 'tolerance'), [('png', 0), ('jpeg', 3)])
def test_compressed_pictures_are_decoded(tmp_path, format, tolerance):
    rgb = np.full((48, 64, 3), COLOUR, np.uint8)
    with BagWriter(tmp_path / 'bag') as bag:
        bag.write_message(TOPIC, COMPRESSED_IMAGE, 5,
                          messages.compressed_image(encode_rgb(rgb, format), 5, 'wrist'))
    with Bag(tmp_path / 'bag') as bag:
        found = next(read_items(bag)).value
    assert np.abs(found.astype(int) - rgb).max() <= tolerance


@pytest.mark.parametrize('threads', [0, 1, 3])
def test_order_and_content_do_not_depend_on_the_threads(run_bag, threads):
    def seen(count):
        with Bag(run_bag) as bag:
            return [(item.topic, item.receive_ns, item.stamp_ns,
                     item.value.tobytes() if isinstance(item.value, np.ndarray)
                     else str(item.value)) for item in read_items(bag, threads=count)]

    assert seen(threads) == seen(0)


def test_stamp_is_the_headers_and_the_receive_time_where_there_is_none(run_bag):
    with Bag(run_bag) as bag:
        items = {item.topic: item for item in read_items(bag)}
    wrist = items['/camera/wrist/image_raw']
    assert wrist.receive_ns - wrist.stamp_ns == 51_000_001
    assert items['/instruction'].stamp_ns == items['/instruction'].receive_ns


@pytest.mark.parametrize('threads', [0, 2])
def test_picture_of_another_size_is_an_error_with_its_time(tmp_path, threads):
    path = write_images(tmp_path / 'bag', ('rgb8', *encoded('rgb8')[:1], 8),
                        ('rgb8', encoded('rgb8', 4)[0], 4))
    with Bag(path) as bag, pytest.raises(InputError, match=f'{TOPIC}: a picture of 4x6.*8x6'):
        list(read_items(bag, threads=threads))


def test_expected_size_is_held_from_the_first_picture_on(tmp_path):
    path = write_images(tmp_path / 'bag', ('rgb8', encoded('rgb8')[0], 8))
    with Bag(path) as bag, pytest.raises(InputError, match='8x6 .*expected 640x480'):
        list(read_items(bag, sizes={TOPIC: (640, 480)}))


@pytest.mark.parametrize('threads', [0, 2])
def test_picture_that_cannot_be_decoded_ends_the_reading(tmp_path, threads):
    with BagWriter(tmp_path / 'bag') as bag:
        bag.write_message(TOPIC, COMPRESSED_IMAGE, 5,
                          messages.compressed_image(b'\xff\xd8\xff 123456', 5, 'wrist'))
        for i in range(5):
            bag.write_message('/text', STRING, 6 + i, messages.text('x'))
    with Bag(tmp_path / 'bag') as bag, pytest.raises(InputError, match=f'{TOPIC}.*cut short'):
        list(read_items(bag, threads=threads))


def test_giving_up_in_the_middle_leaves_no_thread_behind(run_bag):
    import threading

    with Bag(run_bag) as bag:
        items = read_items(bag, threads=2)
        next(items)
        items.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith('decode')]


def test_message_that_is_no_picture_is_not_taken_for_one(run_bag):
    with Bag(run_bag) as bag:
        record = next(bag.records(['/joint_states']))
        with pytest.raises(InputError, match='JointState is no picture'):
            picture_of(bag, record)


def test_malformed_public_pictures_are_refused(bags):
    folder = bags / 'rosbags_rs' / 'tests' / 'test_bags' / 'test_bag_mcap'
    with Bag(folder) as bag:
        for topic, words in (('/test/sensor_msgs/image', 'expected 921600 bytes.*found 30'),
                             ('/test/sensor_msgs/compressed_image', '10 bytes')):
            with pytest.raises(InputError, match=words):
                next(read_items(bag, [topic]))
