"""Everything that a policy node listens to, played by the tests."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from graph_rig import Observer, node_process, stamp_ns, wait_until
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import MarkerArray

from vla_ros.core.se3 import pose
from vla_ros.robots import load_profile
from vla_ros.ros import qos
from vla_ros.ros.images import compressed_from_rgb, image_from_rgb
from vla_ros.ros.joint_states import joint_state_message
from vla_ros.ros.poses import FrameMarkers
from vla_ros.ros.stamps import time_message

PROFILE = load_profile('piper')
NAMES = [*PROFILE.joints.names, PROFILE.gripper.joint]
THIRD, WRIST = 'camera/third_person/image_raw', 'camera/wrist/image_raw'
TASK = 'pick up the red cube'
INFERENCE = 'policy_node: inference'


class World:
    """Everything that the policy listens to, and what it says; each input can be taken away."""

    def __init__(self, folder: Any, namespace: str = '', **parameters: object) -> None:
        self.observer = observer = Observer('world', namespace)
        self.chunks = observer.hear(JointTrajectory, 'action_chunk', qos.CHUNK,
                                    only=lambda m: m.points)
        self.withdrawals = observer.hear(JointTrajectory, 'action_chunk', qos.CHUNK,
                                         only=lambda m: not m.points)
        self.descriptions = observer.hear(String, 'policy', qos.policy_profile(5.0))
        self.records = observer.hear(String, 'observation', qos.CHUNK)
        self.compressed = parameters.get('image_transport') == 'compressed'
        kind, suffix = (CompressedImage, '/compressed') if self.compressed else (Image, '')
        self.images = {topic: observer.publisher(kind, topic + suffix, qos.CAMERA)
                       for topic in (THIRD, WRIST)}
        self.command = observer.publisher(JointState, 'joint_command', qos.COMMAND)
        self.joints = observer.publisher(JointState, 'joint_states', qos.JOINTS)
        self.objects = observer.publisher(MarkerArray, 'sim/objects', qos.OBJECTS)
        self.instruction = observer.publisher(String, 'instruction', qos.LATCHED)
        self.sent: dict[str, list[int]] = {THIRD: [], WRIST: []}  # stamps of good images [ns]
        self.damage_image: dict[str, Callable[[Image], Image]] = {}
        self.damage_joints: Callable[[JointState], JointState] | None = None
        self.silent: set[str] = set()
        self.rounds = 0  # of input played so far
        self.every: dict[str, tuple[int, int]] = {}  # topic -> rounds between two images, which one
        self.live: set[str] = set()  # topics whose picture is another one each time
        self.swings: set[str] = set()  # of joint_command and joint_states: those that move
        self.offset_ns = 0  # of the time that is played
        self._began = time.monotonic()
        self._markers = FrameMarkers(PROFILE.base_frame)
        self._picture = np.full((8, 12, 3), 99, dtype=np.uint8)
        observer.every(0.05, self._look)
        observer.every(0.02, self._feel)
        renamed = ['-r', f'__ns:={namespace}', '-r', '__node:=alone'] if namespace else []
        if namespace:
            observer.policy_node = 'alone'
        # The tests play the world in Python on a busy machine: it may be a little late.
        self.process = node_process('policy_node', folder, *renamed, **{
            'driver': 'sim', 'joint_state_timeout_s': 0.5, 'image_timeout_s': 0.5,
            'inference_rate_hz': 20.0, **parameters})

    def now_ns(self) -> int:
        return int(self.observer.node.get_clock().now().nanoseconds) + self.offset_ns

    def play_clock(self) -> None:
        """Publish the time on /clock, for a node with use_sim_time."""
        clock = self.observer.publisher(Clock, '/clock', qos.CLOCK)
        self.observer.every(0.01, lambda: clock.publish(Clock(clock=time_message(self.now_ns()))))

    def heal(self) -> None:
        self.damage_image = {}
        self.damage_joints = None
        self.silent, self.live, self.swings, self.every = set(), set(), set(), {}

    def say(self, text: str) -> None:
        self.instruction.publish(String(data=text))

    def image(self, stamp: int, live: bool = False) -> Any:
        picture = self._picture.copy()
        if live:
            picture[0, 0] = self.rounds % 251
            picture[4:, 6:] = self.rounds * 7 % 251
        if self.compressed:
            return compressed_from_rgb(picture, stamp, 'camera')
        return image_from_rgb(picture, stamp, 'camera')

    def _joints(self, topic: str, stamp: int) -> JointState:
        q = [*PROFILE.joints.home, 0.07]
        if topic in self.swings:
            q[0] += 0.2 * math.sin(math.pi * (time.monotonic() - self._began))
        return joint_state_message(NAMES, q, stamp_ns=stamp)

    def _look(self) -> None:
        stamp = self.now_ns()
        self.rounds += 1
        for topic, publisher in self.images.items():
            period, phase = self.every.get(topic, (1, 0))
            if topic in self.silent or self.rounds % period != phase:
                continue
            damage = self.damage_image.get(topic)
            if damage is None:
                self.sent[topic].append(stamp)
            image = self.image(stamp, topic in self.live)
            publisher.publish(image if damage is None else damage(image))

    def _feel(self) -> None:
        stamp = self.now_ns()
        if 'joint_states' not in self.silent:
            joints = self._joints('joint_states', stamp)
            self.joints.publish(self.damage_joints(joints) if self.damage_joints else joints)
        if 'joint_command' not in self.silent:
            self.command.publish(self._joints('joint_command', stamp))
        if 'sim/objects' not in self.silent:
            cube = pose(np.eye(3), np.array([0.40, 0.1, 0.02]))
            self.objects.publish(self._markers.message({'cube_red': cube}, stamp))

    def new_chunk(self, what: str = 'a chunk') -> JointTrajectory:
        """Wait for a chunk whose observation is younger than this call."""
        since = self.now_ns()
        return self.chunks.wait(lambda m: stamp_ns(m) >= since, what, len(self.chunks))

    def assert_none_until_healed(self, heal: Callable[[], None], what: str) -> None:
        """Assert that no chunk comes until ``heal`` is called, and one comes then."""
        seen, rounds = len(self.chunks), self.rounds
        wait_until(lambda: self.rounds >= rounds + 4, 'further input')
        healed = time.monotonic()
        heal()
        self.chunks.wait(lambda m: True, what, seen)
        assert self.chunks[seen][0] >= healed, 'a chunk came before the input was valid'
