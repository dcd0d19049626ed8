"""What goes to a driver and comes back is the same joint, whatever the driver calls it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.robots.adapters.mapping import GripperMapping, JointMapping

ANGLES = st.lists(st.floats(-6.3, 6.3), min_size=3, max_size=3)
SIGNS = st.lists(st.sampled_from([1.0, -1.0]), min_size=3, max_size=3)


@given(ANGLES, ANGLES, SIGNS, st.floats(0.9, 1.1))
def test_what_is_sent_comes_back(q, offsets, signs, scale):
    mapping = JointMapping(('a', 'b', 'c'), np.array(signs), np.array(offsets), scale, scale)
    np.testing.assert_allclose(mapping.from_driver(mapping.to_driver(np.array(q))), q, atol=1e-12)
    np.testing.assert_allclose(mapping.from_command(mapping.to_driver(np.array(q))), q, atol=1e-12)


@given(ANGLES, ANGLES, SIGNS, ANGLES)
def test_a_velocity_is_the_change_of_the_position(q, offsets, signs, velocity):
    mapping = JointMapping(('a', 'b', 'c'), np.array(signs), np.array(offsets), 0.999493)
    q, velocity = np.array(q), np.array(velocity)
    change = mapping.to_driver(q + velocity) - mapping.to_driver(q)
    np.testing.assert_allclose(mapping.velocity_to_driver(velocity), change, atol=1e-9)


def test_order_is_found_by_name_and_only_for_the_same_joints():
    mapping = JointMapping(('a', 'b', 'c'), np.ones(3), np.zeros(3))
    order = mapping.order_in(['c', 'a', 'b'])
    assert order is not None
    assert [('a', 'b', 'c')[i] for i in order] == ['c', 'a', 'b']
    for others in (['a', 'b'], ['a', 'b', 'd'], ['a', 'b', 'c', 'd'], ['a', 'b', 'b'], []):
        assert mapping.order_in(others) is None


@pytest.mark.parametrize(('width', 'position'), [(0.0, 0.7929), (0.085, 0.0)])
def test_robotiq_is_closed_where_its_knuckle_has_turned(width, position):
    mapping = GripperMapping('knuckle', 0.7929, -0.7929 / 0.085)
    assert mapping.to_driver(width) == pytest.approx(position, abs=1e-12)
    assert mapping.from_driver(position) == pytest.approx(width, abs=1e-12)
