"""What the control loop asks of the system: granted where allowed, else named with a way out."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from vla_ros.core.errors import ConfigError
from vla_ros.ros.realtime import RealtimeSettings, prepare_thread

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not sys.platform.startswith('linux'), reason='calls of Linux')


def in_process(code: str) -> list[str]:
    """Run code in a process of its own, for priorities last; return what it prints, by line."""
    prelude = ('import os, resource, sys, threading\n'
               'from vla_ros.ros.realtime import *\n')
    done = subprocess.run([sys.executable, '-c', prelude + code], capture_output=True, text=True,
                          cwd=ROOT, env={**os.environ, 'PYTHONPATH': str(ROOT)}, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


# Whoever runs the tests: nobody may have a priority after this.
UNPRIVILEGED = '''
resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))
resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))
if os.geteuid() == 0:
    os.setresuid(65534, 65534, 65534)
'''


def may_have_priority() -> bool:
    return in_process('''
try:
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
except PermissionError:
    print('no')
''') == []


def test_a_core_that_is_not_there_is_an_error_that_lists_those_that_are():
    mine = sorted(os.sched_getaffinity(0))
    missing = max(mine) + 1
    with pytest.raises(ConfigError) as raised:
        RealtimeSettings(cpu_affinity=[mine[0], missing])
    assert f'no core {missing}' in str(raised.value)
    assert f'its cores: {", ".join(map(str, mine))}' in str(raised.value)


@pytest.mark.parametrize('core', [0.5, -1, float('nan')])
def test_a_core_is_a_whole_number(core: float):
    with pytest.raises(ConfigError, match='no core'):
        RealtimeSettings(cpu_affinity=[core])


@pytest.mark.parametrize('priority', [-1, 100])
def test_a_priority_is_0_to_99(priority: int):
    with pytest.raises(ConfigError, match='0 to 99'):
        RealtimeSettings(thread_priority=priority)


def test_affinity_is_that_of_the_loop_alone():
    before = os.sched_getaffinity(0)
    core = max(before)
    found = []

    def loop() -> None:
        found.extend(prepare_thread(RealtimeSettings(cpu_affinity=[float(core)])))
        found.append(os.sched_getaffinity(0))

    thread = threading.Thread(target=loop)
    thread.start()
    thread.join()
    answer, cores = found
    assert (answer.wish, answer.granted, answer.text) == ('cpu_affinity', True, f'cores {core}')
    assert cores == {core}
    assert os.sched_getaffinity(0) == before


def test_nothing_is_asked_unless_it_is_set():
    assert in_process('''
settings = RealtimeSettings()
print(prepare_process(settings) + prepare_thread(settings), os.sched_getscheduler(0))
''') == [f'[] {os.SCHED_OTHER}']


def test_another_thread_that_computes_hands_over_the_interpreter_soon():
    assert in_process('prepare_process(RealtimeSettings())\n'
                      'print(sys.getswitchinterval() <= 0.001)') == ['True']


def test_priority_is_the_highest_for_the_loop_and_one_less_for_threads_that_it_may_wait_for():
    if not may_have_priority():
        pytest.skip('this user may have no real-time priority')
    loop, others = in_process('''
ready = threading.Event()
def loop():
    (answer,) = prepare_thread(RealtimeSettings(thread_priority=40))
    assert answer.granted, answer.text
    print(answer.text, os.sched_getscheduler(0), os.sched_getparam(0).sched_priority, flush=True)
    ready.set()
threading.Thread(target=loop).start()
ready.wait()
found = []
def later():  # one that is made afterwards, as the executor's is
    found.append(os.sched_getparam(0).sched_priority)
thread = threading.Thread(target=later)
thread.start()
thread.join()
print(os.sched_getscheduler(0), os.sched_getparam(0).sched_priority, *found)
''')
    assert loop == f'SCHED_FIFO 40 {os.SCHED_FIFO} 40'
    assert others == f'{os.SCHED_FIFO} 39 39'


def test_a_refused_priority_says_why_and_how_to_allow_it():
    line, scheduler = in_process(UNPRIVILEGED + '''
(answer,) = prepare_thread(RealtimeSettings(thread_priority=50))
print(answer.wish, answer.granted, answer.text)
print(os.sched_getscheduler(0))
''')
    assert line.startswith('thread_priority False not permitted')
    for part in ('rtprio 50', '/etc/security/limits.conf', 'LimitRTPRIO=50', 'the limit now is 0'):
        assert part in line
    assert scheduler == str(os.SCHED_OTHER)


def test_memory_is_not_locked_under_a_limit_that_would_let_an_allocation_fail_later():
    (line,) = in_process(UNPRIVILEGED + '''
(answer,) = prepare_process(RealtimeSettings(lock_memory=True))
print(answer.wish, answer.granted, answer.text)
''')
    assert line.startswith('lock_memory False not permitted (the limit is 64 KiB)')
    assert 'memlock unlimited' in line


def test_memory_is_locked_where_that_is_allowed():
    locked, text = in_process('''
from contextlib import suppress
with suppress(ValueError, PermissionError):
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
(answer,) = prepare_process(RealtimeSettings(lock_memory=True))
print([line for line in open('/proc/self/status') if line.startswith('VmLck')][0].split()[1])
print(answer.granted, answer.text)
''')
    if text.startswith('False not permitted'):
        pytest.skip('this user may not lock memory')
    assert text == 'True locked'
    assert int(locked) > 1000  # kB
