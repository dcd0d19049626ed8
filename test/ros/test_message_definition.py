"""A bag that has an uncommon type can be read where the type is not installed."""

from __future__ import annotations

import importlib.util

import pytest

if importlib.util.find_spec('rosbags') is None:
    pytest.skip('rosbags is not installed', allow_module_level=True)

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import ParameterEvent
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, Image
from visualization_msgs.msg import MarkerArray

from vla_ros.core.errors import InputError
from vla_ros.replay.bag import Bag
from vla_ros.replay.bag_writer import BagWriter
from vla_ros.replay.message_types import KNOWN_TYPES, definition
from vla_ros.ros.message_definition import definition_for_bag, definition_text, message_class


@pytest.mark.parametrize(('kind', 'name'), [
    (Image, 'sensor_msgs/msg/Image'), (CameraInfo, 'sensor_msgs/msg/CameraInfo'),
    (MarkerArray, 'visualization_msgs/msg/MarkerArray'),
    (DiagnosticArray, 'diagnostic_msgs/msg/DiagnosticArray'),
    (ParameterEvent, 'rcl_interfaces/msg/ParameterEvent')])
def test_the_definition_of_a_class_has_the_hash_of_the_original_text(kind, name):
    assert definition(definition_text(kind), name)[1] == KNOWN_TYPES.hash_rihs01(name)


class Status:
    """Stands for a class of a package that is installed where it is recorded, and not elsewhere."""

    @staticmethod
    def get_fields_and_field_types():
        return {'stamp': 'builtin_interfaces/Time', 'name': 'string<10>',
                'joints': 'double[2]', 'codes': 'sequence<uint8, 4>', 'on': 'boolean'}


def test_an_uncommon_type_is_read_from_the_bag_alone(tmp_path):
    name = 'arm_msgs/msg/Status'
    found = definition_for_bag(Status, name)
    # CDR: Time(7, 8), 'ab', [1.5, -2.0], [3, 4], true
    data = (b'\x00\x01\x00\x00' + b'\x07\x00\x00\x00\x08\x00\x00\x00'
            + b'\x03\x00\x00\x00ab\x00' + b'\x00' + b'\x00\x00\x00\x00\x00\x00\xf8?'
            + b'\x00\x00\x00\x00\x00\x00\x00\xc0' + b'\x02\x00\x00\x00\x03\x04' + b'\x01')
    with BagWriter(tmp_path / 'bag') as bag:
        bag.write('/status', name, 1, data, found)
    with Bag(tmp_path / 'bag') as bag:
        message = bag.message(next(bag.records()))
    assert (message.stamp.sec, message.stamp.nanosec, message.name) == (7, 8, 'ab')
    assert list(message.joints) == [1.5, -2.0] and list(message.codes) == [3, 4] and message.on


def test_a_common_type_needs_no_definition(tmp_path):
    assert definition_for_bag(Time, 'builtin_interfaces/msg/Time') is None
    with BagWriter(tmp_path / 'bag') as bag:
        bag.write('/time', 'builtin_interfaces/msg/Time', 1, serialize_message(Time(sec=5)))
    with Bag(tmp_path / 'bag') as bag:
        assert bag.message(next(bag.records())).sec == 5


def test_a_type_that_is_not_installed_is_named():
    with pytest.raises(InputError, match='piper_msgs/msg/Nothing is not installed here'):
        message_class('piper_msgs/msg/Nothing')
