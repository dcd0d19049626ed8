"""What the tests of reports share: bags whose story is known."""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

MISSING = [name for name in ('rosbags', 'matplotlib', 'cv2')
           if importlib.util.find_spec(name) is None]
collect_ignore_glob = ['test_*.py'] if MISSING else []

if not MISSING:
    from vla_ros.core.provenance import ChunkRecord, ProvenanceBatch, TickRecord, encode
    from vla_ros.replay import messages
    from vla_ros.replay.bag_writer import BagWriter
    from vla_ros.replay.message_types import KNOWN_TYPES
    from vla_ros.replay.pictures import IMAGE
    from vla_ros.replay.topic_choice import JOINT_STATE, STRING, TRAJECTORY

START_NS = 1_700_000_000_000_000_000
MS = 1_000_000
JOINTS = ('joint1', 'joint2')
DIMS = ('x', 'y', 'z', 'rx', 'ry', 'rz', 'gripper')
CONVENTION = {'gripper_open': 1.0, 'gripper_closed': 0.0}
STATUS = 'diagnostic_msgs/msg/DiagnosticStatus'
JOINTS_GONE = 'joint_states: older than 0.15 s'


def pytest_report_header() -> str:
    """Say that these tests are left out, where they are."""
    return (f'test/report: {", ".join(MISSING)} not installed, its tests are left out'
            if MISSING else '')


@dataclass
class Story:
    """What happens in a bag; times in seconds after its start."""

    seconds: float = 8.0
    no_joints: tuple[float, float] | None = None  # the driver is silent, the node holds
    person: tuple[float, float] | None = None  # somebody closes the gripper, then gives it back
    policy_closes: bool = False
    frozen: tuple[float, float] | None = None  # the wrist camera repeats a picture
    late_chunks: tuple[float, float] | None = None
    stopped: float | None = None  # until the end
    simulated: bool = False  # stamps from 0 on, at half the pace of the recorder's clock
    provenance: bool = True
    limiter: tuple[float, float] | None = None
    takeover: tuple[float, float] | None = None  # somebody has the arm with a joystick
    estop: tuple[float, float] | None = None  # the button is pressed

    def within(self, span: tuple[float, float] | None, at: float) -> bool:
        return span is not None and span[0] <= at < span[1]


def picture(number: int) -> np.ndarray:
    rgb = np.full((24, 32, 3), number % 251, np.uint8)
    rgb[:, :16, 0] = 255 - number % 251
    return rgb


class _Writer:
    def __init__(self, bag: BagWriter, story: Story) -> None:
        self.bag, self.story = bag, story
        self.ticks: list[TickRecord] = []
        self.chunks: list[ChunkRecord] = []

    def stamp(self, at: float) -> int:
        return round(at * 1e9) + (1 * MS if self.story.simulated else START_NS)

    def received(self, at: float) -> int:
        return START_NS + round(at * 1e9 * (2 if self.story.simulated else 1))

    def joints(self, at: float) -> None:
        if not self.story.within(self.story.no_joints, at):
            self.bag.write_message('/joint_states', JOINT_STATE, self.received(at + 0.001),
                                   messages.joint_state((*JOINTS, 'gripper'),
                                                        [math.sin(at), -0.5, self.width(at)],
                                                        self.stamp(at)))

    def width(self, at: float) -> float:
        closed = (self.story.person and at >= self.story.person[0]) or (
            self.story.policy_closes and at >= 3.0)
        return 0.0 if closed else 0.07

    def cameras(self, at: float) -> None:
        for name in ('third_person', 'wrist'):
            seen = at
            if name == 'wrist' and self.story.within(self.story.frozen, at):
                seen = self.story.frozen[0]
            number = round(seen * 10) + (100 if name == 'wrist' else 0)
            self.bag.write_message(f'/camera/{name}/image_raw', IMAGE, self.received(at + 0.002),
                                   messages.image(picture(number), self.stamp(at), name))

    def chunk(self, at: float) -> None:
        story, latency = self.story, 0.05
        if story.within(story.late_chunks, at):
            latency = 0.9  # eight steps of 0.1 s reach 0.7 s ahead
        actions = np.zeros((8, 7))
        actions[:, 0] = math.sin(at)
        actions[:, 6] = 0.0 if story.policy_closes and at >= 3.0 else 1.0
        self.bag.write_message('/action_chunk', TRAJECTORY, self.received(at + 0.003),
                               messages.action_chunk(DIMS, actions, 100 * MS, self.stamp(at),
                                                     'base_link'))
        self.bag.write_message('/observation', STRING, self.received(at + 0.003), messages.text(
            json.dumps({'stamp_ns': self.stamp(at), 'sources': {}, 'skew_ns': 0,
                        'instruction': '', 'infer_ms': 1e3 * (latency - 0.01)})))
        self.chunks.append(ChunkRecord(self.stamp(at), self.stamp(at + latency), 'test',
                                       {'camera/wrist': self.stamp(at - 0.02)}, 5 * MS))

    def tick(self, at: float) -> None:
        story = self.story
        mode, reason, q = 'AUTONOMOUS', '', (math.sin(at + 0.03), -0.5)
        stamp_of_joints = at
        if at < 0.5:
            mode, reason = 'HOLD', 'action_chunk: none received yet'
        elif story.stopped is not None and at >= story.stopped:
            mode, reason, q = 'STOPPED', 'emergency stop: panel', None
        elif story.within(story.takeover, at):
            mode = 'INTERVENTION'
        elif story.no_joints and story.no_joints[0] + 0.15 < at < story.no_joints[1]:
            mode, reason = 'HOLD', JOINTS_GONE
        if story.within(story.no_joints, at):
            stamp_of_joints = story.no_joints[0] - 0.02
        person = story.within(story.person, at)
        self.ticks.append(TickRecord(
            self.stamp(at), mode, 'RUNNING', reason, q, q, self.width(at), 20.0,
            ('speed 0.3 > 0.25 m/s',) if story.within(story.limiter, at) else (),
            (self.stamp(math.floor(at * 5) / 5),), (1.0,), self.stamp(stamp_of_joints),
            self.stamp(at), 1.0, '; '.join(
                (['takeover: joystick twist'] if story.within(story.takeover, at) else [])
                + (['gripper override: panel latched'] if person else []))))

    def flush(self, at: float) -> None:
        if self.story.provenance:
            text = encode(ProvenanceBatch(JOINTS, tuple(self.chunks), tuple(self.ticks)))
            self.bag.write_message('/provenance', STRING, self.received(at), messages.text(text))
        self.ticks, self.chunks = [], []

    def say(self) -> None:
        types = KNOWN_TYPES.types
        self.bag.write_message('/mode', STATUS, self.received(0.0), types[STATUS](
            0, 'mode', 'HOLD', 'piper', [types['diagnostic_msgs/msg/KeyValue'](
                'reason', 'action_chunk: none received yet')]))
        self.bag.write_message('/instruction', STRING, self.received(0.0),
                               messages.text('hang it <b>'))
        self.bag.write_message('/policy', STRING, self.received(0.0), messages.text(json.dumps(
            {'name': 'test', 'label': 'a policy & more', 'convention': CONVENTION})))
        self.bag.write_message('/recording', STRING, self.received(0.0), messages.text(json.dumps(
            {'versions': {'vla_ros': '9.9'}, 'config': 'sha256:abc',
             'parameters': {'/control_node': {'rate_hz': 50.0}}})))


def _write(path: Path, story: Story) -> Path:
    """Write the bag of a story: joints and ticks at 50 Hz, cameras at 10 Hz, chunks at 5 Hz."""
    with BagWriter(path, latched={'/instruction', '/policy', '/recording', '/mode'}) as bag:
        writer = _Writer(bag, story)
        writer.say()
        for i in range(round(story.seconds * 50)):
            at = i / 50
            writer.joints(at)
            if i % 5 == 0:
                writer.cameras(at)
            if i % 10 == 0:
                writer.chunk(at)
            writer.tick(at)
            if i % 25 == 0 and story.estop:
                bag.write_message('/estop', 'std_msgs/msg/Bool', writer.received(at),
                                  KNOWN_TYPES.types['std_msgs/msg/Bool'](
                                      story.within(story.estop, at)))
            if i % 5 == 4:
                writer.flush(at + 0.005)
    return path


@pytest.fixture(scope='session')
def write_story() -> Callable[..., Path]:
    """Return the function that writes the bag of a story to a path."""
    def write(path: Path, **happens: object) -> Path:
        return _write(path, Story(**happens))  # type: ignore[arg-type]
    return write


@pytest.fixture
def tell(tmp_path: Path, write_story: Callable[..., Path]) -> Callable[..., Path]:
    """Return the function that writes the bag of a story into the test's folder."""
    def write(name: str = 'story', **happens: object) -> Path:
        return write_story(tmp_path / name, **happens)
    return write
