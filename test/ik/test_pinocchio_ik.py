"""Damped least squares: reaches what it can, stays on its branch, says when it cannot."""

import dataclasses
import math

import numpy as np
import pytest

from vla_ros.core.errors import ConfigError
from vla_ros.core.se3 import moved
from vla_ros.ik import load_ik
from vla_ros.robots import load_profile, robot_names

pytest.importorskip('pinocchio')


@pytest.fixture(params=robot_names())
def arm(request):
    profile = load_profile(request.param)
    return profile, load_ik('pinocchio', profile)


def distance(T_a, T_b):
    return np.linalg.norm(T_a[:3, 3] - T_b[:3, 3]), np.linalg.norm(T_a[:3, :3] - T_b[:3, :3])


def test_small_steps_around_home_are_reached_and_move_the_joints_little(arm):
    profile, ik = arm
    rng = np.random.default_rng(1)
    home = profile.joints.home
    for _ in range(50):
        T = moved(ik.forward(home), rng.normal(size=6) * [0.02, 0.02, 0.02, 0.05, 0.05, 0.05], 1.0)
        result = ik.solve(T, home, 0.01)
        assert result.converged, result.reason
        position, rotation = distance(ik.forward(result.q), T)
        assert position < 1e-4 and rotation < 1e-3
        assert np.abs(result.q - home).max() < 0.6


def test_the_answer_is_always_within_the_limits(arm):
    profile, ik = arm
    rng = np.random.default_rng(2)
    low, high = profile.joints.lower, profile.joints.upper
    for _ in range(30):
        T = moved(ik.forward(profile.joints.home), rng.normal(size=6), 1.0)
        q = ik.solve(T, profile.joints.home, 0.01).q
        assert np.isfinite(q).all()
        assert (q >= low).all() and (q <= high).all()


def test_a_pose_out_of_reach_is_reported_with_its_distance(arm):
    profile, ik = arm
    T = ik.forward(profile.joints.home)
    T[0, 3] += 5.0
    result = ik.solve(T, profile.joints.home, 0.01)
    assert not result.converged
    assert result.position_error > 3.0
    assert 'mm' in result.reason


@pytest.mark.parametrize('bad', [math.nan, math.inf])
def test_a_goal_that_is_not_finite_gives_back_the_seed(arm, bad):
    profile, ik = arm
    T = ik.forward(profile.joints.home)
    T[1, 3] = bad
    result = ik.solve(T, profile.joints.home, 0.01)
    assert not result.converged
    assert np.array_equal(result.q, profile.joints.home)


def test_the_jacobian_is_the_derivative_of_the_forward_kinematics(arm):
    profile, ik = arm
    q, h = profile.joints.home, 1e-6
    J = ik.jacobian(q)
    T = ik.forward(q)
    for i in range(len(q)):
        dq = np.zeros(len(q))
        dq[i] = h
        moved_by = (ik.forward(q + dq)[:3, 3] - ik.forward(q - dq)[:3, 3]) / (2 * h)
        assert np.allclose(T[:3, :3].T @ moved_by, J[:3, i], atol=1e-6)


def test_the_smallest_singular_value_is_that_of_the_jacobian(arm):
    profile, ik = arm
    home = profile.joints.home
    expected = np.linalg.svd(ik.jacobian(home), compute_uv=False)[-1]
    assert ik.solve(ik.forward(home), home, 0.01).smallest_singular_value == pytest.approx(expected)


def test_an_unknown_backend_lists_the_choices():
    with pytest.raises(ConfigError, match='Choices: pinocchio'):
        load_ik('pinochio', load_profile('piper'))


@pytest.mark.parametrize(('change', 'match'), [
    ({'tool_frame': 'fingertip'}, "no link 'fingertip'.*tcp"),
    ({'base_frame': 'world'}, "no link 'world'"),
])
def test_a_frame_that_the_urdf_lacks_is_named_with_those_it_has(change, match):
    profile = dataclasses.replace(load_profile('piper'), **change)
    with pytest.raises(ConfigError, match=match):
        load_ik('pinocchio', profile)


def test_a_file_that_is_no_urdf_is_named(tmp_path):
    path = tmp_path / 'broken.urdf'
    path.write_text('this is not XML')
    with pytest.raises(ConfigError, match='broken.urdf'):
        load_ik('pinocchio', dataclasses.replace(load_profile('piper'), urdf_path=path))
