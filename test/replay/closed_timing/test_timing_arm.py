"""The arm that follows its commands, and the lag that is measured in a bag."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip('rosbags', reason='rosbags is not installed')

from vla_ros.replay.closed_timing.arm import FollowArm, Lag, RecordedArm, measured_lag
from vla_ros.replay.closed_timing.inputs import JointSample

MS = 1_000_000


def sample(ms: int, q: float = 0.0, width: float = 0.0) -> JointSample:
    return JointSample(ms * MS, ms * MS, np.full(2, q), width)


def test_it_follows_a_step_as_a_first_order_lag_behind_a_dead_time() -> None:
    arm = FollowArm(sample(0), Lag(0.1, 0.05), gripper_speed=0.1)
    arm.command(0, np.ones(2), 0.07)
    assert arm.measured(sample(50))[0] == pytest.approx([0.0, 0.0])
    for ms in (100, 150, 400):
        q, width = arm.measured(sample(ms))
        assert q == pytest.approx([1.0 - math.exp(-(ms - 50) / 100)] * 2)
        assert width == pytest.approx(min(0.07, 0.1 * (ms - 50) * 1e-3))


def test_how_often_it_is_looked_at_does_not_matter() -> None:
    arms = [FollowArm(sample(0), Lag(0.07, 0.013), 0.1) for _ in range(2)]
    for arm, looks in zip(arms, (range(1, 300), range(150, 300, 150)), strict=True):
        for ms in range(0, 300, 10):
            arm.command(ms * MS, np.full(2, math.sin(ms / 50)), 0.05)
        for ms in looks:
            arm.measured(sample(ms))
    assert arms[0].measured(sample(300))[0] == pytest.approx(arms[1].measured(sample(300))[0])


def test_the_recorded_arm_does_what_it_did() -> None:
    arm = RecordedArm()
    arm.command(0, np.ones(2), 0.07)
    assert arm.measured(sample(10, 0.3, 0.02))[0] == pytest.approx([0.3, 0.3])


@pytest.mark.parametrize('lag', [Lag(0.05, 0.0), Lag(0.1, 0.04), Lag(0.01, 0.02)])
def test_the_lag_of_a_recording_is_measured(lag: Lag) -> None:
    rng = np.random.default_rng(1)
    wanted = np.cumsum(rng.normal(0.0, 0.01, (300, 2)), axis=0)
    arm = FollowArm(sample(0), lag, 0.1)
    commands, joints = [], []
    for i in range(300):
        arm.command(i * 10 * MS, wanted[i], 0.0)
        commands.append((i * 10 * MS, wanted[i]))
        q, _ = arm.measured(sample(i * 10 + 5))
        joints.append(JointSample((i * 10 + 5) * MS, (i * 10 + 5) * MS, q, 0.0))
    found = measured_lag(commands, joints)
    assert found is not None
    assert found[0].lag + found[0].delay == pytest.approx(lag.lag + lag.delay, abs=0.012)
    assert found[1] < 0.004


def test_an_arm_at_rest_has_no_lag_to_measure() -> None:
    commands = [(i * 10 * MS, np.zeros(2)) for i in range(100)]
    assert measured_lag(commands, [sample(i * 10) for i in range(100)]) is None
    assert measured_lag((), [sample(i, i * 0.01) for i in range(100)]) is None
