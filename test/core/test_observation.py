"""Observations: stale is an answer, and what belongs together stays together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.core.observation import (
    ACCEPTED,
    FUTURE,
    GAP,
    NO_STAMP,
    OUT_OF_ORDER,
    STANDS_STILL,
    ObservationBuffer,
    StreamSpec,
)

MS = 1_000_000
T0 = 5000 * MS  # a stamp of 0 means that there is none


def buffer(max_skew=50, latency=None, max_future=20):
    latency = latency or {}
    return ObservationBuffer({
        name: StreamSpec(age * MS, offset * MS, latency.get(name, 0) * MS, **kind)
        for name, age, offset, kind in (
            ('cam_a', 200, max_skew, {'reference': True}),
            ('cam_b', 200, max_skew, {'reference': True}),
            ('joints', 100, 30, {'interpolate': True}))}, max_future * MS)


def add(b, name, ms, value=0.0, now=None):
    return b.add(name, T0 + ms * MS, value, T0 + (ms if now is None else now) * MS)


def filled(**options):
    b = buffer(**options)
    for t in (0, 100):
        add(b, 'cam_a', t, f'a{t}', now=100)
    for t in (10, 70):
        add(b, 'cam_b', t, f'b{t}', now=100)
    for t in range(0, 110, 20):
        add(b, 'joints', t, np.array([float(t)]), now=100)
    return b


def refusal(b, ms):
    with pytest.raises(InputError) as caught:
        b.at(T0 + ms * MS)
    return str(caught.value)


def test_what_never_came_and_what_is_old_is_named():
    b = buffer()
    add(b, 'cam_a', 0, 'a')
    add(b, 'joints', 450, np.zeros(1))
    assert refusal(b, 500) == 'cam_a: 0.50 s old > 0.2 s; cam_b: none received yet'


def test_the_observation_is_as_old_as_the_older_of_the_newest_images():
    moment = filled().at(T0 + 120 * MS)
    assert moment.stamp_ns == T0 + 70 * MS
    assert moment.values['cam_b'] == 'b70'
    assert moment.values['cam_a'] == 'a100'  # 30 ms away; the other one is 70 ms away
    assert moment.skew_ns == 30 * MS


def test_joints_are_read_at_the_time_of_the_image():
    moment = filled().at(T0 + 120 * MS)
    assert moment.values['joints'][0] == pytest.approx(70.0)
    assert moment.stamps_ns == {'cam_a': T0 + 100 * MS, 'cam_b': T0 + 70 * MS,
                                'joints': T0 + 70 * MS}


def test_ages_are_those_of_the_newest_samples():
    assert filled().at(T0 + 120 * MS).ages_ns == {
        'cam_a': 20 * MS, 'cam_b': 50 * MS, 'joints': 20 * MS}


def test_images_too_far_apart_make_no_observation_and_both_cameras_are_named():
    b = filled(max_skew=29)
    assert refusal(b, 120) == ('cam_b and cam_a: their nearest images are 0.030 s apart > 0.029 s')
    add(b, 'cam_b', 100, 'b100')
    assert b.at(T0 + 120 * MS).skew_ns == 0


def test_a_state_too_far_from_the_image_makes_no_observation():
    b = buffer()
    for name in ('cam_a', 'cam_b'):
        add(b, name, 60, name)
    add(b, 'joints', 91, np.zeros(1))
    assert refusal(b, 100) == ("joints: the nearest sample is 0.031 s from the observation's time "
                               '> 0.03 s')


def test_nothing_is_interpolated_over_a_gap():
    b = buffer()
    add(b, 'joints', 0, np.array([0.0]))
    add(b, 'joints', 90, np.array([90.0]))
    for name in ('cam_a', 'cam_b'):
        add(b, name, 80, name, now=90)
    moment = b.at(T0 + 100 * MS)
    assert moment.values['joints'][0] == 90.0, 'mixed with a sample out of tolerance'
    assert moment.stamps_ns['joints'] == T0 + 90 * MS


@pytest.mark.parametrize(('stamp', 'now', 'verdict', 'text'), [
    (-5000, 100, NO_STAMP, 'no stamp'),
    (400, 100, FUTURE, 'stamped in the future'),
    (0, 400, STANDS_STILL, 'stamp stands still'),
    (-5, 400, OUT_OF_ORDER, 'out of order'),
])
def test_what_is_dropped_is_counted_and_the_reason_says_it(stamp, now, verdict, text):
    b = buffer()
    add(b, 'cam_b', 0, 'b')
    for _ in range(3):
        assert add(b, 'cam_b', stamp, 'bad', now) == verdict
    assert b.counts['cam_b'] == {ACCEPTED: 1, verdict: 3}
    assert f'cam_b: 0.40 s old > 0.2 s (3 dropped since, the last one: {text})' in refusal(b, 400)


def test_messages_that_never_had_a_stamp_say_so():
    b = buffer()
    add(b, 'cam_a', -5000, 'a', now=3)
    assert refusal(b, 4).startswith('cam_a: none received yet (1 dropped since, the last one: '
                                    'no stamp)')


def test_an_out_of_order_sample_is_not_used():
    b = filled()
    assert add(b, 'cam_a', 50, 'old', now=110) == OUT_OF_ORDER
    assert b.at(T0 + 120 * MS).values['cam_a'] == 'a100'


def test_after_an_outage_the_stream_goes_on_and_the_gap_is_counted():
    b = filled()
    for name in b.streams:
        assert add(b, name, 3000, np.ones(1)) == ACCEPTED
    assert b.at(T0 + 3001 * MS).stamp_ns == T0 + 3000 * MS
    assert {name: counts[GAP] for name, counts in b.counts.items()} == {
        'cam_a': 1, 'cam_b': 1, 'joints': 1}


def test_a_clock_that_was_set_back_begins_all_streams_anew():
    b = filled()
    assert 'in the future (the clock was set back)' in refusal(b, -4000)
    add(b, 'cam_a', -4000, 'a')
    assert b.clock_jumps == 1
    assert refusal(b, -4000) == 'cam_b: none received yet; joints: none received yet'
    for name in ('cam_b', 'joints'):
        add(b, name, -3990, np.ones(1))
    assert b.at(T0 - 3989 * MS).stamp_ns == T0 - 4000 * MS
    assert b.clock_jumps == 1


def test_latency_is_subtracted_from_the_stamp_and_counts_as_age_but_not_as_stale():
    b = buffer(latency={'cam_a': 170, 'cam_b': 170})
    for t in range(0, 210, 10):
        add(b, 'joints', t, np.array([float(t)]), now=200)
    for name in ('cam_a', 'cam_b'):
        add(b, name, 190, name, now=200)
    moment = b.at(T0 + 280 * MS)
    assert moment.stamp_ns == T0 + 20 * MS
    assert moment.values['joints'][0] == pytest.approx(20.0)
    assert moment.ages_ns['cam_a'] == 260 * MS, 'older than the 200 ms that its stamp may be'
    assert 'cam_a: 0.21 s old > 0.2 s' in refusal(b, 400)


def test_cameras_of_different_latency_meet_at_the_time_of_the_truth():
    b = buffer(max_skew=2, latency={'cam_a': 100})
    for t in range(0, 300, 10):
        add(b, 'cam_a', t, t - 100)
        add(b, 'cam_b', t, t)
        add(b, 'joints', t, np.array([float(t)]))
    moment = b.at(T0 + 300 * MS)
    assert moment.values['cam_a'] == moment.values['cam_b'] == moment.values['joints'][0]


def test_no_more_is_kept_while_another_stream_is_silent_than_said():
    spec = StreamSpec(10 * MS, 10 * MS, reference=True, keep=3)
    b = ObservationBuffer({'a': spec, 'b': spec}, 0)
    b.add('b', T0, 0, T0)
    for i in range(50):
        b.add('a', T0 + i * MS, i, T0 + i * MS)
    b.add('b', T0 + 49 * MS, 0, T0 + 49 * MS)
    assert b.at(T0 + 50 * MS).values['a'] == 49
    assert len(b._samples['a']) == 3
    b.add('a', T0 + 51 * MS, 51, T0 + 51 * MS)
    assert len(b._samples['a']) == 2, 'what cannot be asked for again is kept'


def test_an_observation_of_nothing_and_impossible_tolerances_are_refused():
    with pytest.raises(ConfigError):
        ObservationBuffer({}, 0)
    for bad in ((0, 1), (1, -1), (1, 1, -1)):
        with pytest.raises(ConfigError, match='max_age_ns > 0'):
            StreamSpec(*bad)


# Any interleaving, against one that keeps everything and searches all of it

SPECS = {
    'cam_a': StreamSpec(200, 60, latency_ns=30, reference=True, keep=500),
    'cam_b': StreamSpec(200, 60, reference=True, keep=500),
    'joints': StreamSpec(100, 40, latency_ns=10, interpolate=True, keep=500),
    'objects': StreamSpec(100, 40, keep=500),
}
MAX_FUTURE = 25


class Oracle:
    """Keeps every sample that was ever good and looks at all of them each time."""

    def __init__(self):
        self.samples = {name: [] for name in SPECS}

    def add(self, name, stamp, value, now):
        for other, samples in self.samples.items():
            if any(t + SPECS[other].latency_ns > now + MAX_FUTURE for t, _ in samples):
                self.samples = {each: [] for each in SPECS}
                break
        time = stamp - SPECS[name].latency_ns
        if 0 < stamp <= now + MAX_FUTURE and all(time > t for t, _ in self.samples[name]):
            self.samples[name].append((time, value))

    def at(self, now):
        """Return (stamp, values, skew), or None."""
        newest = {}
        for name, samples in self.samples.items():
            if not samples:
                return None
            newest[name] = max(t for t, _ in samples)
            if not (-MAX_FUTURE <= now - newest[name] - SPECS[name].latency_ns
                    <= SPECS[name].max_age_ns):
                return None
        stamp = min(newest['cam_a'], newest['cam_b'])
        values, used = {}, {}
        for name, samples in self.samples.items():
            near = sorted(samples, key=lambda s: (abs(s[0] - stamp), s[0]))
            used[name], values[name] = near[0]
            before = [s for s in samples if s[0] <= stamp]
            after = [s for s in samples if s[0] > stamp]
            offset = SPECS[name].max_offset_ns
            if SPECS[name].interpolate and before and after and used[name] != stamp:
                (t0, v0), (t1, v1) = max(before), min(after)
                if stamp - t0 <= offset and t1 - stamp <= offset:
                    used[name], values[name] = stamp, float(np.interp(stamp, [t0, t1], [v0, v1]))
            if abs(used[name] - stamp) > offset:
                return None
        return stamp, values, abs(used['cam_a'] - used['cam_b'])


@st.composite
def plays(draw):
    """Return messages (stream, stamp, value, now) as they come, with all that goes wrong."""
    now, play = 1000, []
    for _ in range(draw(st.integers(1, 25))):
        now += draw(st.sampled_from([3, 10, 10, 25, 60]))
        fault = draw(st.integers(0, 12))
        if fault == 0:
            now = max(1, now + draw(st.sampled_from([-700, -40, 700])))
        streams = list(SPECS)
        if fault in (1, 2, 3):  # only some of them, perhaps one twice
            streams = draw(st.lists(st.sampled_from(streams), max_size=4))
        for name in streams:
            delay = draw(st.sampled_from([0, 0, 0, 2, 5, 10, 20, 20, 45, 90, -10, -60]))
            stamp = 0 if draw(st.integers(0, 60)) == 0 else now - delay
            play.append((name, stamp, float(len(play)), now))
    return play


@settings(max_examples=300, deadline=None)
@given(plays(), st.sampled_from([0, 5, 40, 150]))
def test_any_interleaving_gives_what_a_search_of_everything_gives(play, later):
    b, oracle = ObservationBuffer(SPECS, MAX_FUTURE), Oracle()
    for name, stamp, value, now in play:
        verdict = b.add(name, stamp, value, now)
        oracle.add(name, stamp, value, now)
        assert (verdict == ACCEPTED) == ((stamp - SPECS[name].latency_ns, value)
                                         in oracle.samples[name])
        expected = oracle.at(now + later)
        if expected is None:
            with pytest.raises(InputError, match='|'.join(SPECS)):
                b.at(now + later)
            continue
        moment = b.at(now + later)
        stamp, values, skew = expected
        assert (moment.stamp_ns, moment.skew_ns) == (stamp, skew)
        assert moment.values == pytest.approx(values)
        for each, spec in SPECS.items():
            assert abs(moment.stamps_ns[each] - stamp) <= spec.max_offset_ns
            assert moment.ages_ns[each] - spec.latency_ns <= spec.max_age_ns


@settings(max_examples=50, deadline=None)
@given(plays())
def test_the_same_messages_give_the_same_moments(play):
    def run():
        b, answers = ObservationBuffer(SPECS, MAX_FUTURE), []
        for message in play:
            b.add(*message)
            try:
                m = b.at(message[3])
                answers.append((m.stamp_ns, m.values, m.stamps_ns, m.ages_ns, m.skew_ns))
            except InputError as error:
                answers.append(str(error))
        return answers, b.counts, b.clock_jumps

    assert run() == run()
