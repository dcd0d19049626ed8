"""The ingest: messages with their times in, observations out, nothing decoded in vain."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vla_ros.core.errors import InputError
from vla_ros.core.ingest import IngestConfig, ObservationIngest, Readers, arm_state

MS = 1_000_000
S = 1_000_000_000
PARAMETERS = {
    'image_timeout_s': 0.35, 'joint_state_timeout_s': 0.2, 'max_camera_skew_s': 0.1,
    'joint_state_tolerance_s': 0.1, 'max_future_s': 0.2, 'frozen_image_s': 1.0,
    'frozen_joint_state_s': 0.5, 'motion_threshold_rad': 0.005, 'third_person_latency_s': 0.0,
    'wrist_latency_s': 0.02, 'joint_state_latency_s': 0.001, 'inference_rate_hz': 10.0}


class Decoder:
    """Decodes a message to one pixel and counts."""

    def __init__(self) -> None:
        self.decoded: list[Any] = []

    def __call__(self, message: Any, topic: str) -> np.ndarray:
        self.decoded.append(message.number)
        return np.full((1, 1, 3), message.number, np.uint8)


def picture(number: int) -> Any:
    return SimpleNamespace(data=bytes([number]), number=number)


@pytest.fixture
def decoder() -> Decoder:
    return Decoder()


@pytest.fixture
def ingest(decoder: Decoder) -> ObservationIngest:
    def forward(q: np.ndarray) -> np.ndarray:
        return np.eye(4) * q[0]

    readers = Readers(decoder, arm_state(forward), lambda message, topic: {})
    return ObservationIngest({'third_person': '/a'}, False, IngestConfig.of_parameters(PARAMETERS),
                             readers)


def test_parameters_become_nanoseconds_by_camera() -> None:
    config = IngestConfig.of_parameters(PARAMETERS)
    assert config.latency_ns == {'third_person': 0, 'wrist': 20 * MS, 'joint_states': MS}
    assert (config.image_timeout_ns, config.state_timeout_ns) == (350 * MS, 200 * MS)
    assert (config.frozen_image_ns, config.frozen_state_ns) == (S, S // 2)


def test_only_the_picture_that_is_used_is_decoded(ingest: ObservationIngest,
                                                  decoder: Decoder) -> None:
    for k in range(5):
        now = S + k * 50 * MS
        ingest.add_image('/a', now, picture(k), now)
        ingest.add_state(now, np.array([0.1 * k, 0.0]), 0.02, now)
    assert decoder.decoded == []
    moment = ingest.moment(S + 210 * MS)
    seen = ingest.observation(moment, 'go')
    assert decoder.decoded == [4]
    assert (seen.stamp_ns, seen.instruction) == (S + 200 * MS, 'go')
    # The state is stamped 1 ms late, so the one of this moment lies before the last.
    assert 0.39 < seen.state['joint_position'][0] <= 0.4
    assert seen.state['gripper'] == pytest.approx(0.02)
    assert seen.state['tool_pose'][0, 0] == seen.state['joint_position'][0]


def test_the_state_is_settled_when_nothing_later_can_change_it(ingest: ObservationIngest) -> None:
    ingest.add_state(S, np.zeros(2), 0.0, S)
    assert ingest.reference_ns() is None
    ingest.add_image('/a', S + 5 * MS, picture(1), S + 6 * MS)
    assert ingest.reference_ns() == S + 5 * MS
    assert not ingest.settled(S + 5 * MS)
    ingest.add_state(S + 10 * MS, np.ones(2), 0.0, S + 11 * MS)
    assert ingest.settled(S + 5 * MS)


def test_a_picture_that_stays_while_the_arm_moves_is_frozen(ingest: ObservationIngest) -> None:
    def look(k: int, number: int) -> None:
        now = S + k * 50 * MS
        ingest.add_image('/a', now, picture(number), now)
        ingest.add_state(now, np.array([0.02 * k, 0.0]), 0.0, now)
        ingest.moment(now + MS)

    def look_on() -> None:
        for k in range(20, 40):
            look(k, 7)

    for k in range(20):
        look(k, 7)
    with pytest.raises(InputError, match=r'/a: frozen, the same picture for'):
        look_on()
    look(50, 8)


def test_commands_alone_tell_that_joint_states_hang(ingest: ObservationIngest) -> None:
    def run() -> None:
        for k in range(40):
            now = S + k * 50 * MS
            ingest.add_image('/a', now, picture(k), now)
            ingest.add_command(np.array([0.02 * k, 0.0]), now)
            ingest.add_state(now, np.zeros(2), 0.0, now)
            ingest.moment(now + MS)

    with pytest.raises(InputError, match=r'joint_states: frozen, the same joint positions'):
        run()


def test_before_the_clock_nothing_is_taken(ingest: ObservationIngest) -> None:
    ingest.add_image('/a', S, picture(1), 0)
    ingest.add_state(S, np.zeros(2), 0.0, 0)
    assert ingest.status('/a', S).newest_ns is None
    assert 'none received yet' in ingest.status('joint_states', S).problem


def test_the_lock_is_held_by_whoever_changes_or_reads(decoder: Decoder) -> None:
    class Lock:
        held = entered = 0

        def __enter__(self) -> None:
            assert not self.held, 'the lock is taken twice'
            self.held, self.entered = 1, self.entered + 1

        def __exit__(self, *args: object) -> None:
            self.held = 0

    lock = Lock()
    ingest = ObservationIngest(
        {'c': '/a'}, False, IngestConfig.of_parameters(PARAMETERS),
        Readers(decoder, lambda v: {}, lambda m, t: {}), lock)  # type: ignore[arg-type]
    calls = [lambda: ingest.add_image('/a', S, picture(1), S),
             lambda: ingest.add_state(S, np.zeros(2), None, S),
             lambda: ingest.add_command(np.zeros(2), S), ingest.pause, ingest.reference_ns,
             lambda: ingest.settled(S), lambda: ingest.status('/a', S), lambda: ingest.moment(S)]
    for call in calls:
        before = lock.entered
        call()
        assert lock.entered > before
