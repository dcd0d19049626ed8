"""The messages of ROS and those of a bag give the same observation, to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('rosbags')

from sensor_msgs.msg import JointState

from vla_ros.core.ingest import IngestConfig, ObservationIngest, Readers
from vla_ros.core.joint_states import JointStateReader
from vla_ros.replay import messages
from vla_ros.replay.bag import Bag
from vla_ros.replay.bag_observations import BagObservations
from vla_ros.replay.bag_writer import BagWriter
from vla_ros.replay.pictures import IMAGE
from vla_ros.replay.recorded_vector import vector_readers
from vla_ros.replay.replay_topics import replay_topics
from vla_ros.replay.topic_choice import JOINT_STATE, STRING
from vla_ros.ros.images import image_from_rgb, rgb_from_image
from vla_ros.ros.joint_states import joint_state_message
from vla_ros.ros.stamps import to_ns

pytestmark = pytest.mark.ros

MS = 1_000_000
START = 1_700_000_000_000_000_000
NAMES = ('a', 'b')
CONFIG = IngestConfig(350 * MS, 200 * MS, 100 * MS, 100 * MS, 200 * MS, 1000 * MS, 500 * MS, 10.0,
                      {'wrist': 20 * MS, 'joint_states': 3 * MS})


def events() -> list[tuple[int, str, int, Any]]:
    """Return (received, topic, stamp, value) of a short run with jitter, in order of receiving."""
    random = np.random.default_rng(4)
    found: list[tuple[int, str, int, Any]] = []
    for k in range(60):
        stamp = START + k * 10 * MS
        found.append((stamp + int(random.integers(1, 9)) * MS, '/joint_states', stamp,
                      random.normal(size=2)))
        if k % 5 == 0:
            for camera in ('third_person', 'wrist'):
                late = int(random.integers(10, 40)) * MS
                rgb = random.integers(0, 255, (6, 8, 3), dtype=np.uint8)
                found.append((stamp + late, f'/{camera}', stamp + int(random.integers(0, 5)) * MS,
                              rgb))
    return sorted(found, key=lambda event: event[0])


def test_live_and_offline_give_the_same_observations(tmp_path: Path) -> None:
    asked = [START + k * 33 * MS for k in range(1, 18)]
    cameras = {camera: f'/{camera}' for camera in ('third_person', 'wrist')}
    reader = JointStateReader(NAMES, '/joint_states')
    live = ObservationIngest(cameras, False, CONFIG, Readers(
        rgb_from_image, lambda vector: {'proprio': vector}, lambda message, topic: {}))
    expected = {}
    left = list(events())
    for now in asked:
        while left and left[0][0] <= now:
            at, topic, stamp, value = left.pop(0)
            if topic == '/joint_states':
                msg: JointState = joint_state_message(NAMES, value, stamp_ns=stamp)
                live.add_state(to_ns(msg.header.stamp), reader.position(msg), None, at)
            else:
                live.add_image(topic, stamp, image_from_rgb(value, stamp, 'camera'), at)
        if live.reference_ns() is not None:
            seen = live.observation(live.moment(now), 'go')
            expected.setdefault(seen.stamp_ns, seen)

    with BagWriter(tmp_path / 'run') as bag:
        bag.write_message('/instruction', STRING, START, messages.text('go'))
        for at, topic, stamp, value in events():
            if topic == '/joint_states':
                bag.write_message(topic, JOINT_STATE, at, messages.joint_state(NAMES, value, stamp))
            else:
                bag.write_message(topic, IMAGE, at, messages.image(value, stamp, 'camera'))
    with Bag(tmp_path / 'run') as bag:
        walk = BagObservations(bag, replay_topics(bag, tuple(cameras)), CONFIG,
                               vector_readers(NAMES, '/joint_states'))
        found = {seen.observation.stamp_ns: seen.observation
                 for seen in walk.at_rate(1e9 / (33 * MS)) if seen.observation is not None}

    shared = sorted(set(expected) & set(found))
    assert len(shared) >= 8
    assert set(expected) <= set(found)
    for stamp in shared:
        ours, theirs = expected[stamp], found[stamp]
        assert ours.state['proprio'].tolist() == theirs.state['proprio'].tolist()
        for camera in cameras:
            assert np.array_equal(ours.images[camera], theirs.images[camera])
        assert ours.instruction == theirs.instruction
