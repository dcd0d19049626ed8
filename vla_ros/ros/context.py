"""Runs a node as a process: start, signals, an orderly stop, the exit status."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.executors import (
    Executor,
    ExternalShutdownException,
    MultiThreadedExecutor,
    SingleThreadedExecutor,
)
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from vla_ros.bringup import PARENT_VARIABLE
from vla_ros.core.errors import ConfigError, VlaRosError

EXIT_OK, EXIT_FAILED, EXIT_CONFIG = 0, 1, 2
_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>

_SAME_SIGNAL_S = 1.0


def run_node(factory: Callable[[Context], Node], name: str, *, args: Sequence[str] | None = None,
             threads: int = 1) -> int:
    """Make a node, run it until SIGINT or SIGTERM, stop it in order, and return the exit status.

    A node that has a method ``shutdown()`` is stopped by it while its subscriptions and publishers
    still work, so that it can bring an arm to rest. A second signal, unless it is the same Ctrl-C
    arriving twice, ends the process at once.

    Parameters
    ----------
    factory : Callable[[Context], Node]
        Makes the node in the context it is given.
    name : str
        Begins the error lines.
    args : Sequence[str] or None
        Command line with the program's name first; None: that of the process.
    threads : int
        Threads that run the node's callbacks.

    Returns
    -------
    int
        0 after a signal, 2 when something that the user gave is wrong (one line on stderr, no
        traceback), 1 when the node failed.

    """
    context = Context()
    stop = threading.Event()
    previous = _handle_signals(stop)
    _end_with_parent()
    try:
        try:
            rclpy.init(args=list(sys.argv if args is None else args), context=context,
                       signal_handler_options=SignalHandlerOptions.NO)
        except Exception as error:  # what rcl raises here differs between releases
            raise ConfigError(f'bad ROS arguments: {" ".join(str(error).split())}') from error
        return _run(factory, name, context, stop, threads)
    except VlaRosError as error:
        return _report(name, error)
    finally:
        if context.ok():
            rclpy.shutdown(context=context)
        # After a signal the process ends: the launcher's repetition of it, which may still come,
        # must not meet Python's own handler in the middle of that, nor the system's, which Python
        # puts back in its last moments unless the signal is ignored.
        if stop.is_set() and previous:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        else:
            for number, handler in previous.items():
                signal.signal(number, handler)


def _run(factory: Callable[[Context], Node], name: str, context: Context, stop: threading.Event,
         threads: int) -> int:
    node = factory(context)
    executor: Executor = (SingleThreadedExecutor(context=context) if threads == 1
                          else MultiThreadedExecutor(threads, context=context))
    executor.add_node(node)
    # The callbacks run in another thread because Python handles a signal only in the main one, and
    # only between two of its instructions: a main thread that waits inside rcl would not notice.
    spinner = _Spinner(executor, context, stop)
    spinner.start()
    status = EXIT_OK
    try:
        # With a bound: a signal that the system hands to another thread (as it may right after a
        # process was continued) is only noticed when this one wakes up.
        while not stop.wait(0.5):
            pass
        shutdown = getattr(node, 'shutdown', None)
        if callable(shutdown):
            shutdown()
    except Exception as error:  # the process ends; say why and stop the rest
        status = _report(name, error)
    finally:
        spinner.finish()
    if spinner.error is not None:
        status = _report(name, spinner.error)
    executor.shutdown(timeout_sec=1.0)
    node.destroy_node()
    return status


class _Spinner(threading.Thread):
    """Runs an executor until told to finish; a callback that raises ends the node."""

    def __init__(self, executor: Executor, context: Context, stop: threading.Event) -> None:
        super().__init__(name='callbacks', daemon=True)
        self.error: BaseException | None = None
        self._executor = executor
        self._context = context
        self._stop_node = stop
        self._finished = False

    def run(self) -> None:
        while self._context.ok() and not self._finished:
            try:
                self._executor.spin_once(timeout_sec=1.0)
            except ExternalShutdownException:
                break
            except BaseException as error:  # reported by the main thread
                # Keep spinning after it: the shutdown hook may need the subscriptions.
                self.error = self.error or error
                self._stop_node.set()
        self._stop_node.set()

    def finish(self) -> None:
        self._finished = True
        self._executor.wake()
        self.join()


def _handle_signals(stop: threading.Event) -> dict[int, Any]:
    if threading.current_thread() is not threading.main_thread():
        return {}  # a test that runs a node in a thread: signals are not ours to take

    first: list[float] = []

    def on_signal(number: int, _frame: FrameType | None) -> None:
        # Ctrl-C reaches a process from the terminal and again from the launcher that was told to
        # stop: that is one wish, and must not cut the arm's deceleration short.
        now = time.monotonic()
        if first and now - first[0] > _SAME_SIGNAL_S:
            os._exit(128 + number)
        first.append(now)
        stop.set()

    return {number: signal.signal(number, on_signal)
            for number in (signal.SIGINT, signal.SIGTERM)}


def _end_with_parent() -> None:
    """Have SIGINT sent to this process when the one that asked for it ends, however it ends.

    A launcher that is killed must not leave an arm moving with nobody to stop it. Linux only;
    elsewhere, and without ``PARENT_VARIABLE``, nothing happens.
    """
    parent = os.environ.get(PARENT_VARIABLE)
    if parent is None or not sys.platform.startswith('linux'):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
    if os.getppid() != int(parent):  # it ended before we could ask
        os.kill(os.getpid(), signal.SIGINT)


def _report(name: str, error: BaseException) -> int:
    if not isinstance(error, VlaRosError):
        traceback.print_exception(type(error), error, error.__traceback__)
    text = str(error) if isinstance(error, VlaRosError) else f'{type(error).__name__}: {error}'
    sys.stderr.write(f'[{name}] error: {text}\n')
    sys.stderr.flush()
    return EXIT_CONFIG if isinstance(error, ConfigError) else EXIT_FAILED
