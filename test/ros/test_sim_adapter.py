"""The simulated arm is commanded in the profile's own words, and only near where it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy')

from adapter_rig import Rig, rig_fixture  # noqa: F401
from graph_rig import wait_until
from sensor_msgs.msg import JointState

from vla_ros.ros import qos
from vla_ros.ros.joint_states import joint_state_message

pytestmark = pytest.mark.ros

NAMES = [f'joint{i}' for i in range(1, 7)]


@pytest.fixture
def sim(rig: Callable[..., Rig]) -> Rig:
    made = rig('piper', 'sim')
    made.commands = made.observer.hear(  # type: ignore[attr-defined]
        JointState, 'joint_command', qos.COMMAND)
    states = made.observer.publisher(JointState, 'joint_states', qos.JOINTS)
    wait_until(lambda: states.get_subscription_count() > 0
               and made.adapter._commands.get_subscription_count() > 0, 'connections')
    states.publish(joint_state_message([*NAMES, 'gripper'], [*made.profile.joints.home, 0.05],
                                       stamp_ns=5))
    made.ready()
    return made


def test_a_command_has_joints_velocities_and_the_width(sim: Any) -> None:
    assert sim.width == 0.05
    q, velocity = sim.measured + 0.01, np.full(6, 0.1)
    assert sim.adapter.send(q, velocity, 0.03, None, 7_000_000_000)
    msg = sim.commands.wait(lambda m: True, 'the command')
    assert list(msg.name) == [*NAMES, 'gripper']
    assert list(msg.position) == [*q, 0.03]
    assert list(msg.velocity) == [*velocity, 0.0]
    assert msg.header.stamp.sec == 7


def test_without_a_width_the_gripper_is_left_alone(sim: Any) -> None:
    assert sim.adapter.send(sim.measured, np.zeros(6), None, None, 1)
    assert list(sim.commands.wait(lambda m: True, 'the command').name) == NAMES


def test_the_first_command_is_near_the_measured_joints(sim: Any) -> None:
    assert not sim.adapter.send(sim.measured + 0.1, np.zeros(6), None, None, 1)
    assert sim.adapter.send(sim.measured, np.zeros(6), None, None, 2)
    msg = sim.commands.wait(lambda m: True, 'the command')
    assert np.abs(np.array(msg.position) - sim.measured).max() < 1e-9
