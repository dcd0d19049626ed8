"""The image processor is that of the checkpoints."""

import json

import numpy as np
import pytest

from vla_ros.core.errors import ConfigError
from vla_ros.policy.openvla.image_processor import ImageProcessor

NAMES = {'A': 'A_structured_480x640', 'B': 'B_gradient_256x256', 'C': 'C_natural_360x480'}


def processor(golden):
    return ImageProcessor.of_directory(golden / 'openvla_tiny')


def single(strategy):
    return ImageProcessor((224, 224), strategy, ((0.5,) * 3,), ((0.5,) * 3,), (127,) * 3)


@pytest.mark.parametrize('case', ['openvla_tiny__A', 'openvla_tiny__B', 'openvla_tiny__C',
                                  'single__letterbox__A', 'single__letterbox__C',
                                  'single__resize-crop__A', 'single__letterbox__C_transposed',
                                  'single__resize-crop__C_transposed', 'single__resize-naive__C'])
def test_resizing_is_exact(golden, case):
    expected = np.load(golden / 'expected/processor/uint8_after_resize_crop.npz')
    full = next(name for name in expected if name == case or (
        name.startswith(case) and ('transposed' in case or 'crop100' in name)))
    image = np.load(golden / 'inputs/images.npz')[NAMES[case.split('__')[-1][0]]]
    if 'transposed' in full:
        image = np.ascontiguousarray(image.transpose(1, 0, 2))
    if 'crop100x160' in full:
        image = np.ascontiguousarray(image[100:200, 100:260])
    chosen = processor(golden) if 'openvla_tiny' in case else single(case.split('__')[1])
    np.testing.assert_array_equal(chosen.resize(image).transpose(2, 0, 1), expected[full])


def test_pixel_values_are_exact(golden):
    image = np.load(golden / 'inputs/images.npz')[NAMES['C']]
    expected = np.load(golden / 'expected/openvla/pixel_values_C.npz')['C'][0]
    np.testing.assert_array_equal(processor(golden)(image), expected)


def test_pixel_values_of_two_images_are_exact(golden, oft_case):
    expected = np.load(golden / 'expected/oft/pixel_values_l1_case0.npz')['pixel_values'][0]
    made = np.concatenate([processor(golden)(image) for image in oft_case('case0').images])
    np.testing.assert_array_equal(made, expected)


def test_the_constants_of_tvf_normalize_params_win():
    values = {'image_resize_strategy': 'resize-naive', 'input_sizes': [[3, 8, 8]],
              'means': [[0.1] * 3], 'stds': [[0.1] * 3],
              'tvf_normalize_params': [{'mean': [0.5] * 3, 'std': [0.25] * 3}]}
    made = ImageProcessor.from_dict(values)(np.full((8, 8, 3), 255, np.uint8))
    np.testing.assert_allclose(made, 2.0)


@pytest.mark.parametrize(('change', 'message'), [
    ({'image_resize_strategy': 'squash'}, 'Choices: letterbox, resize-crop, resize-naive'),
    ({'interpolations': ['magic']}, 'interpolation'),
    ({'means': None, 'tvf_normalize_params': None}, 'preprocessor_config.json'),
    ({'input_sizes': [[3, 8, 8], [3, 9, 9]]}, 'different input sizes'),
])
def test_a_file_that_is_not_understood_is_refused(tmp_path, change, message):
    values = {'image_resize_strategy': 'resize-naive', 'input_sizes': [[3, 8, 8]],
              'means': [[0.1] * 3], 'stds': [[0.1] * 3], **change}
    (tmp_path / 'preprocessor_config.json').write_text(json.dumps(values))
    with pytest.raises(ConfigError, match=message):
        ImageProcessor.of_directory(tmp_path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match='preprocessor_config.json'):
        ImageProcessor.of_directory(tmp_path)
