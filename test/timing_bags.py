"""A bag of a short run of a piper, with everything that its timing depends on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from vla_ros.replay import messages
from vla_ros.replay.bag_writer import BagWriter
from vla_ros.replay.pictures import IMAGE
from vla_ros.replay.topic_choice import JOINT_STATE, STRING, TRAJECTORY
from vla_ros.robots import load_profile

START_NS = 1_700_000_000_000_000_000
DIMS = ('x', 'y', 'z', 'rx', 'ry', 'rz', 'gripper')
DESCRIPTION = {
    'name': 'made', 'label': 'made up', 'dt_ns': 100_000_000, 'horizon': 8, 'dims': list(DIMS),
    'convention': {'space': 'ee_delta', 'frame': 'base', 'rotation': 'axis_angle',
                   'translation_scale': 1.0, 'rotation_scale': 1.0, 'gripper_open': 1.0,
                   'gripper_closed': 0.0}}


def write_timing_bag(path: Path, seconds: float = 4.0, latency: float = 0.05,
                     described: bool = True, cameras: bool = True, lag: float = 0.05) -> Path:
    """Write a run: joints at 100 Hz, chunks of 8 steps of 0.1 s and pictures at 10 Hz.

    The arm sways by itself (joint1), as its commands tell it ``lag`` seconds before; each chunk
    tells the tool to go up and down at 20 mm/s at most.
    """
    profile = load_profile('piper')
    names = (*profile.joints.names, profile.gripper.joint)
    events = []
    for i in range(round(seconds * 100)):
        t = i * 0.01
        stamp = START_NS + i * 10_000_000
        # What a first-order lag makes of a sine that has gone on for ever.
        w = 2.0
        measured = 0.2 * np.sin(w * t - np.arctan(w * lag)) / np.sqrt(1.0 + (w * lag) ** 2)
        for topic, sway in (('/joint_states', measured), ('/joint_command', 0.2 * np.sin(w * t))):
            q = np.array(profile.joints.home) + np.array([sway, 0, 0, 0, 0, 0])
            events.append((stamp, topic, JOINT_STATE, messages.joint_state(
                names, [*q, 0.07], stamp)))
    for i in range(round(seconds * 10)):
        stamp = START_NS + i * 100_000_000 + 5_000_000
        if cameras:
            for k, camera in enumerate(('third_person', 'wrist')):
                rgb = np.full((4, 6, 3), (7 * i + 90 * k) % 251, np.uint8)
                events.append((stamp + 2_000_000 + k, f'/camera/{camera}/image_raw', IMAGE,
                               messages.image(rgb, stamp, camera)))
        steps = i * 0.1 + 0.1 * np.arange(8)
        actions = np.zeros((8, 7))
        actions[:, 2], actions[:, 6] = 0.002 * np.sin(1.5 * steps), 1.0
        events.append((stamp + round(latency * 1e9), '/action_chunk', TRAJECTORY,
                       messages.action_chunk(DIMS, actions, 100_000_000, stamp, 'base_link')))
    with BagWriter(path, latched={'/instruction', '/policy'}) as bag:
        bag.write_message('/instruction', STRING, START_NS, messages.text('sway'))
        if described:
            bag.write_message('/policy', STRING, START_NS, messages.text(json.dumps(DESCRIPTION)))
        for at, topic, kind, message in sorted(events, key=lambda event: event[:2]):
            bag.write_message(topic, kind, at, message)
    return path
