"""What a chunk and a convention refuse."""

import math

import numpy as np
import pytest

from vla_ros.core.errors import ConfigError, InputError, unknown_choice
from vla_ros.core.types import ActionChunk, ActionConvention


def test_a_nan_refuses_the_whole_chunk_and_names_its_place():
    actions = np.zeros((8, 7))
    actions[3, 5] = math.nan
    with pytest.raises(InputError, match=r"step 3 has nan in 'rz'"):
        ActionChunk(0, 1, actions)


@pytest.mark.parametrize('shape', [(7,), (0, 7), (8, 6), (2, 8, 7)])
def test_actions_of_another_shape_are_refused(shape):
    with pytest.raises(InputError, match=r'expected actions of shape \(H, 7\)'):
        ActionChunk(0, 1, np.zeros(shape))


@pytest.mark.parametrize('dt_ns', [0, -5])
def test_a_dt_that_is_not_positive_is_refused(dt_ns):
    with pytest.raises(InputError, match='dt must be positive'):
        ActionChunk(0, dt_ns, np.zeros((1, 7)))


def test_a_chunk_does_not_change_with_the_array_it_was_made_from():
    actions = np.zeros((2, 7))
    chunk = ActionChunk(0, 1, actions)
    actions[0, 0] = 5.0
    assert chunk.actions[0, 0] == 0.0
    with pytest.raises(ValueError, match='read-only'):
        chunk.actions[0, 0] = 1.0


@pytest.mark.parametrize(('opened', 'closed', 'number', 'fraction'), [
    (1, 0, 0.25, 0.25), (0, 1, 0.25, 0.75), (-1, 1, -1, 1.0), (-1, 1, 0, 0.5), (1, 0, 7, 1.0),
    (1, 0, -7, 0.0),
])
def test_the_gripper_follows_the_sign_and_range_of_its_convention(opened, closed, number, fraction):
    convention = ActionConvention(gripper_open=opened, gripper_closed=closed)
    assert convention.open_fraction(number) == pytest.approx(fraction)


def test_a_convention_in_which_open_is_closed_is_refused():
    with pytest.raises(ConfigError, match='gripper_open and gripper_closed'):
        ActionConvention(gripper_open=1.0, gripper_closed=1.0)


def test_an_unknown_choice_lists_the_choices_and_the_nearest():
    error = unknown_choice('robot', 'pipr', ['ur5e', 'piper'])
    assert "Did you mean 'piper'?" in str(error)
    assert 'Choices: piper, ur5e' in str(error)
