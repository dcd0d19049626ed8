"""Damped least squares: reaches what it can, slides where it cannot, stays on its branch."""

from __future__ import annotations

import dataclasses
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.core.errors import ConfigError
from vla_ros.core.kinematics import IkStatus
from vla_ros.core.se3 import moved, rotation_angle
from vla_ros.ik import load_ik
from vla_ros.ik.pinocchio_ik import PinocchioIk
from vla_ros.ik.settings import PinocchioIkSettings
from vla_ros.robots import load_profile, robot_names

pytest.importorskip('pinocchio')

LENGTH = PinocchioIkSettings().rotation_length


@pytest.fixture(params=robot_names())
def arm(request):
    profile = load_profile(request.param)
    return profile, load_ik('pinocchio', profile)


def distance(T_a, T_b):
    return np.linalg.norm(T_a[:3, 3] - T_b[:3, 3]), rotation_angle(T_a[:3, :3], T_b[:3, :3])


def weighted(T_a, T_b):
    position, rotation = distance(T_a, T_b)
    return math.hypot(position, LENGTH * rotation)


def limits(profile):
    joints = profile.joints
    return joints.lower + joints.margin, joints.upper - joints.margin


def test_small_steps_around_home_are_reached_and_move_the_joints_little(arm):
    profile, ik = arm
    rng = np.random.default_rng(1)
    home = profile.joints.home
    for _ in range(50):
        T = moved(ik.forward(home), rng.normal(size=6) * [0.02, 0.02, 0.02, 0.05, 0.05, 0.05], 1.0)
        result = ik.solve(T, home, 0.01)
        assert result.converged, result.reason
        assert result.status is IkStatus.CONVERGED
        position, rotation = distance(ik.forward(result.q), T)
        assert position < 1e-4 and rotation < 1e-3
        assert np.abs(result.q - home).max() < 0.6


def test_the_errors_are_the_distance_of_the_answer_from_the_goal(arm):
    profile, ik = arm
    rng = np.random.default_rng(2)
    for _ in range(30):
        T = moved(ik.forward(profile.joints.home), rng.normal(size=6) * 0.3, 1.0)
        result = ik.solve(T, profile.joints.home, 0.01)
        position, rotation = distance(ik.forward(result.q), T)
        assert result.position_error == pytest.approx(position, abs=1e-9)
        assert result.rotation_error == pytest.approx(rotation, abs=1e-6)


@settings(max_examples=150, deadline=None)
@given(robot=st.sampled_from(['piper', 'ur5e']), seed=st.integers(0, 10**6),
       size=st.sampled_from([1e-3, 0.02, 0.3, 3.0, 100.0]))
def test_whatever_the_goal_the_answer_is_in_the_limits_near_the_seed_and_no_further_away(
        robot, seed, size):
    profile, ik = SOLVERS[robot]
    rng = np.random.default_rng(seed)
    low, high = limits(profile)
    q = rng.uniform(low, high)
    T = moved(ik.forward(q), rng.normal(size=6) * size, 1.0)
    result = ik.solve(T, q, 0.01)
    assert (result.q >= low).all() and (result.q <= high).all()
    assert np.abs(result.q - q).max() <= ik.settings.max_joint_change + 1e-12
    assert weighted(ik.forward(result.q), T) <= weighted(ik.forward(q), T) + 1e-9
    assert result.converged == (result.reason == '') == (result.status is IkStatus.CONVERGED)


def downhill(ik, T, q, low, high):
    """Return the weighted distance from T of the nearest pose downhill from q: slow, and obvious.

    Gradient by differences, a step against it cut off at the limits, halved until it helps.
    """
    cost = weighted(ik.forward(q), T)**2
    size = 1.0
    for _ in range(3000):
        gradient = np.zeros(len(q))
        for i in range(len(q)):
            h = np.zeros(len(q))
            h[i] = 1e-6
            gradient[i] = (weighted(ik.forward(q + h), T)**2
                           - weighted(ik.forward(q - h), T)**2) / 2e-6
        size *= 4.0
        while size > 1e-9:
            trial = np.clip(q - size * gradient, low, high)
            now = weighted(ik.forward(trial), T)**2
            if now < cost - 1e-16:
                break
            size *= 0.5
        else:
            break
        if cost - now < 1e-6 * cost:
            break
        q, cost = trial, now
    return math.sqrt(cost)


# Not a UR's elbow and wrist 2, whose limits are singular too.
@pytest.mark.parametrize(('robot', 'joints'), [('piper', range(6)), ('ur5e', (0, 1, 3, 5))])
def test_on_a_limit_the_tool_slides_to_the_nearest_pose(robot, joints):
    profile, ik = SOLVERS[robot]
    rng = np.random.default_rng(4)
    low, high = limits(profile)
    slid = 0
    for joint in joints:
        for side in (low, high):
            q = profile.joints.home + rng.uniform(-0.1, 0.1, 6)
            q[joint] = side[joint]
            beyond = q.copy()
            beyond[joint] += 0.04 * (1 if side is high else -1)
            beyond[(joint + 1) % 6] += 0.03  # and along, so that there is something to slide
            q = np.clip(q, low, high)
            T = ik.forward(beyond)
            result = ik.solve(T, q, 0.01)
            if result.converged:
                continue
            slid += 1
            assert result.status is IkStatus.LIMITED, result.reason
            assert result.nearest
            assert joint in result.limited
            assert profile.joints.names[joint] in result.reason
            found = weighted(ik.forward(result.q), T)
            assert found < 0.9 * weighted(ik.forward(q), T)
            assert found <= 1.02 * downhill(ik, T, q, low, high) + 1e-5
    assert slid >= 6


def test_sliding_along_a_limit_goes_on_as_far_as_the_goal_does():
    # Turned against joint6's limit, a Piper still follows the sideways part of the motion.
    profile, ik = SOLVERS['piper']
    q = profile.joints.home.copy()
    q[5] = limits(profile)[1][5]
    start = ik.forward(q)
    for step in range(1, 40):
        result = ik.solve(moved(start, np.array([0, 0.001 * step, 0, 0, 0, 0.0]), 1.0), q, 0.01)
        assert result.converged or result.nearest
        q = result.q
    moved_by = ik.forward(q)[:3, 3] - start[:3, 3]
    assert moved_by[1] > 0.03
    assert abs(moved_by[0]) < 0.01 and abs(moved_by[2]) < 0.01


def test_a_longer_rotation_length_gives_up_position_rather_than_rotation():
    profile, _ = SOLVERS['piper']
    q = profile.joints.home.copy()
    q[4] = limits(profile)[1][4]
    beyond = q + [0, 0, 0, 0, 0.1, 0]
    errors = []
    for length in (0.02, 0.2, 2.0):
        ik = PinocchioIk(profile, PinocchioIkSettings(rotation_length=length))
        result = ik.solve(ik.forward(beyond), q, 0.01)
        assert result.status is IkStatus.LIMITED
        errors.append(result.rotation_error)
    assert errors[0] > 1.2 * errors[1] > 2.4 * errors[2]


def test_a_joint_beyond_its_limit_may_come_back_but_goes_no_further_out(arm):
    profile, ik = arm
    low, high = limits(profile)
    q = profile.joints.home.copy()
    q[2] = high[2] + 0.01
    inward, outward = q.copy(), q.copy()
    inward[2] -= 0.05
    outward[2] += 0.02
    back = ik.solve(ik.forward(inward), q, 0.01)
    assert back.converged and back.q[2] < high[2]
    out = ik.solve(ik.forward(outward), q, 0.01)
    assert out.q[2] <= q[2]
    assert (np.delete(out.q, 2) >= np.delete(low, 2)).all()
    assert (np.delete(out.q, 2) <= np.delete(high, 2)).all()


@pytest.mark.parametrize('robot', ['piper', 'ur5e'])
def test_a_goal_on_another_branch_is_reported_and_not_jumped_to(robot):
    profile, ik = SOLVERS[robot]
    free = PinocchioIk(profile, PinocchioIkSettings(max_joint_change=math.inf))
    home = profile.joints.home
    far = home + [0.9, 0, 0, 0, 0, 0]
    T = ik.forward(far)
    assert free.solve(T, home, 0.01).converged
    result = ik.solve(T, home, 0.01)
    assert not result.converged and not result.nearest
    assert result.status is IkStatus.BRANCH
    assert f'branch change: {profile.joints.names[0]} would move 0.9' in result.reason
    assert np.abs(result.q - home).max() <= ik.settings.max_joint_change + 1e-12


def test_a_pose_out_of_reach_is_reported_with_its_distance(arm):
    profile, ik = arm
    T = ik.forward(profile.joints.home)
    T[0, 3] += 5.0
    result = ik.solve(T, profile.joints.home, 0.01)
    assert not result.converged
    assert result.status is not IkStatus.BRANCH
    assert result.position_error > 3.0
    assert 'mm' in result.reason


def test_a_stretched_arm_is_not_called_converged_and_ends_as_near_as_it_gets():
    ik = SOLVERS['ur5e'][1]
    q = np.array([0.0, -0.3, 0.05, -1.3, -1.57, 0.0])  # elbow nearly straight
    outward = ik.forward(q)
    radial = outward[:3, 3] / np.linalg.norm(outward[:3, 3])
    outward[:3, 3] += 0.15 * radial
    result = ik.solve(outward, q, 0.01)
    assert result.status in (IkStatus.SINGULAR, IkStatus.UNREACHABLE)
    assert result.nearest
    assert result.smallest_singular_value < 0.03
    assert weighted(ik.forward(result.q), outward) < 0.9 * weighted(ik.forward(q), outward)


@pytest.mark.parametrize('bad', [math.nan, math.inf, 1e200])
def test_a_goal_that_is_not_finite_gives_back_the_seed(arm, bad):
    profile, ik = arm
    T = ik.forward(profile.joints.home)
    T[1, 3] = bad
    result = ik.solve(T, profile.joints.home, 0.01)
    assert not result.converged and not result.nearest
    assert result.status is IkStatus.NOT_FINITE
    assert np.array_equal(result.q, profile.joints.home)


@pytest.mark.parametrize('matrix', [np.zeros((3, 3)), -np.eye(3), 3.0 * np.eye(3),
                                    np.arange(9.0).reshape(3, 3), np.full((3, 3), 1e100)])
def test_a_matrix_that_is_no_rotation_moves_nothing_out_of_its_bounds(arm, matrix):
    profile, ik = arm
    T = ik.forward(profile.joints.home)
    T[:3, :3] = matrix
    result = ik.solve(T, profile.joints.home, 0.01)
    low, high = limits(profile)
    assert (result.q >= low).all() and (result.q <= high).all()
    assert np.abs(result.q - profile.joints.home).max() <= ik.settings.max_joint_change + 1e-12


def test_a_seed_that_is_not_finite_is_reported(arm):
    profile, ik = arm
    seed = profile.joints.home.copy()
    seed[3] = math.nan
    result = ik.solve(ik.forward(profile.joints.home), seed, 0.01)
    assert result.status is IkStatus.NOT_FINITE
    assert not result.converged


def test_the_result_is_not_written_to_by_the_next_solve(arm):
    profile, ik = arm
    home = profile.joints.home
    T = moved(ik.forward(home), np.full(6, 0.01), 1.0)
    seed = home.copy()
    first = ik.solve(T, seed, 0.01)
    kept = first.q.copy()
    ik.solve(ik.forward(home), home, 0.01)
    assert np.array_equal(first.q, kept)
    assert np.array_equal(seed, home)


def test_memory_does_not_grow_with_the_number_of_iterations(arm):
    profile, _ = arm
    few = PinocchioIk(profile, PinocchioIkSettings(max_iterations=3, position_tolerance=1e-30))
    many = PinocchioIk(profile, PinocchioIkSettings(max_iterations=300, position_tolerance=1e-30))
    home = profile.joints.home
    T = moved(few.forward(home), np.full(6, 0.02), 1.0)
    peaks = []
    for ik in (few, many):
        ik.solve(T, home, 0.01)
        tracemalloc.start()
        result = ik.solve(T, home, 0.01)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert result.iterations > 3
    assert peaks[1] <= peaks[0] + 500  # bytes


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


def test_the_smallest_singular_value_is_that_of_the_jacobian_at_the_answer(arm):
    profile, ik = arm
    home = profile.joints.home
    for T in (ik.forward(home), moved(ik.forward(home), np.full(6, 0.02), 1.0)):
        result = ik.solve(T, home, 0.01)
        expected = np.linalg.svd(ik.jacobian(result.q), compute_uv=False)[-1]
        assert result.smallest_singular_value == pytest.approx(expected, rel=1e-6)


def test_a_batch_is_the_same_as_one_after_the_other_with_the_seed_carried_on(arm):
    profile, ik = arm
    home = profile.joints.home
    path = [moved(ik.forward(home), np.array([0.004, 0.002, -0.003, 0.01, 0, 0.01]), float(i))
            for i in range(8)]
    path[3] = np.full((4, 4), math.nan)
    results = ik.solve_batch(np.array(path), home, 0.1)
    seed = home
    for T, result in zip(path, results, strict=True):
        single = ik.solve(T, seed, 0.1)
        assert np.array_equal(single.q, result.q)
        if np.isfinite(T).all():
            assert result.converged
            seed = result.q
    assert results[3].status is IkStatus.NOT_FINITE
    assert np.abs(results[4].q - results[2].q).max() < 0.2


@pytest.mark.parametrize('name', [f.name for f in dataclasses.fields(PinocchioIkSettings)])
def test_a_setting_that_is_not_positive_is_named(name):
    with pytest.raises(ConfigError, match=name):
        PinocchioIkSettings(**{name: math.nan})


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


SOLVERS = {name: (load_profile(name), load_ik('pinocchio', load_profile(name)))
           for name in ('piper', 'ur5e')}
