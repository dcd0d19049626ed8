"""What an IK result says of itself, and how a path is solved in turn."""

from __future__ import annotations

import numpy as np
import pytest

from vla_ros.core.kinematics import IkResult, IkStatus, solve_in_turn


def result(q, status):
    return IkResult(np.full(2, float(q)), status is IkStatus.CONVERGED, 0.0, 0.0, 1.0,
                    status=status)


def test_without_a_status_it_is_what_converged_says():
    assert IkResult(np.zeros(2), True, 0.0, 0.0, 1.0).status is IkStatus.CONVERGED
    assert IkResult(np.zeros(2), False, 1.0, 0.0, 1.0).status is IkStatus.UNREACHABLE


@pytest.mark.parametrize(('status', 'nearest'), [
    (IkStatus.CONVERGED, False), (IkStatus.LIMITED, True), (IkStatus.SINGULAR, True),
    (IkStatus.UNREACHABLE, True), (IkStatus.BRANCH, False), (IkStatus.NOT_FINITE, False)])
def test_only_what_the_tool_may_slide_to_is_a_nearest_pose(status, nearest):
    assert result(0, status).nearest is nearest


def test_the_seed_is_carried_on_except_from_what_is_not_followed():
    ends = [IkStatus.CONVERGED, IkStatus.LIMITED, IkStatus.BRANCH, IkStatus.NOT_FINITE,
            IkStatus.SINGULAR]
    seeds = []

    def solve(T, seed, dt):
        seeds.append(seed[0])
        assert dt == 0.1
        return result(10 + len(seeds), ends[len(seeds) - 1])
    results = solve_in_turn(solve, np.zeros((5, 4, 4)), np.array([5.0, 5.0]), 0.1)
    assert [r.status for r in results] == ends
    assert seeds == [5.0, 11.0, 12.0, 12.0, 12.0]
