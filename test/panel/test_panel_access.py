"""Who may talk to the panel."""

from __future__ import annotations

import pytest

from vla_ros.core.errors import ConfigError
from vla_ros.panel.access import Access, choose_token, is_loopback


@pytest.mark.parametrize(('host', 'expected'), [
    ('127.0.0.1', True), ('localhost', True), ('::1', True), ('127.8.8.8', True),
    ('0.0.0.0', False), ('::', False), ('192.168.1.5', False), ('robot', False), ('', False)])
def test_only_this_machines_own_addresses_are_loopback(host, expected):
    assert is_loopback(host) is expected


@pytest.mark.parametrize('host', ['0.0.0.0', '::', '192.168.1.5', 'robot', ''])
def test_where_others_can_reach_it_there_always_is_a_token(host):
    token, made = choose_token(host, '', False)
    assert made and len(token) >= 20
    assert token != choose_token(host, '', False)[0]
    assert choose_token(host, 'correct-horse-battery', False) == ('correct-horse-battery', False)


def test_on_this_machine_alone_a_token_is_asked_for_when_wanted():
    assert choose_token('127.0.0.1', '', False) == ('', False)
    assert choose_token('127.0.0.1', '', True)[0]
    assert choose_token('127.0.0.1', 'correct-horse-battery', False)[0]


@pytest.mark.parametrize(('token', 'part'), [
    ('short', 'at least 12'), ('with a space in it', 'without spaces'), ('ünïcödé-tokens', 'ASCII'),
    ('tab\tinside-the-token', 'printable')])
def test_a_token_that_can_be_guessed_or_not_typed_is_refused(token, part):
    with pytest.raises(ConfigError, match=part):
        choose_token('0.0.0.0', token, False)


def test_only_the_token_is_the_token():
    access = Access(token='correct-horse-battery')
    assert access.allows('correct-horse-battery')
    for wrong in ('', 'correct-horse-batter', 'correct-horse-battery ', None, 7, ['x'], '\ud800'):
        assert not access.allows(wrong)
    assert Access().allows('')


@pytest.mark.parametrize('host', ['127.0.0.1:8700', 'localhost:9', '[::1]:8700', '192.168.1.5',
                                  '10.0.0.1:80', 'arm-pc:8700', 'ARM-PC'])
def test_addresses_in_numbers_and_known_names_are_answered(host):
    assert Access.of_machine('127.0.0.1', '', ['arm-pc']).refuse_host(host) == ''


@pytest.mark.parametrize('host', [None, '', 'evil.example', 'localhost.evil.example:8700',
                                  '127.0.0.1.evil.example', '[broken', 'a@evil.example', '1.2.3'])
def test_a_name_that_a_stranger_can_point_here_is_refused(host):
    assert 'allowed_hosts' in Access.of_machine('127.0.0.1', '').refuse_host(host)


def test_the_own_name_is_answered_only_where_others_can_reach_it(monkeypatch):
    monkeypatch.setattr('socket.gethostname', lambda: 'Arm.lab.example')
    assert Access.of_machine('0.0.0.0', 'x').refuse_host('arm.local:8700') == ''
    assert Access.of_machine('0.0.0.0', 'x').refuse_host('arm.lab.example') == ''
    assert Access.of_machine('127.0.0.1', '').refuse_host('arm.local') != ''


@pytest.mark.parametrize('origin', ['http://evil.example', 'http://127.0.0.1:8701', 'null', '',
                                    'http://127.0.0.1:8700.evil.example', 'file://', 'http://[',
                                    'https://localhost:8700', 'ftp://127.0.0.1:8700'])
def test_a_page_from_elsewhere_may_not_open_a_socket(origin):
    assert Access().refuse_origin(origin, '127.0.0.1:8700')


def test_the_own_page_and_a_program_may_open_a_socket():
    assert Access().refuse_origin('http://127.0.0.1:8700', '127.0.0.1:8700') == ''
    assert Access().refuse_origin('https://Arm:8700', 'arm:8700') == ''
    assert Access().refuse_origin(None, '127.0.0.1:8700') == ''
