"""What is shown: readings, the time line and the cameras' newest pictures."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('cv2')

from vla_ros.core.errors import InputError
from vla_ros.image_codec import picture_size
from vla_ros.panel.frames import CameraFrames
from vla_ros.panel.readings import Readings
from vla_ros.panel.timeline import Timeline


@pytest.fixture
def readings():
    return Readings({'wrist': 'camera/wrist'}, 60.0, 'control_node')


def test_rate_and_age_are_those_of_what_came(readings):
    assert readings.snapshot(0.0)['streams']['wrist'] == {
        'topic': 'camera/wrist', 'hz': 0.0, 'age_s': None}
    for i in range(60):
        readings.came(i * 0.1, 'wrist')
    view = readings.snapshot(6.0)['streams']['wrist']
    assert (view['hz'], view['age_s']) == (pytest.approx(10.0, abs=0.4), 0.1)
    assert readings.snapshot(30.0)['streams']['wrist']['hz'] == 0.0


def test_the_snapshot_is_json_whatever_the_arm_says(readings):
    readings.set_joints(['a', 'b', 'c'], [1.0, math.nan, math.inf])
    readings.set_mode(0.0, {'mode': 'HOLD', 'safety': 'ARMED', 'reason': 'x'})
    text = json.dumps(readings.snapshot(1.0), allow_nan=False)
    assert json.loads(text)['joints'] == {'a': 1.0, 'b': None, 'c': None}


def test_problems_are_shown_worst_first_and_forgotten_with_their_node(readings):
    readings.set_status(0.0, 'policy_node: a', 1, 'slow')
    readings.set_status(0.0, 'policy_node: b', 2, 'broken')
    readings.set_status(0.0, 'policy_node: c', 0, 'well')
    readings.set_status(0.0, 'control_node: mode', 0, 'AUTONOMOUS')
    view = readings.snapshot(1.0)
    assert [p['text'] for p in view['problems']] == ['broken', 'slow']
    assert view['control_age_s'] == 1.0
    assert readings.snapshot(60.0)['problems'] == []


def test_who_has_the_arm_and_why_it_was_refused_is_known(readings):
    readings.set_override(0.0, {'arm': 'TWIST', 'arm_source': 'joystick', 'gripper_source': ''})
    readings.set_status(0.0, 'control_node: override/panel/arm', 1, 'joystick has the arm')
    held = readings.holding()
    assert (held.arm_source, held.problem) == ('joystick', 'joystick has the arm')
    readings.set_status(0.0, 'control_node: override/panel/arm', 0, 'received')
    assert readings.holding().problem == ''
    assert readings.snapshot(5.0)['override']['arm_since_s'] == 5.0


def test_the_time_line_shows_what_permits_no_motion_rather_than_the_mode(readings):
    for at, mode, safety in ((0.0, 'AUTONOMOUS', 'ARMED'), (1.0, 'HOLD', 'ESTOPPED'),
                             (2.0, 'HOLD', 'DISARMED')):
        readings.set_mode(at, {'mode': mode, 'safety': safety})
    assert [value for _, value in readings.timeline(3.0)['mode']['spans']] == [
        'AUTONOMOUS', 'ESTOPPED', 'DISARMED']


def test_overrides_are_counted_and_timed_the_present_one_too():
    line = Timeline(('gripper',), 60.0)
    for at, value in ((0.0, ''), (1.0, 'panel latched'), (1.5, 'panel latched'), (3.0, ''),
                      (10.0, 'topic latched')):
        line.set(at, 'gripper', value)
    row = line.view(11.0)['gripper']
    assert (row['count'], row['total_s']) == (2, 3.0)
    assert row['spans'] == [[11.0, ''], [10.0, 'panel latched'], [8.0, ''], [1.0, 'topic latched']]
    assert line.version == 4


def test_the_time_line_forgets_but_its_counts_do_not():
    line = Timeline(('mode',), 60.0)
    for i in range(1000):
        line.set(i * 1.0, 'mode', f'mode {i % 2}')
    row = line.view(1000.0)['mode']
    assert len(row['spans']) <= 62
    assert row['spans'][0][0] >= 60.0
    assert row['total_s'] == 1000.0


def picture(value, width=64, height=48):
    return np.full((height, width, 3), value, np.uint8)


def test_a_picture_is_encoded_once_and_only_when_somebody_looks():
    frames, read = CameraFrames(('wrist',), 320, 70), []
    for value in range(5):
        frames.offer('wrist', lambda value=value: read.append(value) or picture(value))
    assert read == []
    first = frames.jpeg('wrist')
    assert first == frames.jpeg('wrist')
    assert (first[0], read) == (5, [4])


def test_a_large_picture_is_shrunk_in_its_proportions():
    frames = CameraFrames(('wrist',), 320, 70)
    frames.offer('wrist', lambda: picture(9, 1280, 720))
    assert picture_size(frames.jpeg('wrist')[1]) == (320, 180)


def test_a_picture_that_cannot_be_read_is_a_problem_in_words_and_the_next_one_mends_it():
    def broken():
        raise InputError('camera/wrist: unknown encoding')

    frames = CameraFrames(('wrist',), 320, 70)
    assert frames.jpeg('wrist') == (0, b'')
    frames.offer('wrist', broken)
    assert frames.jpeg('wrist') == (1, b'')
    assert frames.problem('wrist') == 'camera/wrist: unknown encoding'
    frames.offer('wrist', lambda: picture(1))
    assert frames.jpeg('wrist')[1] and frames.problem('wrist') == ''


def test_every_key_of_the_page_is_one_buttons_own_and_stands_on_it():
    page = (Path(__file__).resolve().parents[2] / 'web' / 'panel.html').read_text(encoding='utf-8')
    buttons = re.findall(r'<button[^>]*data-key="(.)".*?</button>', page, re.DOTALL)
    shown = re.findall(r'<button[^>]*data-key="(.)".*?<kbd>(.)</kbd>', page, re.DOTALL)
    assert len(buttons) > 25 and len(set(buttons)) == len(buttons)
    assert [(key, key.upper()) for key in buttons] == shown
