"""The scripted operator helps an arm that hovers, once, and nobody else."""

from __future__ import annotations

import numpy as np
import pytest

from vla_ros.core.errors import ConfigError
from vla_ros.demo.operator import ScriptedOperator

MS = 1_000_000


def frames(distance=0.0, height=0.1, name='insulator_grasp'):
    T_tool, T_object = np.eye(4), np.eye(4)
    T_object[:3, 3] = [0.4, 0.0, height]
    T_tool[:3, 3] = [0.4 + distance, 0.0, height]
    return {'tcp': T_tool, name: T_object, 'hook_seat': T_tool}


def said(operator, ms, seen, width=0.07):
    """Return (time [ms], text) of what is said, looking every 20 ms."""
    found = []
    for at in ms:
        text = operator.update(at * MS, seen, width)
        if text is not None:
            found.append((at, text))
    return found


def test_a_hovering_arm_is_helped_after_a_while_and_only_once():
    operator = ScriptedOperator('until_agree')
    assert said(operator, range(0, 10_000, 20), frames()) == [(1500, 'close until_agree')]


@pytest.mark.parametrize('name', ['insulator_grasp', 'cube_red'])
def test_whatever_can_be_gripped_counts(name):
    operator = ScriptedOperator('until_agree')
    assert said(operator, range(0, 2000, 20), frames(name=name))


def test_an_arm_on_its_way_and_one_that_grips_by_itself_are_left_alone():
    operator = ScriptedOperator('until_agree')
    assert said(operator, range(0, 5000, 20), frames(0.02)) == []
    assert said(operator, range(5000, 6400, 20), frames()) == []
    assert said(operator, range(6400, 9000, 20), frames(), width=0.04) == []
    assert said(operator, range(9000, 10_400, 20), frames()) == []
    assert said(operator, range(10_400, 20_000, 20), {'tcp': np.eye(4)}) == []
    assert said(operator, range(20_000, 30_000, 20), {}) == []


def test_momentary_is_pressed_for_a_second_often_enough_and_let_go():
    operator = ScriptedOperator('momentary')
    words = said(operator, range(0, 10_000, 20), frames())
    assert words == [*((at, 'close momentary') for at in range(1500, 2500, 100)),
                     (2500, 'release')]


def test_latched_is_released_when_the_policy_has_lifted():
    operator = ScriptedOperator('latched')
    assert said(operator, range(0, 5000, 20), frames()) == [(1500, 'close latched')]
    assert said(operator, range(5000, 6000, 20), frames(height=0.12), 0.034) == []
    assert said(operator, range(6000, 7000, 20), frames(height=0.131), 0.034) == [(6000, 'release')]


def test_a_new_instruction_is_a_new_chance_but_interrupts_no_help():
    operator = ScriptedOperator('momentary')
    operator.begin()
    assert len(said(operator, range(0, 2000, 20), frames())) > 1
    operator.begin()
    assert said(operator, range(2000, 9000, 20), frames())[-1] == (2500, 'release')
    operator.begin()
    assert said(operator, range(9000, 10_520, 20), frames()) == [(10_500, 'close momentary')]


def test_an_unknown_mode_lists_the_choices():
    with pytest.raises(ConfigError, match="Did you mean 'latched'.*momentary"):
        ScriptedOperator('latch')
