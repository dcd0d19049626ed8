"""Closed form: every branch is exact, the seed's own is among them, and continuity decides."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

from vla_ros.core.errors import ConfigError
from vla_ros.core.kinematics import IkStatus
from vla_ros.core.se3 import moved, rotation_angle
from vla_ros.ik.analytic_ik import AnalyticIk
from vla_ros.ik.global_search import GlobalSearch
from vla_ros.ik.pinocchio_ik import PinocchioIk
from vla_ros.ik.settings import PinocchioIkSettings
from vla_ros.robots import load_profile, robot_names

pytest.importorskip('pinocchio')

SAMPLES = json.loads((Path(__file__).parents[1] / 'data' / 'robots_fk.json').read_text('utf-8'))
SOLVERS = {name: AnalyticIk(load_profile(name)) for name in robot_names()}


@pytest.fixture(params=robot_names())
def robot(request):
    return request.param


def random_joints(ik, rng):
    return rng.uniform(np.maximum(ik.arm.lower, -math.pi), np.minimum(ik.arm.upper, math.pi))


def turned_apart(a, b):
    """Return the largest difference of two joint vectors, whole turns apart."""
    return np.abs((a - b + math.pi) % (2 * math.pi) - math.pi).max(axis=-1)


def assert_reached(ik, q, T):
    F = ik.forward(q)
    assert np.linalg.norm(F[:3, 3] - T[:3, 3]) <= 1e-9
    assert rotation_angle(F[:3, :3], T[:3, :3]) <= 1e-6


def test_every_branch_reaches_the_pose_and_the_known_joints_are_among_them(robot):
    ik = SOLVERS[robot]
    rng = np.random.default_rng(1)
    counts = []
    for _ in range(100):
        q = random_joints(ik, rng)
        if ik.arm.smallest_singular_value(q) < 5e-3:
            continue
        T = ik.forward(q)
        branches = ik.branches(T)
        for branch in branches:
            assert_reached(ik, branch, T)
        assert turned_apart(branches, q).min() < 1e-6
        counts.append(len(branches))
    assert len(counts) > 80
    assert max(counts) == 8


def test_branches_differ_from_each_other(robot):
    ik = SOLVERS[robot]
    rng = np.random.default_rng(2)
    q = ik.nearest.arm.lower * 0.0 + [0.4, 1.2, -1.1, 0.5, 0.8, 0.3]
    branches = ik.branches(ik.forward(q + rng.uniform(-0.05, 0.05, 6)))
    for i, branch in enumerate(branches):
        others = np.delete(branches, i, axis=0)
        assert turned_apart(others, branch).min() > 1e-3


def test_the_makers_poses_are_solved_to_their_joints(robot):
    # The samples are the makers' own forward kinematics; base_link, not the controller's base.
    ik = SOLVERS[robot]
    profile = load_profile(robot)
    solved = 0
    for sample in SAMPLES[robot]:
        q = np.array(sample['q'])
        if profile.flange_frame not in sample['T'] or ik.arm.smallest_singular_value(q) < 5e-3:
            continue
        T_base_flange = np.eye(4)
        T_base_flange[:3] = np.array(sample['T'][profile.flange_frame])[:3]
        flange = AnalyticIk(dataclasses.replace(profile, tool_frame=profile.flange_frame))
        assert turned_apart(flange.branches(T_base_flange), q).min() < 1e-4
        solved += 1
    assert solved >= 5


def test_the_branch_of_the_seed_is_carried_on(robot):
    ik = SOLVERS[robot]
    profile = load_profile(robot)
    rng = np.random.default_rng(3)
    q = profile.joints.home
    for _ in range(60):
        T = moved(ik.forward(q), rng.normal(size=6) * [0.003, 0.003, 0.003, 0.01, 0.01, 0.01], 1.0)
        result = ik.solve(T, q, 0.01)
        if result.converged:
            assert_reached(ik, result.q, T)
            assert np.abs(result.q - q).max() < 0.3
            q = result.q


def test_a_joint_that_can_turn_twice_stays_in_the_turn_of_the_seed():
    ik = SOLVERS['ur5e']
    q = load_profile('ur5e').joints.home.copy()
    q[5] += 4.5  # beyond pi
    T = moved(ik.forward(q), np.full(6, 0.005), 1.0)
    result = ik.solve(T, q, 0.01)
    assert result.converged
    assert np.abs(result.q - q).max() < 0.1


def test_it_agrees_with_the_iterative_solver(robot):
    ik, profile = SOLVERS[robot], load_profile(robot)
    other = PinocchioIk(profile, PinocchioIkSettings(position_tolerance=1e-9,
                                                     rotation_tolerance=1e-9))
    rng = np.random.default_rng(4)
    home = profile.joints.home
    for _ in range(40):
        T = moved(ik.forward(home), rng.normal(size=6) * 0.01, 1.0)
        assert np.allclose(ik.solve(T, home, 0.01).q, other.solve(T, home, 0.01).q, atol=1e-6)


def test_what_the_search_finds_is_one_of_the_branches():
    # The oracle at work: whatever the iterative solver ends in, the closed form has it.
    search = GlobalSearch(load_profile('piper'), PinocchioIkSettings(
        position_tolerance=1e-8, rotation_tolerance=1e-8), bank=300)
    ik = SOLVERS['piper']
    rng = np.random.default_rng(5)
    for _ in range(40):
        q = random_joints(ik, rng)
        if ik.arm.smallest_singular_value(q) < 0.02:
            continue
        found = search.solve(ik.forward(q))
        assert found.converged
        if ik.arm.smallest_singular_value(found.q) < 0.02:
            continue
        assert turned_apart(ik.branches(ik.forward(q)), found.q).min() < 1e-4


def test_no_branch_in_the_limits_is_missed():
    # A Piper's limits leave few of the eight; the solver must find one whenever there is one.
    ik = AnalyticIk(load_profile('piper'), PinocchioIkSettings(max_joint_change=math.inf))
    rng = np.random.default_rng(6)
    for _ in range(100):
        q = random_joints(ik, rng)
        if ik.arm.smallest_singular_value(q) < 5e-3:
            continue
        result = ik.solve(ik.forward(q), random_joints(ik, rng), 0.01)
        assert result.converged
        assert (result.q >= ik.arm.lower).all() and (result.q <= ik.arm.upper).all()


@pytest.mark.parametrize(('robot', 'q'), [
    ('piper', [0.3, 1.2, -1.1, 0.4, 0.0, 0.2]), ('piper', [0.3, 1.2, -1.1, 0.4, 1e-3, 0.2]),
    ('ur5e', [0.3, -1.2, 1.1, 0.4, 0.0, 0.2]), ('ur5e', [0.3, -1.2, 1.1, 0.4, 1e-6, 0.2]),
])
def test_at_the_wrist_singularity_no_joint_jumps(robot, q):
    ik, q = SOLVERS[robot], np.array(q)
    result = ik.solve(ik.forward(q), q, 0.01)
    assert result.converged
    assert np.abs(result.q - q).max() < 0.1


def test_a_joint_that_is_free_at_a_singularity_stays_at_the_seed():
    ik = SOLVERS['ur5e']
    q = np.array([0.3, -1.2, 1.1, 0.4, 0.0, 0.2])
    assert turned_apart(ik.branches(ik.forward(q), seed=q), q).min() < 1e-6


def test_a_far_branch_is_reported_and_the_arm_stays(robot):
    ik = SOLVERS[robot]
    profile = load_profile(robot)
    home = profile.joints.home
    T = ik.forward(home + [1.0, 0, 0, 0, 0, 0])
    result = ik.solve(T, home, 0.01)
    assert result.status is IkStatus.BRANCH
    assert not result.converged and not result.nearest
    assert np.array_equal(result.q, home)
    assert f'branch change: {profile.joints.names[0]} would move 1.00 rad' in result.reason
    assert result.position_error > 0.1


def test_on_a_limit_it_slides_as_the_iterative_solver_does():
    ik = SOLVERS['piper']
    profile = load_profile('piper')
    q = profile.joints.home.copy()
    q[5] = ik.arm.upper[5]
    result = ik.solve(ik.forward(q + [0.02, 0, 0, 0, 0, 0.05]), q, 0.01)
    assert result.status is IkStatus.LIMITED
    assert result.limited == (5,)
    assert result.nearest


@pytest.mark.parametrize('bad', [math.nan, math.inf])
def test_a_goal_that_is_not_finite_is_reported(robot, bad):
    home = load_profile(robot).joints.home
    T = SOLVERS[robot].forward(home)
    T[0, 0] = bad
    result = SOLVERS[robot].solve(T, home, 0.01)
    assert result.status is IkStatus.NOT_FINITE
    assert np.array_equal(result.q, home)


def edited(profile, tmp_path, old, new):
    text = profile.urdf_path.read_text('utf-8')
    assert old in text
    path = tmp_path / 'edited.urdf'
    path.write_text(text.replace(old, new), 'utf-8')
    return dataclasses.replace(profile, urdf_path=path)


def test_a_calibrated_ur_is_solved_on_its_own_kinematics(tmp_path):
    profile = edited(load_profile('ur5e'), tmp_path, 'xyz="-0.425 0.0 0.0" rpy="0.0 0.0 0.0"',
                     'xyz="-0.4253 0.0002 0.0" rpy="0.0007 -0.0005 0.0003"')
    ik = AnalyticIk(profile)
    home = profile.joints.home
    T = ik.forward(home + 0.02)
    assert np.abs(T - SOLVERS['ur5e'].forward(home + 0.02)).max() > 2e-4
    result = ik.solve(T, home, 0.01)
    assert result.converged
    assert np.allclose(result.q, home + 0.02, atol=1e-6)


@pytest.mark.parametrize(('old', 'new', 'match'), [
    ('xyz="8.8259e-05 -0.091 0.0"', 'xyz="0.02 -0.091 0.0"', 'axes 4, 5 and 6 miss .* 20.0 mm'),
    ('xyz="0.28503 0.0 0.0" rpy="0.0 0.0 -1.7938494"',
     'xyz="0.28503 0.0 0.0" rpy="0.1 0.0 -1.7938494"', 'axes 2 and 3 are 5.7 deg off parallel'),
])
def test_an_arm_without_a_closed_form_is_refused_with_what_differs(tmp_path, old, new, match):
    profile = load_profile('piper')
    with pytest.raises(ConfigError, match=match):
        AnalyticIk(edited(profile, tmp_path, old, new))
