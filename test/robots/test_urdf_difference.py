"""A driver's URDF replaces the arm of ours exactly, and every difference is named."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest

from vla_ros.core.errors import ConfigError
from vla_ros.robots import load_profile, robot_names
from vla_ros.robots.adapters import load_driver
from vla_ros.robots.urdf_chain import parse_urdf, read_chain
from vla_ros.robots.urdf_difference import follow_description

SAMPLES = json.loads((Path(__file__).parents[1] / 'data' / 'robots_fk.json').read_text('utf-8'))
ELBOW = 'xyz="-0.3922 0.0 0.1333" rpy="0.0 0.0 0.0"'
CALIBRATED = 'xyz="-0.3931 0.0002 0.1341" rpy="0.001 -0.0007 0.0004"'


def text_of(robot: str) -> str:
    return load_profile(robot).urdf_path.read_text(encoding='utf-8')


def chain(profile, tip, text=None, prefix=''):
    text = text if text is not None else profile.urdf_path.read_text(encoding='utf-8')
    return read_chain(parse_urdf(text, 'test'), prefix + profile.base_frame, prefix + tip, 'test')


def follow(robot, text, folder, joints=None):
    profile = load_profile(robot)
    return follow_description(profile, joints or load_driver(profile, 'ros2_control').joints, text,
                              folder)


def largest_gap(a, b, profile):
    rng = np.random.default_rng(3)
    return max(
        np.abs(a.forward(q) - b.forward(q)).max() for q in (
            dict(zip(profile.joints.names, row, strict=True)) for row in rng.uniform(
                profile.joints.lower, profile.joints.upper, (50, len(profile.joints.names)))))


@pytest.mark.parametrize('robot', robot_names())
def test_the_chain_is_where_the_makers_model_has_the_flange(robot):
    profile = load_profile(robot)
    to_flange = chain(profile, profile.flange_frame)
    for sample in SAMPLES[robot]:
        T = to_flange.forward(dict(zip(profile.joints.names, sample['q'], strict=True)))
        np.testing.assert_allclose(T[:3], sample['T'][profile.flange_frame], atol=1e-9)


@pytest.mark.parametrize('robot', robot_names())
def test_our_own_model_is_no_difference(robot, tmp_path):
    profile, difference = follow(robot, text_of(robot), tmp_path)
    assert difference.notes == ()
    assert difference.position < 1e-12
    assert largest_gap(chain(profile, profile.tool_frame),
                       chain(load_profile(robot), profile.tool_frame), profile) < 1e-12


def test_the_old_dh_variant_is_993_mm_off_and_named_joint_by_joint(tmp_path):
    profile, difference = follow('piper', text_of('piper_old_dh'), tmp_path)
    assert difference.position * 1e3 == pytest.approx(9.93, abs=0.005)
    named = [note.split(':')[0] for note in difference.notes if 'origin' in note]
    assert named == ['joint2', 'joint3']
    assert largest_gap(chain(profile, 'link6'), chain(load_profile('piper_old_dh'), 'link6'),
                       load_profile('piper_old_dh')) < 1e-12


def test_a_calibrated_arm_is_followed_and_our_tool_goes_with_it(tmp_path):
    text = text_of('ur5e')
    assert ELBOW in text
    text = text.replace(ELBOW, CALIBRATED)
    profile, difference = follow('ur5e', text, tmp_path)
    assert len(difference.notes) == 1
    assert difference.notes[0].startswith('wrist_1_joint: origin 1.221 mm')
    assert 1e-3 < difference.position < 2e-3
    assert largest_gap(chain(profile, 'tcp'), chain(profile, 'tcp', text), profile) < 1e-12
    assert load_profile('ur5e').urdf_path.read_text('utf-8').count(ELBOW) == 1  # ours is untouched


def test_fixed_joints_in_between_are_taken_together(tmp_path):
    """A real description has a world, and mounts, where ours has nothing."""
    text = text_of('ur5e').replace(
        '<parent link="base_link"/>\n    <child link="base_link_inertia"/>',
        '<parent link="mount"/>\n    <child link="base_link_inertia"/>')
    extra = ('<link name="world"/><link name="mount"/>'
             '<joint name="w" type="fixed"><parent link="world"/><child link="base_link"/></joint>'
             '<joint name="m" type="fixed"><parent link="base_link"/><child link="mount"/>'
             '<origin xyz="0.01 0 0.02" rpy="0 0 0.3"/></joint>')
    text = text.replace('</robot>', f'{extra}</robot>')
    profile, difference = follow('ur5e', text, tmp_path)
    assert [note.split(':')[0] for note in difference.notes] == ['shoulder_pan_joint']
    assert largest_gap(chain(profile, 'tool0'), chain(profile, 'tool0', text), profile) < 1e-12


def test_with_a_prefix_before_joints_and_links(tmp_path):
    text = re.sub(r'(name|link)="([a-z0-9_-]+)"', r'\1="left_\2"', text_of('ur5e'))
    mapping = load_driver(load_profile('ur5e')).joints
    prefixed = dataclasses.replace(mapping, names=tuple(f'left_{n}' for n in mapping.names))
    _, difference = follow('ur5e', text, tmp_path, prefixed)
    assert difference.notes == ()


def test_the_narrower_limits_are_used_and_said(tmp_path):
    text = text_of('ur5e').replace('lower="-3.141592653589793" upper="3.141592653589793" '
                                   'effort="150"', 'lower="-2.5" upper="9" effort="150"')
    profile, difference = follow('ur5e', text, tmp_path)
    assert (profile.joints.lower[2], profile.joints.upper[2]) == (-2.5, np.pi)
    assert any(note.startswith('elbow_joint: limits [-2.5') for note in difference.notes)


@pytest.mark.parametrize(('change', 'says'), [
    (lambda text: 'not xml', 'not a URDF'),
    (lambda text: '<sdf/>', 'its root is <sdf>'),
    (lambda text: text.replace('"elbow_joint"', '"elbow"'), 'expected shoulder_pan_joint'),
    (lambda text: text.replace('link="tool0"', 'link="tool1"').replace('"tool0"', '"tool1"'),
     "no link 'tool0'"),
    (lambda text: text.replace('axis xyz="0 0 1"', 'axis xyz="0 1 0"', 1), 'turns about'),
    (lambda text: text.replace('axis xyz="0 0 1"', 'axis xyz="0 0 0"', 1), 'malformed'),
    (lambda text: text.replace('lower="-3.141592653589793"', 'lower="2.9"', 1), 'home position'),
])
def test_another_arms_model_is_refused(tmp_path, change, says):
    with pytest.raises(ConfigError, match=re.escape(says)):
        follow('ur5e', change(text_of('ur5e')), tmp_path)


def test_a_driver_that_counts_the_other_way_has_no_model_for_us(tmp_path):
    mapping = load_driver(load_profile('ur5e')).joints
    turned = dataclasses.replace(mapping, signs=np.array([1.0, 1, -1, 1, 1, 1]))
    with pytest.raises(ConfigError, match='signs or offsets'):
        follow('ur5e', text_of('ur5e'), tmp_path, turned)
