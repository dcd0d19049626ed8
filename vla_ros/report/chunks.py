"""What the chunks of a run tell: how late they came, and what the policy wanted of the gripper."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from vla_ros.core.errors import InputError, VlaRosError
from vla_ros.core.provenance import ChunkRecord
from vla_ros.core.types import GRIPPER_DIM, ActionConvention
from vla_ros.replay.stamps import to_ns
from vla_ros.report.curve import Envelope
from vla_ros.report.moments import Moment
from vla_ros.report.tally import Histogram

_KEPT = 256  # chunks whose other half has not come
_CLOSED = 0.5  # open fraction below which a step asks for a closed gripper


class _Shape(NamedTuple):
    steps: int
    dt_ns: int


class ChunkTally:
    """Takes in chunks, what they were made from and when they arrived.

    Parameters
    ----------
    start_ns : int
        Where the time line begins [ns].

    """

    def __init__(self, start_ns: int) -> None:
        self.count = 0
        self.arrived = 0
        self.late = 0  # came when half of their steps or more were past
        self.past = 0  # came when all were
        self.steps = self.dt_ns = 0
        self.not_finite = 0
        self.arrival, self.inference, self.skew = Histogram(), Histogram(), Histogram()
        self.input_ages: dict[str, Histogram] = {}
        self.slowest: tuple[float, int] | None = None  # inference [s], observation's time [ns]
        self.late_at: list[int] = []
        self.asked_closed = 0  # chunks with a step that closes the gripper
        self.first_closed_ns: int | None = None
        self.gripper: Envelope | None = None
        self.convention: ActionConvention | None = None
        self.actions: Envelope | None = None
        self.moments: list[Moment] = []
        self._start_ns = start_ns
        self._shapes: dict[int, _Shape] = {}
        self._arrivals: set[int] = set()
        self._order: list[int] = []

    def add_policy(self, description: Mapping[str, Any]) -> None:
        """Take in what the policy says of itself; only how it says open and closed matters."""
        convention = description.get('convention') or {}
        try:
            self.convention = ActionConvention(
                gripper_open=float(convention['gripper_open']),
                gripper_closed=float(convention['gripper_closed']))
        except (KeyError, TypeError, ValueError, VlaRosError):
            self.convention = None

    def add_chunk(self, message: Any, receive_ns: int) -> None:
        """Take in an action chunk (``JointTrajectory``)."""
        stamp_ns = to_ns(message.header.stamp)
        points = message.points
        if not len(points):
            return
        self.count += 1
        dt_ns = to_ns(points[1].time_from_start) - to_ns(points[0].time_from_start) \
            if len(points) > 1 else 0
        self.steps, self.dt_ns = len(points), dt_ns
        self._remember(stamp_ns, _Shape(len(points), dt_ns))
        actions = np.array([point.positions for point in points], np.float64)
        if not np.isfinite(actions).all():
            self.not_finite += 1
        names = tuple(message.joint_names)
        if self.actions is None and len(names) == actions.shape[1]:
            self.actions = Envelope(names, self._start_ns)
        if self.actions is not None and self.actions.columns == names:
            self.actions.add(stamp_ns, actions[0])
        if names and names[-1] == GRIPPER_DIM:
            self._gripper(stamp_ns, receive_ns, actions[:, -1])

    def _gripper(self, stamp_ns: int, receive_ns: int, wanted: np.ndarray) -> None:
        convention = self.convention
        if convention is None or not np.isfinite(wanted).all():
            return
        fractions = [convention.open_fraction(float(value)) for value in wanted]
        if self.gripper is None:
            self.gripper = Envelope(('open fraction',), self._start_ns)
        self.gripper.add(stamp_ns, (fractions[0],))
        if min(fractions) < _CLOSED:
            self.asked_closed += 1
            if self.first_closed_ns is None:
                self.first_closed_ns = stamp_ns
                self.moments.append(Moment(stamp_ns, receive_ns, 'policy closes',
                                           'the policy asks for a closed gripper', 5.0))

    def add_observation(self, text: str) -> None:
        """Take in what the policy node says of a chunk's observation (JSON); broken ones pass."""
        try:
            values = json.loads(text)
            stamp_ns, seconds = int(values['stamp_ns']), float(values['infer_ms']) * 1e-3
        except (ValueError, KeyError, TypeError):
            return
        if seconds > 0.0:
            self.inference.add(seconds)
            if self.slowest is None or seconds > self.slowest[0]:
                self.slowest = seconds, stamp_ns

    def add_record(self, record: ChunkRecord) -> None:
        """Take in what the control node says of a chunk; the second word on one adds to it."""
        for stream, stamp_ns in record.sources.items():
            self.input_ages.setdefault(stream, Histogram()).add(
                (record.stamp_ns - stamp_ns) * 1e-9)
        if record.skew_ns is not None:
            self.skew.add(record.skew_ns * 1e-9)
        if record.stamp_ns in self._arrivals:
            return
        self.add_arrival(record.stamp_ns, record.arrival_ns)

    def add_arrival(self, stamp_ns: int, arrival_ns: int) -> None:
        """Take in when the chunk of a stamp arrived [ns]."""
        self._arrivals.add(stamp_ns)
        self._order.append(stamp_ns)
        if len(self._order) > _KEPT:
            self._arrivals.discard(self._order.pop(0))
        self.arrived += 1
        late_s = (arrival_ns - stamp_ns) * 1e-9
        self.arrival.add(late_s)
        shape = self._shapes.get(stamp_ns)
        if shape is None or shape.dt_ns <= 0:
            return
        horizon_s = (shape.steps - 1) * shape.dt_ns * 1e-9
        self.past += late_s > horizon_s
        if late_s > 0.5 * horizon_s:
            self.late += 1
            if len(self.late_at) < 400:
                self.late_at.append(stamp_ns)

    def _remember(self, stamp_ns: int, shape: _Shape) -> None:
        self._shapes[stamp_ns] = shape
        while len(self._shapes) > _KEPT:
            del self._shapes[next(iter(self._shapes))]


def parsed(text: str, topic: str) -> dict[str, Any]:
    """Return the JSON object of a text message.

    Raises
    ------
    InputError
        When it is none.

    """
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InputError(f'{topic}: expected JSON: {error}', topic=topic) from error
    if not isinstance(found, dict):
        raise InputError(f'{topic}: expected a JSON object', topic=topic)
    return found
