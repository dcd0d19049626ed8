"""cuRobo's answers are asked for in its own terms, and used only where they prove right.

No GPU is needed: ``fake_curobo`` stands in. What this cannot show is how fast the real one is.
"""

from __future__ import annotations

import builtins
import sys

import numpy as np
import pytest

from vla_ros.core.errors import ConfigError, DependencyError
from vla_ros.core.kinematics import IkStatus
from vla_ros.core.se3 import moved, quaternion_from_rotation, rotation_from_vector
from vla_ros.ik import choose_ik, load_ik
from vla_ros.ik.analytic_ik import AnalyticIk
from vla_ros.ik.collision_config import CollisionConfig
from vla_ros.ik.curobo_config import curobo_robot
from vla_ros.ik.curobo_ik import CuroboIk
from vla_ros.ik.pinocchio_ik import PinocchioIk
from vla_ros.ik.quaternion_order import wxyz_from_xyzw, xyzw_from_wxyz
from vla_ros.robots import load_profile, robot_names

pytest.importorskip('pinocchio')
import fake_curobo


def spheres(profile):
    last = profile.flange_frame
    return CollisionConfig(profile.name, {profile.base_frame: np.array([[0, 0, 0.05, 0.06]]),
                                          last: np.array([[0, 0, 0, 0.05], [0, 0, 0.1, 0.04]])},
                           {profile.base_frame: (last,)})


@pytest.fixture(params=['piper', 'ur5e'])
def arm(request, monkeypatch):
    made = fake_curobo.install(monkeypatch).made
    profile = load_profile(request.param)
    ik = CuroboIk(profile, collision=spheres(profile), max_batch=8)
    return profile, ik, made


def path(ik, q, n, size=0.004):
    twist = size * np.array([1.0, -1.0, 0.5, 2.0, 1.0, -2.0])
    return np.array([moved(ik.forward(q), twist, float(i + 1)) for i in range(n)])


def test_a_pose_is_reached_exactly_and_the_joints_move_little(arm):
    profile, ik, _ = arm
    home = profile.joints.home
    T = path(ik, home, 1)[0]
    result = ik.solve(T, home, 0.1)
    assert result.converged
    np.testing.assert_allclose(ik.forward(result.q), T, atol=1e-4)
    assert np.abs(result.q - home).max() < 0.1
    assert not ik.rejected


def test_a_chunk_is_one_question_and_equals_what_the_cpu_finds(arm):
    profile, ik, made = arm
    home = profile.joints.home
    T = path(ik, home, 8)
    many = made[1]
    many.asked.clear()
    results = ik.solve_batch(T, home, 0.1)
    assert many.asked == [8]
    expected = PinocchioIk(profile).solve_batch(T, home, 0.1)
    for result, other in zip(results, expected, strict=True):
        assert result.converged
        np.testing.assert_allclose(result.q, other.q, atol=2e-3)
    assert not ik.rejected


def test_a_longer_path_is_asked_in_parts_and_a_shorter_one_filled_up(arm):
    profile, ik, made = arm
    home = profile.joints.home
    many = made[1]
    many.asked.clear()
    results = ik.solve_batch(path(ik, home, 11, 0.002), home, 0.1)
    assert len(results) == 11
    assert all(r.converged for r in results)
    assert many.asked == [8, 8]  # the real one would not fill up dt


def test_solvers_are_made_for_tracking_and_warmed_up_before_the_first_solve(arm):
    _, _, made = arm
    assert [solver.batch for solver in made] == [1, 8]
    for solver in made:
        assert solver.asked == [solver.batch]
        options = solver.config.options
        assert options['num_seeds'] == options['seed_solver_num_seeds'] == 1
        assert options['use_cuda_graph'] and options['self_collision_check']
        assert options['optimization_dt'] > 0.0
        assert solver.config.exit_early is False


@pytest.mark.parametrize(('spoil', 'why'), [
    (lambda q, ok: (q + 0.2, ok), 'not at the pose'),
    (lambda q, ok: (q * np.nan, ok), 'not finite'),
    (lambda q, ok: (q, ok & False), 'not feasible'),
    (lambda q, ok: (q + [0, 0, 0, 0, 0, 20.0], ok), 'outside the limits'),
])
def test_a_wrong_answer_is_never_used_though_success_is_reported(arm, spoil, why):
    profile, ik, made = arm
    home = profile.joints.home
    T = path(ik, home, 4)
    for solver in made:
        solver.spoil = spoil
    for result, goal in zip(ik.solve_batch(T, home, 0.1), T, strict=True):
        assert result.converged  # by Pinocchio, from the pose before
        np.testing.assert_allclose(ik.forward(result.q), goal, atol=1e-4)
    assert ik.rejected == {why: 4}


def test_a_jump_to_another_branch_is_not_followed(monkeypatch):
    made = fake_curobo.install(monkeypatch).made
    profile = load_profile('ur5e')
    ik = CuroboIk(profile, collision=spheres(profile), max_batch=8)
    home = profile.joints.home
    T = path(ik, home, 4)

    def flip(q, ok):
        branches = AnalyticIk(profile).branches(T[2], home)
        far = max(branches, key=lambda b: np.abs(b - q[2]).max())
        assert np.abs(far - q[2]).max() > 1.0
        return np.where(np.arange(len(q))[:, None] == 2, far, q), ok
    made[1].spoil = flip
    results = ik.solve_batch(T, home, 0.1)
    assert all(r.converged for r in results)
    assert np.abs(np.diff([home] + [r.q for r in results], axis=0)).max() < 0.2
    assert ik.rejected == {'another branch': 1}


def test_one_pose_that_is_not_finite_does_not_spoil_the_others(arm):
    profile, ik, _ = arm
    home = profile.joints.home
    T = path(ik, home, 5)
    T[0] = np.nan
    T[3, 0, 0] = np.inf
    results = ik.solve_batch(T, home, 0.1)
    assert [r.status for r in results] == [
        IkStatus.NOT_FINITE, IkStatus.CONVERGED, IkStatus.CONVERGED, IkStatus.NOT_FINITE,
        IkStatus.CONVERGED]
    assert all(np.isfinite(r.q).all() for r in results)


def test_nothing_finite_to_ask_gives_back_the_seed(arm):
    profile, ik, _ = arm
    home = profile.joints.home
    result = ik.solve(np.full((4, 4), np.nan), home, 0.1)
    assert result.status is IkStatus.NOT_FINITE
    assert np.array_equal(result.q, home)


def test_out_of_reach_is_reported_with_the_nearest_pose(arm):
    profile, ik, _ = arm
    home = profile.joints.home
    T = ik.forward(home)
    T[:3, 3] += [3.0, 0.0, 0.0]
    result = ik.solve(T, home, 0.1)
    assert not result.converged
    assert (result.q >= ik.arm.lower).all() and (result.q <= ik.arm.upper).all()
    assert sum(ik.rejected.values()) == 1


@pytest.mark.parametrize('robot', robot_names())
def test_the_robot_configuration_has_the_arm_its_spheres_and_its_locked_fingers(robot):
    profile = load_profile(robot)
    kinematics = curobo_robot(profile, spheres(profile))['robot_cfg']['kinematics']
    assert kinematics['base_link'] == profile.base_frame
    assert kinematics['tool_frames'] == [profile.tool_frame]
    assert set(kinematics['lock_joints']) == set(profile.gripper.fingers)
    for name, position in kinematics['lock_joints'].items():
        assert position == pytest.approx(profile.gripper.fingers[name] * profile.gripper.open)
    cspace = kinematics['cspace']
    assert cspace['joint_names'][:6] == list(profile.joints.names)
    assert len(cspace['default_joint_position']) == len(cspace['joint_names']) == 8
    assert cspace['position_limit_clip'] == profile.joints.margin
    assert kinematics['collision_spheres'][profile.flange_frame][1] == {
        'center': [0.0, 0.0, 0.1], 'radius': 0.04}
    assert kinematics['self_collision_ignore'] == {profile.base_frame: [profile.flange_frame]}


def test_the_order_of_quaternions_is_changed_and_changed_back():
    R = rotation_from_vector(np.array([0.3, -0.2, 0.9]))
    xyzw = quaternion_from_rotation(R)
    wxyz = wxyz_from_xyzw(xyzw)
    assert wxyz[0] == xyzw[3] and np.array_equal(wxyz[1:], xyzw[:3])
    assert np.array_equal(xyzw_from_wxyz(wxyz), xyzw)
    many = np.stack([xyzw, np.array([0.0, 0.0, 0.0, 1.0])])
    assert np.array_equal(wxyz_from_xyzw(many)[1], [1.0, 0.0, 0.0, 0.0])


def block_import(monkeypatch, blocked):
    real = builtins.__import__

    def importing(name, *args, **kwargs):
        if name.partition('.')[0] == blocked:
            raise ImportError(f'No module named {name!r}')
        return real(name, *args, **kwargs)
    monkeypatch.setattr(builtins, '__import__', importing)
    monkeypatch.delitem(sys.modules, blocked, raising=False)


@pytest.mark.parametrize('missing', ['torch', 'curobo'])
def test_a_missing_library_is_named_with_how_to_install_it(monkeypatch, missing):
    fake_curobo.install(monkeypatch)
    block_import(monkeypatch, missing)
    with pytest.raises(DependencyError, match=r'github.com/NVlabs/curobo.*cu12'):
        load_ik('curobo', load_profile('piper'))


@pytest.mark.parametrize('version', ['0.7.8', '0.6.2.post1', 'unknown'])
def test_an_old_curobo_is_refused_with_its_version(monkeypatch, version):
    fake_curobo.install(monkeypatch, version)
    with pytest.raises(DependencyError, match=f'>= 0.8, found {version}'):
        load_ik('curobo', load_profile('piper'))


@pytest.mark.parametrize('version', ['0.8.0', 'v0.8.0-no-tag', '1.2.0.dev3'])
def test_versions_from_0_8_on_are_taken(monkeypatch, version):
    fake_curobo.install(monkeypatch, version)
    profile = load_profile('piper')
    assert CuroboIk(profile, collision=spheres(profile), max_batch=1).arm.n == 6


def test_without_cuda_the_error_says_so(monkeypatch):
    fake_curobo.install(monkeypatch, torch=fake_curobo.stand_in_torch(available=False))
    with pytest.raises(DependencyError, match='CUDA device'):
        load_ik('curobo', load_profile('piper'))


def test_a_fall_back_is_made_only_when_allowed_and_gives_the_reason(monkeypatch):
    fake_curobo.install(monkeypatch, torch=fake_curobo.stand_in_torch(available=False))
    profile = load_profile('piper')
    with pytest.raises(DependencyError):
        choose_ik('curobo', profile)
    chosen = choose_ik('curobo', profile, allow_fallback=True)
    assert chosen.backend == 'pinocchio'
    assert isinstance(chosen.kinematics, PinocchioIk)
    assert "'curobo' cannot be used" in chosen.reason and 'CUDA' in chosen.reason


def test_what_was_asked_for_and_can_be_had_needs_no_reason():
    chosen = choose_ik('analytic', load_profile('ur3e'), allow_fallback=True)
    assert (chosen.backend, chosen.reason) == ('analytic', '')


def test_a_backend_that_does_not_exist_is_not_fallen_back_from():
    with pytest.raises(ConfigError, match='Choices: analytic, curobo, pinocchio'):
        choose_ik('pinochio', load_profile('piper'), allow_fallback=True)


@pytest.mark.parametrize('robot', robot_names())
def test_every_robot_of_the_package_comes_with_the_spheres_it_needs(monkeypatch, robot):
    fake_curobo.install(monkeypatch)
    ik = load_ik('curobo', load_profile(robot))
    home = load_profile(robot).joints.home
    assert ik.solve(ik.forward(home), home, 0.1).converged
