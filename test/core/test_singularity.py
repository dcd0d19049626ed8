"""Singularities: slower toward them, halted with hysteresis, free away from them."""

import math

import numpy as np
import pytest

from vla_ros.core.errors import ConfigError
from vla_ros.core.limits import SingularityLimits
from vla_ros.core.safety import SingularityGuard, smallest_singular_value

LIMITS = SingularityLimits(slow_below=0.4, halt_below=0.1, resume_above=0.2)
IN, OUT, ALONG = np.array([-1.0, 0.0]), np.array([1.0, 0.0]), np.array([0.0, 1.0])


def guard():
    """A guard of an arm whose smallest singular value is its first joint's position."""
    return SingularityGuard(lambda q: np.diag([1.0, abs(q[0])]), LIMITS)


def factor(g, value, direction):
    return g.factor(np.array([value, 0.3]), direction)[0]


def test_the_smallest_singular_value_is_that_of_a_decomposition():
    rng = np.random.default_rng(0)
    for _ in range(50):
        J = rng.normal(size=(6, 6)) * rng.uniform(0.01, 1.0, 6)
        expected = np.linalg.svd(J, compute_uv=False)[-1]
        assert smallest_singular_value(J) == pytest.approx(expected, rel=1e-5, abs=1e-7)


def test_the_factor_falls_in_proportion_from_slow_to_halt():
    assert factor(guard(), 0.5, IN) == 1.0
    assert factor(guard(), 0.4, IN) == 1.0
    assert factor(guard(), 0.25, IN) == pytest.approx(0.5)
    assert factor(guard(), 0.13, IN) == pytest.approx(0.1)
    assert factor(guard(), 0.1, IN) == 0.0
    assert factor(guard(), 0.01, IN) == 0.0


@pytest.mark.parametrize('value', [0.3, 0.1, 0.05, 0.01])
def test_motion_away_or_along_is_free_wherever_it_is(value):
    assert factor(guard(), value, OUT) == 1.0
    assert factor(guard(), value, ALONG) == 1.0


def test_the_speed_does_not_decide_what_toward_means():
    for speed in (1e-6, 1e-3, 1.0, 1e3):
        assert factor(guard(), 0.25, IN * speed) == pytest.approx(0.5)
        assert factor(guard(), 0.25, OUT * speed) == 1.0


def test_once_halted_it_stays_so_until_well_away():
    g = guard()
    assert factor(g, 0.1, IN) == 0.0
    assert factor(g, 0.15, OUT) == 1.0
    assert factor(g, 0.15, IN) == 0.0, 'below resume_above'
    assert factor(g, 0.21, IN) > 0.0
    assert factor(g, 0.15, IN) > 0.0, 'it had been released'


def test_leaving_far_releases_the_halt_even_without_slowing():
    g = guard()
    factor(g, 0.05, IN)
    factor(g, 0.9, IN)
    assert factor(g, 0.15, IN) > 0.0


def test_an_approach_stops_short_of_the_halt():
    g, value = guard(), 0.5
    for _ in range(5000):
        value -= 0.01 * factor(g, value, IN)
    assert 0.1 <= value < 0.102


@pytest.mark.parametrize('values', [(0.1, 0.4, 0.2), (0.4, 0.1, 0.05), (0.4, 0.1, 0.5),
                                    (0.4, 0.0, 0.2), (math.nan, 0.1, 0.2)])
def test_thresholds_in_the_wrong_order_are_refused(values):
    with pytest.raises(ConfigError, match='singularity'):
        SingularityLimits(*values)
