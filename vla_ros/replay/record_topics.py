"""Which topics a recording of a run has, and how each is listened to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vla_ros.core.errors import ConfigError, unknown_choice
from vla_ros.replay.pictures import COMPRESSED_IMAGE, IMAGE
from vla_ros.replay.record_queue import Importance, importance_of
from vla_ros.replay.topic_choice import JOINT_STATE, STRING, TRAJECTORY

RECORDING = '/recording'
"""What was recorded with what (JSON): parameters, versions, hashes."""

TRANSPORTS = ('raw', 'compressed', 'both', 'none')
"""Which messages of a camera are recorded."""

DEPTH = {Importance.PICTURE: 30, Importance.STATE: 200, Importance.COMMAND: 200}
"""Messages that may wait for the recorder: pictures are large, the rest has 500 Hz at most."""

_STATUS = 'diagnostic_msgs/msg/DiagnosticStatus'
_BOOL = 'std_msgs/msg/Bool'
_TF = 'tf2_msgs/msg/TFMessage'
_OVERRIDES = {'gripper': STRING, 'arm': STRING, 'joints': JOINT_STATE,
              'twist': 'geometry_msgs/msg/TwistStamped'}


@dataclass(frozen=True)
class RecordTopic:
    """One topic to be recorded.

    Attributes
    ----------
    name : str
        As a node would subscribe to it: relative names are those of the namespace.
    type : str
        Message type; empty: what is found to be published there.
    latched : bool
        Said once, for late subscribers too: a recording begins with the newest message.
    reliable : bool
        Whether its publishers can be asked to send again what was lost: they keep a few messages
        only and are not the control loop's thread, so that none of them waits for the recorder.
    importance : Importance
        What is dropped first.

    """

    name: str
    type: str
    latched: bool = False
    reliable: bool = False
    importance: Importance = Importance.COMMAND


def record_topics(
        cameras: Iterable[str], states: Iterable[str], commands: Mapping[str, str], *,
        override_sources: Sequence[str] = (), transport: str = 'raw', simulated_time: bool = False,
        more: Iterable[str] = (), without: Iterable[str] = ()) -> tuple[RecordTopic, ...]:
    """Return the topics of a run.

    Parameters
    ----------
    cameras : Iterable[str]
        Image topics, without ``/compressed``.
    states : Iterable[str]
        Topics of joint states.
    commands : Mapping[str, str]
        Topics that the driver hears or speaks on -> message type; empty: what is found there.
    override_sources : Sequence[str]
        Who may override: ``override/<source>/…``.
    transport : str
        One of :data:`TRANSPORTS`.
    simulated_time : bool
        Whether ``/clock`` is recorded.
    more, without : Iterable[str]
        Further topics, of whatever type is found there, and topics that are not recorded.

    Raises
    ------
    ConfigError
        When the transport is unknown or ``without`` names a topic that is not recorded anyway.

    """
    if transport not in TRANSPORTS:
        raise unknown_choice('transport', transport, TRANSPORTS)
    found = [*_pictures(cameras, transport)]
    found += [RecordTopic(name, JOINT_STATE, importance=Importance.STATE) for name in states]
    found += [RecordTopic(name, kind) for name, kind in commands.items()]
    found += _run()
    found += [RecordTopic(f'override/{source}/{what}', kind) for source in override_sources
              for what, kind in _OVERRIDES.items()]
    if simulated_time:
        found.append(RecordTopic('/clock', 'rosgraph_msgs/msg/Clock',
                                 importance=Importance.STATE))
    found += [RecordTopic(name, '') for name in more]
    by_name: dict[str, RecordTopic] = {}
    for topic in found:
        by_name.setdefault(topic.name, topic)  # the first knows more of it
    for name in without:
        if by_name.pop(name, None) is None:
            raise ConfigError(f'without_topics: {name!r} is not recorded anyway. Recorded: '
                              f'{", ".join(by_name)}', topic=name)
    return tuple(by_name.values())


def camera_info_topic(image: str) -> str:
    """Return the topic of a camera's calibration: beside that of its images."""
    folder, slash, _ = image.rpartition('/')
    return f'{folder}{slash}camera_info'


def _pictures(cameras: Iterable[str], transport: str) -> list[RecordTopic]:
    found = []
    for name in cameras:
        if transport in ('raw', 'both'):
            found.append(RecordTopic(name, IMAGE, importance=Importance.PICTURE))
        if transport in ('compressed', 'both'):
            found.append(RecordTopic(f'{name}/compressed', COMPRESSED_IMAGE,
                                     importance=Importance.PICTURE))
        found.append(RecordTopic(camera_info_topic(name), 'sensor_msgs/msg/CameraInfo',
                                 importance=Importance.STATE))
    return found


def _run() -> list[RecordTopic]:
    """Return what the nodes of this package say, and what people and drivers say to them."""
    return [
        RecordTopic('instruction', STRING, latched=True, reliable=True),
        RecordTopic('action_chunk', TRAJECTORY, reliable=True),
        RecordTopic('observation', STRING, reliable=True),
        RecordTopic('policy', STRING, latched=True, reliable=True),
        RecordTopic('provenance', STRING, reliable=True),
        RecordTopic('mode', _STATUS, latched=True, reliable=True),
        RecordTopic('override', _STATUS, latched=True, reliable=True),
        RecordTopic('estop', _BOOL),
        RecordTopic('hold_to_run', _BOOL),
        RecordTopic('/diagnostics', 'diagnostic_msgs/msg/DiagnosticArray'),
        RecordTopic('robot_description', STRING, latched=True, reliable=True),
        RecordTopic('/parameter_events', 'rcl_interfaces/msg/ParameterEvent'),
        RecordTopic('/tf', _TF, importance=Importance.STATE),
        RecordTopic('/tf_static', _TF, latched=True, reliable=True),
    ]


def importance(topic: RecordTopic, message_type: str) -> Importance:
    """Return the importance of a topic whose type was found."""
    return topic.importance if topic.type else importance_of(topic.name, message_type)
