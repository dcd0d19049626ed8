"""What the control node's own records of its ticks tell: modes, people, limiters, commands."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from vla_ros.core.provenance import ProvenanceBatch, TickRecord
from vla_ros.report.curve import Envelope
from vla_ros.report.moments import Moment, Peaks
from vla_ros.report.spans import Spans
from vla_ros.report.tally import Activity, Histogram

GRIPPER = 'gripper'
_NUMBER = re.compile(r'-?\d+(\.\d+)?(e-?\d+)?')
_GRIPPER_STEP = 0.008  # m; a command that moves further is an event
_MOMENTS = 400
_CHUNKS = 500


def kind_of(text: str) -> str:
    """Return a text without its numbers and details, to count what happened how often."""
    return _NUMBER.sub('#', text)[:80]


class GripperWatch:
    """Finds where the commanded width begins to close or to open."""

    def __init__(self) -> None:
        self.events: list[tuple[int, str, str]] = []  # time [ns], closes or opens, who
        self._reference: float | None = None
        self._direction = ''

    def add(self, time_ns: int, width: float, who: str) -> str:
        """Take in a width [m]; return ``closes`` or ``opens`` where that begins, else nothing."""
        if self._reference is None:
            self._reference = width
        if abs(width - self._reference) < _GRIPPER_STEP:
            return ''
        direction = 'closes' if width < self._reference else 'opens'
        self._reference = width
        if direction == self._direction:
            return ''
        self._direction = direction
        if len(self.events) < _MOMENTS:
            self.events.append((time_ns, direction, who))
        return direction


class TickTally:
    """Takes in the ticks of a run, batch by batch.

    Parameters
    ----------
    start_ns : int
        Where the time line begins [ns].
    measured : Callable[[int, tuple[str, ...]], np.ndarray | None]
        Returns the measured positions of these joints in the joint state of a stamp [ns].

    """

    def __init__(self, start_ns: int,
                 measured: Callable[[int, tuple[str, ...]], np.ndarray | None]) -> None:
        self.ticks = 0
        self.lost = 0
        self.joints: tuple[str, ...] = ()
        self.modes: Spans[tuple[str, str]] = Spans()
        self.people: dict[str, Spans[str]] = {}
        self.limits = Activity(start_ns)
        self.joint_state_age = Histogram()
        self.commanded: Envelope | None = None
        self.lead: Envelope | None = None
        self.gripper = GripperWatch()
        self.moments: list[Moment] = []
        self.used_chunks = 0  # how many moved the arm
        self._used: dict[int, None] = {}  # their stamps, the newest last
        self._start_ns = start_ns
        self._measured = measured
        self._leads = Peaks()
        self._busy = Peaks()
        self._before: tuple[str, str] | None = None

    def add(self, batch: ProvenanceBatch, receive_ns: int) -> None:
        """Take in the ticks of a message, received at ``receive_ns``."""
        self.joints = batch.joints or self.joints
        self.lost = max(self.lost, batch.lost)
        for tick in batch.ticks:
            self._tick(tick, receive_ns)

    def _tick(self, tick: TickRecord, receive_ns: int) -> None:
        self.ticks += 1
        now = tick.stamp_ns
        self.modes.add(now, (tick.mode, tick.reason))
        self._people(tick, receive_ns)
        self.limits.add(now, tuple(kind_of(text) for text in tick.acted))
        self._busy.add(float(len(tick.acted)), now, receive_ns)
        if tick.joint_state_age_ns is not None:
            self.joint_state_age.add(tick.joint_state_age_ns * 1e-9)
        for stamp in tick.chunk_stamps_ns:
            if stamp not in self._used:
                self.used_chunks += 1
                self._used[stamp] = None
                if len(self._used) > _CHUNKS:
                    del self._used[next(iter(self._used))]
        if tick.mode != self._before_mode:
            weight = {'STOPPED': 10.0, 'HOLD': 5.0}.get(tick.mode, 2.0)
            if self._before is not None:
                self._moment(tick, receive_ns, f'mode {tick.mode}',
                             f'{self._before_mode} to {tick.mode}'
                             + (f': {tick.reason}' if tick.reason else ''), weight)
        self._before = (tick.mode, tick.reason)
        self._commands(tick, receive_ns)

    @property
    def _before_mode(self) -> str:
        return self._before[0] if self._before else ''

    def _people(self, tick: TickRecord, receive_ns: int) -> None:
        labels = {channel(text): text for text in (tick.intervention or '').split('; ') if text}
        for name in labels:
            self.people.setdefault(name, Spans())
        for name, spans in self.people.items():
            label = labels.get(name)
            began = len(spans.found) if spans.open is None else -1
            spans.add(tick.stamp_ns, label)
            if label and began >= 0:
                self._moment(tick, receive_ns, 'intervention', f'a person: {label}', 8.0)

    def _commands(self, tick: TickRecord, receive_ns: int) -> None:
        if tick.q is None and tick.gripper is None:
            return
        if self.commanded is None:
            self.commanded = Envelope((*self.joints, GRIPPER), self._start_ns)
            self.lead = Envelope(('lead',), self._start_ns)
        q = tick.q if tick.q is not None else (np.nan,) * len(self.joints)
        width = np.nan if tick.gripper is None else tick.gripper
        if len(q) + 1 == len(self.commanded.columns):
            self.commanded.add(tick.stamp_ns, (*q, width))
        if tick.gripper is not None:
            person = next((name for name in self.people
                           if self.people[name].open is not None and GRIPPER in name), '')
            who = 'a person' if person else 'the policy'
            turn = self.gripper.add(tick.stamp_ns, tick.gripper, who)
            if turn:
                self._moment(tick, receive_ns, f'gripper {turn}',
                             f'the gripper {turn} ({who}), commanded {width * 1e3:.0f} mm', 6.0)
        if tick.q is not None and tick.joint_state_stamp_ns is not None:
            at = self._measured(tick.joint_state_stamp_ns, self.joints)
            if at is not None and self.lead is not None:
                lead = float(np.max(np.abs(np.asarray(tick.q) - at), initial=0.0))
                self.lead.add(tick.stamp_ns, (lead,))
                self._leads.add(lead, tick.stamp_ns, receive_ns)

    def _moment(self, tick: TickRecord, receive_ns: int, kind: str, text: str,
                weight: float) -> None:
        if len(self.moments) < _MOMENTS:
            self.moments.append(Moment(tick.stamp_ns, receive_ns, kind, text, weight))

    def finish(self) -> None:
        """Say that there are no more ticks."""
        self.modes.finish()
        for spans in self.people.values():
            spans.finish()
        for lead, time_ns, receive_ns in self._leads.finish()[:3]:
            self.moments.append(Moment(
                time_ns, receive_ns, 'largest lead',
                f'the command leads the measured joints by {lead * 1e3:.0f} mrad', 4.0 + lead))
        for count, time_ns, receive_ns in self._busy.finish()[:2]:
            if count >= 1:
                self.moments.append(Moment(time_ns, receive_ns, 'limiters',
                                           f'{count:.0f} limiters act at once', 3.0))


def channel(label: str) -> str:
    """Return what of the action a person has, from the words of it: ``gripper`` or ``arm``."""
    return GRIPPER if label.startswith(GRIPPER) else 'arm'
