"""Whether the demo succeeded, in one line and one exit status."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass

from vla_ros.demo.sequence import Outcome, TaskResult


@dataclass(frozen=True)
class Verdict:
    """The end of the demo.

    Attributes
    ----------
    word : str
        ``SUCCESS``, ``FAILED`` or ``INTERRUPTED``.
    reason : str
        Why, in a sentence.
    status : int
        Exit status: 0 only when every task was done; 128 + signal after a signal.

    """

    word: str
    reason: str
    status: int

    @property
    def success(self) -> bool:
        """Whether every task was done."""
        return self.status == 0


def judge(results: Sequence[TaskResult], *, problems: Sequence[str] = (),
          signal_number: int | None = None) -> Verdict:
    """Return the verdict.

    Parameters
    ----------
    results : Sequence[TaskResult]
        What came of each task.
    problems : Sequence[str]
        What went wrong around them: a process that ended, something that never came up.
    signal_number : int | None
        The signal that ended the demo, if one did.

    """
    done = sum(result.outcome is Outcome.SUCCESS for result in results)
    tally = f'{done} of {len(results)} task{"s" * (len(results) != 1)} done'
    if problems:
        return Verdict('FAILED', f'{"; ".join(problems)} ({tally})', 1)
    if signal_number is not None:
        name = signal.Signals(signal_number).name
        return Verdict('INTERRUPTED', f'stopped by {name} ({tally})', 128 + signal_number)
    if results and done == len(results):
        seconds = sum(result.duration_s or 0.0 for result in results)
        return Verdict('SUCCESS', f'{tally} in {seconds:.1f} s', 0)
    failed = next((r for r in results if r.outcome is not Outcome.SUCCESS), None)
    if failed is None:
        return Verdict('FAILED', 'there was no task', 1)
    took = f' after {failed.duration_s:.1f} s' if failed.duration_s is not None else ''
    detail = f': {failed.detail}' if failed.detail else ''
    return Verdict('FAILED', f'{failed.instruction!r}: {failed.outcome.value}{took}{detail} '
                             f'({tally})', 1)
