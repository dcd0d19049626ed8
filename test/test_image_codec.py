"""Pictures without ROS: sizes from headers, and the same decoder for rclpy's and a bag's messages.

What each encoding looks like decoded is held in test/ros/test_images.py and
test/replay/test_pictures.py.
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.core.errors import ConfigError
from vla_ros.image_codec import encode_rgb, picture_size


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
