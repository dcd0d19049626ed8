"""The Piper adapters against fakes that have the real drivers' traps, in processes of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy')

from adapter_rig import Rig, fake_fixture, rig_fixture  # noqa: F401
from graph_rig import wait_until
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool

pytestmark = pytest.mark.ros

HOME = np.array([0.0, 1.2182, -1.1011, 0.0, 0.93, 0.0])
COMMANDS = QoSProfile(depth=10)


class TestTheFakesHaveTheTraps:
    """Otherwise the tests below would prove nothing."""

    @pytest.fixture
    def piper(self, fake: Callable[..., Any], rig: Callable[..., Rig]) -> Rig:
        fake('fake_piper_ros')
        made = rig('piper')
        made.ready()
        return made

    def command(self, rig: Rig, **fields: Any) -> JointState:
        publisher = rig.observer.publisher(JointState, rig.driver.command, COMMANDS)
        wait_until(lambda: publisher.get_subscription_count() > 0, 'the driver')
        seen = len(rig.applied)
        publisher.publish(JointState(**fields))
        return rig.applied.wait(lambda m: True, 'what was applied', since=seen)

    def test_a_missing_joint_goes_to_zero_and_the_gripper_closes(self, piper: Rig) -> None:
        done = self.command(piper, name=['joint2'], position=[1.0])
        assert done.position[2] == 0.0
        assert done.position[6] == 0.0
        assert done.velocity[0] == 100.0

    def test_all_zero_velocities_are_full_speed(self, piper: Rig) -> None:
        names = [f'joint{i}' for i in range(1, 7)] + ['gripper']
        done = self.command(piper, name=names, position=[0.0] * 7, velocity=[0.0] * 7)
        assert done.velocity[0] == 100.0

    def test_the_gripper_is_index_6_whatever_its_name(self, piper: Rig) -> None:
        names = ['gripper', *(f'joint{i}' for i in range(1, 7))]
        done = self.command(piper, name=names, position=[0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
        assert done.position[6] == pytest.approx(0.1)  # joint6, clipped

    def test_enabling_closes_the_gripper(self, piper: Rig) -> None:
        enable = piper.observer.publisher(Bool, 'enable_flag', COMMANDS)
        wait_until(lambda: enable.get_subscription_count() > 0, 'the driver')
        assert piper.width == pytest.approx(0.03, abs=1e-6)
        enable.publish(Bool(data=True))
        wait_until(lambda: piper.width is not None and piper.width < 0.001, 'a closed gripper')

    def test_agx_takes_a_velocity_for_torque_control(self, fake: Callable[..., Any],
                                                     rig: Callable[..., Rig]) -> None:
        fake('fake_agx_arm_ros')
        made = rig('piper', 'agx_arm_ros')
        made.ready()
        self.command(made, name=[f'joint{i}' for i in range(1, 7)], position=[0.1] * 6,
                     velocity=[0.1] * 6)
        made.said.wait(lambda m: m.data == 'move_mit', 'torque control')


def test_piper_ros_is_moved_with_all_seven_and_an_explicit_speed(
        fake: Callable[..., Any], rig: Callable[..., Rig]) -> None:
    fake('fake_piper_ros')
    made = rig('piper')
    made.ready()
    made.command_width, made.effort = 0.05, 9.0  # more effort than there is
    made.goal = HOME + np.array([0.2, 0.1, 0.1, -0.1, 0.1, 0.3])
    made.start_loop()
    made.wait_at('the goal', lambda q: np.abs(q - made.goal).max() < 2e-3)
    wait_until(lambda: made.width is not None and abs(made.width - 0.05) < 1e-3, 'the width')
    percent = {m.velocity[0] for m in made.applied.messages}
    assert percent == {50.0}
    assert {m.effort[0] for m in made.applied.messages} == {3.0}
    # No joint was ever sent anywhere but along the way, and the gripper never toward closed.
    low, high = np.minimum(HOME, made.goal) - 2e-3, np.maximum(HOME, made.goal) + 2e-3
    targets = np.array([m.position for m in made.applied.messages])
    assert ((low <= targets[:, :6]) & (targets[:, :6] <= high)).all()
    assert (targets[:, 6] >= 0.03 - 1e-6).all()


def test_the_constant_of_314_is_undone_both_ways(fake: Callable[..., Any],
                                                 rig: Callable[..., Rig]) -> None:
    start = [2.0, 2.5, -2.5, 1.5, 1.0, -1.9]
    fake('fake_piper_ros', start=start)
    made = rig('piper')
    made.ready()
    assert np.abs(made.measured - np.array(start)).max() < 2e-5  # 0.05 % of 2.5 rad is 1.3e-3
    made.command_width = 0.03
    assert made.step()
    target = made.applied.wait(lambda m: True, 'what was applied').position[:6]
    assert np.abs(np.array(target) - start).max() < 4e-5  # two roundings to 0.001 degrees


def test_without_a_wanted_width_the_gripper_stays_where_it_is(
        fake: Callable[..., Any], rig: Callable[..., Rig]) -> None:
    fake('fake_piper_ros', width=0.042)
    made = rig('piper')
    made.ready()
    assert made.step()
    done = made.applied.wait(lambda m: True, 'applied')
    assert done.position[6] == pytest.approx(0.042, abs=1e-5)


def test_zeros_without_a_stamp_are_not_taken_for_the_arm(fake: Callable[..., Any],
                                                         rig: Callable[..., Rig]) -> None:
    fake('fake_piper_ros', silent='true')
    made = rig('piper')
    wait_until(lambda: made.errors, 'an error')
    assert 'has no stamp' in made.errors[0]
    assert made.measured is None
    assert 'no joint states' in made.wait_reason('joint_states_single')


def test_the_launch_files_remapping_is_recognised(fake: Callable[..., Any],
                                                  rig: Callable[..., Rig]) -> None:
    fake('fake_piper_ros', command_topic='/joint_states')
    reason = rig('piper').wait_reason('/joint_states')
    assert 'piper_ctrl_single_node' in reason
    assert 'launch file' in reason


def test_a_driver_that_goes_away_stops_the_arm_for_good(fake: Callable[..., Any],
                                                        rig: Callable[..., Rig]) -> None:
    process = fake('fake_piper_ros')
    made = rig('piper')
    made.ready()
    made.start_loop()
    made.applied.wait(lambda m: True, 'commands')
    process.stop()
    made.wait_reason('joint_ctrl_single')
    wait_until(lambda: made.reasons, 'a call for re-arming')
    wait_until(lambda: not made.sent[-1], 'the loop to send nothing')


def test_a_command_far_from_the_measured_joints_is_not_the_first(
        fake: Callable[..., Any], rig: Callable[..., Rig]) -> None:
    fake('fake_piper_ros')
    made = rig('piper')
    made.ready()
    q = made.measured.copy()
    q[0] += 0.2
    assert not made.adapter.send(q, np.zeros(6), 0.03, None, 1)
    assert made.adapter.send(made.measured, np.zeros(6), 0.03, None, 2)
    # The sentinel arrived; what was refused before it did not.
    made.applied.wait(lambda m: True, 'the good command')
    assert all(abs(m.position[0]) < 1e-3 for m in made.applied.messages)


@pytest.mark.parametrize('bad', ['nan', 'beyond a limit', 'too fast', 'too wide', 'five joints'])
def test_what_the_safety_stage_cannot_have_let_by_is_not_sent(
        fake: Callable[..., Any], rig: Callable[..., Rig], bad: str) -> None:
    fake('fake_piper_ros')
    made = rig('piper')
    made.ready()
    q, velocity, width = made.measured.copy(), np.zeros(6), 0.03
    if bad == 'nan':
        q[3] = np.nan
    elif bad == 'beyond a limit':
        q[1] = -0.1
    elif bad == 'too fast':
        velocity[0] = 1.6  # half of the firmware's 3 rad/s is what the driver is told
    elif bad == 'too wide':
        width = 0.08
    else:
        q = q[:5]
    assert not made.adapter.send(q, velocity, width, None, 1)
    assert made.adapter.refused == 1
    assert 'command refused' in made.reasons[0]


def test_agx_is_moved_by_name_and_never_in_torque_control(fake: Callable[..., Any],
                                                          rig: Callable[..., Rig]) -> None:
    fake('fake_agx_arm_ros', old='true')
    made = rig('piper', 'agx_arm_ros')
    made.ready()
    made.command_width, made.effort = 0.06, 0.1
    made.goal = HOME + 0.1
    made.goal[4] = HOME[4] - 0.1
    made.start_loop()
    made.wait_at('the goal', lambda q: np.abs(q - made.goal).max() < 1e-3)
    wait_until(lambda: made.width is not None and abs(made.width - 0.06) < 1e-3, 'the width')
    assert [m.data for m in made.said.messages] == []
    assert {m.effort[0] for m in made.applied.messages} == {0.5}
    targets = np.array([m.position[:6] for m in made.applied.messages])
    assert (np.abs(targets - HOME) <= 0.1 + 1e-6).all()  # nothing went to 0 rad


def test_agx_leaves_the_gripper_alone_when_no_width_is_wanted(fake: Callable[..., Any],
                                                              rig: Callable[..., Rig]) -> None:
    fake('fake_agx_arm_ros', width=0.042)
    made = rig('piper', 'agx_arm_ros')
    made.ready()
    assert made.step()
    assert made.applied.wait(lambda m: True, 'applied').position[6] == pytest.approx(0.042)
