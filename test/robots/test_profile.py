"""The profiles that come with the package are complete and agree with their URDFs."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from vla_ros.core.errors import ConfigError
from vla_ros.robots import load_profile, robot_names

VELOCITY_CAPS = {
    'piper': [3.0] * 6,  # firmware, not the 5 rad/s of the maker's URDF
    'piper_old_dh': [3.0] * 6,
    'ur3e': np.radians([180, 180, 180, 360, 360, 360]),
    'ur5e': np.radians([180] * 6),
    'ur10e': np.radians([120, 120, 180, 180, 180, 180]),
}


@pytest.fixture(params=sorted(VELOCITY_CAPS))
def profile(request):
    return load_profile(request.param)


def test_the_five_robots_are_there():
    assert robot_names() == sorted(VELOCITY_CAPS)


def test_name_is_the_files_name(profile):
    assert profile.name == profile.path.stem == profile.urdf_path.stem


def test_limits_and_caps_equal_the_urdf(profile):
    root = ElementTree.parse(profile.urdf_path).getroot()
    limits = {joint.get('name'): joint.find('limit') for joint in root.iter('joint')}
    for index, name in enumerate(profile.joints.names):
        assert profile.joints.lower[index] == float(limits[name].get('lower'))
        assert profile.joints.upper[index] == float(limits[name].get('upper'))
        assert profile.joints.velocity[index] == float(limits[name].get('velocity'))


def test_velocity_and_acceleration_are_what_the_firmware_allows(profile):
    np.testing.assert_allclose(profile.joints.velocity, VELOCITY_CAPS[profile.name])
    np.testing.assert_array_equal(profile.joints.acceleration, [5.0] * 6)


def test_fingers_reach_exactly_their_travel_when_fully_open(profile):
    root = ElementTree.parse(profile.urdf_path).getroot()
    limits = {joint.get('name'): joint.find('limit') for joint in root.iter('joint')}
    for finger, factor in profile.gripper.fingers.items():
        ends = sorted(factor * width for width in (profile.gripper.closed, profile.gripper.open))
        assert ends == [float(limits[finger].get(key)) for key in ('lower', 'upper')]


def test_home_keeps_a_fifth_of_a_radian_from_every_limit(profile):
    joints = profile.joints
    assert np.all(joints.home - joints.lower >= 0.2)
    assert np.all(joints.upper - joints.home >= 0.2)


def test_arrays_cannot_be_changed_by_who_reads_them(profile):
    with pytest.raises(ValueError, match='read-only'):
        profile.joints.home[0] = 1.0


def test_everything_in_the_scene_is_inside_the_workspace(profile):
    box = profile.task_space.workspace
    scene = profile.scene
    for key in ('insulator', 'cubes'):
        centre, spread = np.array(scene[key]['center']), np.array(scene[key]['spread'])
        assert np.all(box.lower[:2] <= centre - spread), key
        assert np.all(centre + spread <= box.upper[:2]), key
    hook, spread = np.array(scene['hook']['position']), np.array(scene['hook']['spread'])
    assert np.all(box.lower <= hook - spread)
    assert np.all(hook + spread <= box.upper)


def test_unknown_robot_lists_the_choices_and_the_nearest_one():
    with pytest.raises(ConfigError) as caught:
        load_profile('ur5')
    message = str(caught.value)
    assert all(name in message for name in robot_names())
    assert "Did you mean 'ur" in message
