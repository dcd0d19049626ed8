"""The panel's server with real sockets: access, loss, slow and hostile pages, services."""

from __future__ import annotations

import json
import random
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import suppress

import numpy as np
import pytest

pytest.importorskip('fastapi')
pytest.importorskip('uvicorn')
pytest.importorskip('websockets.sync.client')
pytest.importorskip('cv2')

from panel_rig import LIMITS, TOKEN, WEB, Page, Rig, wait_until
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from vla_ros.core.errors import ConfigError, DependencyError
from vla_ros.panel import server as server_module
from vla_ros.panel import session as session_module
from vla_ros.panel.port import Answer
from vla_ros.panel.server import PanelServer, check_libraries

FORWARD = [0.05, 0, 0, 0, 0, 0]
STILL = [0] * 6


@pytest.fixture(scope='module')
def shared_rig():
    rig = Rig()
    yield rig
    rig.close()


@pytest.fixture
def rig(shared_rig):
    """Return the open rig with nothing said yet, and no page."""
    for page in shared_rig.pages:
        page.close()
    shared_rig.pages.clear()
    wait_until(lambda: shared_rig.server.hub.pages == 0, 'the old pages closed')
    robot = shared_rig.robot
    robot.override = {'arm': 'POLICY', 'arm_source': '', 'gripper_source': ''}
    shared_rig.readings.set_override(0.0, robot.override)
    robot.said.clear()
    robot.answers.clear()
    robot.others, robot.grants = False, True
    return shared_rig


@pytest.fixture
def locked(monkeypatch):
    monkeypatch.setattr(session_module, '_REFUSAL_S', 0.05)
    rig = Rig(TOKEN)
    yield rig
    rig.close()


def get(url, **headers):
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.status, dict(response.headers), response.read()


def until_closed(socket):
    """Return what comes until the other side closes the socket."""
    heard = []
    with suppress(ConnectionClosed):
        while True:
            heard.append(socket.recv(timeout=30))
    return heard


# The page


def test_the_page_and_its_files_are_served_and_nothing_else(rig):
    for path in WEB.glob('panel.*'):
        url = rig.url if path.suffix == '.html' else rig.url + path.name
        status, headers, body = get(url)
        assert (status, body) == (200, path.read_bytes())
        assert "default-src 'none'" in headers['content-security-policy']
        assert headers['x-frame-options'] == 'DENY'
    for path in ('panel.html', 'docs', 'openapi.json', '../setup.py', '%2e%2e/setup.py'):
        with pytest.raises(urllib.error.HTTPError) as error:
            get(rig.url + path)
        assert error.value.code == 404


def test_the_page_needs_nothing_from_elsewhere():
    for path in WEB.glob('panel.*'):
        text = path.read_text(encoding='utf-8')
        assert '//' not in text.replace('// ', '').replace('/^http/', ''), path


def test_a_name_that_a_stranger_points_here_gets_neither_page_nor_socket(rig):
    with pytest.raises(urllib.error.HTTPError) as error:
        get(rig.url, Host='evil.example')
    assert error.value.code == 403
    with pytest.raises(InvalidStatus) as refused:
        Page('ws://evil.example/socket',
             sock=socket.create_connection(('127.0.0.1', rig.server.port)))
    assert refused.value.response.status_code == 403


def test_a_page_from_elsewhere_gets_no_socket(rig):
    for origin in ('http://evil.example', 'null'):
        with pytest.raises(InvalidStatus) as refused:
            rig.page(origin=origin)
        assert refused.value.response.status_code == 403
    own = rig.page(origin=rig.url.rstrip('/'))
    assert own.next_state()['type'] == 'state'


# The token


@pytest.mark.parametrize('first', [
    {'do': 'hello', 'token': 'a-token-for-test'}, {'do': 'hello', 'token': ''},
    {'do': 'estop'}, {'do': 'arm', 'word': 'takeover'}, {'do': 'hello'}, {'token': TOKEN}])
def test_without_the_token_nothing_is_shown_and_nothing_is_done(locked, first):
    with connect(locked.socket_url) as stranger:
        with suppress(ConnectionClosed):  # it may be refused before it has said everything
            for command in (first, {'do': 'gripper', 'to': 'close', 'mode': 'latched'},
                            {'do': 'call', 'service': 'arm'}):
                stranger.send(json.dumps(command))
        answers = until_closed(stranger)
    assert [json.loads(answer)['type'] for answer in answers] == ['refused']
    assert locked.robot.said == []


def test_with_the_token_the_panel_is_open(locked):
    page = locked.page(TOKEN)
    assert page.hear(lambda m: m['type'] == 'welcome', 'welcome')['widths'] == [0.0, 0.07]
    assert page.ask(do='gripper', to='close', mode='latched')['ok']
    assert locked.robot.words('gripper') == ['close latched']


def test_the_token_is_in_no_log(locked, caplog, capfd):
    with caplog.at_level('DEBUG'):
        page = locked.page(TOKEN)
        page.next_state()
        with connect(locked.socket_url) as stranger:
            stranger.send(json.dumps({'do': 'hello', 'token': TOKEN + 'x'}))
            until_closed(stranger)
    out = capfd.readouterr()
    logged = [r.getMessage() for r in caplog.records if not r.name.startswith('websockets.client')]
    assert any('wrong token' in text for text in logged)
    assert TOKEN not in '\n'.join([*(t for t in logged if 'TEXT' not in t), out.out, out.err])


def test_only_so_many_pages_are_let_in(rig):
    for _ in range(4):
        rig.page().next_state()
    late = rig.page()
    assert late.hear(lambda m: m['type'] == 'refused', 'refusal')['text'] == (
        'too many panels are open')


# Commands


def test_commands_reach_the_robot_and_are_answered(rig):
    page = rig.page()
    answer = page.ask(do='arm', word='takeover')
    assert (answer['ok'], answer['text']) == (True, 'the arm is taken over')
    page.next_state(lambda s: s['desk']['holder'] is not None)
    page.say(do='twist', velocity=FORWARD, frame='tool')
    wait_until(lambda: rig.robot.words('twist'), 'the twist')
    assert rig.robot.words('twist') == [((0.05, 0.0, 0.0, 0.0, 0.0, 0.0), True)]
    assert page.ask(do='instruction', text='pick')['text'] == 'told the policy: pick'
    assert page.ask(do='instruction', text='')['text'] == 'the instruction is taken back'
    assert rig.robot.words('instruction') == ['pick', '']
    assert page.ask(do='call', service='start')['text'] == 'start done'
    assert page.ask(do='arm', word='release')['ok']
    assert rig.robot.words('arm') == ['takeover', 'release']


def test_a_command_on_an_old_picture_is_refused_but_one_that_stops_is_not(rig):
    page = rig.page()
    first = page.next_state()['seq']
    page.next_state(lambda s: s['seq'] > first + 14)
    for command in ({'do': 'gripper', 'to': 'close', 'mode': 'latched'},
                    {'do': 'arm', 'word': 'takeover'}, {'do': 'arm', 'word': 'release'},
                    {'do': 'call', 'service': 'start'}, {'do': 'instruction', 'text': 'go'}):
        page.raw(json.dumps({**command, 'seq': first, 'id': 77}))
        answer = page.hear(lambda m: m['type'] == 'answer', 'answer')
        assert not answer['ok'] and 'too late' in answer['text']
    assert [said for said in rig.robot.said if said != ('arm', 'alive')] == []
    for command in ({'do': 'estop'}, {'do': 'call', 'service': 'stop'}):
        page.raw(json.dumps({**command, 'seq': -1, 'id': 78}))
        assert page.hear(lambda m: m['type'] == 'answer', 'answer')['ok']
    assert rig.robot.words('call') == ['estop', 'stop']


# Loss


def take_all(page):
    """Take the arm over and press the gripper."""
    assert page.ask(do='arm', word='takeover')['ok']
    assert page.ask(do='gripper', to='close', mode='momentary')['ok']
    page.next_state(lambda s: s['override'].get('arm_source') == 'panel')


def released(rig):
    return 'release' in rig.robot.words('arm') and 'release' in rig.robot.words('gripper')


@pytest.mark.parametrize('how', ['closed', 'killed', 'silent', 'deaf'])
def test_a_lost_page_gives_back_what_it_held(rig, how):
    page = rig.page()
    take_all(page)
    if how == 'closed':
        page.close()
    elif how == 'killed':
        page.socket.socket.shutdown(socket.SHUT_RDWR)
    elif how == 'deaf':  # it says something, but hears nothing: it knows nothing of the robot
        old = page.seq
        for _ in range(300):
            if released(rig):
                break
            page.raw(json.dumps({'do': 'beat', 'seq': old}))
            with suppress(TimeoutError):  # it gets no more states, too
                page.socket.recv(timeout=0.05)
        else:
            pytest.fail('it goes on holding the arm')
    wait_until(lambda: released(rig), 'the release')
    assert rig.robot.words('arm') == ['takeover', 'release']
    assert rig.robot.words('gripper') == ['close momentary', 'release']


def test_a_page_that_is_there_keeps_what_it_holds(rig):
    page = rig.page()
    take_all(page)
    start = page.seq
    page.next_state(lambda s: s['seq'] > start + 30)  # three times the deadman's time
    assert not released(rig)
    assert sum(said == ('arm', 'alive') for said in rig.robot.said) > 10


def test_a_lost_page_does_not_open_a_latched_gripper(rig):
    page = rig.page()
    assert page.ask(do='gripper', to='close', mode='latched')['ok']
    page.close()
    wait_until(lambda: rig.server.hub.pages == 0, 'the page gone')
    assert rig.robot.words('gripper') == ['close latched']


def test_the_end_of_the_server_gives_back_what_pages_held():
    rig = Rig()
    take_all(rig.page())
    rig.server.stop()
    assert released(rig)
    rig.close()


# Two panels


def test_of_two_panels_one_has_the_arm_and_both_may_stop_it(rig):
    one, two = rig.page(), rig.page()
    assert one.ask(do='arm', word='takeover')['ok']
    number = one.next_state(lambda s: s['desk']['holder'])['desk']['holder']
    answer = two.ask(do='arm', word='takeover')
    assert not answer['ok'] and f'panel {number}' in answer['text']
    two.next_state(lambda s: s['desk']['holder'] == number)
    assert len(two.state['desk']['panels']) == 2
    assert two.ask(do='estop')['ok']
    assert two.ask(do='call', service='stop')['ok']
    assert rig.robot.words('call') == ['estop', 'stop']


# Services


def test_a_service_that_does_not_answer_is_told_and_the_panel_goes_on(rig):
    rig.robot.answers['start'] = None
    page = rig.page()
    states_before = page.next_state()['seq']
    assert page.ask(do='call', service='start')['text'] == 'start: no answer within 0.3 s'
    assert page.seq > states_before + 1


@pytest.mark.parametrize('answer', [None, Answer(False, 'there is no such service now')])
def test_an_emergency_stop_that_the_service_does_not_confirm_goes_by_the_topic(rig, answer):
    rig.robot.answers['estop'] = answer
    page = rig.page()
    told = page.ask(do='estop')
    assert not told['ok'] and 'topic estop' in told['text']
    assert rig.robot.words('estop')[0] is True
    rig.readings.set_mode(time.monotonic(), {'safety': 'ESTOPPED'})
    assert page.ask(do='call', service='reset_estop')['ok']
    assert rig.robot.words('estop')[-1] is False
    said = rig.robot.words('estop')
    assert page.ask(do='call', service='reset_estop')['ok']
    assert rig.robot.words('estop') == said and said.count(False) == 1


def test_an_emergency_stop_is_said_again_until_the_control_node_shows_it(rig):
    rig.robot.answers['estop'] = Answer(False, 'there is no such service now')
    rig.readings.set_mode(time.monotonic(), {'safety': 'ARMED'})
    rig.page().ask(do='estop')
    wait_until(lambda: len(rig.robot.words('estop')) >= 4, 'the stop, again and again')
    rig.readings.set_mode(time.monotonic(), {'safety': 'ESTOPPED'})
    ticks = rig.page()
    ticks.next_state()
    said = rig.robot.words('estop')
    seq = ticks.seq
    ticks.next_state(lambda s: s['seq'] > seq + 8)  # states are made 10 times a second
    assert rig.robot.words('estop') == said and all(said)


def test_what_others_may_have_pressed_the_panel_does_not_release(rig):
    rig.robot.answers['estop'] = None
    rig.robot.others = True
    page = rig.page()
    page.ask(do='estop')
    assert not page.ask(do='call', service='reset_estop')['ok']
    assert all(rig.robot.words('estop'))
    rig.robot.others = False
    assert page.ask(do='call', service='reset_estop')['ok']  # leaves nothing to the next test


def test_an_emergency_stop_by_the_service_leaves_the_topic_alone(rig):
    assert rig.page().ask(do='estop')['ok']
    assert rig.robot.words('estop') == []


# Pictures, slow pages


def test_a_page_gets_the_newest_picture_and_none_piles_up_for_a_slow_one(rig):
    def offer(value):
        rig.frames.offer('wrist', lambda: np.full((48, 64, 3), value, np.uint8))

    page, other = rig.page(), rig.page()
    page.next_state(beat=False)
    for value in range(8):  # it hears, and never says that it has seen a picture
        offer(value)
        seen = len(other.pictures)
        other.hear(lambda m, seen=seen: len(other.pictures) > seen, 'the picture, elsewhere')
    waiting = []
    with suppress(TimeoutError):
        while True:
            waiting.append(page.socket.recv(timeout=0.3))
    page.pictures += [data for data in waiting if isinstance(data, bytes)]
    assert 1 <= len(page.pictures) <= 2
    assert all(data[0] == 1 and data[1:3] == b'\xff\xd8' for data in page.pictures)
    page.seq = max(json.loads(data).get('seq', 0) for data in waiting if isinstance(data, str))
    page.say(do='seen', camera=1)
    before = len(page.pictures)
    offer(255)
    wait_until(lambda: page.next_state() and len(page.pictures) > before, 'the next picture')


def test_a_page_that_answers_no_state_gets_no_more_of_them(rig):
    page, other = rig.page(), rig.page()
    page.next_state(beat=False)
    first = other.next_state()['seq']
    other.next_state(lambda s: s['seq'] > first + 25)
    waiting = []
    while True:
        try:
            waiting.append(page.socket.recv(timeout=0))
        except TimeoutError:
            break
    assert len(waiting) <= 15


# Hostile pages


def test_a_message_that_is_too_large_closes_its_socket_alone(rig):
    good, bad = rig.page(), rig.page()
    good.next_state()
    bad.raw('{"do":"' + 'x' * 100_000 + '"}')
    until_closed(bad.socket)
    assert good.ask(do='call', service='start')['ok']


def test_a_flood_closes_its_socket_alone(rig):
    # Whatever comes is taken in, or it would not learn that it is closed, and closing would wait.
    good, bad = rig.page(), rig.page(max_queue=None)
    good.next_state()
    with suppress(ConnectionClosed):
        for _ in range(1000):
            bad.raw('{}')
    wait_until(lambda: rig.server.hub.pages == 1, 'what it held given back')
    until_closed(bad.socket)
    assert good.ask(do='call', service='start')['ok']


def test_random_messages_move_nothing_and_the_panel_lives(rig):
    rng, page = random.Random(7), rig.page()
    page.next_state()
    words = ['do', 'gripper', 'arm', 'twist', 'velocity', 'frame', 'seq', 'to', 'mode', 'base']

    def nested(depth):
        if depth == 0 or rng.random() < 0.3:
            return rng.choice([None, True, -1, 1e308, 'x', float('nan'), float('inf'), 2**70,
                               rng.choice(words)])
        if rng.random() < 0.5:
            return [nested(depth - 1) for _ in range(rng.randrange(7))]
        return {rng.choice(words): nested(depth - 1) for _ in range(rng.randrange(5))}

    for i in range(150):
        message = [rng.randbytes(rng.randrange(60)), json.dumps(nested(4)),
                   ''.join(chr(rng.randrange(32, 0xd7ff)) for _ in range(rng.randrange(80))),
                   json.dumps({'do': 'twist', 'velocity': [nested(1) for _ in range(6)],
                               'frame': 'base', 'seq': page.seq})][i % 4]
        page.raw(message)
        if i % 10 == 9:
            page.next_state()
    assert page.ask(do='call', service='start')['ok']
    assert [s for s in rig.robot.said if s != ('arm', 'alive')] == [('call', 'start')]


# Starting


def test_a_port_that_is_taken_is_an_error_that_names_the_parameters(rig):
    with pytest.raises(ConfigError, match=r"'host' '127.0.0.1' and 'port'"):
        PanelServer('127.0.0.1', rig.server.port, lambda: None, WEB).start()
    with pytest.raises(ConfigError, match="'host' 'no.such.host.invalid'"):
        PanelServer('no.such.host.invalid', 0, lambda: None, WEB)


def test_a_wrong_certificate_is_an_error_that_names_the_parameters(tmp_path):
    (tmp_path / 'c.pem').write_text('no certificate')
    with pytest.raises(ConfigError, match='tls_certificate'):
        PanelServer('127.0.0.1', 0, lambda: None, WEB,
                    tls=(str(tmp_path / 'c.pem'), str(tmp_path / 'c.pem')))


def test_with_a_certificate_page_and_socket_are_encrypted(tmp_path):
    openssl = shutil.which('openssl')
    if openssl is None:
        pytest.skip('no openssl here to make a certificate with')
    files = str(tmp_path / 'cert.pem'), str(tmp_path / 'key.pem')
    subprocess.run([openssl, 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj',
                    '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2',
                    '-out', files[0], '-keyout', files[1]], check=True, capture_output=True)
    rig = Rig(tls=files)
    trusting = ssl.create_default_context(cafile=files[0])
    url = rig.url.replace('http', 'https')
    assert urllib.request.urlopen(url, timeout=30, context=trusting).status == 200
    page = Page(rig.socket_url.replace('ws', 'wss'), ssl=trusting, origin=url.rstrip('/'))
    rig.pages.append(page)
    assert page.ask(do='call', service='start')['ok']
    rig.close()


def test_missing_libraries_are_named_with_what_to_install(monkeypatch):
    monkeypatch.setattr(server_module, 'find_spec', lambda name: None if 'i' in name else name)
    with pytest.raises(DependencyError, match='python3-fastapi python3-uvicorn') as error:
        check_libraries()
    assert "pip install 'vla_ros[panel]'" in str(error.value)


def test_what_ends_the_clock_ends_the_server_and_is_raised(monkeypatch):
    rig = Rig()
    page = rig.page()
    page.next_state()
    monkeypatch.setattr(rig.robot, 'snapshot', lambda: 1 / 0)
    until_closed(page.socket)
    wait_until(lambda: rig.server.error is not None, 'the error')
    with pytest.raises(ZeroDivisionError):
        rig.server.raise_error()
    rig.close()


def test_limits_are_those_of_the_robot(rig):
    welcome = rig.page().hear(lambda m: m['type'] == 'welcome', 'welcome')
    assert (welcome['speed'], welcome['rotation_speed']) == (LIMITS.speed, LIMITS.rotation_speed)
    assert isinstance(rig.pages[0], Page)
