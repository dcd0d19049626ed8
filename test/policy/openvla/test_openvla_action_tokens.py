"""Action tokens decode and encode as the published tokenizer does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.core.errors import ConfigError
from vla_ros.policy.openvla.action_tokens import ActionTokens

TOKENS = ActionTokens(32000)


def test_every_id_of_the_vocabulary_decodes_as_in_the_reference(golden):
    table = np.load(golden / 'expected/misc/action_tokenizer.npz')
    np.testing.assert_array_equal(TOKENS.decode(table['token_ids']), table['decoded'])
    np.testing.assert_array_equal(TOKENS.edges, table['bins'])
    np.testing.assert_array_equal(TOKENS.centres, table['bin_centers'])


def test_values_encode_as_in_the_reference(golden):
    table = np.load(golden / 'expected/misc/action_tokenizer.npz')
    np.testing.assert_array_equal(TOKENS.encode(table['encode_values']), table['encode_token_ids'])


@given(st.floats(-1.0, 1.0))
def test_a_round_trip_is_off_by_at_most_half_a_bin(value):
    again = TOKENS.decode(TOKENS.encode(np.array(value)))
    assert abs(again - value) <= 1.0 / 255.0 + 1e-12


def test_only_the_last_256_ids_are_actions():
    ids = np.array([2, 31743, 31744, 31999, 32000, 32063])
    assert TOKENS.is_action(ids).tolist() == [False, False, True, True, False, False]


def test_a_vocabulary_smaller_than_the_bins_is_refused():
    with pytest.raises(ConfigError, match='n_action_bins'):
        ActionTokens(100)
