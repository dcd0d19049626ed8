"""One hand: what it presses and moves becomes words and twists, and nothing is held by accident."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.core.errors import ConfigError
from vla_ros.teleop.commands import Call, Move, Say
from vla_ros.teleop.hand import Action, Hand, HandConfig


def hand(**changes):
    values = {'linear': 0.1, 'angular': 0.5, 'speed': 1.0, 'gripper_mode': 'until_agree',
              'keep_arm': False, 'in_tool_frame': False, **changes}
    return Hand(HandConfig(**values), 'joystick')


X = np.array([1.0, 0, 0, 0, 0, 0])


@pytest.mark.parametrize(('action', 'expected'), [
    (Action.GRIPPER_CLOSE, Say('gripper', 'close until_agree')),
    (Action.GRIPPER_OPEN, Say('gripper', 'open until_agree')),
    (Action.GRIPPER_RELEASE, Say('gripper', 'release')),
    (Action.TAKEOVER, Say('arm', 'takeover')), (Action.HOLD, Say('arm', 'hold')),
    (Action.RELEASE, Say('arm', 'release')), (Action.ESTOP, Call('estop')),
    (Action.RESET_ESTOP, Call('reset_estop')), (Action.ARM, Call('arm')),
    (Action.DISARM, Call('disarm')), (Action.PAUSE, Call('stop')),
    (Action.SAVE_LAST, Call('save_last'))])
def test_each_action_says_its_word_or_calls_its_service(action, expected):
    assert hand().press(action) == [expected]


def test_pause_starts_again_what_is_stopped():
    h = hand()
    h.stopped = True
    assert h.press(Action.PAUSE) == [Call('start')]


def test_whoever_asks_for_the_arm_sends_a_heartbeat_until_it_is_given_back():
    for action in (Action.TAKEOVER, Action.HOLD):
        h = hand()
        assert h.step() == []
        h.press(action)
        assert h.step() == h.step() == [Say('arm', 'alive')]
        h.press(Action.RELEASE)
        assert h.step() == []


def test_a_motion_is_repeated_and_ends_with_a_standstill_and_the_arm_given_back():
    h = hand()
    assert h.move(X) == []
    (move,) = h.step()
    assert move.twist.tolist() == [0.1, 0, 0, 0, 0, 0]
    assert not move.in_tool_frame
    still, word = h.move(None)
    assert not still.twist.any()
    assert word == Say('arm', 'release')
    assert h.step() == h.move(None) == []


def test_a_deadman_that_moved_nothing_gives_nothing_back():
    h = hand()
    h.move(np.zeros(6))
    assert not h.step()[0].twist.any()  # a zero twist takes nothing
    assert h.move(None) == []


def test_after_a_takeover_the_end_of_a_motion_keeps_the_arm():
    h = hand()
    h.press(Action.TAKEOVER)
    h.move(X)
    (still,) = h.move(None)
    assert not still.twist.any()
    assert h.step() == [Say('arm', 'alive')]


def test_with_keep_arm_the_first_motion_asks_for_the_arm_once():
    h = hand(keep_arm=True)
    assert h.move(X) == [Say('arm', 'takeover')]
    assert h.move(2 * X) == []
    assert [type(c) for c in h.move(None)] == [Move]
    assert h.step() == [Say('arm', 'alive')]


def test_a_momentary_close_is_repeated_while_pressed_and_let_go_by_its_own_button():
    h = hand(gripper_mode='momentary')
    assert h.press(Action.GRIPPER_CLOSE) == [Say('gripper', 'close momentary')]
    assert h.step() == [Say('gripper', 'close momentary')]
    assert h.let_go(Action.GRIPPER_OPEN) == []
    assert h.let_go(Action.GRIPPER_CLOSE) == [Say('gripper', 'release')]
    assert h.step() == h.let_go(Action.GRIPPER_CLOSE) == []


def test_a_toggle_closes_opens_and_closes():
    h = hand(gripper_mode='latched')
    said = [h.press(Action.GRIPPER_TOGGLE)[0].text for _ in range(3)]
    assert said == ['close latched', 'open latched', 'close latched']
    h.press(Action.GRIPPER_RELEASE)
    assert h.press(Action.GRIPPER_TOGGLE)[0].text == 'close latched'


def test_a_momentary_toggle_lets_go_too():
    h = hand(gripper_mode='momentary')
    h.press(Action.GRIPPER_TOGGLE)
    assert h.let_go(Action.GRIPPER_TOGGLE) == [Say('gripper', 'release')]


def test_an_arm_that_a_higher_source_has_taken_is_not_asked_for_any_more():
    h = hand()
    h.press(Action.TAKEOVER)
    h.told('')  # what was so before our word came
    assert h.asked
    h.told('joystick')
    h.told('panel')
    assert h.step() == []


def test_a_lost_device_says_nothing_so_that_the_deadman_ends_what_it_held():
    h = hand(gripper_mode='momentary')
    h.press(Action.TAKEOVER)
    h.press(Action.GRIPPER_CLOSE)
    h.move(X)
    h.lost()
    assert h.step() == h.give_back() == []


def test_an_orderly_end_gives_back_what_is_held_and_nothing_else():
    assert hand().give_back() == []
    h = hand(gripper_mode='momentary')
    h.press(Action.TAKEOVER)
    h.press(Action.GRIPPER_CLOSE)
    assert h.give_back() == [Say('arm', 'release'), Say('gripper', 'release')]
    latched = hand(gripper_mode='latched')
    latched.press(Action.GRIPPER_CLOSE)
    assert latched.give_back() == [], 'it may hold something'


def test_speed_and_frame_change_what_the_same_stick_does():
    h = hand(speed=0.5)
    h.move(X)
    assert h.step()[0].twist[0] == pytest.approx(0.05)
    h.press(Action.SLOWER)
    assert h.step()[0].twist[0] == pytest.approx(0.025)
    for _ in range(5):
        h.press(Action.FASTER)
    h.press(Action.FRAME)
    move = h.step()[0]
    assert (move.twist[0], move.in_tool_frame) == (pytest.approx(0.1), True)
    seen = [(h.press(Action.SPEED), h.speed)[1] for _ in range(4)]
    assert seen == [0.5, 0.25, 0.1, 1.0]


@given(st.lists(st.floats(-1e6, 1e6), min_size=6, max_size=6), st.sampled_from([0.1, 0.5, 1.0]))
def test_no_direction_is_faster_than_the_speed_set(direction, speed):
    h = hand(speed=speed)
    h.move(np.array(direction))
    twist = h.step()[0].twist
    assert np.linalg.norm(twist[:3]) <= 0.1 * speed * (1 + 1e-12)
    assert np.linalg.norm(twist[3:]) <= 0.5 * speed * (1 + 1e-12)


@pytest.mark.parametrize(('key', 'value'), [('linear', 0.0), ('angular', float('nan')),
                                            ('speed', 0.3)])
def test_a_speed_that_is_none_is_refused(key, value):
    with pytest.raises(ConfigError, match=key):
        hand(**{key: value})
