"""What is said about a bag: counts, rates, gaps, stamps, pictures, and what a replay lacks."""

from __future__ import annotations

import json

import numpy as np
import pytest

from vla_ros.core.errors import ConfigError
from vla_ros.replay import messages
from vla_ros.replay.bag import Bag, Topic
from vla_ros.replay.bag_info import as_dict, inspect_bag
from vla_ros.replay.bag_info_text import as_text
from vla_ros.replay.bag_writer import BagWriter
from vla_ros.replay.pictures import COMPRESSED_IMAGE, IMAGE
from vla_ros.replay.topic_choice import JOINT_STATE, STRING, choose, missing


def by_name(info):
    return {topic.name: topic for topic in info.topics}


def test_a_complete_run_lacks_nothing(run_bag):
    with Bag(run_bag) as bag:
        info = inspect_bag(bag)
    assert info.missing == {}
    assert {name: choice.topic for name, choice in info.inputs.items()} == {
        'third_person': '/camera/third_person/image_raw', 'wrist': '/camera/wrist/image_raw',
        'state': '/joint_states', 'instruction': '/instruction'}
    assert info.recorded['chunks'].topic == '/action_chunk'
    assert info.recorded['commands'].topic is None, 'joint states are not taken for commands'
    topics = by_name(info)
    assert topics['/joint_states'].rate_hz == pytest.approx(20)
    assert topics['/joint_states'].count == 40
    assert topics['/camera/wrist/image_raw'].pictures == {'16x12 rgb8': 20}
    assert topics['/camera/wrist/image_raw'].delay_s['median'] == pytest.approx(0.051, abs=1e-4)
    assert 'MISSING' not in as_text(info)
    json.dumps(as_dict(info))


def joints_at(path, stamps, receive=None):
    with BagWriter(path) as bag:
        for i, stamp in enumerate(stamps):
            bag.write_message('/joint_states', JOINT_STATE, (receive or stamps)[i],
                              messages.joint_state(['a'], [0.0], stamp))
    with Bag(path) as bag:
        return by_name(inspect_bag(bag))['/joint_states']


def test_gap_is_found_with_its_time(tmp_path):
    stamps = [10 ** 9 + i * 10 ** 7 for i in range(100)]
    topic = joints_at(tmp_path / 'bag', stamps[:50] + [t + 2 * 10 ** 9 for t in stamps[50:]])
    assert topic.gaps == 1
    assert topic.longest_gap_s == pytest.approx(2.01)
    assert topic.longest_gap_at_s == pytest.approx(0.49)
    assert topic.rate_hz == pytest.approx(100)


def test_stamps_that_go_back_or_are_missing_are_counted(tmp_path):
    receive = [10 ** 9 + i * 10 ** 7 for i in range(10)]
    stamps = list(receive)
    stamps[4] = receive[2]
    topic = joints_at(tmp_path / 'back', stamps, receive)
    assert (topic.backwards, topic.unstamped) == (1, 0)
    topic = joints_at(tmp_path / 'zero', [0] * 10, receive)
    assert (topic.unstamped, topic.delay_s) == (10, None)
    assert topic.rate_hz == pytest.approx(100), 'from the receive times'


def test_pictures_that_differ_or_lie_are_problems(tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        for i, size in enumerate((8, 8, 10)):
            bag.write_message('/a', IMAGE, i + 1,
                              messages.image(np.zeros((6, size, 3), np.uint8), i + 1, ''))
        lying = messages.image(np.zeros((6, 8, 3), np.uint8), 9, '')
        lying.height = 480
        bag.write_message('/b', IMAGE, 9, lying)
        bag.write_message('/c', COMPRESSED_IMAGE, 9, messages.compressed_image(b'no', 9, ''))
    with Bag(tmp_path / 'bag') as bag:
        topics = by_name(inspect_bag(bag))
        quick = by_name(inspect_bag(bag, decode=False))
    assert 'the pictures differ: 2 of 8x6 rgb8, 1 of 10x6 rgb8' in topics['/a'].problems
    assert topics['/b'].bad == topics['/c'].bad == 1
    assert 'found 144' in topics['/b'].problems[0]
    assert quick['/c'].bad == 1 and quick['/b'].bad == 0, 'headers alone cannot tell'


def test_empty_bag_is_called_empty(tmp_path):
    with BagWriter(tmp_path / 'bag'):
        pass
    with Bag(tmp_path / 'bag') as bag:
        info = inspect_bag(bag)
    assert 'EMPTY' in as_text(info)
    assert set(info.missing) == {'third_person', 'wrist', 'state', 'instruction'}


def topics(*pairs, count=5):
    return {name: Topic(name, kind, count) for name, kind in pairs}


def chosen(found, given=None):
    return {name: choice.topic for name, choice in choose(found, given=given).items()}


def test_names_of_other_labs_are_understood():
    assert chosen(topics(('/agentview/image', IMAGE), ('/robot0_eye_in_hand/image', IMAGE),
                         ('/robot/state', JOINT_STATE), ('/robot/command', JOINT_STATE),
                         ('/task', STRING), ('/rosout_text', STRING))) == {
        'third_person': '/agentview/image', 'wrist': '/robot0_eye_in_hand/image',
        'state': '/robot/state', 'instruction': '/task'}


def test_raw_goes_before_its_compressed_twin_and_depth_is_no_camera():
    found = chosen(topics(('/wrist/image', IMAGE), ('/wrist/image/compressed', COMPRESSED_IMAGE),
                          ('/wrist/depth/image', IMAGE),
                          ('/front/image/compressed', COMPRESSED_IMAGE)))
    assert (found['wrist'], found['third_person']) == ('/wrist/image', '/front/image/compressed')


def test_two_that_fit_are_not_guessed_between():
    found = choose(topics(('/wrist_left/image', IMAGE), ('/wrist_right/image', IMAGE)))
    assert found['wrist'].topic is None
    assert '/wrist_left/image, /wrist_right/image' in missing(found)['wrist']
    assert 'no topic with messages of type sensor_msgs/msg/JointState' in missing(found)['state']


def test_given_topic_is_checked():
    found = topics(('/a', IMAGE), ('/j', JOINT_STATE))
    assert chosen(found, {'wrist': '/a'})['wrist'] == '/a'
    for topic, reason in (('/x', 'no such topic'), ('/j', 'it has sensor_msgs/msg/JointState')):
        with pytest.raises(ConfigError, match=f'{reason}.*Choices: /a'):
            choose(found, given={'wrist': topic})
    with pytest.raises(ConfigError, match='it has no message'):
        choose({**found, '/e': Topic('/e', IMAGE, 0)}, given={'wrist': '/e'})
