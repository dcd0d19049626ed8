"""Every driver loads for its arms; a wrong setting is refused with where and what is right."""

from __future__ import annotations

import pytest

from vla_ros.core.errors import ConfigError
from vla_ros.resources import share_names
from vla_ros.robots import load_profile, robot_names
from vla_ros.robots.adapters import DRIVERS, load_driver

PIPER, UR = ('sim', 'piper_ros', 'agx_arm_ros', 'ros2_control'), (
    'sim', 'ur_trajectory', 'ur_forward_position', 'ros2_control')


def test_each_driver_has_its_file_and_each_file_its_driver():
    assert share_names('config/drivers', '.yaml') == sorted(DRIVERS)


@pytest.mark.parametrize('robot', robot_names())
def test_every_robot_loads_with_its_own_driver_and_those_of_its_kind(robot):
    profile = load_profile(robot)
    assert load_driver(profile).type == profile.driver['type'] != 'sim'
    for kind in PIPER if robot.startswith('piper') else UR:
        driver = load_driver(profile, kind)
        assert driver.type == kind
        assert len(driver.joints.names) == 6


@pytest.mark.parametrize(('robot', 'kind'), [
    ('ur5e', 'piper_ros'), ('ur5e', 'agx_arm_ros'),  # these would drive joints to 0 rad
    ('piper', 'ur_trajectory'), ('piper', 'ur_forward_position')])
def test_a_driver_is_refused_for_another_makers_arm(robot, kind):
    with pytest.raises(ConfigError, match=r'driver\.joints\.rename: expected the joints of '):
        load_driver(load_profile(robot), kind)


def test_the_simulated_arm_speaks_the_profiles_words():
    profile = load_profile('ur5e')
    driver = load_driver(profile, 'sim')
    assert (driver.states, driver.command) == (profile.topics.joint_states,
                                               profile.topics.joint_command)
    assert driver.gripper is not None
    assert driver.gripper.mapping.joint == profile.gripper.joint
    assert driver.joints.names == profile.joints.names


def test_the_share_of_the_speed_that_a_driver_is_told_bounds_the_profile():
    profile = load_profile('piper')
    driver = load_driver(profile, 'piper_ros')
    bounded = driver.bounded(profile)
    assert bounded.joints.velocity.tolist() == [3.0 * driver.speed_percent / 100] * 6
    assert profile.joints.velocity.tolist() == [3.0] * 6
    assert load_driver(profile, 'sim').bounded(profile) is profile


def write(tmp_path, text):
    path = tmp_path / 'mine.yaml'
    path.write_text(text, encoding='utf-8')
    return str(path)


def test_a_file_changes_only_what_it_names(tmp_path):
    profile = load_profile('ur5e')
    path = write(tmp_path, 'driver:\n  type: ur_trajectory\n  joints: {prefix: left_, '
                           'rename: {elbow_joint: my_elbow_joint}, signs: {elbow_joint: -1}, '
                           'offsets: {elbow_joint: 0.5}}\n  gripper: {effort: 80}\n')
    driver, plain = load_driver(profile, path), load_driver(profile)
    assert driver.joints.names[:3] == ('left_shoulder_pan_joint', 'left_shoulder_lift_joint',
                                       'my_elbow_joint')
    assert driver.joints.signs.tolist() == [1, 1, -1, 1, 1, 1]
    assert driver.joints.offsets.tolist() == [0, 0, 0.5, 0, 0, 0]
    assert driver.gripper.effort == 80
    assert driver.gripper.mapping == plain.gripper.mapping
    assert driver.controllers == plain.controllers


def test_an_arm_without_a_gripper(tmp_path):
    path = write(tmp_path, 'driver: {type: ur_trajectory, gripper: {kind: none}}')
    assert load_driver(load_profile('ur5e'), path).gripper is None


@pytest.mark.parametrize(('text', 'says'), [
    ('{type: ur_trajectry}', 'Did you mean .ur_trajectory.'),
    ('{}', "missing key 'driver.type'"),
    ('{type: ur_trajectory, sendhz: 50}', "unknown key 'driver.sendhz'"),
    ('{type: ur_trajectory, joints: {prefx: a}}', "unknown key 'driver.joints.prefx'"),
    ('{type: ur_trajectory, joints: {rename: {elbow: a}}}', 'joints of the profile'),
    ('{type: ur_trajectory, joints: {signs: {elbow_joint: 0.5}}}', '1 or -1'),
    ('{type: ros2_control, joints: {rename: {elbow_joint: wrist_1_joint}}}', 'different name'),
    ('{type: ur_trajectory, lead_s: 0.03}', 'at least two periods of send_hz'),
    ('{type: ur_trajectory, last_velocity: any}', 'zero or commanded'),
    ('{type: ur_trajectory, hz: .nan}', 'driver.hz: expected a finite number'),
    ('{type: ur_trajectory, gripper: {effort: 500}}', 'within effort_range'),
    ('{type: ur_trajectory, gripper: {per_metre: 0}}', 'not 0'),
    ('{type: ur_trajectory, gripper: {kind: jaw}}', 'joint, action or none'),
    ('{type: ur_trajectory, end_pose: {claims: elbow}}', 'flange or tool'),
    ('{type: ros2_control, interface: effort}', 'trajectory or position'),
])
def test_what_cannot_work_is_refused(tmp_path, text, says):
    path = write(tmp_path, f'driver: {text}')
    with pytest.raises(ConfigError, match=says) as caught:
        load_driver(load_profile('ur5e'), path)
    assert path in str(caught.value)


@pytest.mark.parametrize(('percent', 'ok'), [(0, False), (1, True), (100, True), (101, False)])
def test_the_speed_percentage_is_never_zero(tmp_path, percent, ok):
    path = write(tmp_path, f'driver: {{type: piper_ros, speed_percent: {percent}}}')
    if ok:
        assert load_driver(load_profile('piper'), path).speed_percent == percent
    else:
        with pytest.raises(ConfigError, match='speed_percent'):
            load_driver(load_profile('piper'), path)


def test_an_unknown_driver_is_refused_with_the_choices():
    with pytest.raises(ConfigError, match='Choices: agx_arm_ros, piper_ros, ros2_control, sim'):
        load_driver(load_profile('piper'), 'piper_ross')
