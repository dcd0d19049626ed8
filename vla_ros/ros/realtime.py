"""What a control loop asks of the operating system and the interpreter, and what it was given.

Nothing here is needed to move an arm: whatever is refused is reported, with the way to allow it,
and the loop runs without.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from vla_ros.core.errors import ConfigError

# <linux/prctl.h>, <sys/mman.h>
_PR_SET_TIMERSLACK = 29
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4

_SWITCH_S = 1e-4
_OTHER_SYSTEM = 'this operating system has no such call'


@dataclass(frozen=True)
class RealtimeSettings:
    """What to ask for.

    Attributes
    ----------
    thread_priority : int
        Of the loop's thread under SCHED_FIFO, 1 to 99; 0: do not ask.
    cpu_affinity : Sequence[float]
        The cores on which the loop's thread may run; empty: all.
    lock_memory : bool
        Whether the process's memory shall never be paged out.

    Raises
    ------
    ConfigError
        When this process has no such core; the message names those it has.

    """

    thread_priority: int = 0
    cpu_affinity: Sequence[float] = ()
    lock_memory: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.thread_priority <= 99:
            raise ConfigError(f'thread_priority must be 0 to 99, found {self.thread_priority}')
        if not self.cpu_affinity or not hasattr(os, 'sched_getaffinity'):
            return
        cores = sorted(os.sched_getaffinity(0))
        for core in self.cpu_affinity:
            if core not in cores:
                raise ConfigError(f'cpu_affinity: this process has no core {core:g}; its cores: '
                                  f'{", ".join(map(str, cores))}')


@dataclass(frozen=True)
class Answer:
    """What came of one wish.

    Attributes
    ----------
    wish : str
        Name of the setting.
    granted : bool
        Whether it holds now.
    text : str
        What holds, or why not and how to allow it.

    """

    wish: str
    granted: bool
    text: str


def prepare_process(settings: RealtimeSettings) -> list[Answer]:
    """Ask for what concerns the whole process; called before the loop's thread is started."""
    # Another thread that computes in Python hands over the interpreter only after this long. With
    # the usual 5 ms a command would be late by half a period at 100 Hz.
    sys.setswitchinterval(_SWITCH_S)
    return [_lock_memory()] if settings.lock_memory else []


def prepare_thread(settings: RealtimeSettings) -> list[Answer]:
    """Ask for what concerns the thread that calls this, the loop's."""
    _no_timer_slack()
    answers = []
    if settings.cpu_affinity:
        cores = sorted({int(core) for core in settings.cpu_affinity})
        answers.append(_try('cpu_affinity', lambda: os.sched_setaffinity(0, cores),
                            f'cores {", ".join(map(str, cores))}', 'is there a cpuset around it?'))
    if settings.thread_priority:
        answers.append(_fifo(settings.thread_priority))
    return answers


def _fifo(priority: int) -> Answer:
    def ask() -> None:
        # The other threads too, one below: a thread that holds the interpreter when the loop wakes
        # must not lose its core to another process before it lets go.
        below = os.sched_param(max(1, priority - 1))
        for thread in os.listdir('/proc/self/task'):
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.sched_setscheduler(int(thread), os.SCHED_FIFO, below)
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))

    how = (f'allow it to the user with a line "<user> - rtprio {priority}" in '
           f'/etc/security/limits.conf (systemd: LimitRTPRIO={priority}, container: --ulimit '
           f'rtprio={priority} --cap-add=sys_nice); the limit now is {_rtprio_limit()}')
    return _try('thread_priority', ask, f'SCHED_FIFO {priority}', how)


def _lock_memory() -> Answer:
    from resource import RLIM_INFINITY, RLIMIT_MEMLOCK, getrlimit

    how = ('allow it to the user with a line "<user> - memlock unlimited" in '
           '/etc/security/limits.conf (systemd: LimitMEMLOCK=infinity, container: --ulimit '
           'memlock=-1)')

    def ask() -> None:
        # Under a limit the call may succeed, and an allocation fail an hour later.
        limit = getrlimit(RLIMIT_MEMLOCK)[0]
        if limit != RLIM_INFINITY and os.geteuid() != 0:
            raise PermissionError(f'the limit is {limit // 1024} KiB')
        # On fault: the stacks of all threads, hardly used, need not be filled for it.
        if ctypes.CDLL(None, use_errno=True).mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    return _try('lock_memory', ask, 'locked', how)


def _try(wish: str, ask: Callable[[], None], granted: str, how: str) -> Answer:
    try:
        ask()
    except AttributeError:
        return Answer(wish, False, _OTHER_SYSTEM)
    except OSError as error:
        return Answer(wish, False, f'not permitted ({error.strerror or error}): {how}')
    return Answer(wish, True, granted)


def _no_timer_slack() -> None:
    # Linux may let a sleep take 50 µs longer, to wake a processor less often.
    if sys.platform.startswith('linux'):
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)


def _rtprio_limit() -> str:
    try:
        from resource import RLIMIT_RTPRIO, getrlimit
    except ImportError:
        return 'unknown'
    return str(getrlimit(RLIMIT_RTPRIO)[0])
