"""The scores, against motions whose numbers are known."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip('rosbags', reason='rosbags is not installed')

from vla_ros.core.arbiter import Mode
from vla_ros.core.degradation import Level
from vla_ros.core.errors import ConfigError
from vla_ros.core.pipeline import Tick
from vla_ros.replay.closed_timing.comparison import Comparison
from vla_ros.replay.closed_timing.expectations import TimingExpectations
from vla_ros.replay.closed_timing.run import Trace
from vla_ros.replay.closed_timing.scores import kind_of, limiter, scored

PERIOD = 0.01
N = 400


def trace(x: np.ndarray | None = None, **changes: object) -> Trace:
    """A trace of a tool that moves along x [m], with all well."""
    x = np.zeros(N) if x is None else x
    tool = np.tile(np.eye(4), (N, 1, 1))
    tool[:, 0, 3] = x
    levels = changes.get('levels', [Level.RUNNING] * N)
    acted = changes.get('acted', [()] * N)
    sets = changes.get('sets', [(0,)] * N)
    reasons = changes.get('reasons', [''] * N)
    ticks = tuple(Tick(i * 10_000_000, levels[i], Mode.AUTONOMOUS, reasons[i], np.full(6, x[i]),
                       np.zeros(6), 0.05, None, acted[i], sets[i]) for i in range(N))
    arrived = np.zeros(N, bool)
    arrived[changes.get('first', 0)] = True
    due = np.ones(N, bool)
    due[changes.get('starved', slice(0, 0))] = False
    return Trace(ticks, tool, due, arrived, {'accepted': 5, 'late': 2}, {'dropped': 3},
                 (0.1, 0.2), (0.05,), 0.8, 0.1, 'ab')


def test_acceleration_and_jerk_are_those_of_the_motion() -> None:
    t = np.arange(N) * PERIOD
    found = scored('sine', trace(0.1 * np.sin(3.0 * t)), trace(), PERIOD).scores
    assert found.tool_acceleration_max == pytest.approx(0.9, rel=0.01)
    assert found.tool_jerk_max == pytest.approx(2.7, rel=0.01)
    assert found.tool_jerk_rms == pytest.approx(2.7 / np.sqrt(2), rel=0.05)
    assert found.joint_jerk_max == pytest.approx(2.7, rel=0.01)


def test_the_step_where_chunks_meet_is_found_only_there() -> None:
    x = np.concatenate((np.zeros(N // 2), 0.2 * np.arange(N // 2) * PERIOD))
    sets = [(0,)] * (N // 2 + 1) + [(0, 1)] * (N // 2 - 1)
    assert scored('a', trace(x, sets=sets), trace(), PERIOD).scores.boundary_step_max == (
        pytest.approx(0.2))
    elsewhere = [(0,)] * 50 + [(0, 1)] * (N - 50)
    assert scored('a', trace(x, sets=elsewhere), trace(), PERIOD).scores.boundary_step_max == (
        pytest.approx(0.0))


def test_starvation_is_counted_from_the_first_chunk_on() -> None:
    found = scored('a', trace(first=200, starved=slice(0, 250)), trace(), PERIOD).scores
    assert found.starved == pytest.approx(50 / 200)
    assert found.starved_longest == pytest.approx(0.5)


def test_levels_limiters_and_chunks_are_counted() -> None:
    levels = [Level.RUNNING] * 100 + [Level.SLOW] * 40 + [Level.HOLD] * 60 + [Level.RUNNING] * 200
    acted = [('speed 0.3 > 0.25 m/s', 'acceleration')] * 80 + [()] * 320
    found = scored('a', trace(levels=levels, acted=acted), trace(), PERIOD)
    assert (found.scores.slow, found.scores.hold) == (pytest.approx(0.1), pytest.approx(0.15))
    assert found.scores.not_running == pytest.approx(0.25)
    assert found.limiters == {'acceleration': pytest.approx(0.2), 'speed': pytest.approx(0.2)}
    assert found.scores.limited == pytest.approx(0.2)
    assert [(c.level, c.time_s) for c in found.changes] == [
        ('SLOW', pytest.approx(1.0)), ('HOLD', pytest.approx(1.4)),
        ('RUNNING', pytest.approx(2.0))]
    assert (found.scores.chunks_used, found.scores.chunks_lost) == (5, 5)


def test_the_path_difference_is_to_the_undisturbed_run() -> None:
    t = np.arange(N) * PERIOD
    late = scored('a', trace(0.1 * np.maximum(t - 0.5, 0.0)), trace(0.1 * t), PERIOD).scores
    assert late.path_max == pytest.approx(0.05)
    assert late.path_nearest_max == pytest.approx(0.0, abs=1e-3), 'late, but on the same path'


def test_words_of_ticks_are_reduced_to_what_they_are_about() -> None:
    assert [limiter(text) for text in (
        'speed 0.318 > 0.25 m/s', 'gripper: the arm waits', 'acceleration',
        'look-ahead: step 0: fast: joint6 by 0.46 rad in 0.1 s')] == [
            'speed', 'gripper', 'acceleration', 'look-ahead']
    assert kind_of('look-ahead: step 0: branch: joint6 would move 0.9 rad') == 'look-ahead: branch'
    assert kind_of('joint_states: older than 0.15 s') == 'joint_states: older than 0.15 s'


def comparison() -> Comparison:
    plain, slow = trace(), trace(levels=[Level.RUNNING] * 300 + [Level.SLOW] * 100)
    return Comparison('bag', 4.0, 'follows', (scored('as recorded', plain, plain, PERIOD),
                                              scored('latency 0.4 s', slow, plain, PERIOD)))


def test_limits_are_held_against_every_case_or_one(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / 'limits.yaml'
    path.write_text('slow: 0.1\nchunks_used: 5\ncases: {latency 0.4 s: {slow: 0.3}}\n')
    assert all(check.kept for check in TimingExpectations(path).checks(comparison()))
    path.write_text('slow: 0.1\nchunks_used: 6\n')
    checks = TimingExpectations(path).checks(comparison())
    assert [check.name for check in checks if not check.kept] == [
        'as recorded: chunks_used', 'latency 0.4 s: slow', 'latency 0.4 s: chunks_used']


@pytest.mark.parametrize(('text', 'said'), [
    ('slwo: 0.1', "Did you mean 'slow'"), ('{}', 'no expectation'), ('slow: -1', '>= 0'),
    ('slow: .nan', 'finite'), ('cases: {latency 9 s: {slow: 0}}', 'latency 0.4 s')])
def test_limits_that_cannot_be_used_are_named(tmp_path, text: str, said: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / 'limits.yaml'
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        TimingExpectations(path).checks(comparison())


def test_json_has_no_nan_and_sorted_keys() -> None:
    text = comparison().to_json()
    values = json.loads(text)
    assert list(values) == sorted(values)
    assert values['cases'][1]['scores']['slow'] == pytest.approx(0.25)
