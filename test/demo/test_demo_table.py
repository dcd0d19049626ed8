"""The live table says what matters, fits the terminal, and is redrawn in place."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest

from vla_ros.demo.table import LiveView, Screen, StreamView, line, table

VIEW = LiveView(
    robot='piper', policy='scripted expert (privileged)', instruction='pick up the insulator',
    task=1, tasks=2, detail='lifted 1.0 cm, needs 5.0 cm', mode='AUTONOMOUS', sim_s=12.34,
    wall_s=13.0, real_time_factor=0.987,
    streams=[StreamView('camera/wrist/image_raw', 10.0, 0.034), StreamView('action_chunk')],
    gripper_commanded=0.0, gripper_measured=0.0341, warnings=['sim_node: slow'])


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_table_says_everything_that_matters():
    text = '\n'.join(table(VIEW))
    for part in ('piper', 'scripted expert (privileged)', 'pick up the insulator', 'task 1 of 2',
                 'lifted 1.0 cm', 'AUTONOMOUS', '12.3 s simulated', '0.99', 'commanded 0.0 mm',
                 'measured 34.1 mm', '10.0 Hz', '34 ms', 'sim_node: slow'):
        assert part in text


def test_a_stream_that_never_came_is_a_dash_and_no_zero():
    row = next(text for text in table(VIEW) if text.startswith('action_chunk'))
    assert row.split() == ['action_chunk', '-', 'Hz', '-', 'ms']


def test_why_the_arm_holds_is_shown():
    view = replace(VIEW, mode='HOLD', reason='action_chunk: none for 0.5 s')
    assert any('HOLD · action_chunk: none for 0.5 s' in text for text in table(view))
    assert 'HOLD (action_chunk: none for 0.5 s)' in line(view)


def test_what_a_human_overrides_is_shown():
    view = replace(VIEW, override='gripper override: topic latched')
    assert any('gripper override: topic latched' in text for text in table(view, 100))
    assert 'gripper override: topic latched' in line(view)


def test_while_starting_the_missing_parts_are_named():
    view = replace(VIEW, waiting=['joint_states (from sim_node)'])
    assert '  joint_states (from sim_node)' in table(view)
    assert 'waiting for joint_states (from sim_node)' in line(view)


@pytest.mark.parametrize('width', [20, 40, 80])
def test_no_line_is_wider_than_the_terminal(width: int):
    view = replace(VIEW, detail='x' * 300, reason='y' * 300, warnings=['z' * 300])
    for text in table(view, width, colour=True):
        assert len(re.sub(r'\x1b\[[0-9;]*m', '', text)) <= width


def test_the_policy_is_named_in_the_table_at_all_times():
    assert 'not announced yet' in '\n'.join(table(replace(VIEW, policy='')))
    assert 'privileged' in '\n'.join(table(replace(VIEW, waiting=['mode'])))


def test_on_a_terminal_the_table_is_redrawn_in_place(monkeypatch):
    monkeypatch.setenv('TERM', 'xterm')
    stream = Terminal()
    screen = Screen(stream, 'demo')
    screen.show(VIEW, 0.0)
    screen.show(VIEW, 0.1)  # too soon
    first = stream.getvalue()
    screen.show(VIEW, 0.3)
    lines = first.count('\n')
    assert stream.getvalue()[len(first):].startswith(f'\x1b[{lines}A')


def test_a_line_that_was_said_is_not_overwritten(monkeypatch):
    monkeypatch.setenv('TERM', 'xterm')
    stream = Terminal()
    screen = Screen(stream, 'demo')
    screen.show(VIEW, 0.0)
    screen.say('policy_node killed by SIGKILL')
    before = len(stream.getvalue())
    screen.show(VIEW, 1.0)
    assert not re.search(r'\x1b\[\d+A', stream.getvalue()[before:])


def test_elsewhere_it_is_one_plain_line_every_two_seconds():
    stream = io.StringIO()
    screen = Screen(stream, 'demo')
    for tenths in range(50):
        screen.show(VIEW, tenths / 10)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3
    assert all(text.startswith('[demo] ') and '\x1b' not in text for text in lines)
    assert 'wrist 10 Hz/34 ms' in lines[0]
