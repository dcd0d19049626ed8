"""Which topics of a bag are published again, under which names; what could move an arm never is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from vla_ros.core.errors import ConfigError, InputError, unknown_choice
from vla_ros.replay.bag import Bag, Topic
from vla_ros.replay.bag_time import CLOCK
from vla_ros.replay.pictures import PICTURE_TYPES
from vla_ros.replay.topic_choice import JOINT_STATE, STRING

RECORDED = '/recorded'
"""Before the name of what a node of the run said: its reader cannot be mistaken about it."""

_TF = ('tf2_msgs/msg/TFMessage',)
_SAID = ('instruction', 'robot_description')
_OBJECTS = 'sim/objects'
_NO_SENSORS = ('sensor_msgs/msg/Joy', 'sensor_msgs/msg/JoyFeedbackArray')
_LATCHED_TYPES = {'/tf_static'}

# What the nodes of this package take as an order, beside the topics of the drivers.
_ORDERS = ('action_chunk', 'policy', 'estop', 'hold_to_run', 'joint_command')
_ORDER_ENDS = ('/joint_trajectory', '/commands', '/joint_command', '/cmd_vel')
_ORDER_PARTS = ('/override/', '/_action/')


@dataclass(frozen=True)
class PlayTopic:
    """One topic to be published.

    Attributes
    ----------
    recorded, published : str
        Its name in the bag, and the one it is published under.
    type : str
        Message type.
    latched : bool
        Whether late subscribers get the last message.

    """

    recorded: str
    published: str
    type: str
    latched: bool

    @property
    def is_input(self) -> bool:
        """Whether a policy waits for it: pictures and joint states."""
        return self.type in PICTURE_TYPES or self.type == JOINT_STATE


def play_topics(bag: Bag, commands: Collection[str], wanted: Sequence[str] = (),
                remap: Mapping[str, str] | None = None) -> tuple[PlayTopic, ...]:
    """Return what is published of a bag.

    Parameters
    ----------
    bag : Bag
        Open.
    commands : Collection[str]
        Absolute names of topics by which arms are moved.
    wanted : Sequence[str]
        These topics; empty: the sensors, the instruction and the robot's description. What is no
        sensor is published under :data:`RECORDED`.
    remap : Mapping[str, str] | None
        Name in the bag -> name to publish it under.

    Raises
    ------
    ConfigError
        When the bag has no such topic, a topic cannot be published, or a name is one by which an
        arm could be moved.
    InputError
        When there is nothing to publish.

    """
    names = {**(remap or {})}
    for name in (*wanted, *names):
        if name not in bag.topics:
            raise unknown_choice(f'topic of {bag.path}', name, bag.topics)
    if any(bag.topics[name].type == CLOCK for name in (*wanted, *names)):
        raise ConfigError('/clock is made from the times of the bag; it is not published as it was '
                          'recorded')
    chosen = [topic for topic in bag.topics.values() if topic.count and (
        topic.name in wanted if wanted else is_sensor(topic, commands))]
    if not chosen:
        raise InputError(f'{bag.path}: nothing to publish: it has no messages of '
                         + (', '.join(wanted) if wanted else 'a sensor')
                         + f'. Topics: {", ".join(bag.topics) or "none"}', path=bag.path)
    found = []
    for topic in chosen:
        usual = topic.name if is_sensor(topic, commands) else RECORDED + topic.name
        name = '/' + names.get(topic.name, usual).lstrip('/')
        if moves_an_arm(name, commands):
            raise ConfigError(f'{topic.name} as {name}: an arm could be moved by it; that is never '
                              f'published. Without a remapping it is {usual}', topic=name)
        found.append(PlayTopic(topic.name, name, topic.type,
                               topic.latched or topic.name in _LATCHED_TYPES))
    twice = {t.published for t in found if [o.published for o in found].count(t.published) > 1}
    if twice:
        raise ConfigError(f'two topics would be published as {", ".join(sorted(twice))}')
    return tuple(found)


def is_sensor(topic: Topic, commands: Collection[str]) -> bool:
    """Return whether a topic says how the world is, and not what somebody wants."""
    name, kind = topic.name, topic.type
    if moves_an_arm(name, commands):
        return False
    if kind == JOINT_STATE:
        return not any(word in name for word in ('command', 'ctrl', 'goal', 'target'))
    if kind == STRING:
        return name.rpartition('/')[2] in _SAID
    return (kind in _TF or name.endswith(_OBJECTS)
            or (kind.startswith('sensor_msgs/') and kind not in _NO_SENSORS)
            or kind == 'geometry_msgs/msg/WrenchStamped')


def moves_an_arm(name: str, commands: Collection[str]) -> bool:
    """Return whether a node of this package or a driver would take messages there as an order."""
    if name.startswith(f'{RECORDED}/'):
        return False
    return (name in commands or name.rpartition('/')[2] in _ORDERS
            or name.endswith(_ORDER_ENDS) or any(part in name for part in _ORDER_PARTS))
