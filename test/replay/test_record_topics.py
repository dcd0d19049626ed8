"""Which topics a recording has, and how each is listened to."""

from __future__ import annotations

import pytest

from vla_ros.core.errors import ConfigError
from vla_ros.replay.pictures import COMPRESSED_IMAGE, IMAGE
from vla_ros.replay.record_queue import Importance
from vla_ros.replay.record_topics import camera_info_topic, record_topics
from vla_ros.replay.ros2_command import qos_overrides, ros2_command

CAMERA = 'camera/wrist/image_raw'


def topics(**options):
    return {topic.name: topic for topic in record_topics(
        [CAMERA], ['joint_states'], {'joint_command': 'sensor_msgs/msg/JointState'}, **options)}


@pytest.mark.parametrize(('transport', 'expected'), [
    ('raw', {CAMERA: IMAGE}), ('compressed', {f'{CAMERA}/compressed': COMPRESSED_IMAGE}),
    ('both', {CAMERA: IMAGE, f'{CAMERA}/compressed': COMPRESSED_IMAGE}), ('none', {})])
def test_pictures_are_recorded_in_the_transport_that_was_asked_for(transport, expected):
    found = topics(transport=transport)
    assert {name: topic.type for name, topic in found.items()
            if topic.importance is Importance.PICTURE} == expected
    assert ('camera/wrist/camera_info' in found) is True, 'also without pictures: it is small'


def test_an_unknown_transport_lists_the_choices():
    with pytest.raises(ConfigError, match='raw, compressed, both, none|both, compressed'):
        topics(transport='jpeg')


def test_what_is_said_once_is_asked_for_again_and_what_the_control_loop_sends_never_is():
    found = topics()
    assert all(found[name].latched and found[name].reliable for name in (
        'instruction', 'policy', 'mode', 'override', 'robot_description', '/tf_static'))
    for name in ('joint_command', 'joint_states', CAMERA):
        assert not found[name].reliable, 'a publisher may wait for a reliable reader'


def test_the_clock_is_recorded_in_simulated_time_only():
    assert '/clock' not in topics() and '/clock' in topics(simulated_time=True)


def test_more_topics_are_of_any_type_and_do_not_replace_what_is_known():
    found = topics(more=['/lidar', 'mode'])
    assert found['/lidar'].type == '' and found['mode'].latched


def test_topics_can_be_left_out_but_a_typing_error_is_not_passed_over():
    assert 'joint_states' not in topics(without=['joint_states'])
    with pytest.raises(ConfigError, match='joint_state.*not recorded anyway.*joint_states'):
        topics(without=['joint_state'])


def test_every_override_input_of_a_source_is_recorded():
    found = topics(override_sources=['joystick'])
    assert {name for name in found if name.startswith('override/')} == {
        f'override/joystick/{what}' for what in ('gripper', 'arm', 'joints', 'twist')}


@pytest.mark.parametrize(('image', 'info'), [
    ('camera/wrist/image_raw', 'camera/wrist/camera_info'),
    ('/image', '/camera_info'), ('image', 'camera_info')])
def test_the_calibration_lies_beside_the_images(image, info):
    assert camera_info_topic(image) == info


def test_the_line_of_ros2_bag_names_every_topic_and_the_qos_file_every_profile():
    found = tuple(topics(more=['/lidar']).values())
    line = ros2_command(found, 'out/bag', 'qos.yaml', part_bytes=10, part_s=60,
                        simulated_time=True, compress=False, distro='jazzy')
    assert line.startswith('ros2 bag record -s mcap -o out/bag --max-bag-size 10 ')
    assert '--use-sim-time' in line and line.split(' --topics ')[1].split() == [
        topic.name for topic in found]
    assert '--topics' not in ros2_command(
        found, 'b', 'q', part_bytes=1, part_s=1, simulated_time=False, compress=False,
        distro='humble')
    text = qos_overrides(found)
    assert '/lidar' not in text, 'what is not known is found by ros2 bag'
    assert 'instruction:\n  history: keep_last\n  depth: 200\n  reliability: reliable\n' in text
