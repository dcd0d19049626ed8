"""Which topics of a bag a policy's replay takes: cameras, state and instruction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vla_ros.core.errors import ConfigError
from vla_ros.replay.bag import Topic
from vla_ros.replay.pictures import PICTURE_TYPES

JOINT_STATE, STRING = 'sensor_msgs/msg/JointState', 'std_msgs/msg/String'
TRAJECTORY = 'trajectory_msgs/msg/JointTrajectory'


@dataclass(frozen=True)
class Input:
    """One input of a replay.

    Attributes
    ----------
    types : tuple[str, ...]
        Message types that it may have.
    words : tuple[str, ...]
        How its topics are usually called, the best first.
    without : tuple[str, ...]
        What their names do not have.
    nameless : bool
        Whether the only topic of its type is taken, however it is called.

    """

    types: tuple[str, ...]
    words: tuple[str, ...]
    without: tuple[str, ...] = ()
    nameless: bool = False


INPUTS: dict[str, Input] = {
    'third_person': Input(PICTURE_TYPES, ('third_person', 'external', 'exterior', 'agentview',
                                          'front', 'scene', 'static', 'image_0', 'cam_high'),
                          ('depth', 'wrist')),
    'wrist': Input(PICTURE_TYPES, ('wrist', 'hand', 'gripper', 'tool', 'eih'), ('depth',)),
    'state': Input((JOINT_STATE,), ('joint_states', 'joint_state', 'proprio', 'state'),
                   ('command',), nameless=True),
    'instruction': Input((STRING,), ('instruction', 'task', 'language', 'prompt'),
                         ('episode', 'description', 'policy', 'provenance', 'param'),
                         nameless=True),
}
"""What an observation is made of."""

RECORDED: dict[str, Input] = {
    'chunks': Input((TRAJECTORY,), ('action_chunk', 'chunk', 'action')),
    'commands': Input((JOINT_STATE,), ('joint_command', 'command')),
}
"""What a replay can be compared with; either is enough, and without both the states serve."""


@dataclass(frozen=True)
class Choice:
    """The topic of one input.

    Attributes
    ----------
    topic : str | None
        None: none was given, and none or several could be meant.
    candidates : tuple[str, ...]
        Topics of the right type that have messages.

    """

    topic: str | None
    candidates: tuple[str, ...]


def choose(topics: Mapping[str, Topic], inputs: Mapping[str, Input] = INPUTS,
           given: Mapping[str, str] | None = None) -> dict[str, Choice]:
    """Return the topic of each input: the given one, or the one that its type and name point to.

    A raw image topic goes before its compressed twin.

    Raises
    ------
    ConfigError
        When a given topic is not in the bag, is empty or has another type; lists those that fit.

    """
    found: dict[str, Choice] = {}
    for name, wanted in inputs.items():
        candidates = tuple(topic.name for topic in topics.values()
                           if topic.type in wanted.types and topic.count)
        if given and given.get(name):
            found[name] = Choice(_given(name, given[name], candidates, topics), candidates)
        else:
            found[name] = Choice(_guess(wanted, candidates), candidates)
    return found


def missing(choices: Mapping[str, Choice], inputs: Mapping[str, Input] | None = None,
            ) -> dict[str, str]:
    """Return, by input, why it has no topic; ``inputs`` are those that were asked for."""
    known = {**INPUTS, **RECORDED, **(inputs or {})}
    return {name: (f'no name points to one topic; say which: {", ".join(choice.candidates)}'
                   if choice.candidates else
                   f'no topic with messages of type {" or ".join(known[name].types)}')
            for name, choice in choices.items() if choice.topic is None}


def _given(name: str, topic: str, candidates: tuple[str, ...],
           topics: Mapping[str, Topic]) -> str:
    if topic in candidates:
        return topic
    if topic not in topics:
        reason = 'the bag has no such topic'
    elif not topics[topic].count:
        reason = 'it has no message'
    else:
        reason = f'it has {topics[topic].type}'
    raise ConfigError(f'{name} from {topic!r}: {reason}. Choices: '
                      f'{", ".join(candidates) or "none"}', topic=topic, choices=candidates)


def _guess(wanted: Input, candidates: Iterable[str]) -> str | None:
    fitting = [name for name in candidates if not any(word in name for word in wanted.without)]
    raw = [name for name in fitting
           if not (name.endswith('/compressed') and name.removesuffix('/compressed') in fitting)]
    for word in wanted.words:
        named = [name for name in raw if word in name]
        if len(named) == 1:
            return named[0]
        if named:
            return None
    return raw[0] if len(raw) == 1 and wanted.nameless else None
