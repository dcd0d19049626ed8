"""Statistics: which are used, what they do to numbers, and what is refused."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.policy.openvla.statistics import OFT_EPSILON, Bounds, Normalization, Statistics

DATASET = {'action': {'q01': [-1.0, 0.0], 'q99': [3.0, 1.0], 'min': [-2.0, 0.0],
                      'max': [4.0, 1.0], 'mask': [True, False]},
           'proprio': {'q01': [0.0, -1.0, 5.0], 'q99': [1.0, 1.0, 5.0]}}


def statistics(**datasets):
    return Statistics(datasets or {'a': DATASET}, 'stats.json')


def test_a_masked_number_is_scaled_and_the_other_passes_through():
    bounds = statistics().bounds('a', 'action', Normalization.BOUNDS_Q99)
    np.testing.assert_allclose(bounds.unnormalise(np.array([[0.0, 0.7], [1.0, -3.0]])),
                               [[1.0, 0.7], [3.0, -3.0]], atol=1e-15)


def test_the_two_modes_take_different_statistics():
    bounds = statistics().bounds('a', 'action', Normalization.BOUNDS)
    assert (bounds.low.tolist(), bounds.high.tolist()) == ([-2.0, 0.0], [4.0, 1.0])


def test_the_epsilon_of_oft_is_in_the_range():
    plain, oft = (statistics().bounds('a', 'action', Normalization.BOUNDS_Q99, epsilon)
                  .unnormalise(np.array([1.0, 0.0]))[0] for epsilon in (0.0, OFT_EPSILON))
    assert oft - plain == pytest.approx(1e-8, rel=1e-6)


@given(st.lists(st.floats(-10, 10), min_size=3, max_size=3))
def test_normalising_stays_within_one_and_leaves_its_argument(values):
    bounds = statistics().bounds('a', 'proprio', Normalization.BOUNDS_Q99, OFT_EPSILON)
    given_values = np.array(values)
    kept = given_values.copy()
    assert (np.abs(bounds.normalise(given_values)) <= 1.0).all()
    np.testing.assert_array_equal(given_values, kept)


@given(st.lists(st.floats(-0.99, 0.99), min_size=2, max_size=2))
def test_normalising_undoes_unnormalising(values):
    bounds = Bounds(np.array([-1.0, 0.5]), np.array([3.0, 0.75]), np.ones(2, bool), OFT_EPSILON)
    np.testing.assert_allclose(bounds.normalise(bounds.unnormalise(np.array(values))), values,
                               atol=1e-12)


@pytest.mark.parametrize('vector', [[0.0, 1.0], [0.0, 1.0, np.nan], [[0.0, 1.0, 2.0]]])
def test_proprioception_of_another_size_or_with_nan_is_refused(vector):
    bounds = statistics().bounds('a', 'proprio', Normalization.BOUNDS_Q99)
    with pytest.raises(InputError, match='expected 3 finite numbers'):
        bounds.normalise(np.array(vector))


def test_a_lone_dataset_needs_no_key_and_several_do():
    assert statistics().choose(None) == 'a'
    with pytest.raises(ConfigError, match='Choices: a, b'):
        statistics(a=DATASET, b=DATASET).choose(None)


def test_an_unknown_key_lists_the_keys():
    with pytest.raises(ConfigError, match='Did you mean \'bridge_orig\'.*Choices: a, bridge_orig'):
        statistics(a=DATASET, bridge_orig=DATASET).choose('bridge')


def test_a_libero_suite_is_found_under_its_second_name():
    assert statistics(libero_goal_no_noops=DATASET).choose('libero_goal') == 'libero_goal_no_noops'


def test_the_file_replaces_what_config_json_lists(tmp_path):
    (tmp_path / 'dataset_statistics.json').write_text(json.dumps({'mine': DATASET}))
    found = Statistics.of_directory(tmp_path, {'norm_stats': {'base': DATASET}})
    assert list(found.datasets) == ['mine']


def test_without_the_file_a_base_model_uses_config_json_and_a_fine_tuned_one_is_refused(tmp_path):
    config = {'norm_stats': {'base': DATASET}}
    assert list(Statistics.of_directory(tmp_path, config).datasets) == ['base']
    with pytest.raises(ConfigError, match='dataset_statistics.json: no such file'):
        Statistics.of_directory(tmp_path, config, own_file=True)


@pytest.mark.parametrize(('change', 'message'), [
    ({'q01': [5.0, 0.0]}, 'expected q01 <= q99'),
    ({'q99': [3.0]}, 'expected q01 <= q99'),
    ({'q01': [float('nan'), 0.0]}, 'finite'),
    ({'q01': 'low'}, 'finite'),
    ({'mask': [True]}, 'expected 2 values'),
])
def test_statistics_that_make_no_sense_are_refused(change, message):
    broken = {'action': {**DATASET['action'], **change}}
    with pytest.raises(ConfigError, match=message):
        statistics(a=broken).bounds('a', 'action', Normalization.BOUNDS_Q99)


def test_a_missing_statistic_is_named():
    with pytest.raises(ConfigError, match=r'a\.proprio\.min: missing'):
        statistics().bounds('a', 'proprio', Normalization.BOUNDS)
