"""The numbers that follow from what was recorded."""

from __future__ import annotations

import sys
import threading

import numpy as np
import pytest
from demo_recordings import MS, made_up_recording

from vla_ros.demo.recording import HEIGHTS, Recording, Series, Status, Stream
from vla_ros.demo.simulated_time import SimulatedTime


def test_a_series_gives_back_what_was_added():
    series = Series(('a', 'b'))
    assert series.last('a') is None
    series.add(5, (1.0, 2.0))
    series.add(6, (3.0, 4.0))
    times, values = series.arrays()
    assert times.tolist() == [5, 6]
    assert values.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert (series.last('a'), series.last('b')) == (3.0, 4.0)


def test_a_series_can_be_read_while_another_thread_adds():
    series = Series(('a', 'b'))
    for i in range(100_000):
        series.add(i, (i, 0.0))
    raised, done = [], threading.Event()

    def add():
        try:
            for i in range(100_000, 130_000):
                series.add(i, (i, 0.0))
        except BaseException as error:
            raised.append(error)
        done.set()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # the threads take turns all the time
    try:
        thread = threading.Thread(target=add)
        thread.start()
        while not done.is_set():
            times, values = series.arrays()
            assert (values[:, 0] == times).all()
        thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert raised == []
    assert len(series) == 130_000


def test_rate_gaps_and_ages_of_a_stream_are_those_of_its_stamps():
    stream = Stream()
    assert (stream.rate_hz, stream.gaps, stream.ages) == (None, None, None)
    for i, age in enumerate((1, 2, 3, 40)):
        stream.add((i + (i == 3)) * 100 * MS, age * MS)  # one message in five was lost
    assert stream.rate_hz == pytest.approx(3 / 0.4)
    assert stream.gaps['p50'] == pytest.approx(0.1)
    assert stream.gaps['max'] == pytest.approx(0.2)
    assert stream.ages['max'] == pytest.approx(0.04)


def test_messages_of_one_moment_have_no_rate():
    stream = Stream()
    stream.add(7, 0)
    stream.add(7, 0)
    assert stream.rate_hz is None


def test_a_mode_that_is_told_twice_is_one_mode():
    recording = Recording(('j',), 'gripper', HEIGHTS)
    recording.add_mode(1, 'HOLD', 'x')
    recording.add_mode(1, 'HOLD', 'x')
    recording.add_mode(2, 'HOLD', 'y')
    assert [m.reason for m in recording.modes] == ['x', 'y']


def test_an_intervention_lasts_until_it_is_over_or_the_recording_is():
    recording = made_up_recording(4.0)
    recording.add_override(0, '')
    assert recording.interventions() == []
    for at, what in ((1, 'a'), (2, 'a'), (3, 'b'), (5, ''), (6, ''), (7, 'c')):
        recording.add_override(at * MS, what)
    assert recording.interventions() == [(1 * MS, 3 * MS, 'a'), (3 * MS, 5 * MS, 'b'),
                                         (7 * MS, 3990 * MS, 'c')]


def test_zero_seconds_is_the_first_instruction():
    recording = made_up_recording()
    assert recording.start_ns == 1000 * MS
    recording.instructions.clear()
    assert recording.start_ns == 0


def test_tracking_is_the_constant_error_that_was_made_and_leaves_out_the_gripper():
    tracking = made_up_recording().tracking()
    assert set(tracking) == {'joint1', 'joint2'}
    assert tracking['joint1']['rms'] == pytest.approx(0.01)
    assert tracking['joint1']['max'] == pytest.approx(0.01)
    assert tracking['joint2']['max'] == 0.0


def test_the_real_time_factor_has_its_worst_second():
    recording = Recording(('j',), 'gripper', HEIGHTS)
    wall = 0
    for i in range(600):
        wall += 10 * MS if not 300 <= i < 400 else 20 * MS
        recording.measured.add(i * 10 * MS, (0.0, 0.0))
        recording.add_pace(i * 10 * MS, wall)
    factor = recording.real_time_factor()
    assert factor['mean'] == pytest.approx(6 / 7, rel=0.01)
    assert factor['min'] == pytest.approx(0.5, rel=0.03)


def test_an_empty_recording_has_no_numbers_but_also_no_error():
    recording = Recording(('j',), 'gripper', HEIGHTS)
    assert recording.real_time_factor() is None
    assert recording.tracking() == {}
    assert recording.end_ns() == recording.start_ns == 0


def test_the_worst_report_is_kept_from_the_first_instruction_on():
    recording = Recording(('j',), 'gripper', HEIGHTS)
    recording.add_status('n', Status(2, 'no instruction yet', {}))
    recording.instructions.append((0, 'pick'))
    for level, message in ((1, 'slow'), (2, 'broken'), (1, 'slow again'), (0, 'fine')):
        recording.add_status('n', Status(level, message, {}))
    assert recording.worst['n'].message == 'broken'
    assert recording.statuses['n'].message == 'fine'


def test_the_message_that_came_soonest_sets_the_simulated_clock():
    clock = SimulatedTime(keep=3, longest_ns=50)
    assert clock.now_ns(0) is None
    clock.add(1000, 10)
    clock.add(1010, 35)  # 15 late
    assert clock.now_ns(35) == 1025
    assert clock.last_wall_ns == 35


def test_simulated_time_stands_still_when_nothing_comes():
    clock = SimulatedTime(keep=3, longest_ns=50)
    clock.add(1000, 0)
    assert clock.now_ns(10_000) == 1050


def test_the_simulated_clock_follows_a_slow_simulation():
    clock = SimulatedTime(keep=5, longest_ns=50 * MS)
    errors = []
    for i in range(100):
        sim, wall = i * 10 * MS, i * 20 * MS  # real-time factor 0.5
        clock.add(sim, wall)
        errors.append(clock.now_ns(wall) - sim)
    assert np.max(np.abs(errors)) <= 40 * MS
