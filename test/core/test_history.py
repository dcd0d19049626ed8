"""The past of the joints, against a list."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.core.errors import ConfigError
from vla_ros.core.history import JointHistory


@settings(max_examples=200, deadline=None)
@given(st.integers(2, 7), st.lists(st.tuples(st.integers(0, 40), st.floats(-3, 3)), max_size=40),
       st.integers(-2, 45))
def test_it_answers_like_a_sorted_list_of_the_newest_samples(capacity, samples, asked):
    history, oracle = JointHistory(1, capacity), []
    for stamp, value in samples:
        history.add(stamp, np.array([value]))
        oracle = ([s for s in oracle if s[0] < stamp] + [(stamp, value)])[-capacity:]
    assert len(history) == len(oracle)
    found = history.at(asked)
    if not oracle:
        assert found is None
    else:
        assert found[0] == pytest.approx(np.interp(asked, *zip(*oracle)), abs=1e-12)


def test_what_is_returned_is_not_changed_by_what_comes_later():
    history = JointHistory(2, 2)
    history.add(1, np.array([1.0, 2.0]))
    found = history.at(1)
    for stamp in range(2, 6):
        history.add(stamp, np.zeros(2))
    assert np.array_equal(found, [1.0, 2.0])


def test_after_clear_nothing_is_known():
    history = JointHistory(1, 4)
    history.add(5, np.array([1.0]))
    history.clear()
    assert history.at(5) is None and len(history) == 0
    history.add(1, np.array([2.0]))
    assert history.at(9)[0] == 2.0


def test_a_history_of_one_sample_is_refused():
    with pytest.raises(ConfigError, match='at least 2'):
        JointHistory(1, 1)
