"""Observations: stale is an answer, and what belongs together stays together."""

import numpy as np
import pytest

from vla_ros.core.errors import ConfigError, InvariantError
from vla_ros.core.observation import ObservationBuffer, StreamSpec

MS = 1_000_000


def buffer():
    return ObservationBuffer({
        'cam_a': StreamSpec(200 * MS, reference=True),
        'cam_b': StreamSpec(200 * MS, reference=True),
        'joints': StreamSpec(100 * MS, interpolate=True),
    })


def filled():
    b = buffer()
    for t in (0, 100):
        b.add('cam_a', t * MS, f'a{t}')
    for t in (10, 70):
        b.add('cam_b', t * MS, f'b{t}')
    for t in range(0, 110, 20):
        b.add('joints', t * MS, np.array([float(t)]))
    return b


def test_what_never_came_and_what_is_old_is_named():
    b = buffer()
    b.add('cam_a', 0, 'a')
    b.add('joints', 450 * MS, np.zeros(1))
    assert b.problems(500 * MS) == ['cam_a: 0.50 s old > 0.2 s', 'cam_b: none received yet']


def test_a_stamp_from_far_in_the_future_is_named():
    b = filled()
    b.add('joints', 5000 * MS, np.zeros(1))
    assert b.problems(120 * MS) == ['joints: stamped 4.88 s in the future']


def test_the_observation_is_as_old_as_the_older_of_the_newest_images():
    moment = filled().at(120 * MS)
    assert moment.stamp_ns == 70 * MS
    assert moment.values['cam_b'] == 'b70'
    assert moment.values['cam_a'] == 'a100'  # 30 ms away; the other one is 70 ms away
    assert moment.skew_ns == 30 * MS


def test_joints_are_read_at_the_time_of_the_image():
    assert filled().at(120 * MS).values['joints'][0] == pytest.approx(70.0)


def test_ages_are_those_of_the_newest_samples():
    assert filled().at(120 * MS).ages_ns == {'cam_a': 20 * MS, 'cam_b': 50 * MS, 'joints': 20 * MS}


def test_an_out_of_order_sample_is_dropped_and_counted():
    b = filled()
    b.add('cam_a', 50 * MS, 'old')
    assert b.at(120 * MS).values['cam_a'] == 'a100'
    assert b.counts == {'cam_a: out of order': 1}


def test_a_clock_that_jumped_back_begins_the_stream_anew():
    b = buffer()
    for name in b.streams:
        b.add(name, 10_000 * MS, np.zeros(1))
    for name in b.streams:
        b.add(name, 5 * MS, np.ones(1))
    assert b.problems(6 * MS) == []
    assert b.at(6 * MS).stamp_ns == 5 * MS
    assert b.counts['joints: clock jumped back'] == 1


def test_assembling_with_a_stream_missing_is_our_own_mistake():
    with pytest.raises(InvariantError):
        buffer().at(0)


def test_an_observation_of_nothing_is_refused():
    with pytest.raises(ConfigError):
        ObservationBuffer({})
