"""What arrives when under a disturbance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip('rosbags', reason='rosbags is not installed')

from vla_ros.core.errors import ConfigError
from vla_ros.core.types import ActionChunk
from vla_ros.replay.closed_timing.disturbance import (
    Disturbance,
    Latency,
    Span,
    constant,
    distribution,
)
from vla_ros.replay.closed_timing.inputs import ChunkArrival, Inputs, JointSample
from vla_ros.replay.closed_timing.schedule import AGAIN, BUSY, DROPPED, schedule

MS = 1_000_000


def inputs(chunks: int = 40, every_ms: int = 100, latency_ms: int = 60) -> Inputs:
    joints = tuple(JointSample(i * 10 * MS, i * 10 * MS + MS, np.zeros(6), 0.05)
                   for i in range(chunks * every_ms // 10))
    return Inputs(joints, tuple(
        ChunkArrival(i * every_ms * MS, (i * every_ms + latency_ms) * MS,
                     ActionChunk(i * every_ms * MS, 100 * MS, np.zeros((8, 7))))
        for i in range(chunks)))


def times(chunks: tuple[ChunkArrival, ...]) -> list[tuple[int, int]]:
    return [(chunk.stamp_ns, chunk.arrival_ns) for chunk in chunks]


def test_nothing_is_changed_without_a_disturbance() -> None:
    given_ = inputs()
    plan = schedule(given_, Disturbance(), seed=0)
    assert times(plan.chunks) == times(given_.chunks)
    assert plan.joint_arrivals_ns == tuple(sample.arrival_ns for sample in given_.joints)
    assert (plan.lost, plan.joints_lost) == ({}, 0)


def test_a_latency_replaces_the_recorded_one() -> None:
    plan = schedule(inputs(), Disturbance(constant(0.09)), seed=0)
    assert [c.arrival_ns - c.stamp_ns for c in plan.chunks] == [90 * MS] * 40


def test_a_policy_that_is_busy_passes_over_observations() -> None:
    plan = schedule(inputs(), Disturbance(constant(0.25)), seed=0)
    stamps = [c.stamp_ns // MS for c in plan.chunks]
    assert stamps[:4] == [0, 300, 600, 900], 'asked again as soon as it has answered'
    assert plan.lost == {BUSY: 40 - len(stamps)}


def test_the_same_observation_is_asked_once() -> None:
    given_ = inputs(4)
    twice = replace(given_, chunks=tuple(c for c in given_.chunks for _ in range(2)))
    plan = schedule(twice, Disturbance(constant(0.05)), seed=0)
    assert [c.stamp_ns // MS for c in plan.chunks] == [0, 100, 200, 300]
    assert plan.lost == {AGAIN: 4}


def test_measured_latencies_are_drawn_from_what_was_measured() -> None:
    plan = schedule(inputs(), Disturbance(distribution('measured', [0.03, 0.07])), seed=3)
    assert {c.arrival_ns - c.stamp_ns for c in plan.chunks} == {30 * MS, 70 * MS}


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.floats(0.0, 0.3), st.floats(0.0, 0.9), st.floats(0.0, 0.3))
def test_nothing_comes_early_and_joint_states_keep_their_order(
        seed: int, jitter: float, drop: float, joint_jitter: float) -> None:
    given_ = inputs()
    case = Disturbance(jitter_s=jitter, drop=drop, joint_jitter_s=joint_jitter, joint_drop=drop)
    plan = schedule(given_, case, seed)
    recorded = {c.stamp_ns: c.arrival_ns for c in given_.chunks}
    for chunk in plan.chunks:
        late = (chunk.arrival_ns - recorded[chunk.stamp_ns]) * 1e-9
        assert -1e-9 <= late <= jitter + 1e-9
    assert len(plan.chunks) + plan.lost.get(DROPPED, 0) == 40
    arrivals = [a for a in plan.joint_arrivals_ns if a is not None]
    assert arrivals == sorted(arrivals)
    assert len(arrivals) + plan.joints_lost == len(given_.joints)
    assert all(a is None or a >= s.arrival_ns
               for a, s in zip(plan.joint_arrivals_ns, given_.joints, strict=True))
    assert times(schedule(given_, case, seed).chunks) == times(plan.chunks)


def test_one_disturbance_does_not_move_the_draws_of_another() -> None:
    alone = schedule(inputs(), Disturbance(drop=0.3), seed=5)
    both = schedule(inputs(), Disturbance(drop=0.3, jitter_s=0.02), seed=5)
    assert [c.stamp_ns for c in alone.chunks] == [c.stamp_ns for c in sorted(
        both.chunks, key=lambda c: c.stamp_ns)]
    assert len(alone.chunks) < 40


def test_an_outage_of_the_joint_states_is_as_long_as_said() -> None:
    plan = schedule(inputs(), Disturbance(joint_outage=Span(1.0, 0.5)), seed=0)
    missing = [i for i, a in enumerate(plan.joint_arrivals_ns) if a is None]
    assert missing == list(range(100, 150))


def test_refused_observations_make_no_chunk() -> None:
    plan = schedule(inputs(), Disturbance(), 0, {3: 'wrist: frozen', 4: 'wrist: frozen'})
    assert plan.lost == {'wrist: frozen': 2}
    assert 300 * MS not in [c.stamp_ns for c in plan.chunks]


@pytest.mark.parametrize('make', [
    lambda: Disturbance(drop=1.0), lambda: Disturbance(drop=float('nan')),
    lambda: Disturbance(jitter_s=-0.1), lambda: Latency('none', ()),
    lambda: constant(float('nan')), lambda: Span(1.0, 0.0)])
def test_a_disturbance_that_makes_no_sense_is_refused(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError, match='expected'):
        make()
