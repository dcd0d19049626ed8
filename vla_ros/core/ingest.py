"""What a policy sees, from messages as they come in: one path for the live node and for a replay.

Whoever has messages tells of each with the time at which it came; nothing here subscribes, decodes
or has a clock. So a bag that is walked in the order of receiving gives the observations that the
live node made.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import InputError
from vla_ros.core.frozen import FrozenDetector, MotionDetector
from vla_ros.core.observation import ACCEPTED, Moment, ObservationBuffer, StreamSpec
from vla_ros.core.types import Observation

Array = NDArray[np.float64]

STATE = 'joint_states'
OBJECTS = 'sim/objects'

_MOTION_NS = 200_000_000  # within this time the arm must have got further than the threshold


@dataclass(frozen=True)
class IngestConfig:
    """Tolerances, latencies and limits; all times in ns.

    Attributes
    ----------
    image_timeout_ns, state_timeout_ns : int
        A stream stamped longer ago is stale.
    max_camera_skew_ns, state_tolerance_ns : int
        How far the cameras' pictures may be apart, and the state from them.
    max_future_ns : int
        How far a stamp may be ahead of the clock.
    frozen_image_ns, frozen_state_ns : int
        The same content for longer than this in motion is frozen.
    motion_threshold : float
        What is a motion [rad].
    latency_ns : Mapping[str, int]
        Camera, or ``joint_states`` -> how long after the truth it is stamped.

    """

    image_timeout_ns: int
    state_timeout_ns: int
    max_camera_skew_ns: int
    state_tolerance_ns: int
    max_future_ns: int
    frozen_image_ns: int
    frozen_state_ns: int
    motion_threshold: float
    latency_ns: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of_parameters(cls, values: Mapping[str, Any]) -> IngestConfig:
        """Return the settings for the parameters of the policy node, by name."""
        end = '_latency_s'
        latency = {name.removesuffix(end): _ns(value) for name, value in values.items()
                   if name.endswith(end)}
        latency[STATE] = latency.pop('joint_state', 0)
        return cls(
            _ns(values['image_timeout_s']), _ns(values['joint_state_timeout_s']),
            _ns(values['max_camera_skew_s']), _ns(values['joint_state_tolerance_s']),
            _ns(values['max_future_s']), _ns(values['frozen_image_s']),
            _ns(values['frozen_joint_state_s']), values['motion_threshold_rad'], latency)


@dataclass(frozen=True, eq=False)
class Readers:
    """How values become what the policy gets; called only for what is used.

    Attributes
    ----------
    image : Callable[[Any, str], np.ndarray]
        (message, topic) -> (H, W, 3) uint8 RGB, or InputError that names the topic.
    state : Callable[[Array], Mapping[str, Array]]
        A state's vector as it was added -> ``Observation.state``.
    objects : Callable[[Any, str], Mapping[str, Array]]
        (message, topic) -> frame -> T_base_object (4, 4).

    """

    image: Callable[[Any, str], NDArray[np.uint8]]
    state: Callable[[Array], Mapping[str, Array]]
    objects: Callable[[Any, str], Mapping[str, Array]]


@dataclass(frozen=True)
class StreamStatus:
    """How a stream is at one moment.

    Attributes
    ----------
    counts : Mapping[str, int]
        What became of its messages.
    newest_ns : int | None
        Corrected stamp of the newest sample [ns].
    problem : str
        What is wrong with it; empty when nothing is.
    frozen_ns : int
        How long its content has been the same in motion [ns].
    clock_jumps : int
        How often the clock was set back.
    latency_ns : int
        Subtracted from its stamps [ns].

    """

    counts: Mapping[str, int]
    newest_ns: int | None
    problem: str
    frozen_ns: int
    clock_jumps: int
    latency_ns: int


class ObservationIngest:
    """Takes in what one policy needs and assembles its observations.

    Nothing is decoded before it is used: most images of a fast camera never are.

    Parameters
    ----------
    cameras : Mapping[str, str]
        Camera -> topic, for each of the policy's cameras; two may share one.
    privileged : bool
        Whether object poses (``sim/objects``) belong to an observation.
    config : IngestConfig
        Tolerances, latencies and limits.
    readers : Readers
        How values become what the policy gets.
    lock : AbstractContextManager | None
        Held while anything is changed or read, for a caller whose messages come on another thread
        than the one that asks; None: there is one thread.

    """

    def __init__(self, cameras: Mapping[str, str], privileged: bool, config: IngestConfig,
                 readers: Readers, lock: AbstractContextManager[Any] | None = None) -> None:
        self.cameras = dict(cameras)
        self._readers = readers
        self._lock = nullcontext() if lock is None else lock
        self._buffer = ObservationBuffer(_streams(self.cameras, privileged, config),
                                         config.max_future_ns)
        self._frozen = {topic: FrozenDetector(config.frozen_image_ns)
                        for topic in self.cameras.values()}
        self._frozen_state = FrozenDetector(config.frozen_state_ns)
        self._commanded = MotionDetector(config.motion_threshold, _MOTION_NS)
        self._measured = MotionDetector(config.motion_threshold, _MOTION_NS)

    @property
    def image_topics(self) -> tuple[str, ...]:
        """The topics of pictures, each once."""
        return tuple(self._frozen)

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of the streams."""
        return tuple(self._buffer.streams)

    def add_image(self, topic: str, stamp_ns: int, message: Any, now_ns: int) -> None:
        """Take in a picture's message with its header's stamp, which comes now [ns]."""
        self._add(topic, stamp_ns, message, now_ns)

    def add_state(self, stamp_ns: int, position: Array, width: float | None, now_ns: int) -> None:
        """Take in the measured joints (n,) [rad], with the gripper's width [m] where it has one.

        ``position`` may be another vector that was recorded as the state; the numbers of all
        calls must mean the same.
        """
        vector = position if width is None else np.append(position, width)
        corrected = self._add(STATE, stamp_ns, vector, now_ns)
        if corrected is not None:
            with self._lock:
                self._frozen_state.update(corrected, position.tobytes())
            self._note_motion(self._measured, position, now_ns)

    def add_command(self, position: Array, now_ns: int) -> None:
        """Take in the joints (n,) [rad] that were commanded now: they tell whether it moves."""
        self._note_motion(self._commanded, position, now_ns)

    def add_objects(self, stamp_ns: int, message: Any, now_ns: int) -> None:
        """Take in a message with the poses of objects."""
        self._add(OBJECTS, stamp_ns, message, now_ns)

    def pause(self) -> None:
        """Say that nothing is asked for now.

        What the cameras show afterwards is not held against what they showed before.
        """
        with self._lock:
            for detector in self._frozen.values():
                detector.reset()

    def reference_ns(self) -> int | None:
        """Return the time of the observation that would be made now [ns]; None: of none yet."""
        with self._lock:
            newest = [self._buffer.newest_ns(topic) for topic in self._frozen]
        known = [stamp for stamp in newest if stamp is not None]
        return min(known) if known and len(known) == len(newest) else None

    def latest_ns(self) -> int:
        """Return the newest stamp of all streams [ns], latencies not subtracted; 0 without any."""
        with self._lock:
            return max(((newest + spec.latency_ns) for name, spec in self._buffer.streams.items()
                        if (newest := self._buffer.newest_ns(name)) is not None), default=0)

    def settled(self, stamp_ns: int) -> bool:
        """Return whether no later message changes what the streams say of this time [ns]."""
        with self._lock:
            return all((newest := self._buffer.newest_ns(name)) is not None and newest >= stamp_ns
                       for name in self._buffer.streams)

    def moment(self, now_ns: int) -> Moment:
        """Return the newest moment at which every input is known, none of them frozen.

        Raises
        ------
        InputError
            When there is none; it names what is missing, stale, too far from the rest or frozen.

        """
        with self._lock:
            moment = self._buffer.at(now_ns)
        # The only images that are read at all: those that are used. Outside the lock, since a
        # large one takes a millisecond.
        prints = {topic: zlib.crc32(moment.values[topic].data) for topic in self._frozen}
        with self._lock:
            for topic, fingerprint in prints.items():
                self._frozen[topic].update(moment.stamps_ns[topic], fingerprint)
            found = [p for name in self._buffer.streams if (p := self._frozen_problem(name))]
        if found:
            raise InputError('; '.join(found))
        return moment

    def observation(self, moment: Moment, instruction: str) -> Observation:
        """Return what the policy sees at a moment, images decoded.

        Raises
        ------
        InputError
            When an image or a marker cannot be read; it names the topic.

        """
        images = {camera: self._readers.image(moment.values[topic], topic)
                  for camera, topic in self.cameras.items()}
        state = dict(self._readers.state(moment.values[STATE]))
        if OBJECTS in moment.values:
            frames = self._readers.objects(moment.values[OBJECTS], OBJECTS)
            state.update({f'object/{name}': np.asarray(T) for name, T in frames.items()})
        return Observation(moment.stamp_ns, instruction, images, state)

    def status(self, stream: str, now_ns: int) -> StreamStatus:
        """Return how a stream is at this time [ns]."""
        with self._lock:
            buffer, detector = self._buffer, self._detector(stream)
            return StreamStatus(
                dict(buffer.counts[stream]), buffer.newest_ns(stream),
                buffer.problem(stream, now_ns) or self._frozen_problem(stream),
                detector.frozen_for_ns if detector else 0, buffer.clock_jumps,
                buffer.streams[stream].latency_ns)

    def _add(self, stream: str, stamp_ns: int, value: Any, now_ns: int) -> int | None:
        """Give a sample to the buffer; return its corrected stamp [ns], or None when dropped."""
        if now_ns == 0:
            return None  # simulated time, and no /clock yet: there is nothing to judge it by
        with self._lock:
            verdict = self._buffer.add(stream, stamp_ns, value, now_ns)
            return self._buffer.newest_ns(stream) if verdict == ACCEPTED else None

    def _note_motion(self, detector: MotionDetector, position: Array, now_ns: int) -> None:
        if now_ns == 0:
            return
        with self._lock:
            detector.update(now_ns, position)
            commanded = self._commanded.moving(now_ns)
            self._frozen_state.moving(now_ns, commanded)
            # Where no commands are seen, and when a hand moves the arm, the joints tell.
            moving = commanded or self._measured.moving(now_ns)
            for frozen in self._frozen.values():
                frozen.moving(now_ns, moving)

    def _detector(self, name: str) -> FrozenDetector | None:
        return self._frozen_state if name == STATE else self._frozen.get(name)

    def _frozen_problem(self, name: str) -> str:
        detector = self._detector(name)
        if detector is None or not detector.frozen_for_ns:
            return ''
        what = 'joint positions' if name == STATE else 'picture'
        return (f'{name}: frozen, the same {what} for {detector.frozen_for_ns * 1e-9:.2f} s, while '
                f'the arm moved for {detector.moved_for_ns * 1e-9:.2f} s')


def arm_state(forward: Callable[[Array], Array]) -> Callable[[Array], Mapping[str, Array]]:
    """Return how joints (n,) [rad] and a gripper width [m], in one vector, become a state.

    ``forward`` gives T_base_tool (4, 4) of joints.
    """
    def state(vector: Array) -> Mapping[str, Array]:
        q = vector[:-1]
        return {'joint_position': q, 'gripper': vector[-1], 'tool_pose': forward(q)}

    return state


def _streams(cameras: Mapping[str, str], privileged: bool,
             c: IngestConfig) -> dict[str, StreamSpec]:
    """Return the streams that a policy needs, with the tolerances of the settings."""
    streams = {topic: StreamSpec(c.image_timeout_ns, c.max_camera_skew_ns,
                                 c.latency_ns.get(camera, 0), reference=True)
               for camera, topic in cameras.items()}
    streams[STATE] = StreamSpec(c.state_timeout_ns, c.state_tolerance_ns,
                                c.latency_ns.get(STATE, 0), interpolate=True, keep=2000)
    if privileged:
        streams[OBJECTS] = StreamSpec(c.state_timeout_ns, c.state_tolerance_ns, keep=500)
    return streams


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
