"""What a page says is understood, or refused in words; nothing else can happen."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.core.errors import InputError
from vla_ros.panel.commands import FIELDS, Limits, parse

LIMITS = Limits((0.0, 0.07), 0.1, 0.6)
STILL = [0.0] * 6


def said(**message):
    return parse(json.dumps(message), LIMITS)


def test_a_command_has_its_fields_number_and_state():
    command = said(do='gripper', to='close', mode='momentary', id=3, seq=7)
    assert (command.do, command.values, command.id, command.seq) == (
        'gripper', {'to': 'close', 'mode': 'momentary'}, 3, 7)
    assert said(do='gripper', to=0.03, mode='latched').values['to'] == 0.03
    assert said(do='twist', velocity=[0.1, 0, 0, 0, 0, -0.6], frame='tool').values['velocity'] == (
        0.1, 0.0, 0.0, 0.0, 0.0, -0.6)
    assert said(do='instruction', text='  pick ü ').values['text'] == 'pick ü'
    assert said(do='estop').values == {}


BAD = [
    ('', 'cannot be read'), ('{', 'cannot be read'), ('[]', 'a list'), ('7', 'a number'),
    ('null', 'nothing'), ('"estop"', 'text'), ('[' * 8000, 'cannot be read'), (b'{}', 'bytes'),
    ('{"do":"dance"}', "'dance'"), ('{"do":["estop"]}', 'a list'), ('{}', 'do: expected one of'),
    ('{"do":"estop","now":true}', "unknown field 'now'"),
    ('{"do":"gripper","mode":"latched"}', 'to is missing'),
    ('{"do":"gripper","to":"shut","mode":"latched"}', "'shut'"),
    ('{"do":"gripper","to":true,"mode":"latched"}', 'a number'),
    ('{"do":"gripper","to":0.08,"mode":"latched"}', '0 to 0.07 m'),
    ('{"do":"gripper","to":-1e-9,"mode":"latched"}', '0 to 0.07 m'),
    ('{"do":"gripper","to":NaN,"mode":"latched"}', 'cannot be read'),
    ('{"do":"gripper","to":1e999,"mode":"latched"}', 'finite'),
    ('{"do":"gripper","to":"close","mode":"forever"}', 'until_agree'),
    ('{"do":"arm","word":"alive"}', 'takeover, hold, release'),
    ('{"do":"twist","velocity":[1,2,3],"frame":"base"}', 'six numbers'),
    ('{"do":"twist","velocity":[0.1,0.1,0,0,0,0],"frame":"base"}', 'at most 0.1 m/s'),
    ('{"do":"twist","velocity":[0,0,0,0,0,0.7],"frame":"base"}', 'at most 0.6 rad/s'),
    ('{"do":"twist","velocity":[0,0,0,0,0,"1"],"frame":"base"}', "'1'"),
    ('{"do":"twist","velocity":[0,0,0,0,0,Infinity],"frame":"base"}', 'cannot be read'),
    ('{"do":"twist","velocity":[0,0,0,0,0,1e999],"frame":"base"}', 'finite'),
    ('{"do":"twist","velocity":[0,0,0,0,0,0],"frame":"world"}', "'world'"),
    ('{"do":"instruction","text":7}', 'a number'),
    ('{"do":"instruction","text":"' + 'x' * 501 + '"}', 'at most 500'),
    ('{"do":"instruction","text":"a\\u0000b"}', 'cannot be printed'),
    ('{"do":"instruction","text":"\\ud800"}', 'cannot be printed'),
    ('{"do":"call","service":"shutdown"}', 'reset_estop'),
    ('{"do":"estop","seq":-2}', 'whole number'), ('{"do":"estop","id":1.5}', 'whole number'),
    ('{"do":"estop","seq":' + '9' * 400 + '}', 'whole number'),
    ('{"do":"hello","token":{"a":1}}', 'an object'),
]


@pytest.mark.parametrize(('text', 'part'), BAD)
def test_what_is_wrong_is_said_in_words(text, part):
    with pytest.raises(InputError) as error:
        parse(text, LIMITS)
    assert part in str(error.value)
    assert len(str(error.value)) < 300


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(st.text(max_size=8), inner,
                                                                max_size=5), max_leaves=12)
NAMES = sorted({name for fields in FIELDS.values() for name in fields} | {'id', 'seq', 'x'})


@given(st.text() | st.binary() | JSON.map(json.dumps)
       | st.builds(lambda do, rest: json.dumps({'do': do, **rest}), st.sampled_from(list(FIELDS)),
                   st.dictionaries(st.sampled_from(NAMES), JSON, max_size=4)))
def test_any_message_is_understood_or_refused(text):
    try:
        command = parse(text, LIMITS)
    except InputError:
        return
    assert set(command.values) == set(FIELDS[command.do])
    if command.do == 'twist':
        assert all(abs(v) <= 0.7 for v in command.values['velocity'])
    if command.do == 'gripper' and not isinstance(command.values['to'], str):
        assert 0.0 <= command.values['to'] <= 0.07
