"""The search without a seed finds every pose that is known to be reachable."""

from __future__ import annotations

import numpy as np
import pytest

from vla_ros.core.errors import ConfigError
from vla_ros.core.kinematics import IkStatus
from vla_ros.ik.global_search import GlobalSearch
from vla_ros.robots import load_profile

pytest.importorskip('pinocchio')


@pytest.fixture(scope='module', params=['piper', 'ur5e'])
def search(request):
    return GlobalSearch(load_profile(request.param), bank=500)


def test_poses_that_some_joints_reach_are_found_within_the_limits(search):
    arm = search.ik.arm
    rng = np.random.default_rng(11)
    low, high = np.maximum(arm.lower, -np.pi), np.minimum(arm.upper, np.pi)
    for _ in range(40):
        T = arm.forward(rng.uniform(low, high))
        result = search.solve(T)
        assert result.converged, result.reason
        np.testing.assert_allclose(arm.forward(result.q), T, atol=2e-4)
        assert (result.q >= arm.lower).all() and (result.q <= arm.upper).all()


def test_out_of_reach_it_gives_the_nearest_of_what_it_found(search):
    T = np.eye(4)
    T[:3, 3] = [0.0, 0.0, 5.0]
    one, many = search.solve(T, restarts=1), search.solve(T, restarts=10)
    assert not many.converged
    assert search._distance(many) <= search._distance(one)


def test_a_goal_that_is_not_finite_is_reported(search):
    assert search.solve(np.full((4, 4), np.nan)).status is IkStatus.NOT_FINITE


@pytest.mark.parametrize('arguments', [{'bank': 0}])
def test_an_empty_bank_is_refused(arguments):
    with pytest.raises(ConfigError, match='bank'):
        GlobalSearch(load_profile('piper'), **arguments)


def test_no_start_at_all_is_refused(search):
    with pytest.raises(ConfigError, match='restarts'):
        search.solve(np.eye(4), restarts=0)
