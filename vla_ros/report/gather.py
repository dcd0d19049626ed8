"""One pass over a bag, whatever its length: everything that its report tells, without pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vla_ros.core.errors import InputError
from vla_ros.core.provenance import decode
from vla_ros.progress import Progress
from vla_ros.replay.bag import Bag, Record
from vla_ros.replay.bag_info import STAMPED
from vla_ros.replay.pictures import PICTURE_TYPES, picture_of
from vla_ros.replay.stamps import header_ns
from vla_ros.replay.topic_choice import JOINT_STATE, RECORDED, STRING, TRAJECTORY, choose
from vla_ros.report.cameras import CameraWatch
from vla_ros.report.chunks import ChunkTally, parsed
from vla_ros.report.clock import NodeClock
from vla_ros.report.joints import JointListener, JointTally
from vla_ros.report.spans import Spans
from vla_ros.report.tally import StreamTally
from vla_ros.report.ticks import TickTally

_STATUS = 'diagnostic_msgs/msg/DiagnosticStatus'
_STATUSES = 'diagnostic_msgs/msg/DiagnosticArray'
_BOOL = 'std_msgs/msg/Bool'
_MOST = 200  # statuses, instructions and problems that are kept


class Gathered:
    """What one pass over a bag has found.

    Parameters
    ----------
    bag : Bag
        Open.

    """

    def __init__(self, bag: Bag) -> None:
        self.bag = bag
        self.path = Path(bag.path)
        self.clock = node_clock(bag)
        self.start_ns = self.clock.start_ns
        self.streams = {t.name: StreamTally(t.name, t.type) for t in bag.topics.values() if t.count}
        self.command_topic = choose(bag.topics, RECORDED)['commands'].topic
        self.joints = JointTally(self.start_ns)
        self.ticks = TickTally(self.start_ns, self.joints.at)
        self.chunks = ChunkTally(self.start_ns)
        self.cameras = {t.name: CameraWatch(t.name) for t in bag.topics.values()
                        if t.type in PICTURE_TYPES and t.count}
        self.told_modes: Spans[tuple[str, str]] = Spans(gap_ns=None)
        self.told_overrides: Spans[str] = Spans(gap_ns=None)
        self.estops: dict[str, Spans[bool]] = {}
        self.instructions: list[tuple[int, str]] = []
        self.statuses: dict[str, dict[str, Any]] = {}
        self.refusals: Spans[str] = Spans(gap_ns=1_500_000_000)  # why the policy made no chunk
        self.policy: dict[str, Any] = {}
        self.recording: dict[str, Any] = {}
        self.robot = ''
        self.undecodable: dict[str, str] = {}  # camera topic -> what is wrong with its pictures
        self._undecoded = {name for name in self.cameras if 'depth' not in name.lower()}
        self.robot_description = ''
        self.problems: dict[str, int] = {}
        self.told_by_control = any(name.endswith('provenance') and stream.type == STRING
                                   for name, stream in self.streams.items())
        self._handlers = {name: self._handler(name, stream.type)
                          for name, stream in self.streams.items()}

    @property
    def end_ns(self) -> int:
        """Time of the last message, in the nodes' time [ns]."""
        return self.clock.time_ns(self.bag.end_ns)

    def seconds(self, time_ns: int) -> float:
        """Return a time [ns] as seconds on the report's time line."""
        return (time_ns - self.start_ns) * 1e-9

    def add(self, record: Record) -> None:
        """Take in a message; one that cannot be read is counted as a problem."""
        stream = self.streams[record.topic]
        stamp_ns = header_ns(record.data) if record.type in STAMPED else 0
        if stamp_ns and self.clock.foreign(record.receive_ns, stamp_ns):
            stream.foreign += 1
            stamp_ns = 0
        elif record.type in STAMPED:
            stream.unstamped += not stamp_ns
        if stamp_ns:
            age = self.clock.age_s(record.receive_ns, stamp_ns)
            stream.add(stamp_ns, age)
            if record.type == JOINT_STATE:
                self.clock.hear(record.receive_ns, stamp_ns)
        else:
            stream.add(self.clock.time_ns(record.receive_ns), None)
        handler = self._handlers[record.topic]
        if handler is None:
            return
        try:
            handler(record, stamp_ns or self.clock.time_ns(record.receive_ns))
        except InputError as error:
            text = f'{record.topic}: {error}'[:200]
            if text in self.problems or len(self.problems) < _MOST:
                self.problems[text] = self.problems.get(text, 0) + 1

    def finish(self) -> None:
        """Say that the bag is at its end."""
        self.ticks.finish()
        for camera in self.cameras.values():
            camera.finish()
        self.refusals.finish()
        self.told_modes.finish(self.end_ns)
        self.told_overrides.finish(self.end_ns)
        for spans in self.estops.values():
            spans.finish(self.end_ns)

    # What is done with the messages of a topic

    def _handler(self, topic: str, kind: str) -> Callable[[Record, int], None] | None:
        name = topic.rpartition('/')[2]
        if kind in PICTURE_TYPES:
            return self._on_picture
        if kind == JOINT_STATE and '/override/' not in topic:
            return self._on_command if topic == self.command_topic else self._on_joints
        if kind == TRAJECTORY and 'chunk' in name:
            return self._on_chunk
        by_name: Mapping[tuple[str, str], Callable[[Record, int], None]] = {
            (STRING, 'provenance'): self._on_provenance, (STRING, 'policy'): self._on_policy,
            (STRING, 'observation'): self._on_observation,
            (STRING, 'instruction'): self._on_instruction,
            (STRING, 'recording'): self._on_recording,
            (STRING, 'robot_description'): self._on_description,
            (_STATUS, 'mode'): self._on_mode, (_STATUS, 'override'): self._on_override,
            (_BOOL, 'estop'): self._on_estop}
        if kind == _STATUSES:
            return self._on_diagnostics
        return by_name.get((kind, name))

    def _on_picture(self, record: Record, time_ns: int) -> None:
        if record.topic in self._undecoded:
            self._undecoded.discard(record.topic)
            try:
                picture_of(self.bag, record)
            except InputError as error:
                self.undecodable[record.topic] = str(error)
        self.cameras[record.topic].add(record.data, time_ns, record.receive_ns,
                                       self.joints.travel)

    def _on_joints(self, record: Record, time_ns: int) -> None:
        self.joints.add(record.topic, self.bag.message(record), time_ns)

    def _on_command(self, record: Record, time_ns: int) -> None:
        self.joints.add_command(self.bag.message(record), time_ns)

    def _on_chunk(self, record: Record, time_ns: int) -> None:
        self.chunks.add_chunk(self.bag.message(record), record.receive_ns)
        if not self.told_by_control and self.clock.same:
            self.chunks.add_arrival(time_ns, record.receive_ns)

    def _on_provenance(self, record: Record, _: int) -> None:
        batch = decode(self.bag.message(record).data)
        for chunk in batch.chunks:
            self.chunks.add_record(chunk)
        self.ticks.add(batch, record.receive_ns)

    def _on_policy(self, record: Record, _: int) -> None:
        self.policy = parsed(self.bag.message(record).data, record.topic)
        self.chunks.add_policy(self.policy)

    def _on_observation(self, record: Record, _: int) -> None:
        self.chunks.add_observation(self.bag.message(record).data)

    def _on_instruction(self, record: Record, time_ns: int) -> None:
        text = self.bag.message(record).data
        if len(self.instructions) < _MOST and (
                not self.instructions or self.instructions[-1][1] != text):
            self.instructions.append((time_ns, text))

    def _on_recording(self, record: Record, _: int) -> None:
        self.recording = parsed(self.bag.message(record).data, record.topic)

    def _on_description(self, record: Record, _: int) -> None:
        self.robot_description = self.bag.message(record).data

    def _on_mode(self, record: Record, time_ns: int) -> None:
        message = self.bag.message(record)
        values = {pair.key: pair.value for pair in message.values}
        self.robot = message.hardware_id or self.robot
        self.told_modes.add(time_ns, (message.message, values.get('reason', '')))

    def _on_override(self, record: Record, time_ns: int) -> None:
        text = self.bag.message(record).message
        self.told_overrides.add(time_ns, None if text in ('', 'none') else text)

    def _on_estop(self, record: Record, time_ns: int) -> None:
        pressed = bool(self.bag.message(record).data)
        self.estops.setdefault(record.topic, Spans(gap_ns=None)).add(time_ns, pressed or None)

    def _on_diagnostics(self, record: Record, time_ns: int) -> None:
        for status in self.bag.message(record).status:
            level = status.level[0] if isinstance(status.level, bytes) else int(status.level)
            if status.name.endswith(': inference'):
                self.refusals.add(time_ns, status.message if level else None)
            if not level:
                continue
            known = self.statuses.get(status.name)
            if known is None and len(self.statuses) >= _MOST:
                continue
            if known is None or level > known['level']:
                self.statuses[status.name] = {'level': level, 'message': status.message,
                                              'time_s': round(self.seconds(time_ns), 3),
                                              'count': (known or {}).get('count', 0)}
            self.statuses[status.name]['count'] += 1


def gather(bag: Bag, listener: JointListener | None = None,
           progress: Progress | None = None) -> Gathered:
    """Read a bag to its end and return what it tells.

    Parameters
    ----------
    bag : Bag
        Open.
    listener : JointListener | None
        Is told every joint state: time [ns], joint -> position.
    progress : Progress | None
        Is advanced by every message.

    Raises
    ------
    InputError
        As :meth:`Bag.records`.

    """
    found = Gathered(bag)
    found.joints.listener = listener
    for record in bag.records():
        found.add(record)
        if progress is not None:
            progress.advance()
    found.finish()
    return found


def node_clock(bag: Bag) -> NodeClock:
    """Return the clock of the nodes, begun with the first stamped message of the bag."""
    kinds = {t.name for t in bag.topics.values() if t.type == JOINT_STATE and t.count} or {
        t.name for t in bag.topics.values() if t.type in STAMPED and t.count}
    if kinds:
        for record in bag.records(kinds):
            stamp_ns = header_ns(record.data)
            if stamp_ns:
                return NodeClock(record.receive_ns, stamp_ns, bag.start_ns)
            break
    return NodeClock(bag.start_ns, bag.start_ns, bag.start_ns)
