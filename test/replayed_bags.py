"""Recordings for tests of replay: a policy that is known, recorded with our own bag writer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from vla_ros.core.frame_markers import frames_from_markers
from vla_ros.core.ingest import arm_state
from vla_ros.core.policy_description import PolicyDescription
from vla_ros.core.se3 import quaternion_from_rotation
from vla_ros.core.types import ActionChunk, Observation
from vla_ros.ik import load_ik
from vla_ros.replay import messages
from vla_ros.replay.bag_writer import BagWriter
from vla_ros.replay.message_types import KNOWN_TYPES
from vla_ros.replay.pictures import IMAGE
from vla_ros.replay.replay_topics import MARKERS
from vla_ros.replay.topic_choice import JOINT_STATE, STRING, TRAJECTORY
from vla_ros.robots import load_profile

START_NS = 1_700_000_000_000_000_000
PROFILE = load_profile('piper')
NAMES = (*PROFILE.joints.names, PROFILE.gripper.joint)
TASK = 'pick up the insulator'


class RunWriter:
    """Writes the topics of our nodes; everything is received ``delay`` after it is stamped."""

    def __init__(self, path: Path, delay_ns: int = 5_000_000) -> None:
        self.bag = BagWriter(path, latched={'/instruction', '/policy'})
        self._delay_ns = delay_ns

    def say(self, topic: str, text: str, stamp: int = START_NS) -> None:
        self.bag.write_message(topic, STRING, stamp, messages.text(text))

    def describe(self, policy: Any) -> None:
        spec = policy.spec
        self.say('/policy', PolicyDescription(spec.name, spec.label, spec.convention, spec.dt_ns,
                                              spec.horizon, spec.dims).to_json())

    def joints(self, topic: str, q: np.ndarray, width: float, stamp: int) -> None:
        self._write(topic, JOINT_STATE, messages.joint_state(NAMES, [*q, width], stamp), stamp)

    def image(self, camera: str, rgb: np.ndarray, stamp: int) -> None:
        self._write(f'/camera/{camera}/image_raw', IMAGE, messages.image(rgb, stamp, camera), stamp)

    def chunk(self, chunk: ActionChunk) -> None:
        self._write('/action_chunk', TRAJECTORY, messages.action_chunk(
            chunk.dims, chunk.actions, chunk.dt_ns, chunk.stamp_ns, 'base_link'), chunk.stamp_ns,
            20_000_000)

    def objects(self, frames: dict[str, np.ndarray], stamp: int) -> Any:
        """Write object poses; return the message, whose poses are what a node would see."""
        message = object_markers(frames, stamp)
        self._write('/sim/objects', MARKERS, message, stamp)
        return message

    def _write(self, topic: str, kind: str, message: Any, stamp: int, more_ns: int = 0) -> None:
        self.bag.write_message(topic, kind, stamp + self._delay_ns + more_ns, message)

    def close(self) -> None:
        self.bag.close()


def object_markers(frames: dict[str, np.ndarray], stamp: int) -> Any:
    """Return a MarkerArray of frames, each with its name."""
    t = KNOWN_TYPES.types
    made = []
    for name, T in frames.items():
        fields = {field: _empty(kind) for field, (kind) in
                  KNOWN_TYPES.fielddefs['visualization_msgs/msg/Marker'][1]}
        fields['header'] = messages.joint_state(['a'], [0.0], stamp, 'base_link').header
        fields['ns'] = name
        x, y, z, w = quaternion_from_rotation(T[:3, :3]).tolist()
        fields['pose'] = t['geometry_msgs/msg/Pose'](
            t['geometry_msgs/msg/Point'](*T[:3, 3].tolist()),
            t['geometry_msgs/msg/Quaternion'](x, y, z, w))
        made.append(t['visualization_msgs/msg/Marker'](**fields))
    return t['visualization_msgs/msg/MarkerArray'](made)


def _empty(kind: Any) -> Any:
    """Return a value of a field's type: zeros, nothing, or a message of such."""
    node, rest = kind
    name = getattr(node, 'name', node)
    if name == 'BASE':
        return {'string': '', 'bool': False}.get(rest[0], 0.0 if rest[0].startswith('float') else 0)
    if name == 'NAME':
        inner = KNOWN_TYPES.fielddefs[rest][1]
        return KNOWN_TYPES.types[rest](**{field: _empty(one) for field, one in inner})
    if rest[0][0].name == 'BASE' and rest[0][1][0] != 'string':
        return np.zeros(0, rest[0][1][0])
    return []


def write_scripted(path: Path, seconds: float = 4.0, policy_name: str = 'scripted') -> Path:
    """Record the scripted policy on the simulated arm: it sees what the bag will have."""
    from vla_ros.assembly import build_pipeline
    from vla_ros.lockstep import Lockstep
    from vla_ros.policy import load_policy
    from vla_ros.ros.pipeline_config import guards, pipeline_config
    from vla_ros.sim.world import SimWorld

    kinematics = load_ik('pinocchio', PROFILE)
    policy = load_policy(policy_name)
    out = RunWriter(path)
    out.say('/instruction', TASK)
    out.describe(policy)

    class Recorded(Lockstep):
        def observe(self, task: str) -> Observation:
            stamp = START_NS + self.world.time_ns
            for k, camera in enumerate(self.policy.spec.cameras):
                out.image(camera, np.full((8, 8, 3), (stamp // 10**8 + k) % 251, np.uint8), stamp)
            frames = frames_from_markers(out.objects(self.world.frames(), stamp))
            width = self.world.gripper_width
            out.joints('/joint_states', self.world.joint_position, width, stamp)
            state = arm_state(kinematics.forward)(np.append(self.world.joint_position, width))
            state = {**state, **{f'object/{name}': T for name, T in frames.items()}}
            seen = Observation(self.world.time_ns, task, {}, state)
            chunk = self.policy.infer(seen)
            out.chunk(ActionChunk(stamp, chunk.dt_ns, chunk.actions, chunk.dims))
            return seen

        def tick(self, task: str) -> Any:
            now = START_NS + self.world.time_ns
            observed = self.world.time_ns >= self._next_inference_ns
            tick = super().tick(task)
            if not observed:
                out.joints('/joint_states', *before, now)
            before[:] = self.world.joint_position, self.world.gripper_width
            if tick.q is not None:
                out.joints('/joint_command', tick.q, tick.gripper or before[1], now)
            return tick

    before: list[Any] = [None, None]
    world = SimWorld(PROFILE, seed=0)
    pipeline = build_pipeline(PROFILE, pipeline_config(), 'pinocchio',
                              guards=guards({'auto_arm': True}))
    run = Recorded(world, policy, pipeline, kinematics)
    while run.world.time_ns < seconds * 1e9:
        run.tick(TASK)
    out.close()
    return path


def scene(step: int, camera: int, size: int = 224) -> np.ndarray:
    """Return a picture with colours and shapes that differ by step and camera."""
    y, x = np.mgrid[0:size, 0:size]
    turn = 0.35 * step + 2.0 * camera
    waves = (np.sin(x / (9 + 5 * camera) + turn), np.cos(y / 13 - turn),
             np.sin((x + y) / 21 + turn))
    gains = (120, 60, 25) if camera == 0 else (40, 110, 70)
    base = (150, 80, 50) if camera == 0 else (60, 120, 90)
    channels = [np.clip(b + g * w, 0, 255) for b, g, w in zip(base, gains, waves, strict=True)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def write_answers(path: Path, policy: Any, steps: int = 20, period_ns: int = 100_000_000,
                  shown: Callable[[np.ndarray], np.ndarray] = lambda rgb: rgb,
                  describe: bool = True, states: bool = True) -> Path:
    """Record a policy that looks at pictures: it sees ``scene``, the bag gets ``shown(scene)``."""
    forward = load_ik('pinocchio', PROFILE).forward
    out = RunWriter(path)
    out.say('/instruction', TASK)
    if describe:
        out.describe(policy)
    for step in range(steps):
        stamp = START_NS + step * period_ns
        q = PROFILE.joints.home + 0.02 * np.sin(0.3 * step + np.arange(6))
        width = 0.03 + 0.02 * np.cos(0.4 * step)
        if states:
            out.joints('/joint_states', q, width, stamp)
        images = {camera: scene(step, k) for k, camera in enumerate(policy.spec.cameras)}
        for camera, rgb in images.items():
            out.image(camera, np.ascontiguousarray(shown(rgb)), stamp)
        state = arm_state(forward)(np.append(q, width))
        out.chunk(policy.infer(Observation(stamp, TASK, images, state)))
    out.close()
    return path
