"""Loads what takes minutes in a thread of its own, so that a node stays a node meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from vla_ros.core.errors import InputError

T = TypeVar('T')
_NAME = 'loading'


class Loading(Generic[T]):
    """One load, begun at once.

    A load cannot be interrupted: :meth:`give_up` only stops the waiting for it. Its thread is a
    daemon, and a process that ends in the middle of it has to end without it (:func:`unfinished`).

    Parameters
    ----------
    load : Callable[[], T]
        What to do; an exception is the result too.
    then : Callable[[], None]
        Called in the thread when the load is over, unless it was given up.

    """

    def __init__(self, load: Callable[[], T], then: Callable[[], None] = lambda: None) -> None:
        self._load = load
        self._then = then
        self._over = threading.Event()  # done or given up
        self._given_up = False
        self._value: T | None = None
        self._error: BaseException | None = None
        self._started = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=_NAME, daemon=True)
        self._thread.start()

    @property
    def elapsed_s(self) -> float:
        """How long ago it began [s]."""
        return time.monotonic() - self._started

    def give_up(self) -> None:
        """Let nobody wait any longer; what is loaded is thrown away."""
        self._given_up = True
        self._over.set()

    def result(self, meanwhile: Callable[[], None] = lambda: None, period_s: float = 1.0) -> T:
        """Wait for the load and return what it returned, or raise what it raised.

        ``meanwhile`` is called every ``period_s`` seconds, in the thread that waits.

        Raises
        ------
        InputError
            When it was given up.

        """
        while not self._over.wait(period_s):
            meanwhile()
        if self._given_up:
            raise InputError('stopped while the policy was loading')
        if self._error is not None:
            raise self._error
        value: Any = self._value
        return value

    def _run(self) -> None:
        try:
            self._value = self._load()
        except BaseException as error:  # noqa: BLE001, handed to the one who waits
            self._error = error
        if not self._given_up:
            self._over.set()
            self._then()


def unfinished() -> bool:
    """Return whether a load goes on in this process, which its end would have to wait for."""
    return any(thread.name == _NAME for thread in threading.enumerate())
