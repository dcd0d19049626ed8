"""One task after the other: what the instruction is now, and what came of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

import numpy as np

from vla_ros.core.errors import ConfigError


class Monitor(Protocol):
    """Judges one task, as ``vla_ros.sim.tasks.TaskMonitor`` does."""

    def update(self, time_ns: int, frames: Mapping[str, np.ndarray], gripper_width: float) -> Any:
        """Return something with ``success`` and ``detail``."""


class Outcome(str, Enum):
    """What came of a task."""

    SUCCESS = 'success'
    WATCHED = 'watched'  # nothing was expected of it
    TIMEOUT = 'timeout'
    UNFINISHED = 'not finished'
    NOT_BEGUN = 'not begun'


@dataclass(frozen=True)
class TaskResult:
    """What came of one task.

    Attributes
    ----------
    instruction : str
        The task in words.
    outcome : Outcome
        How it ended.
    start_ns, end_ns : int | None
        Simulated time of the instruction and of the end [ns]; None: never begun. An unfinished
        task ends with the last moment that was seen.
    detail : str
        What the monitor said last.

    """

    instruction: str
    outcome: Outcome
    start_ns: int | None = None
    end_ns: int | None = None
    detail: str = ''

    @property
    def duration_s(self) -> float | None:
        """Simulated seconds from the instruction to the end, None when it was never begun."""
        if self.start_ns is None or self.end_ns is None:
            return None
        return (self.end_ns - self.start_ns) * 1e-9


class TaskSequence:
    """Gives the next instruction when the present task is done; ends at the first that is not.

    Parameters
    ----------
    tasks : Sequence[str]
        Instructions in order.
    timeout_s : float
        Simulated seconds that each may take.
    make_monitor : Callable[[str], Monitor]
        Makes the judge of a task; called for all of them at once, so that one that cannot be judged
        is an error before anything moves.
    done : Outcome
        What it is when a monitor is satisfied.

    Raises
    ------
    ConfigError
        When there is no task, or ``make_monitor`` refuses one.

    """

    def __init__(self, tasks: Sequence[str], timeout_s: float,
                 make_monitor: Callable[[str], Monitor],
                 done: Outcome = Outcome.SUCCESS) -> None:
        if not tasks:
            raise ConfigError('tasks: at least one is needed')
        if not 0.0 < timeout_s < float('inf'):
            raise ConfigError(f'timeout: expected a positive number of seconds, found {timeout_s}')
        self.tasks = tuple(tasks)
        self._timeout_ns = round(timeout_s * 1e9)
        self._monitors = [make_monitor(task) for task in self.tasks]
        self._done = done
        self._finished: list[TaskResult] = []
        self._start_ns: int | None = None
        self._now_ns: int | None = None
        self._ended = False
        self.detail = ''

    @property
    def begun(self) -> bool:
        """Whether the first instruction has been given."""
        return self._start_ns is not None

    @property
    def ended(self) -> bool:
        """Whether every task is done, or one of them took too long."""
        return self._ended

    @property
    def index(self) -> int:
        """Which task is the present one, from 0; after the end: the last that was tried."""
        return min(len(self._finished), len(self.tasks) - 1) if not self._ended else max(
            len(self._finished) - 1, 0)

    @property
    def instruction(self) -> str:
        """The present instruction; empty before the first."""
        return self.tasks[self.index] if self.begun else ''

    def begin(self, now_ns: int) -> str:
        """Start the first task and return its instruction."""
        self._start_ns = self._now_ns = now_ns
        return self.tasks[0]

    def update(self, now_ns: int, frames: Mapping[str, np.ndarray],
               gripper_width: float) -> str | None:
        """Take in one moment; return an instruction when a new one is to be given.

        Parameters
        ----------
        now_ns : int
            Simulated time [ns].
        frames : Mapping[str, np.ndarray]
            Name -> (4, 4) pose in the base frame.
        gripper_width : float
            Measured opening [m].

        """
        if self._start_ns is None or self._ended:
            return None
        self._now_ns = now_ns
        state = self._monitors[len(self._finished)].update(now_ns, frames, gripper_width)
        self.detail = state.detail
        if state.success:
            self._finish(self._done)
            if len(self._finished) < len(self.tasks):
                self._start_ns = now_ns
                return self.tasks[len(self._finished)]
            self._ended = True
        elif now_ns - self._start_ns >= self._timeout_ns:
            self._finish(Outcome.TIMEOUT)
            self._ended = True
        return None

    def results(self) -> list[TaskResult]:
        """Return what came of every task until now, in order."""
        results = list(self._finished)
        if self.begun and not self._ended:
            results.append(TaskResult(self.instruction, Outcome.UNFINISHED, self._start_ns,
                                      self._now_ns, self.detail))
        return results + [TaskResult(task, Outcome.NOT_BEGUN)
                          for task in self.tasks[len(results):]]

    def _finish(self, outcome: Outcome) -> None:
        self._finished.append(TaskResult(self.tasks[len(self._finished)], outcome, self._start_ns,
                                         self._now_ns, self.detail))


def parse_tasks(text: str) -> tuple[str, ...]:
    """Return the instructions of a text that separates them by ``;``."""
    return tuple(part.strip() for part in text.split(';') if part.strip())
