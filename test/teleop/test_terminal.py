"""A real terminal (a pty): keys come at once, and it is put back whatever ends the process."""

import os
import pty
import select
import subprocess
import sys
import termios
import time

import pytest

from vla_ros.core.errors import ConfigError
from vla_ros.teleop.terminal import Terminal

SCRIPT = '''
import os, sys, time
from vla_ros.teleop.terminal import Terminal
terminal = Terminal()
terminal.draw(['first', 'x' * 500])
end = sys.argv[1]
while True:
    data = terminal.read(1.0)
    if data:
        sys.stdout.write(f'<{data!r}>'); sys.stdout.flush()
    if data == b'q':
        if end == 'raise':
            raise RuntimeError('crash')
        if end == 'exit':
            sys.exit(3)
        terminal.close()
        break
'''


def read_until(master, text, timeout_s=30.0):
    found, deadline = b'', time.monotonic() + timeout_s
    while text not in found:
        assert time.monotonic() < deadline, found
        if select.select([master], [], [], 0.2)[0]:
            found += os.read(master, 65536)
    return found


class Session:
    def __init__(self, end):
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen([sys.executable, '-c', SCRIPT, end], stdin=self.slave,
                                        stdout=self.slave, stderr=self.slave,
                                        start_new_session=True)

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def session(request):
    s = Session(request.param)
    yield s
    s.close()


@pytest.mark.parametrize('session', ['close', 'raise', 'exit'], indirect=True)
def test_keys_come_without_enter_or_echo_and_the_terminal_is_put_back(session):
    drawn = read_until(session.master, b'\x1b[2A')
    assert b'\x1b[?2004h' in drawn, 'pasted text is marked'
    assert b'\r\x1b[J\nfirst' in drawn.replace(b'\r\n', b'\n')
    assert max(map(len, drawn.split(b'\n'))) < 90, 'a long line is cut'
    os.write(session.master, b'w')
    said = read_until(session.master, b"<b'w'>")
    assert said.count(b'w') == 1, 'no echo'
    os.write(session.master, b'\x1a\x13')  # Ctrl-Z, Ctrl-S
    read_until(session.master, b"<b'\\x1a\\x13'>")
    os.write(session.master, b'q')
    end = read_until(session.master, b'\x1b[?25h')
    assert b'\x1b[?2004l' in end
    session.process.wait(30)
    assert termios.tcgetattr(session.slave) == session.before


def test_stdin_that_is_no_terminal_is_an_error_that_says_how_to_run_it():
    with open(os.devnull) as null, pytest.raises(ConfigError) as error:
        Terminal(null.fileno())
    assert 'stdin is no terminal' in str(error.value)
    assert 'ros2 run vla_ros teleop_node' in str(error.value)
    assert 'ssh needs -t' in str(error.value)


def test_nothing_is_drawn_where_stdout_is_no_terminal_and_keys_work():
    master, slave = pty.openpty()
    read_end, write_end = os.pipe()
    terminal = Terminal(slave, write_end)
    terminal.draw(['x'])
    os.write(master, b'k')
    assert terminal.read(30.0) == b'k'
    assert terminal.read(0.0) == b''
    terminal.close()
    os.close(write_end)
    assert os.read(read_end, 100) == b''
    for fd in (master, slave, read_end):
        os.close(fd)


def test_a_terminal_whose_other_end_is_closed_reads_none():
    master, slave = pty.openpty()
    _, write_end = os.pipe()
    terminal = Terminal(slave, write_end)
    os.close(master)
    assert terminal.read(30.0) is None
    terminal.close()  # and does not mind
