"""What the tests of replay share: small bags, made here."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

# Without rosbags every module here would fail at its imports.
collect_ignore_glob = ['test_*.py'] if importlib.util.find_spec('rosbags') is None else []

if not collect_ignore_glob:
    from vla_ros.replay import messages
    from vla_ros.replay.bag_writer import BagWriter
    from vla_ros.replay.pictures import IMAGE
    from vla_ros.replay.topic_choice import JOINT_STATE, STRING, TRAJECTORY

START_NS = 1_700_000_000_000_000_000
JOINTS = ('joint1', 'joint2')
DIMS = ('x', 'y', 'z', 'rx', 'ry', 'rz', 'gripper')


def pytest_report_header() -> str:
    """Say that these tests are left out, where they are."""
    return ('test/replay: rosbags is not installed, its tests are left out'
            if collect_ignore_glob else '')


def picture(number: int, width: int = 16, height: int = 12) -> np.ndarray:
    """Return a picture that no other number has."""
    rgb = np.full((height, width, 3), number % 251, np.uint8)
    rgb[0, :, 0] = np.arange(width)
    return rgb


def write_run(path: Path, steps: int = 20, **options: object) -> Path:
    """Write a run as our nodes would leave it: cameras at 10 Hz, joints at 20 Hz, chunks of 3."""
    with BagWriter(path, latched={'/instruction'}, **options) as bag:  # type: ignore[arg-type]
        bag.write_message('/instruction', STRING, START_NS, messages.text('hang it'))
        for step in range(steps):
            stamp = START_NS + step * 100_000_000
            for half in range(2):
                at = stamp + half * 50_000_000
                bag.write_message('/joint_states', JOINT_STATE, at + 1_000_000,
                                  messages.joint_state(JOINTS, [step + half / 2, -step], at))
            for k, camera in enumerate(('third_person', 'wrist')):
                bag.write_message(f'/camera/{camera}/image_raw', IMAGE, stamp + 51_000_000 + k,
                                  messages.image(picture(step + 100 * k), stamp, camera))
            chunk = np.arange(3)[:, None] + np.full((3, 7), float(step))
            bag.write_message('/action_chunk', TRAJECTORY, stamp + 60_000_000,
                              messages.action_chunk(DIMS, chunk, 100_000_000, stamp, 'base_link'))
    return path


@pytest.fixture
def run_bag(tmp_path: Path) -> Path:
    """A bag of a short run."""
    return write_run(tmp_path / 'run')


@pytest.fixture
def bags(shared: Path) -> Path:
    """The folder of public bags, or a skip."""
    folder = shared / 'data' / 'bags'
    if not folder.is_dir():
        pytest.skip(f'no bags at {folder}')
    return folder


@pytest.fixture
def episodes(shared: Path) -> Path:
    """The folder of public episodes, or a skip."""
    folder = shared / 'data' / 'episodes'
    if not folder.is_dir():
        pytest.skip(f'no episodes at {folder}')
    return folder


@pytest.fixture
def make_run() -> Callable[..., Path]:
    """Return the function that writes a run."""
    return write_run
