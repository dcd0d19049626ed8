"""What is in a bag: topics, rates, gaps, stamps, pictures, and whether a policy can be replayed."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vla_ros.core.errors import InputError
from vla_ros.image_codec import picture_size
from vla_ros.replay.bag import Bag, Record
from vla_ros.replay.pictures import COMPRESSED_IMAGE, IMAGE, PICTURE_TYPES, picture_of
from vla_ros.replay.stamps import header_ns
from vla_ros.replay.topic_choice import INPUTS, RECORDED, Choice, choose, missing

_GAP_FACTOR = 3.0  # an interval this many times the median is a gap

STAMPED = (
    'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage', 'sensor_msgs/msg/CameraInfo',
    'sensor_msgs/msg/JointState', 'trajectory_msgs/msg/JointTrajectory',
    'geometry_msgs/msg/PoseStamped', 'geometry_msgs/msg/TwistStamped',
    'geometry_msgs/msg/WrenchStamped', 'diagnostic_msgs/msg/DiagnosticArray')
"""Types whose first field is a header."""


@dataclass
class TopicInfo:
    """What was seen on one topic.

    Attributes
    ----------
    name, type : str
        Of the topic.
    count : int
        Messages.
    first_s, last_s : float | None
        Receive times after the start of the bag [s].
    rate_hz : float | None
        1 / median interval.
    gaps : int
        Intervals of more than three times the median.
    longest_gap_s, longest_gap_at_s : float | None
        The longest interval and when it began, after the start of the bag [s].
    delay_s : dict[str, float] | None
        Receive time less header stamp: ``median``, ``least``, ``most`` [s].
    backwards : int
        Headers whose stamp is before that of the message before.
    unstamped : int
        Headers that are zero.
    pictures : dict[str, int]
        'WIDTHxHEIGHT ENCODING' -> number.
    problems : list[str]
        Messages that cannot be used; the first few.
    bad : int
        How many cannot be used.

    """

    name: str
    type: str
    count: int
    first_s: float | None = None
    last_s: float | None = None
    rate_hz: float | None = None
    gaps: int = 0
    longest_gap_s: float | None = None
    longest_gap_at_s: float | None = None
    delay_s: dict[str, float] | None = None
    backwards: int = 0
    unstamped: int = 0
    pictures: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    bad: int = 0


@dataclass
class BagInfo:
    """What is in a bag; ``missing`` says, by input, why a policy cannot be replayed."""

    path: str
    storage: str
    message_count: int
    start_ns: int
    duration_s: float
    topics: list[TopicInfo]
    inputs: dict[str, Choice]
    recorded: dict[str, Choice]
    missing: dict[str, str]
    notes: list[str]
    custom: dict[str, str]


class _Seen:
    """What is kept of one topic while a bag is read: two times for each message."""

    def __init__(self) -> None:
        self.receive = array('q')
        self.stamps = array('q')
        self.pictures: Counter[str] = Counter()
        self.problems: list[str] = []
        self.bad = 0

    def problem(self, text: str) -> None:
        self.bad += 1
        if len(self.problems) < 3:
            self.problems.append(text)


def inspect_bag(bag: Bag, given: Mapping[str, str] | None = None,
                decode: bool = True) -> BagInfo:
    """Read a bag to its end and say what is in it.

    Parameters
    ----------
    bag : Bag
        Open; an empty one is described, too.
    given : Mapping[str, str] | None
        Input -> topic, where names do not say which is which.
    decode : bool
        Whether every picture is decoded; otherwise only its header is looked at.

    Raises
    ------
    ConfigError
        When a given topic does not fit.
    InputError
        When the bag cannot be read to its end.

    """
    inputs = choose(bag.topics, INPUTS, given)
    seen = {name: _Seen() for name in bag.topics}
    for record in bag.records() if bag.message_count else ():
        _look(bag, record, seen[record.topic], decode)
    topics = [_summary(bag, name, seen[name]) for name in bag.topics]
    return BagInfo(str(bag.path), bag.storage, bag.message_count, bag.start_ns, bag.duration_s,
                   topics, inputs, choose(bag.topics, RECORDED), missing(inputs), list(bag.notes),
                   dict(bag.custom))


def _look(bag: Bag, record: Record, seen: _Seen, decode: bool) -> None:
    seen.receive.append(record.receive_ns)
    if record.type not in STAMPED:
        return
    try:
        seen.stamps.append(header_ns(record.data))
        if record.type in PICTURE_TYPES:
            seen.pictures[_picture(bag, record, decode)] += 1
    except InputError as error:
        at = (record.receive_ns - bag.start_ns) * 1e-9
        seen.problem(f'{at:.3f} s: {error}')


def _picture(bag: Bag, record: Record, decode: bool) -> str:
    message = bag.message(record)
    if decode:
        rgb = picture_of(bag, record)
        size: tuple[int, int] | None = (rgb.shape[1], rgb.shape[0])
    elif record.type == IMAGE:
        size = (message.width, message.height)
    else:
        size = picture_size(message.data.tobytes())
    if size is None:
        raise InputError(f'{record.topic}: {len(message.data)} bytes are neither JPEG nor PNG')
    kind = message.format if record.type == COMPRESSED_IMAGE else message.encoding
    return f'{size[0]}x{size[1]} {kind}'


def _summary(bag: Bag, name: str, seen: _Seen) -> TopicInfo:
    topic = bag.topics[name]
    info = TopicInfo(name, topic.type, topic.count, pictures=dict(seen.pictures),
                     problems=seen.problems, bad=seen.bad)
    if len(seen.pictures) > 1:
        info.problems.insert(0, 'the pictures differ: ' + ', '.join(
            f'{count} of {what}' for what, count in seen.pictures.most_common()))
    receive = np.frombuffer(seen.receive, np.int64) if seen.receive else np.empty(0, np.int64)
    if not receive.size:
        return info
    info.first_s, info.last_s = ((int(at) - bag.start_ns) * 1e-9 for at in (receive[0],
                                                                            receive[-1]))
    # Stamps say when a sensor was read; receive times also have the delays of the recording.
    times = np.frombuffer(seen.stamps, np.int64) if seen.stamps else receive
    stamped = bool(seen.stamps) and bool((times > 0).all()) and times.size == receive.size
    steps = np.diff(times if stamped else receive)
    if steps.size:
        median = float(np.median(steps))
        info.rate_hz = 1e9 / median if median > 0 else None
        longest = int(np.argmax(steps))
        info.longest_gap_s = float(steps[longest]) * 1e-9
        info.longest_gap_at_s = (int(receive[longest]) - bag.start_ns) * 1e-9
        info.gaps = int((steps > _GAP_FACTOR * median).sum()) if median > 0 else 0
    if seen.stamps:
        info.unstamped = int((times == 0).sum())
        info.backwards = int((np.diff(times) < 0).sum())
        if stamped:
            delay = (receive - times) * 1e-9
            info.delay_s = {'median': float(np.median(delay)), 'least': float(delay.min()),
                            'most': float(delay.max())}
    return info


def as_dict(info: BagInfo) -> dict[str, Any]:
    """Return everything, for JSON."""
    return {
        **{key: value for key, value in vars(info).items()
           if key not in ('topics', 'inputs', 'recorded')},
        'topics': [vars(topic) for topic in info.topics],
        **{key: {name: {'topic': choice.topic, 'candidates': list(choice.candidates)}
                 for name, choice in getattr(info, key).items()}
           for key in ('inputs', 'recorded')},
    }
