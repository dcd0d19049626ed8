"""Frozen inputs: the same content although the arm moves, and never a still scene."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.core.errors import ConfigError
from vla_ros.core.frozen import FrozenDetector, MotionDetector

MS = 1_000_000
LIMIT = 500 * MS


def play(detector, end_ms, content, moving, *, begin_ms=0, sample_ms=100, say_ms=10, late_ms=0):
    """Tell motion every ``say_ms`` and samples every ``sample_ms`` (``late_ms`` late)."""
    for ms in range(begin_ms, end_ms + 1, say_ms):
        detector.moving(ms * MS, moving(ms))
        if ms % sample_ms == 0 and ms - late_ms >= begin_ms:
            detector.update((ms - late_ms) * MS, content(ms - late_ms))


def test_the_same_content_while_the_arm_moves_is_frozen_for_how_long():
    d = FrozenDetector(LIMIT)
    play(d, 500, lambda ms: 'same', lambda ms: True)
    assert d.frozen_for_ns == 0, 'the limit is not yet passed'
    play(d, 700, lambda ms: 'same', lambda ms: True, begin_ms=510)
    assert d.frozen_for_ns == 700 * MS
    assert d.moved_for_ns == 700 * MS


def test_a_still_scene_while_the_arm_rests_is_not_frozen():
    d = FrozenDetector(LIMIT)
    play(d, 60_000, lambda ms: 'same', lambda ms: False)
    assert d.frozen_for_ns == 0


def test_time_at_rest_before_the_motion_does_not_count():
    d = FrozenDetector(LIMIT)
    play(d, 10_500, lambda ms: 'same', lambda ms: ms >= 10_000)
    assert d.frozen_for_ns == 0
    play(d, 10_600, lambda ms: 'same', lambda ms: True, begin_ms=10_510)
    assert d.frozen_for_ns == 10_600 * MS


def test_short_motions_add_up():
    d = FrozenDetector(LIMIT)
    play(d, 5000, lambda ms: 'same', lambda ms: ms % 1000 < 200)
    assert d.moved_for_ns == 1000 * MS
    assert d.frozen_for_ns == 5000 * MS


def test_it_stays_frozen_until_the_content_changes():
    d = FrozenDetector(LIMIT)
    play(d, 1000, lambda ms: 'same', lambda ms: True)
    play(d, 9000, lambda ms: 'same', lambda ms: False, begin_ms=1010)
    assert d.frozen_for_ns == 9000 * MS
    d.update(9100 * MS, 'another')
    assert d.frozen_for_ns == 0
    d.update(9200 * MS, 'same')
    assert d.frozen_for_ns == 0, 'what was seen before the change is held against it'


def test_content_that_changes_is_never_frozen():
    d = FrozenDetector(LIMIT)
    play(d, 10_000, lambda ms: ms // 400, lambda ms: True)
    assert d.frozen_for_ns == 0


def test_a_sample_that_comes_late_is_not_held_against_the_motion_after_it():
    d = FrozenDetector(LIMIT)
    # The arm begins to move at 10 s; the images of that time arrive 0.7 s later.
    play(d, 10_700, lambda ms: max(ms, 10_000), lambda ms: ms >= 10_000, late_ms=700)
    assert d.frozen_for_ns == 0
    play(d, 11_000, lambda ms: ms, lambda ms: True, begin_ms=10_710, late_ms=700)
    assert d.frozen_for_ns == 0


def test_a_slow_stream_is_found_at_its_second_sample():
    d = FrozenDetector(LIMIT)
    play(d, 3000, lambda ms: 'same', lambda ms: True, sample_ms=3000)
    assert d.frozen_for_ns == 3000 * MS


def test_without_a_further_sample_it_is_late_and_not_frozen():
    d = FrozenDetector(LIMIT)
    d.update(0, 'same')
    play(d, 5000, lambda ms: 'same', lambda ms: True, begin_ms=10, sample_ms=10**9)
    assert d.frozen_for_ns == 0


def test_that_nothing_more_is_said_is_no_motion():
    d = FrozenDetector(LIMIT)
    d.moving(0, True)
    for ms in range(0, 5000, 100):
        d.update(ms * MS, 'same')
    assert d.frozen_for_ns == 0
    d.moving(5000 * MS, False)
    assert d.moved_for_ns == 200 * MS


def test_the_same_sample_told_again_says_nothing_new():
    d = FrozenDetector(LIMIT)
    for ms in range(0, 2000, 10):
        d.moving(ms * MS, True)
        d.update(0, 'same')
    assert d.frozen_for_ns == 0


@pytest.mark.parametrize('what', ['samples', 'motion'])
def test_a_clock_that_goes_back_begins_anew(what):
    d = FrozenDetector(LIMIT)
    play(d, 1000, lambda ms: 'same', lambda ms: True)
    if what == 'samples':
        d.update(10 * MS, 'same')
    else:
        d.moving(10 * MS, True)
    assert d.frozen_for_ns == 0
    play(d, 1010, lambda ms: 'same', lambda ms: True, begin_ms=20)
    assert d.frozen_for_ns > 0


def test_joint_values_may_be_the_content():
    d = FrozenDetector(LIMIT)
    q = np.array([0.1, 0.2])
    play(d, 1000, lambda ms: q.tobytes(), lambda ms: True)
    assert d.frozen_for_ns == 1000 * MS
    d.update(1010 * MS, np.nextafter(q, 1.0).tobytes())
    assert d.frozen_for_ns == 0


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 90), st.booleans(), st.sampled_from('aab'),
                          st.integers(0, 60)), max_size=150), st.data())
def test_any_sequence_gives_what_counting_each_millisecond_gives(steps, data):
    limit = data.draw(st.integers(1, 400))
    d = FrozenDetector(limit * MS)
    said, samples, now, newest = [], [], 0, -1
    for step, moving, content, lateness in steps:
        now += step
        d.moving(now * MS, moving)
        said.append((now, moving))
        stamp = now - lateness
        if stamp > newest:
            newest = stamp
            d.update(stamp * MS, content)
            samples.append((stamp, content))
        if not samples:
            continue
        last, content = samples[-1]
        first = last
        for stamp, each in reversed(samples):
            if each != content:
                break
            first = stamp
        in_motion = 0
        for ms in range(first, last):
            before = [(t, m) for t, m in said if t <= ms]
            # What was said last counts only once the next word, or nothing, has followed.
            if before and before[-1][1] and ms - before[-1][0] < 200 and ms < said[-1][0]:
                in_motion += 1
        assert d.moved_for_ns == in_motion * MS
        assert d.frozen_for_ns == ((last - first) * MS if in_motion > limit else 0)


# Motion

def test_noise_and_a_repeated_command_are_no_motion():
    rng = np.random.default_rng(1)
    m = MotionDetector(0.01, 200 * MS)
    for ms in range(0, 5000, 10):
        m.update(ms * MS, rng.uniform(-0.004, 0.004, 6))
        assert not m.moving(ms * MS)


@pytest.mark.parametrize(('speed', 'expected'), [(0.04, False), (0.06, True), (-0.06, True)])
def test_motion_is_what_gets_further_than_the_threshold_within_the_window(speed, expected):
    m = MotionDetector(0.01, 200 * MS)  # 0.05 rad/s
    for ms in range(0, 2000, 10):
        q = np.zeros(6)
        q[4] = speed * ms * 1e-3
        m.update(ms * MS, q)
        if ms > 400:
            assert m.moving(ms * MS) is expected, ms


def test_motion_is_over_a_window_after_it_ends_also_when_nothing_more_comes():
    m = MotionDetector(0.01, 200 * MS)
    for ms in range(0, 500, 10):
        m.update(ms * MS, np.full(6, ms * 1e-3))
    assert m.moving(500 * MS)
    assert not m.moving(700 * MS)
    assert not m.moving(0), 'a motion of the future'


def test_a_clock_that_goes_back_is_no_motion():
    m = MotionDetector(0.01, 200 * MS)
    m.update(1000 * MS, np.zeros(6))
    m.update(0, np.ones(6))
    assert not m.moving(0)


def test_a_limit_that_is_none_is_refused():
    for bad in (lambda: FrozenDetector(0), lambda: MotionDetector(0.0, 1),
                lambda: MotionDetector(float('nan'), 1), lambda: MotionDetector(0.1, 0)):
        with pytest.raises(ConfigError, match='must be positive'):
            bad()
