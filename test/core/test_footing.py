"""Where the command stands."""

import numpy as np
import pytest

from vla_ros.core.commanded import Commanded
from vla_ros.core.footing import Footing, Stand
from vla_ros.core.measured_arm import MeasuredArm

MS = 1_000_000
DT = 0.01


class Rig:
    """A footing with an arm that is measured at a place of its own."""

    def __init__(self):
        self.arm = MeasuredArm(2, 0.1, 0.5)
        self.commanded = Commanded(2, 0.2)
        self.footing = Footing(self.commanded, self.arm)
        self.now = 1000 * MS

    def find(self, q=None, ms=10):
        """Let time pass, have the arm measured (None: not at all), and find the footing."""
        self.now += ms * MS
        if q is not None:
            self.arm.add(self.now, np.array(q), None)
        return self.footing.find(self.now, DT)


@pytest.fixture
def rig():
    return Rig()


def test_it_begins_at_fresh_measured_joints_and_no_others(rig):
    assert rig.find() is Stand.UNKNOWN
    rig.arm.add(rig.now - 500 * MS, np.ones(2), None)
    assert rig.find() is Stand.UNKNOWN and rig.commanded.q is None
    assert rig.find([0.5, 0.4]) is Stand.GOES_ON
    assert (rig.commanded.q == [0.5, 0.4]).all() and rig.commanded.at_rest


def test_an_arm_that_was_moved_while_nothing_was_heard_of_it_is_not_pulled_back(rig):
    rig.find([0.0, 0.0])
    assert rig.find(ms=300) is Stand.GOES_ON and (rig.commanded.q == 0.0).all()
    assert rig.find([0.1, 0.1]) is Stand.GOES_ON
    assert (rig.commanded.q == 0.1).all()


def test_a_moving_command_goes_on_where_it_is_when_the_arm_is_heard_of_again(rig):
    rig.find([0.0, 0.0])
    rig.commanded.velocity = np.array([0.3, 0.0])
    rig.find(ms=300)
    assert rig.find([0.1, 0.1]) is Stand.GOES_ON and (rig.commanded.q == 0.0).all()


def test_joints_that_are_apart_get_no_command_and_then_one_from_where_they_have_stayed(rig):
    rig.find([0.0, 0.0])
    stands = [rig.find([1.0, 0.0]) for _ in range(12)]
    anew = stands.index(Stand.ANEW)
    assert anew >= 9 and set(stands[:anew]) == {Stand.APART}
    assert set(stands[anew + 1:]) == {Stand.GOES_ON} and (rig.commanded.q == [1.0, 0.0]).all()


def test_stale_joints_hold_the_last_command_and_fresh_ones_are_gone_to(rig):
    rig.find([0.0, 0.0])
    for _ in range(10):
        rig.find([0.1, 0.0])
        goal = rig.footing.hold(rig.now, DT)
    assert goal == pytest.approx([0.2 * DT, 0.0])
    assert (rig.footing.hold(rig.now + 200 * MS, DT) == rig.commanded.q).all()


def test_beginning_again_leaves_a_command_that_still_brakes(rig):
    rig.find([0.0, 0.0])
    rig.commanded.velocity = np.array([0.3, 0.0])
    rig.footing.begin_again()
    assert rig.commanded.q is not None
    rig.commanded.halt()
    rig.footing.begin_again()
    assert rig.commanded.q is None
