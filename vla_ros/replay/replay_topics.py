"""Which topics of a bag the replay of one policy reads; what it lacks is an error that names it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vla_ros.core.errors import InputError
from vla_ros.replay.bag import Bag
from vla_ros.replay.pictures import PICTURE_TYPES
from vla_ros.replay.topic_choice import INPUTS, RECORDED, STRING, Input, choose, missing

MARKERS = 'visualization_msgs/msg/MarkerArray'

_BESIDE: dict[str, Input] = {
    'objects': Input((MARKERS,), ('sim/objects',)),
    'policy': Input((STRING,), ('/policy',), ('policy_node',)),
    'observation': Input((STRING,), ('/observation',)),
}


@dataclass(frozen=True)
class ReplayTopics:
    """Topics by what they are for; None where the bag has none.

    Attributes
    ----------
    cameras : Mapping[str, str]
        Camera of the policy -> topic.
    state : str
        Joint states, or another vector that was recorded as ``JointState``.
    instruction, commands, chunks, objects, policy, observation : str | None
        The task, joint commands, action chunks, object poses of a simulation, and what the policy
        said of itself and of each observation.

    """

    cameras: Mapping[str, str]
    state: str
    instruction: str | None = None
    commands: str | None = None
    chunks: str | None = None
    objects: str | None = None
    policy: str | None = None
    observation: str | None = None

    @property
    def observed(self) -> tuple[str, ...]:
        """What an observation is made of, each topic once."""
        named = (*self.cameras.values(), self.state, self.instruction, self.commands, self.objects)
        return tuple(dict.fromkeys(topic for topic in named if topic is not None))


def replay_topics(bag: Bag, cameras: Sequence[str], privileged: bool = False,
                  given: Mapping[str, str] | None = None,
                  needs_instruction: bool = True) -> ReplayTopics:
    """Return the topics for a policy with these cameras.

    Parameters
    ----------
    bag : Bag
        Open.
    cameras : Sequence[str]
        Names of the policy's cameras.
    privileged : bool
        Whether it reads object poses.
    given : Mapping[str, str] | None
        Camera, ``state``, ``instruction``, ``commands`` or ``chunks`` -> topic, where names do not
        say which is which.
    needs_instruction : bool
        Whether the bag must have one.

    Raises
    ------
    ConfigError
        When a given topic does not fit; lists those that do.
    InputError
        When the bag lacks something; names each input and the topics that it could be.

    """
    wanted = {camera: INPUTS.get(camera, Input(PICTURE_TYPES, (camera,), ('depth',)))
              for camera in cameras}
    wanted['state'] = INPUTS['state']
    if privileged:
        wanted['objects'] = _BESIDE['objects']
    if needs_instruction:
        wanted['instruction'] = INPUTS['instruction']
    needed = choose(bag.topics, wanted, given)
    lacking = missing(needed, wanted)
    if lacking:
        raise InputError(f'{bag.path}: the policy cannot be replayed on it: ' + '; '.join(
            f'{name}: {why}' for name, why in lacking.items()), missing=lacking)
    beside = {name: kind for name, kind in {**INPUTS, **RECORDED, **_BESIDE}.items()
              if name in ('instruction', 'commands', 'chunks', 'objects', 'policy', 'observation')
              and name not in needed}
    found = {**needed, **choose(bag.topics, beside, given)}
    topic = {name: choice.topic for name, choice in found.items()}
    if not privileged:
        topic['objects'] = None
    return ReplayTopics({camera: str(topic[camera]) for camera in cameras}, str(topic['state']),
                        *(topic[name] for name in ('instruction', 'commands', 'chunks', 'objects',
                                                   'policy', 'observation')))
