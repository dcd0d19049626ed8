"""The time of the ticks and the time in the chunks."""

import pytest

from vla_ros.core.playhead import ClockEvent, Playhead

MS = 1_000_000


@pytest.fixture
def playhead():
    p = Playhead(0.01, 0.25)
    assert p.tick(1000 * MS) == (0.01, None)  # nothing went before
    return p


@pytest.mark.parametrize(('milliseconds', 'dt', 'event'), [
    (10, 0.01, None), (1, 0.001, None), (50, 0.05, None),  # as it was
    (0, 0.01, None), (-499, 0.01, None),  # it stands still, or is set back a little
    (51, 0.01, ClockEvent.PAUSED), (3_600_000, 0.01, ClockEvent.PAUSED),
    (-501, 0.01, ClockEvent.WENT_BACK)])
def test_no_tick_makes_up_for_more_than_five_periods_or_goes_back(playhead, milliseconds, dt,
                                                                   event):
    found, what = playhead.tick((1000 + milliseconds) * MS)
    assert found == pytest.approx(dt) and what is event


def test_in_time_it_is_the_present_and_late_it_falls_behind_by_the_slow_factor(playhead):
    assert playhead.play(1000 * MS, 0.01, late=False) == 1000 * MS
    assert playhead.play(1010 * MS, 0.01, late=True) == 1002.5 * MS
    assert playhead.play(1020 * MS, 0.01, late=True) == playhead.ns == 1005 * MS
    assert playhead.play(1030 * MS, 0.01, late=False) == playhead.ns == 1030 * MS


def test_late_it_never_runs_ahead_of_a_clock_that_was_set_back(playhead):
    playhead.play(1000 * MS, 0.01, late=False)
    assert playhead.play(600 * MS, 0.01, late=True) == 600 * MS
