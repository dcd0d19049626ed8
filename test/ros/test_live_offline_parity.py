"""What is played live is seen as a bag is read: the same stamps, pictures, states, to the bit."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from graph_rig import Process

if importlib.util.find_spec('rosbags') is None:
    pytest.skip('rosbags is not installed', allow_module_level=True)

from observation_listener import described

from vla_ros.core.ingest import IngestConfig
from vla_ros.policy_replay import bag_readers
from vla_ros.replay import messages
from vla_ros.replay.bag import Bag
from vla_ros.replay.bag_observations import BagObservations
from vla_ros.replay.bag_writer import BagWriter
from vla_ros.replay.pictures import IMAGE
from vla_ros.replay.replay_topics import replay_topics
from vla_ros.replay.topic_choice import JOINT_STATE, STRING
from vla_ros.robots import load_profile
from vla_ros.ros.parameter_spec import load_specs

PROFILE = load_profile('piper')
NAMES = [*PROFILE.joints.names, PROFILE.gripper.joint]
START_NS = 1_700_000_000_000_000_000
MS = 1_000_000
CAMERAS = {'third_person': 0, 'wrist': 13 * MS}  # how much later its shutter is [ns]
PICTURES, TRIES = 25, 4


def write_bag(path: Path) -> Path:
    """Write a moving arm: joints at 100 Hz, two cameras at 10 Hz that are not in step."""
    noise = np.random.default_rng(7)
    said = []
    for i in range(PICTURES * 10 + 20):
        at = START_NS + i * 10 * MS
        q = [*(0.3 * math.sin(0.02 * i + k) for k in range(6)), 0.03 + 0.01 * math.sin(0.05 * i)]
        said.append((at + MS, '/joint_states', JOINT_STATE, messages.joint_state(NAMES, q, at)))
    for i in range(PICTURES):
        for name, later in CAMERAS.items():
            at = START_NS + 50 * MS + i * 100 * MS + later
            rgb = noise.integers(0, 255, (48, 64, 3), np.uint8)
            said.append((at + 40 * MS, f'/camera/{name}/image_raw', IMAGE,
                         messages.image(rgb, at, name)))
    with BagWriter(path, latched={'/instruction'}) as bag:
        bag.write_message('/instruction', STRING, START_NS, messages.text('pick it up'))
        for at, topic, kind, message in sorted(said, key=lambda item: item[0]):
            bag.write_message(topic, kind, at, message)
    return path


def live(bag: Path, folder: Path, number: int) -> tuple[list[dict], dict[str, dict]]:
    """Play a bag to the policy node's inputs; return what they saw and what they received."""
    listener = Process(f'listener_{number}', [
        sys.executable, 'test/ros/observation_listener.py', '--ros-args', '-p',
        'use_sim_time:=true', '-p', 'driver:=sim'], folder).start()
    player = Process(f'play_{number}', [
        sys.executable, '-m', 'vla_ros.cli.main', 'play', str(bag), '--rate', '0.7',
        '--wait-for-subscribers', '60'], folder)
    try:
        assert player.start().wait(120) == 0, player.log
        assert listener.stop() == 0, listener.log
    finally:
        player.clean_up()
        listener.clean_up()
    lines = [json.loads(line) for line in listener.log.splitlines() if line.startswith('{')]
    return lines[:-1], lines[-1]['counts']


def offline(path: Path, stamps: list[int]) -> list[dict]:
    values = {name: spec.default for name, spec in load_specs('policy_node').items()}
    with Bag(path) as bag:
        topics = replay_topics(bag, tuple(CAMERAS))
        observations = BagObservations(bag, topics, IngestConfig.of_parameters(values),
                                       bag_readers(bag, topics, load_profile('piper'), 'sim'))
        return [described(seen.observation, by_camera(seen.moment.stamps_ns))
                for seen in observations.at_stamps(stamps) if seen.observation is not None]


def by_camera(stamps: dict[str, int]) -> dict[str, int]:
    """Return the sources by names that a topic's leading slash does not change."""
    return {name.lstrip('/'): stamp for name, stamp in stamps.items()}


def test_live_and_offline_ingest_give_the_same_observations(tmp_path: Path) -> None:
    """When the middleware loses a picture, the live side lacks it: then it is played again."""
    path = write_bag(tmp_path / 'bag')
    with Bag(path) as bag:
        sent = {name: topic.count for name, topic in bag.topics.items()}
    for number in range(TRIES):
        seen, counts = live(path, tmp_path, number)
        lost = {name: missing for name, found in counts.items()
                if (missing := sent[f'/{name}'] - found.get('accepted', 0))}
        if not lost:
            break
    assert not lost, f'in {TRIES} attempts something was lost each time: {lost}'
    stamps = [item['stamp_ns'] for item in seen]
    assert len(stamps) >= PICTURES // 2 and stamps == sorted(set(stamps))
    expected = offline(path, stamps)
    live_side = [{**item, 'sources': by_camera(item['sources'])} for item in seen]
    assert live_side == expected
    assert len({item['images']['wrist'] for item in seen}) > PICTURES // 2, 'they all differ'
