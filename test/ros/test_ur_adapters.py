"""The ros2_control adapters against a fake UR that pauses, resumes and rejects as the real one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy')

from adapter_rig import Rig, fake_fixture, rig_fixture  # noqa: F401
from graph_rig import wait_until
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vla_ros.core.errors import ConfigError
from vla_ros.robots import load_profile
from vla_ros.robots.adapters import load_driver
from vla_ros.ros.adapters import make_adapter
from vla_ros.ros.stamps import duration_message

pytestmark = pytest.mark.ros

HOME = np.array([-0.4494, -1.9824, 2.3769, -2.5279, -1.319, 1.1945])
GOAL = HOME + np.array([0.3, 0.1, -0.1, 0.2, 0.1, -0.3])
TRAJECTORY, POSITION = 'scaled_joint_trajectory_controller', 'forward_position_controller'


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., str]:
    def write(kind: str, text: str = '') -> str:
        path = tmp_path / f'{kind}.yaml'
        path.write_text(f'driver:\n  type: {kind}\n  gripper: {{kind: none}}\n{text}',
                        encoding='utf-8')
        return str(path)

    return write


@pytest.fixture(params=['ur_trajectory', 'ur_forward_position'])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def controller(kind: str) -> str:
    return TRAJECTORY if kind == 'ur_trajectory' else POSITION


def positions(rig: Rig) -> np.ndarray:
    return np.array([m.position for m in rig.position.messages])


def test_the_robot_gets_there(fake: Callable[..., Any], rig: Callable[..., Rig],
                              settings: Callable[..., str], kind: str) -> None:
    fake('fake_ur_driver', controllers=[controller(kind)], odd_order='true')
    made = rig('ur5e', settings(kind))
    made.ready()
    assert np.abs(made.measured - HOME).max() < 1e-9
    made.goal = GOAL
    made.start_loop()
    made.wait_at('the goal', lambda q: np.abs(q - GOAL).max() < 1e-3)
    assert not [m.data for m in made.said.messages if 'rejected' in m.data]
    # In its joints' order: each stays between where it was and where it goes.
    low, high = np.minimum(HOME, GOAL) - 5e-3, np.maximum(HOME, GOAL) + 5e-3
    assert ((low <= positions(made)) & (positions(made) <= high)).all()
    assert made.reasons == []


def test_with_a_tf_prefix(fake: Callable[..., Any], rig: Callable[..., Rig],
                          settings: Callable[..., str], kind: str) -> None:
    fake('fake_ur_driver', controllers=[controller(kind)], tf_prefix='left_')
    made = rig('ur5e', settings(kind, '  joints: {prefix: left_}\n'))
    made.ready()
    made.goal = HOME + 0.05
    made.start_loop()
    made.wait_at('the goal', lambda q: np.abs(q - made.goal).max() < 1e-3)


def moving(rig: Rig) -> None:
    rig.goal = HOME + np.array([1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    rig.start_loop()
    rig.wait_at('motion', lambda q: q[0] > HOME[0] + 0.1)


def test_a_paused_robot_goes_on_to_its_old_target_by_itself(
        fake: Callable[..., Any], rig: Callable[..., Rig], settings: Callable[..., str]) -> None:
    """The trap that the next test is about; without it that test would prove nothing."""
    fake('fake_ur_driver', controllers=[TRAJECTORY])
    made = rig('ur5e', settings('ur_trajectory'), listen_only=True)
    publisher = made.observer.publisher(JointTrajectory, f'{TRAJECTORY}/joint_trajectory',
                                        QoSProfile(depth=1))
    wait_until(lambda: publisher.get_subscription_count() > 0 and made.measured is not None, 'it')
    target = HOME + np.array([0.5, 0.0, 0.0, 0.0, 0.0, 0.0])
    publisher.publish(JointTrajectory(
        joint_names=list(made.driver.joints.names),
        points=[JointTrajectoryPoint(positions=target.tolist(),
                                     time_from_start=duration_message(2_000_000_000))]))
    made.wait_at('motion', lambda q: q[0] > HOME[0] + 0.05)
    made.observer.trigger('fake/protective_stop')
    stopped = made.measured.copy()
    assert stopped[0] < target[0] - 0.1
    made.observer.trigger('fake/release')
    made.wait_at('the old target', lambda q: np.abs(q - target).max() < 1e-3)


def test_a_protective_stop_drops_every_old_target_and_needs_re_arming(
        fake: Callable[..., Any], rig: Callable[..., Rig], settings: Callable[..., str],
        kind: str) -> None:
    fake('fake_ur_driver', controllers=[controller(kind)])
    made = rig('ur5e', settings(kind))
    made.ready()
    moving(made)
    made.observer.trigger('fake/protective_stop')
    reason = made.wait_reason()
    assert 'speed scaling is 0 %' in reason or 'protective stop' in reason
    wait_until(lambda: made.reasons, 'the caller being told')
    assert len(made.reasons) == 1, 'it is told once'
    made.goal = None  # and this is what it does: nothing more, until it is armed again
    wait_until(lambda: not made.sent[-1], 'the loop to send nothing')
    seen = len(made.stamps)
    wait_until(lambda: len(made.stamps) > seen + 30, 'holds at the measured joints')
    stopped = made.measured.copy()
    made.observer.trigger('fake/release')
    made.ready()
    wait_until(lambda: made.sent[-1], 'the loop to send again')
    seen = len(made.position)
    wait_until(lambda: len(made.position) > seen + 60, 'half a second of the released robot')
    assert np.abs(positions(made)[seen:] - stopped).max() < 2e-3


def command_speeds(rig: Rig) -> np.ndarray:
    """Return how fast the controller's own command went [rad/s], by its 125 Hz ticks."""
    commands = np.array([m.velocity for m in rig.position.messages])
    return np.abs(np.diff(commands, axis=0)).max(axis=1) * 125.0


def test_a_stream_of_trajectories_that_begin_on_arrival_jumps(
        fake: Callable[..., Any], rig: Callable[..., Rig], settings: Callable[..., str]) -> None:
    """The trap that the next test is about: each one begins at the measured joints, which lag."""
    fake('fake_ur_driver', controllers=[TRAJECTORY])
    made = rig('ur5e', settings('ur_trajectory'), listen_only=True)
    publisher = made.observer.publisher(JointTrajectory, f'{TRAJECTORY}/joint_trajectory',
                                        QoSProfile(depth=1))
    wait_until(lambda: publisher.get_subscription_count() > 0 and made.measured is not None, 'it')
    q = HOME.copy()

    def tick() -> None:
        q[0] += 0.5 * 0.02
        publisher.publish(JointTrajectory(
            joint_names=list(made.driver.joints.names),
            points=[JointTrajectoryPoint(positions=q.tolist(), velocities=[0.5] + [0.0] * 5,
                                         time_from_start=duration_message(100_000_000)),
                    JointTrajectoryPoint(positions=[q[0] + 0.025, *q[1:].tolist()],
                                         velocities=[0.0] * 6,
                                         time_from_start=duration_message(200_000_000))]))

    made.observer.every(0.02, tick)
    made.wait_at('motion', lambda now: now[0] > HOME[0] + 0.1)
    assert np.percentile(command_speeds(made), 90) > 1.0


@pytest.mark.parametrize('slider', [100.0, 40.0])
def test_the_adapters_stream_is_smooth(fake: Callable[..., Any], rig: Callable[..., Rig],
                                       settings: Callable[..., str], kind: str,
                                       slider: float) -> None:
    fake('fake_ur_driver', controllers=[controller(kind)])
    made = rig('ur5e', settings(kind))
    made.ready()
    speed = made.observer.publisher(Float64, 'fake/speed_slider', 1)
    wait_until(lambda: speed.get_subscription_count() > 0, 'the slider')
    speed.publish(Float64(data=slider))
    wait_until(lambda: abs(made.adapter.speed_scale - slider / 100) < 1e-9, 'the slider')
    moving(made)
    made.wait_at('motion', lambda q: q[0] > HOME[0] + 0.5)
    # 0.5 rad/s are commanded; ticks of two processes on a busy machine are not even.
    assert np.percentile(command_speeds(made), 90) < 0.8


def test_after_a_stop_a_command_must_begin_at_the_measured_joints(
        fake: Callable[..., Any], rig: Callable[..., Rig], settings: Callable[..., str],
        kind: str) -> None:
    fake('fake_ur_driver', controllers=[controller(kind)])
    made = rig('ur5e', settings(kind))
    made.ready()
    assert made.adapter.send(made.measured, np.zeros(6), None, None, 1)
    made.observer.trigger('fake/protective_stop')
    made.wait_reason()
    made.observer.trigger('fake/release')
    made.ready()
    ahead = made.measured + np.array([0.1, 0.0, 0.0, 0.0, 0.0, 0.0])
    assert not made.adapter.send(ahead, np.zeros(6), None, None, 2)
    assert made.adapter.send(made.measured, np.zeros(6), None, None, 3)


def test_a_program_that_ends_stops_the_arm(fake: Callable[..., Any], rig: Callable[..., Rig],
                                           settings: Callable[..., str], kind: str) -> None:
    fake('fake_ur_driver', controllers=[controller(kind)])
    made = rig('ur5e', settings(kind))
    made.ready()
    made.observer.trigger('fake/stop_program')
    assert 'program does not run' in made.wait_reason('program')
    made.observer.trigger('fake/start_program')
    made.ready()


def test_the_missing_controller_is_named(fake: Callable[..., Any], rig: Callable[..., Rig],
                                         settings: Callable[..., str]) -> None:
    fake('fake_ur_driver', controllers=[POSITION])
    made = rig('ur5e', settings('ur_trajectory'))
    reason = made.wait_reason('missing controller')
    assert 'scaled_joint_trajectory_controller and joint_trajectory_controller are not' in reason


def test_the_plain_controller_is_used_where_the_scaled_one_is_not(
        fake: Callable[..., Any], rig: Callable[..., Rig], settings: Callable[..., str]) -> None:
    fake('fake_ur_driver', controllers=['joint_trajectory_controller'])
    made = rig('ur5e', settings('ur_trajectory'))
    made.ready()
    assert made.adapter.values()['controller'] == 'joint_trajectory_controller'
    made.goal = HOME + 0.05
    made.start_loop()
    made.wait_at('the goal', lambda q: np.abs(q - made.goal).max() < 1e-3)


def test_another_arms_controller_is_not_used(fake: Callable[..., Any], rig: Callable[..., Rig],
                                             settings: Callable[..., str]) -> None:
    fake('fake_ur_driver', controllers=[POSITION], tf_prefix='right_')
    made = rig('ur5e', settings('ur_forward_position'))
    assert 'right_shoulder_pan_joint' in made.wait_reason('moves', 'prefix')


def test_a_controller_of_velocities_is_not_sent_positions(
        fake: Callable[..., Any], rig: Callable[..., Rig], settings: Callable[..., str]) -> None:
    fake('fake_ur_driver', '-p', f'{POSITION}:interface_name:=velocity', controllers=[POSITION])
    assert 'commands velocity' in rig('ur5e', settings('ur_forward_position')).wait_reason('velo')


def test_trajectories_that_end_in_motion_are_sent_only_where_they_are_taken(
        fake: Callable[..., Any], rig: Callable[..., Rig], settings: Callable[..., str]) -> None:
    fake('fake_ur_driver', controllers=[TRAJECTORY])
    made = rig('ur5e', settings('ur_trajectory', '  last_velocity: commanded\n'))
    assert 'refuses trajectories that end in motion' in made.wait_reason('last_velocity')


def test_a_loop_that_is_too_slow_to_stream_is_refused(rig: Callable[..., Rig],
                                                      settings: Callable[..., str]) -> None:
    made = rig('ur5e', settings('ur_trajectory'), listen_only=True)
    profile = load_profile('ur5e')
    driver = load_driver(profile, settings('ur_forward_position'))
    with pytest.raises(ConfigError, match='rate_hz >= 100, found 50'):
        make_adapter(made.observer.node, profile, driver, 50.0)


def test_the_generic_driver_moves_the_same_arm(fake: Callable[..., Any], rig: Callable[..., Rig],
                                               settings: Callable[..., str]) -> None:
    fake('fake_ur_driver', controllers=['joint_trajectory_controller'])
    made = rig('ur5e', settings('ros2_control'))
    made.ready()
    made.goal = HOME + 0.05
    made.start_loop()
    made.wait_at('the goal', lambda q: np.abs(q - made.goal).max() < 1e-3)


def test_when_nothing_comes_any_more_the_trajectory_ends_at_rest(
        fake: Callable[..., Any], rig: Callable[..., Rig], settings: Callable[..., str]) -> None:
    fake('fake_ur_driver', controllers=[TRAJECTORY])
    made = rig('ur5e', settings('ur_trajectory'))
    made.ready()
    moving(made)
    made._stop.set()  # the control loop dies in the middle of the motion
    made._thread.join()
    last = made.q.copy()
    speeds: list[float] = []
    made.observer.hear(JointState, 'joint_states', QoSProfile(depth=10),
                       lambda m: speeds.append(m.velocity[m.name.index('shoulder_pan_joint')]))
    wait_until(lambda: len(speeds) > 20 and max(map(abs, speeds[-20:])) < 1e-6, 'rest')
    # 0.5 rad/s at 5 rad/s^2 takes 0.1 s and 0.025 rad.
    assert made.measured[0] - last[0] < 0.025 + 1e-3
