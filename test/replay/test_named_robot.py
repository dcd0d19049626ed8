"""Which robot a bag is of, and which driver moved it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip('rosbags', reason='rosbags is not installed')

from vla_ros.replay import messages
from vla_ros.replay.bag import Bag
from vla_ros.replay.bag_writer import BagWriter
from vla_ros.replay.message_types import KNOWN_TYPES
from vla_ros.replay.named_robot import named_driver, named_robot
from vla_ros.replay.topic_choice import STRING

STATUS = 'diagnostic_msgs/msg/DiagnosticStatus'


@pytest.mark.parametrize(('topic', 'expected'), [
    ('/mode', 'ur5e'), ('/left/mode', 'ur5e'), ('/override', '')])
def test_it_is_the_one_that_the_control_node_names(tmp_path: Path, topic: str,
                                                   expected: str) -> None:
    status = KNOWN_TYPES.types[STATUS](0, 'control_node: mode', 'HOLD', 'ur5e', [])
    with BagWriter(tmp_path / 'bag') as bag:
        bag.write_message('/instruction', STRING, 1, messages.text('pick it up'))
        bag.write_message(topic, STATUS, 2, status)
    with Bag(tmp_path / 'bag') as bag:
        assert named_robot(bag) == expected


SIM, NONE = {'/control_node': {'driver': 'sim'}}, {'/sim_node': {'robot': 'ur5e'}}


@pytest.mark.parametrize(('texts', 'expected'), [
    ([{'parameters': SIM}], 'sim'),
    ([{'parameters': {**SIM, **NONE}}, {'parameters': {**SIM, '/policy_node': {'driver': 'sim'}}}],
     'sim'),
    ([{'parameters': {**SIM, '/policy_node': {'driver': 'ur_trajectory'}}}], ''),
    ([{'parameters': NONE}], ''),
    ([{'parameters': {'/control_node': {'driver': 3}}}], ''),
    ([{'parameters': []}, {}, [], 'on', None], ''),
    ([], '')])
def test_the_driver_is_the_one_on_which_all_recorded_nodes_agree(tmp_path: Path, texts: list,
                                                                 expected: str) -> None:
    with BagWriter(tmp_path / 'bag') as bag:
        bag.write_message('/instruction', STRING, 1, messages.text('pick it up'))
        for text in texts:
            bag.write_message('/recording', STRING, 2, messages.text(
                text if isinstance(text, str) else json.dumps(text)))
    with Bag(tmp_path / 'bag') as bag:
        assert named_driver(bag) == expected
