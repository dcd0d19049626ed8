"""A pad: edges, deadman, triggers that lie at first, and what happens when it is gone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.teleop.commands import Call, Move, Say, Tell
from vla_ros.teleop.hand import Hand, HandConfig
from vla_ros.teleop.mapping import load_mapping, mapping_names
from vla_ros.teleop.pad import Pad

MS = 1_000_000
A, B, RB, BACK, LOGO = 0, 1, 5, 6, 8


class Rig:
    """An Xbox pad whose controls are set one by one."""

    def __init__(self, mapping='xbox', axes=8, buttons=11, mode='until_agree', lt=1.0, rt=1.0):
        loaded = load_mapping(mapping)
        self.hand = Hand(HandConfig(0.1, 0.5, 1.0, mode, loaded.keep_arm, False), 'joystick')
        self.pad = Pad(loaded, self.hand, 0.25)
        self.axes, self.buttons = [0.0] * axes, [0] * buttons
        if mapping == 'xbox':
            self.axes[2], self.axes[5] = lt, rt
        self.now = 0

    def send(self, axes=(), buttons=(), ms=20):
        """Send a message with some controls as given and all others at rest."""
        now_axes, now_buttons = list(self.axes), list(self.buttons)
        for i, value in dict(axes).items():
            now_axes[i] = value
        for i in buttons:
            now_buttons[i] = 1
        self.now += ms * MS
        return [c for c in self.pad.heard(self.now, now_axes, now_buttons)
                if not isinstance(c, Tell)]

    def step(self):
        return self.pad.step(self.now)


@pytest.fixture
def rig():
    r = Rig()
    r.send()
    return r


def test_a_press_acts_once_however_long_it_is_held(rig):
    assert rig.send(buttons=[A]) == [Say('gripper', 'close until_agree')]
    assert rig.send(buttons=[A]) == []
    assert rig.send() == []
    assert rig.send(buttons=[A]) == [Say('gripper', 'close until_agree')]


def test_the_gripper_needs_no_deadman_and_touches_no_arm(rig):
    said = rig.send(buttons=[A]) + rig.step() + rig.send() + rig.step()
    assert {c.channel for c in said} == {'gripper'}


def test_a_stick_moves_nothing_without_the_deadman(rig):
    assert rig.send({1: 1.0}) == rig.step() == []


def test_with_the_deadman_the_stick_moves_and_letting_go_gives_the_arm_back(rig):
    assert rig.send({1: 1.0}, [RB]) == []
    (move,) = rig.step()
    assert move.twist == pytest.approx([0.1, 0, 0, 0, 0, 0])
    assert rig.send({1: 1.0})[1:] == [Say('arm', 'release')]
    assert rig.step() == []


@pytest.mark.parametrize(('axis', 'value', 'place', 'sign'), [
    (1, 1, 0, 1), (0, 1, 1, 1), (4, 1, 2, 1), (3, 1, 5, 1), (6, -1, 3, 1), (7, 1, 4, 1)])
def test_every_stick_moves_its_own_direction_and_no_other(rig, axis, value, place, sign):
    rig.send({axis: value}, [RB])
    twist = rig.step()[0].twist
    expected = np.zeros(6)
    expected[place] = sign * (0.1 if place < 3 else 0.5)
    assert twist == pytest.approx(expected)


def test_within_the_dead_zone_is_at_rest_and_beyond_it_there_is_no_jump(rig):
    rig.send({1: 0.0999}, [RB])
    assert not rig.step()[0].twist.any()
    rig.send({1: 0.11}, [RB])
    assert 0.0 < rig.step()[0].twist[0] < 0.002


@pytest.mark.parametrize('rest', [0.0, 1.0])
def test_a_trigger_that_was_never_moved_is_not_pressed_whatever_it_reads(rest):
    rig = Rig(lt=rest, rt=rest)
    for _ in range(3):
        assert rig.send() == []
    assert rig.send({2: 0.9}) == []
    assert rig.send({2: -1.0}) == [Say('arm', 'hold')]
    assert rig.send({2: 1.0}) == []
    assert rig.send({2: 0.0}) == [], 'half pressed is exactly not pressed'
    assert rig.send({2: -0.1}) == [Say('arm', 'hold')]


def test_what_is_pressed_at_the_start_does_nothing_until_it_was_let_go():
    rig = Rig()
    for _ in range(3):
        assert rig.send({1: 1.0}, [RB, BACK, A]) == rig.step() == []
    assert rig.send({1: 1.0}, [RB]) == rig.step() == [], 'the deadman is one of them'
    assert rig.send(buttons=[A]) == [Say('gripper', 'close until_agree')]
    rig.send({1: 1.0}, [RB])
    assert isinstance(rig.step()[0], Move)


def test_a_pad_that_falls_silent_has_let_go_of_everything(rig):
    rig.send(buttons=[3])  # takeover
    rig.send({1: 1.0}, [RB])
    assert [type(c) for c in rig.step()] == [Say, Move]
    rig.now += 249 * MS
    assert len(rig.step()) == 2
    rig.now += 2 * MS
    (tell,) = rig.step()
    assert 'nothing for 0.25 s' in tell.text
    assert rig.step() == []
    assert not rig.pad.connected


def test_after_a_silence_what_is_still_pressed_does_nothing(rig):
    rig.send({1: 1.0}, [RB, A])
    assert rig.send({1: 1.0}, [RB, A], ms=300) == rig.step() == []
    assert rig.send({2: 0.0}, ms=300) == [], 'and a trigger has never been moved again'


def test_a_message_without_any_control_is_a_pad_that_was_pulled_out(rig):
    rig.send({1: 1.0}, [RB])
    assert rig.pad.heard(rig.now, [], []) == [Tell('joy: no pad is connected')]
    assert rig.step() == rig.pad.heard(rig.now, [], []) == []


def test_a_clock_that_went_back_is_no_pad_that_goes_on(rig):
    rig.send({1: 1.0}, [RB])
    rig.now -= 5000 * MS
    assert [type(c) for c in rig.step()] == [Tell]


def test_arming_needs_the_deadman_an_emergency_stop_needs_nothing(rig):
    assert rig.send(buttons=[LOGO]) == []
    rig.send()
    assert rig.send(buttons=[RB, LOGO]) == [Call('arm')]
    assert rig.send(buttons=[BACK]) == [Call('estop')]


def test_a_pause_needs_nothing_but_its_end_needs_the_deadman(rig):
    assert rig.send(buttons=[7]) == [Call('stop')]
    rig.hand.stopped = True
    rig.send()
    assert rig.send(buttons=[7]) == []
    rig.send()
    assert rig.send(buttons=[7, RB]) == [Call('start')]


def test_a_momentary_close_is_held_with_the_button():
    rig = Rig(mode='momentary')
    rig.send()
    rig.send(buttons=[A])
    assert rig.step() == [Say('gripper', 'close momentary')]
    assert rig.send() == [Say('gripper', 'release')]
    assert rig.step() == []


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_an_axis_that_is_no_number_is_an_error_and_moves_nothing(rig, value):
    rig.send({1: 1.0}, [RB])
    with pytest.raises(InputError, match='axis 1'):
        rig.send({1: value}, [RB])
    assert rig.step()[0].twist[0] == pytest.approx(0.1), 'the message was not taken'


def test_a_control_that_the_pad_does_not_send_is_an_error_with_file_key_and_choices():
    rig = Rig(axes=6, buttons=11)
    with pytest.raises(ConfigError) as error:
        rig.send()
    text = str(error.value)
    assert 'xbox.yaml: motion.roll: axis 6' in text
    assert 'Choices: 0 to 5' in text
    assert 'ps4' in text
    with pytest.raises(ConfigError, match=r'actions.pause: button 7 .* Choices: 0 to 6'):
        Rig(axes=8, buttons=7).send()


SIZES = {'xbox': (8, 11), 'f710': (8, 11), 'f710_direct': (6, 12), 'ps4': (8, 13), 'ps5': (8, 13),
         'generic': (6, 21), 'spacemouse': (6, 0)}


@pytest.mark.parametrize('name', mapping_names())
def test_every_preset_fits_what_its_pad_sends_and_at_rest_nothing_is_done(name):
    axes, buttons = SIZES[name]
    rig = Rig(name, axes, buttons)
    for _ in range(3):
        assert rig.send() == rig.step() == []


@pytest.mark.parametrize('name', [n for n in mapping_names() if n != 'spacemouse'])
def test_in_every_preset_no_button_alone_moves_the_arm_and_all_controls_differ(name):
    mapping = load_mapping(name)
    controls = [mapping.deadman, *mapping.actions.values()]
    assert len(set(controls)) == len(controls)
    axes, buttons = SIZES[name]
    for i in range(buttons):
        rig = Rig(name, axes, buttons)
        rig.send()
        said = rig.send(buttons=[i]) + rig.step()
        assert all(not isinstance(c, Move) or not c.twist.any() for c in said)


# A 3D mouse


def test_a_3d_mouse_takes_the_arm_when_it_is_deflected_and_keeps_it_until_button_2():
    rig = Rig('spacemouse', 6, 0)
    rig.send()
    assert rig.send({2: 0.5}) == [Say('arm', 'takeover')]
    assert [type(c) for c in rig.step()] == [Say, Move]
    (still,) = rig.send()
    assert not still.twist.any()
    assert rig.step() == [Say('arm', 'alive')]
    rig.buttons = [0, 0]
    said = rig.send(buttons=[1])
    assert said == [Say('arm', 'release'), Say('gripper', 'release')]
    assert rig.step() == []


def test_a_3d_mouse_that_is_deflected_at_the_start_takes_nothing_until_it_rested():
    rig = Rig('spacemouse', 6, 0)
    assert rig.send({2: 0.5}) == rig.step() == []
    rig.send()
    assert rig.send({2: 0.5}) == [Say('arm', 'takeover')]


def test_spacenavs_messages_without_buttons_do_not_let_go_of_them():
    rig = Rig('spacemouse', 6, 0, mode='momentary')
    rig.send()
    assert rig.pad.heard(rig.now, [0.0] * 6, [1]) == [Say('gripper', 'close momentary')]
    rig.send()
    assert rig.step() == [Say('gripper', 'close momentary')]
    assert rig.pad.heard(rig.now, [0.0] * 6, [0]) == [Say('gripper', 'release')]


message = st.tuples(st.lists(st.floats(-1.5, 1.5), min_size=8, max_size=8),
                    st.lists(st.integers(0, 1), min_size=11, max_size=11), st.integers(1, 400))


@given(st.lists(message, max_size=20))
def test_whatever_a_pad_does_the_arm_moves_only_while_the_deadman_is_held(messages):
    rig = Rig()
    for axes, buttons, ms in messages:
        rig.now += ms * MS
        rig.pad.heard(rig.now, axes, buttons)
        moves = [c for c in rig.step() if isinstance(c, Move)]
        if not buttons[RB]:
            assert moves == []
        assert all(np.isfinite(c.twist).all() for c in moves)
