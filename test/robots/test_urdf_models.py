"""The URDFs are physically possible, and every program that reads one can read ours."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from vla_ros.robots import load_profile, robot_names

ROBOTS = robot_names()


@pytest.fixture(params=ROBOTS)
def profile(request):
    return load_profile(request.param)


@pytest.fixture
def urdf(profile):
    return ElementTree.parse(profile.urdf_path).getroot()


def test_files_on_disk_are_what_the_generator_writes(repo_root):
    generator = repo_root / 'urdf' / 'generate'
    result = subprocess.run(
        [sys.executable, str(generator), '--check'], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_links_form_one_tree_under_the_base(profile, urdf):
    links = [link.get('name') for link in urdf.findall('link')]
    parents = {
        j.find('child').get('link'): j.find('parent').get('link') for j in urdf.iter('joint')
    }
    assert len(set(links)) == len(links)
    assert set(links) - set(parents) == {profile.base_frame}
    for link in links:
        seen = [link]
        while seen[-1] in parents:
            seen.append(parents[seen[-1]])
            assert len(seen) <= len(links), f'{link} hangs in a loop'
        assert seen[-1] == profile.base_frame


def test_root_has_no_inertia_because_robot_state_publisher_warns_of_one(profile, urdf):
    root = next(link for link in urdf.iter('link') if link.get('name') == profile.base_frame)
    assert root.find('inertial') is None


def test_every_moving_link_has_a_possible_inertia(urdf):
    moved = {j.find('child').get('link') for j in urdf.iter('joint') if j.get('type') != 'fixed'}
    for link in urdf.iter('link'):
        inertial = link.find('inertial')
        if inertial is None:
            assert link.get('name') not in moved
            continue
        assert float(inertial.find('mass').get('value')) > 0
        ixx, ixy, ixz, iyy, iyz, izz = (
            float(inertial.find('inertia').get(key))
            for key in ('ixx', 'ixy', 'ixz', 'iyy', 'iyz', 'izz')
        )
        moments = np.linalg.eigvalsh([[ixx, ixy, ixz], [ixy, iyy, iyz], [ixz, iyz, izz]])
        assert moments[0] > 0, link.get('name')
        assert moments[0] + moments[1] >= moments[2], link.get('name')


def test_masses_are_the_makers():
    expected = {
        'piper': [0.71, 1.16, 0.5, 0.38, 0.383, 0.007, 0.45, 0.025, 0.025],
        'ur5e': [4.0, 3.761, 8.058, 2.846, 1.37, 1.3, 0.365],
    }
    for name, masses in expected.items():
        root = ElementTree.parse(load_profile(name).urdf_path).getroot()
        found = [float(element.get('value')) for element in root.iter('mass')]
        assert found[: len(masses)] == masses


def test_every_solid_link_can_be_seen_and_touched(urdf):
    materials = {material.get('name') for material in urdf.findall('material')}
    for link in urdf.iter('link'):
        visuals, collisions = link.findall('visual'), link.findall('collision')
        assert bool(visuals) == bool(collisions), link.get('name')
        assert all(visual.find('material').get('name') in materials for visual in visuals)
    assert not list(urdf.iter('mesh')), 'primitives only: there are no mesh files to find'


def test_mujoco_keeps_visuals_and_the_frames_without_joints(profile, urdf):
    mujoco = pytest.importorskip('mujoco')
    model = mujoco.MjSpec.from_file(str(profile.urdf_path)).compile()
    drawn = sum(model.geom_contype[geom] == 0 for geom in range(model.ngeom))
    assert drawn == len(list(urdf.iter('visual')))
    assert model.ngeom - drawn == len(list(urdf.iter('collision')))
    bodies = {model.body(index).name for index in range(model.nbody)}
    assert {profile.flange_frame, profile.tool_frame} <= bodies


def test_arm_touches_neither_itself_nor_its_base_at_home(profile):
    mujoco = pytest.importorskip('mujoco')
    model = mujoco.MjSpec.from_file(str(profile.urdf_path)).compile()
    data = mujoco.MjData(model)
    for name, position in zip(profile.joints.names, profile.joints.home, strict=True):
        data.joint(name).qpos[0] = position
    for finger, factor in profile.gripper.fingers.items():
        data.joint(finger).qpos[0] = factor * profile.gripper.open
    mujoco.mj_forward(model, data)
    touching = [
        {model.body(model.geom_bodyid[geom]).name for geom in contact.geom}
        for contact in data.contact
    ]
    assert touching == []
