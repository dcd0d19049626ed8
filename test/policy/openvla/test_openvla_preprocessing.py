"""The images are those of the training pipeline, without TensorFlow."""

import hashlib
import json
import sys

import numpy as np
import pytest

from vla_ros.core.errors import DependencyError
from vla_ros.policy.openvla.preprocessing import (
    centre_crop,
    centre_crop_float,
    jpeg_round_trip,
    lanczos_float,
    lanczos_resize,
)

SOURCES = ('natural_256x256', 'structured_256x256', 'structured_480x640', 'natural_480x640',
           'gradient_224x224', 'natural_224x224', 'structured_720x1280', 'gradient_96x128_upscale')
PART_OFF_BY_ONE = 5e-4


@pytest.fixture(params=SOURCES)
def source(request, golden):
    entry = json.loads((golden / 'expected/preproc_tf/index.json').read_text())[request.param]
    archive, name = entry['input'].split(':')
    image = np.load(golden / f'inputs/{archive}.npz')[name]
    return image, np.load(golden / f'expected/preproc_tf/{request.param}.npz'), entry


def off(found, expected):
    difference = np.abs(found.astype(int) - expected)
    return difference.max(), np.count_nonzero(difference) / difference.size


def test_the_jpeg_round_trip_is_exact(source):
    image, _, entry = source
    decoded = jpeg_round_trip(image)
    assert hashlib.sha256(decoded.tobytes()).hexdigest() == entry['decoded_sha256']


def test_the_lanczos_resize_is_off_by_one_at_most_in_few_values(source):
    image, expected, _ = source
    worst, part = off(lanczos_resize(jpeg_round_trip(image), 224, 224), expected['resized'])
    assert worst <= 1
    assert part <= PART_OFF_BY_ONE


def test_the_centre_crop_is_exact(source):
    _, expected, _ = source
    np.testing.assert_array_equal(centre_crop(expected['resized'], 224, 224), expected['cropped'])


@pytest.mark.parametrize(('folder', 'name'), [('natural_256x256', 'full_256x256'),
                                              ('structured_480x640', 'full2_480x640')])
def test_the_crop_of_an_image_that_was_never_resized_is_exact(golden, folder, name):
    image = np.load(golden / 'inputs/oft_images.npz')[name]
    expected = np.load(golden / f'expected/preproc_tf/{folder}.npz')['cropped_directly_from_input']
    np.testing.assert_array_equal(centre_crop(image, 224, 224), expected)


def test_the_whole_pipeline_is_off_by_one_at_most_in_few_values(source):
    image, expected, _ = source
    whole = centre_crop(lanczos_resize(jpeg_round_trip(image), 224, 224), 224, 224)
    worst, part = off(whole, expected['cropped'])
    assert worst <= 1
    assert part <= PART_OFF_BY_ONE


def test_before_rounding_the_stages_are_close(golden):
    expected = np.load(golden / 'expected/preproc_tf/natural_256x256.npz')
    resized = lanczos_float(expected['decoded'], 224, 224)[:48]
    np.testing.assert_allclose(resized, expected['resized_float_rows0_47'], rtol=0, atol=1.5e-4)
    cropped = centre_crop_float(expected['resized'], 224, 224)[:48]
    np.testing.assert_array_equal(cropped, expected['cropped_float_rows0_47'])


def test_a_flat_image_stays_flat():
    image = np.full((37, 91, 3), 77, np.uint8)
    assert (lanczos_resize(image, 24, 24) == 77).all()
    assert (centre_crop(image, 24, 24) == 77).all()


def test_the_crop_leaves_out_a_twentieth_at_each_side():
    image = np.zeros((101, 101, 3), np.uint8)
    image[:, :2] = image[:2] = 255
    assert (centre_crop(image, 50, 50) == 0).all()


def test_the_accurate_decoder_is_close_but_not_equal():
    image = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    fast, accurate = (jpeg_round_trip(image, fast).astype(int) for fast in (True, False))
    assert 0 < np.abs(fast - accurate).max() <= 20


def test_without_simplejpeg_the_error_names_the_way_out(monkeypatch):
    monkeypatch.setitem(sys.modules, 'simplejpeg', None)
    with pytest.raises(DependencyError, match=r'pip install simplejpeg.*jpeg_decoder'):
        jpeg_round_trip(np.zeros((8, 8, 3), np.uint8))
