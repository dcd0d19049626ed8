"""Nothing passes the last check that is not finite, or beyond a limit of joints or gripper."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.core.errors import InvariantError
from vla_ros.robots import load_profile
from vla_ros.robots.adapters import checked_command

PROFILE = load_profile('piper')
JOINTS = PROFILE.joints
HOME = JOINTS.home
HOSTILE = st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.floats(-4, 4))
SIX = st.lists(HOSTILE, min_size=5, max_size=7)


@given(SIX, SIX, st.none() | HOSTILE, st.none() | HOSTILE)
def test_what_passes_is_within_every_limit(q, velocity, width, effort):
    try:
        command = checked_command(PROFILE, q, velocity, width, effort, HOME)
    except InvariantError:
        return
    assert command.q.shape == command.velocity.shape == (6,)
    assert ((command.q >= JOINTS.lower - 1e-6) & (command.q <= JOINTS.upper + 1e-6)).all()
    assert (np.abs(command.velocity) <= JOINTS.velocity + 1e-5).all()
    assert command.width is None or -1e-6 <= command.width <= PROFILE.gripper.open + 1e-6
    assert command.effort is None or 0 <= command.effort < np.inf


def test_an_arm_that_lies_beyond_a_limit_may_be_held_there_and_moved_back():
    measured = HOME.copy()
    measured[1] = -0.05  # a Piper's joint2 at rest
    for position in (-0.05, -0.02, 0.0, 0.1):
        q = measured.copy()
        q[1] = position
        assert checked_command(PROFILE, q, np.zeros(6), None, None, measured).q[1] == position
    q[1] = -0.07
    with pytest.raises(InvariantError, match='joint2'):
        checked_command(PROFILE, q, np.zeros(6), None, None, measured)


def test_the_other_end_is_not_widened():
    measured = HOME.copy()
    measured[1] = -0.05
    q = measured.copy()
    q[1] = JOINTS.upper[1] + 0.005
    with pytest.raises(InvariantError, match='joint2'):
        checked_command(PROFILE, q, np.zeros(6), None, None, measured)
