"""``vla-ros bag info``: what it prints and how it exits."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip('rosbags', reason='rosbags is not installed')

from vla_ros.cli.main import main
from vla_ros.replay import messages
from vla_ros.replay.bag_writer import BagWriter
from vla_ros.replay.pictures import IMAGE
from vla_ros.replay.topic_choice import JOINT_STATE, STRING


@pytest.fixture
def bag(tmp_path):
    path = tmp_path / 'bag'
    with BagWriter(path) as writer:
        writer.write_message('/instruction', STRING, 1, messages.text('go'))
        for i in range(1, 5):
            for topic in ('/camera_a', '/camera_b'):
                writer.write_message(topic, IMAGE, i, messages.image(
                    np.full((4, 6, 3), i, np.uint8), i, ''))
            writer.write_message('/joint_states', JOINT_STATE, i,
                                 messages.joint_state(['a'], [0.0], i))
    return path


def test_a_readable_bag_exits_with_0_and_names_what_a_replay_lacks(bag, capsys):
    assert main(['bag', 'info', str(bag)]) == 0
    said = capsys.readouterr().out
    assert '/joint_states' in said
    assert 'third_person  MISSING' in said and '/camera_a, /camera_b' in said


def test_replay_fails_until_the_cameras_are_said(bag, capsys):
    assert main(['bag', 'info', str(bag), '--replay']) == 1
    assert main(['bag', 'info', str(bag), '--replay', '--third-person', '/camera_a',
                 '--wrist', '/camera_b']) == 0


def test_json_has_everything(bag, capsys):
    assert main(['bag', 'info', str(bag), '--json']) == 0
    found = json.loads(capsys.readouterr().out)
    assert found['message_count'] == 13
    assert found['inputs']['state']['topic'] == '/joint_states'
    assert found['inputs']['wrist']['candidates'] == ['/camera_a', '/camera_b']


def test_what_is_no_bag_exits_with_1_and_a_wrong_argument_with_2(bag, tmp_path, capsys):
    text = tmp_path / 'text.mcap'
    text.write_text('not a bag at all, sorry')
    assert main(['bag', 'info', str(text)]) == 1
    assert 'a text file' in capsys.readouterr().err
    assert main(['bag', 'info', str(tmp_path / 'nothing')]) == 2
    assert main(['bag', 'info', str(bag), '--wrist', '/joint_states']) == 2
    assert 'Choices: /camera_a, /camera_b' in capsys.readouterr().err


def test_an_empty_bag_is_no_success(tmp_path, capsys):
    with BagWriter(tmp_path / 'empty'):
        pass
    assert main(['bag', 'info', str(tmp_path / 'empty')]) == 1
    assert 'EMPTY' in capsys.readouterr().out
