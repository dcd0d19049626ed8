"""Runs the physics of a simulated world in a thread, paced to real time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vla_ros.ros.pacing import Pacer, RateWindow, Schedule

_WINDOW_NS = 3e9


@dataclass
class Event:
    """Something that is done at a fixed rate of simulated time, between two physics steps.

    Attributes
    ----------
    schedule : Schedule
        When.
    action : Callable[[int], None]
        What; it gets the time [ns] and may read the world.

    """

    schedule: Schedule
    action: Callable[[int], None]


class SimRunner:
    """Owns a ``SimWorld``: it alone steps, resets and reads it, all in one thread.

    Simulated time never goes back, not even at a reset: that would make every node that follows the
    clock drop its state.

    Parameters
    ----------
    world : Any
        ``vla_ros.sim.world.SimWorld``.
    events : Sequence[Event]
        What to do between the steps.
    real_time_factor : Callable[[], float]
        Simulated seconds in a real one, read all the time; 0: as fast as possible.
    on_error : Callable[[BaseException], None]
        Called in the thread when it has to end.

    """

    def __init__(self, world: Any, events: Sequence[Event], real_time_factor: Callable[[], float],
                 on_error: Callable[[BaseException], None]) -> None:
        self._world = world
        self._events = tuple(events)
        self._factor = real_time_factor
        self._on_error = on_error
        self._lock = threading.Lock()
        self._command: tuple[np.ndarray, float, float | None] | None = None
        self._reset: tuple[int, threading.Event] | None = None
        self._stop = threading.Event()
        self._pacer = Pacer()
        self._rtf = RateWindow(_WINDOW_NS)
        self._thread = threading.Thread(target=self._run, name='physics', daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def command(self, q: np.ndarray, width: float, force: float | None = None) -> None:
        """Set where the arm [rad] and the gripper [m] shall go; the newest command counts.

        ``force`` [N] bounds the gripper's squeeze; None: only its own limit.
        """
        with self._lock:
            self._command = (q, width, force)

    def reset(self, seed: int, timeout_s: float = 5.0) -> bool:
        """Put the world back to its start; returns whether that has been done in time.

        A command given before is forgotten, one given after counts.
        """
        done = threading.Event()
        with self._lock:
            self._command = None
            self._reset = (seed, done)
        return done.wait(timeout_s)

    def real_time_factor(self) -> float | None:
        """Return simulated seconds in a real one over the last seconds, None at the beginning."""
        with self._lock:
            return self._rtf.rate()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._take_requests()
                self._advance()
                self._pace()
        except BaseException as error:
            self._on_error(error)

    def _take_requests(self) -> None:
        with self._lock:
            command, self._command = self._command, None
            reset, self._reset = self._reset, None
        if reset is not None:
            seed, done = reset
            self._world.reset(seed)
            with self._lock:
                self._rtf.clear()  # placing the objects takes real time, but no simulated time
            done.set()
        if command is not None:
            self._world.command(*command)

    def _advance(self) -> None:
        now_ns = self._world.time_ns
        due_ns = min(event.schedule.due_ns for event in self._events)
        self._world.step(max(1, -(-(due_ns - now_ns) // self._world.timestep_ns)))
        now_ns = self._world.time_ns
        for event in self._events:
            if event.schedule.take(now_ns):
                event.action(now_ns)

    def _pace(self) -> None:
        sim_ns, wall_ns = self._world.time_ns, time.monotonic_ns()
        with self._lock:
            self._rtf.add(wall_ns, sim_ns)
        wait_ns = self._pacer.wait_ns(sim_ns, wall_ns, self._factor())
        if wait_ns > 0:
            self._stop.wait(wait_ns / 1e9)
