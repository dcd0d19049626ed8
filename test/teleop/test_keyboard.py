"""A keyboard without key-ups: what moves stops by itself, and a held key does not flutter."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.core.errors import ConfigError
from vla_ros.teleop.commands import Call, Move, Say
from vla_ros.teleop.hand import Action, Hand, HandConfig
from vla_ros.teleop.keyboard import Keyboard, load_keys
from vla_ros.teleop.keys import KeyDecoder
from vla_ros.teleop.status_text import View, key_lines, status_lines

MS = 1_000_000

# Bytes to keys


@pytest.mark.parametrize(('data', 'keys'), [
    (b'w', ['w']), (b'W', ['w']), (b' ', ['space']), (b'\r', ['enter']), (b'+-', ['+', '-']),
    (b'\x1b[A', ['up']), (b'\x1bOB', ['down']), (b'\x1b[5~', ['page_up']), (b'\x1b[H', ['home']),
    (b'w\x1b[Cs', ['w', 'right', 's']), (b'\x1b[1;5C', []), (b'\x1b[15~', []),
    (b'\x7f', ['backspace']), (b'\x00\x01', []), ('é'.encode(), []), (b'\x1b[<0;10;10M', []),
    (b'\x1b[200~wasd m\x1b[201~c', ['c'])])
def test_bytes_are_keys_and_what_is_pasted_is_not(data, keys):
    assert KeyDecoder().feed(data) == keys


@given(st.lists(st.sampled_from([b'w', b' ', b'\x1b[A', b'\x1bOD', b'\x1b[6~',
                                 b'\x1b[200~mm m\x1b[201~']), max_size=6), st.data())
def test_keys_are_the_same_wherever_the_bytes_were_cut(parts, data):
    stream = b''.join(parts)
    whole = KeyDecoder().feed(stream)
    decoder, found, at = KeyDecoder(), [], 0
    while at < len(stream):
        n = data.draw(st.integers(1, 5))
        found += decoder.feed(stream[at:at + n])
        at += n
    assert found == whole


def test_an_escape_that_nothing_follows_is_the_key_escape():
    decoder = KeyDecoder()
    assert decoder.feed(b'\x1b') == []
    assert decoder.flush() == ['esc']
    assert decoder.feed(b'[A') == ['[', 'a']


@given(st.binary(max_size=60))
def test_any_bytes_are_survived_and_nothing_is_kept_for_ever(data):
    decoder = KeyDecoder()
    decoder.feed(data)
    decoder.flush()
    if not decoder._pasting:
        assert decoder.feed(b'w')[-1:] == ['w']


# Keys to actions


class Rig:
    def __init__(self):
        self.hand = Hand(HandConfig(0.1, 0.5, 1.0, 'until_agree', True, False), 'keyboard')
        self.keyboard = Keyboard(load_keys('keyboard'), self.hand, 0.2)
        self.now = 0

    def type(self, text, ms=30):
        self.now += ms * MS
        return self.keyboard.heard(self.now, text.encode())

    def step(self, ms=0):
        self.now += ms * MS
        return self.keyboard.step(self.now)


@pytest.fixture
def rig():
    return Rig()


def twist(commands):
    return next((c.twist for c in commands if isinstance(c, Move)), None)


@pytest.mark.parametrize(('key', 'expected'), [
    ('c', Say('gripper', 'close until_agree')), ('v', Say('gripper', 'open until_agree')),
    ('b', Say('gripper', 'release')), ('t', Say('arm', 'takeover')), ('g', Say('arm', 'release')),
    ('h', Say('arm', 'hold')), (' ', Call('estop')), ('z', Call('reset_estop')),
    ('m', Call('arm')), ('n', Call('disarm')), ('p', Call('stop')), ('e', Call('save_last'))])
def test_each_key_does_what_the_help_says(rig, key, expected):
    assert rig.type(key) == [expected]


def test_a_motion_key_takes_the_arm_moves_it_for_a_moment_and_keeps_it(rig):
    assert rig.type('w') == [Say('arm', 'takeover')]
    assert twist(rig.step()) == pytest.approx([0.1, 0, 0, 0, 0, 0])
    assert twist(rig.step(199)) == pytest.approx([0.1, 0, 0, 0, 0, 0])
    said = rig.step(2)
    assert not twist(said).any()
    assert Say('arm', 'alive') in said
    assert Say('arm', 'release') not in said


def test_a_key_that_is_held_moves_without_a_pause_once_the_terminal_repeats_it(rig):
    rig.type('w')
    for _ in range(30):
        rig.type('w', ms=33)
        assert twist(rig.step(10))[0] == pytest.approx(0.1)


def test_two_keys_move_both_ways_and_the_opposite_key_turns_around(rig):
    rig.type('wa')
    assert twist(rig.step())[:2] == pytest.approx([0.0707, 0.0707], abs=1e-4)
    rig.type('s')
    assert twist(rig.step())[0] < 0.0


def test_a_toggle_that_is_held_acts_once(rig):
    assert rig.type('p', ms=500) == [Call('stop')]
    for _ in range(20):
        assert rig.type('p', ms=33) == []
    rig.hand.stopped = True
    assert rig.type('p', ms=900) == [Call('start')]


def test_an_emergency_stop_that_is_held_is_said_every_time(rig):
    for _ in range(3):
        assert rig.type(' ', ms=33) == [Call('estop')]


@pytest.mark.parametrize('key', ['h', 'g', ' '])
def test_hold_give_back_and_stop_end_a_motion_at_once(rig, key):
    rig.type('w')
    rig.type(key)
    moved = twist(rig.step())
    assert moved is None or not moved.any()


def test_after_the_arm_is_given_back_nothing_more_is_said(rig):
    rig.type('w')
    rig.step()
    rig.type('g')
    rig.step(300)
    assert rig.step(20) == []


def test_caps_lock_changes_nothing(rig):
    assert rig.type('C') == [Say('gripper', 'close until_agree')]


def test_q_quits(rig):
    rig.type('q')
    assert rig.keyboard.quit


# The mapping


@pytest.mark.parametrize(('keys', 'parts'), [
    ({'w': 'forward'}, ['keys.w', "'forward'", '+x']), ({'ctrl-w': '+x'}, ["'ctrl-w'", 'page_up']),
    ({'W': '+x'}, ["'W'"]), ({'w': 1}, ['keys.w', 'text']), ({'é': '+x'}, ["'é'"])])
def test_a_wrong_key_or_action_is_an_error_with_file_key_and_choices(tmp_path, keys, parts):
    path = tmp_path / 'mine.yaml'
    path.write_text(yaml.safe_dump({'keys': keys}))
    with pytest.raises(ConfigError) as error:
        load_keys(str(path))
    for part in ('mine.yaml', *parts):
        assert part in str(error.value)


def test_an_unknown_mapping_is_an_error_with_the_choices():
    with pytest.raises(ConfigError, match='Choices: keyboard'):
        load_keys('qwertz')


def test_every_action_but_those_of_other_devices_has_a_key():
    mapping = load_keys('keyboard')
    without = {a.value for a in Action if not mapping.key_of(a.value)}
    assert without == {'gripper_toggle', 'release_all', 'speed'}
    assert mapping.key_of('quit') == 'q'
    assert len(mapping.motion) == 12


# What is shown


def test_the_lines_say_who_has_what_and_fit_eighty_columns(rig):
    view = View(True, 'AUTONOMOUS', '', 'ARMED', '', 'YOURS (until_agree)', 0.0344, 'said')
    lines = status_lines(view, rig.keyboard)
    assert lines[0] == 'AUTONOMOUS'
    assert lines[1] == 'arm: not overridden  |  gripper: YOURS (until_agree), 34 mm open'
    assert lines[3] == '> said'
    assert max(map(len, lines)) < 80
    rig.type('w')
    assert 'moving +x' in status_lines(view, rig.keyboard)[2]
    rig.step(300)
    assert 'g gives the arm back' in status_lines(view, rig.keyboard)[2]
    rig.type('y')
    assert "'y' does nothing" in status_lines(view, rig.keyboard)[2]


def test_without_a_control_node_and_while_disarmed_the_first_line_says_so(rig):
    assert status_lines(View(), rig.keyboard)[0].startswith('NO CONTROL NODE')
    view = View(True, 'HOLD', 'not armed yet', 'DISARMED', width=-0.0001)
    assert status_lines(view, rig.keyboard)[0] == 'HOLD: not armed yet  [DISARMED]'
    assert ' 0 mm' in status_lines(view, rig.keyboard)[1]


def test_every_key_of_the_mapping_is_in_the_help(rig):
    text = '\n'.join(key_lines(rig.keyboard.mapping))
    for key in {*rig.keyboard.mapping.motion, *rig.keyboard.mapping.actions} - {'space', '='}:
        assert f'{key} ' in text or f'{key}/' in text, key
    assert 'SPACE EMERGENCY STOP' in text
