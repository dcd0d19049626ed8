"""The ``scripted`` policy: the memoryless expert, rolled out to an action chunk.

It is no model: it reads the object poses that only a simulation knows, and no pixel. Its label says
so wherever it appears.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from vla_ros.core.errors import InputError, unknown_choice
from vla_ros.core.policy_identity import PolicyIdentity
from vla_ros.core.types import ActionChunk, Observation
from vla_ros.policy.config_file import config_file
from vla_ros.policy.expert import Expert, ExpertConfig, Intent, Scene
from vla_ros.policy.identity import short_hash
from vla_ros.policy.protocol import PolicySpec
from vla_ros.section import Positive, Section, build

LABEL = 'scripted expert (privileged: reads object poses, looks at no image)'
CUBES = ('red', 'green', 'blue', 'yellow')
INSTRUCTIONS = ('pick up the insulator', 'hang the insulator on the hook',
                *(f'pick up the {colour} cube' for colour in CUBES))


class ScriptedPolicy:
    """An expert for the simulated tasks, as a policy.

    Parameters
    ----------
    config : ExpertConfig
        Speeds and distances.
    dt : float
        Time between two steps of a chunk [s].
    horizon : int
        Steps in a chunk.

    """

    def __init__(self, config: ExpertConfig, dt: float, horizon: int) -> None:
        self.spec = PolicySpec('scripted', LABEL, cameras=('third_person', 'wrist'),
                               privileged=True, dt_ns=round(dt * 1e9), horizon=horizon)
        self._expert = Expert(config)
        self._dt = dt
        self._settings = repr((config, dt, horizon))

    @property
    def identity(self) -> PolicyIdentity:
        """Which policy exactly this is."""
        return PolicyIdentity(self.spec.name, settings=short_hash(self._settings))

    def warm_up(self) -> None:
        """Do nothing: the first inference is as quick as any."""

    def check_instruction(self, instruction: str) -> None:
        """Raise InputError for an instruction that is not one of ``INSTRUCTIONS``."""
        if _normalised(instruction) not in INSTRUCTIONS:
            raise InputError(f'instruction {instruction!r} is not one that the scripted policy '
                             f'follows. Choices: {"; ".join(INSTRUCTIONS)}')

    def infer(self, observation: Observation) -> ActionChunk:
        """Return the expert's next ``horizon`` steps, from its own prediction of each."""
        self.check_instruction(observation.instruction)
        task = _normalised(observation.instruction)
        scene = _scene(observation)
        actions = np.empty((self.spec.horizon, 7))
        for action in actions:
            intent = self._intent(task, scene)
            action[:6] = self._expert.step(scene.T_base_tool, intent, self._dt)
            action[6] = intent.gripper
            scene = self._expert.predicted(scene, action[:6], intent.gripper,
                                           self._held(task, scene), self._dt)
        return ActionChunk(observation.stamp_ns, self.spec.dt_ns, actions, self.spec.dims,
                           self.spec.convention, self.spec.name)

    def phase(self, observation: Observation) -> str:
        """Return what the expert is about to do, in a word."""
        return self._intent(_normalised(observation.instruction), _scene(observation)).phase

    def _intent(self, task: str, scene: Scene) -> Intent:
        try:
            if task.startswith('hang'):
                return self._expert.hang(scene)
            frame, kind = _target(task)
            return self._expert.pick(scene, frame, kind)
        except KeyError as error:
            raise InputError(f'the scripted policy needs the pose of {error.args[0]!r} (topic '
                             f'sim/objects); it has {", ".join(sorted(scene.frames)) or "none"}'
                             ) from None

    def _held(self, task: str, scene: Scene) -> str | None:
        frame, kind = _target(task)
        return frame if self._expert.gripped(scene, frame, kind) else None


@dataclass(frozen=True)
class _Settings(ExpertConfig):
    dt: Positive
    horizon: int


def load_scripted(config: str | Path | None = None, **overrides: Any) -> ScriptedPolicy:
    """Return the scripted policy of a configuration file (default: the one that is shipped).

    ``overrides`` replace single values of the file.
    """
    values = Section.open(config_file('scripted', config))
    known = values.keys()
    for name in overrides:
        if name not in known:
            raise unknown_choice('option of policy scripted', name, known)
    settings = build(_Settings, values.replaced(overrides))
    return ScriptedPolicy(ExpertConfig(**{f.name: getattr(settings, f.name)
                                          for f in fields(ExpertConfig)}),
                          settings.dt, settings.horizon)


def _normalised(instruction: str) -> str:
    return re.sub(r'\s+', ' ', instruction).strip().rstrip('.').lower()


def _target(task: str) -> tuple[str, str]:
    """Return the grasp frame and the kind of the object that a task is about."""
    match = re.fullmatch(r'pick up the (\w+) cube', task)
    return (f'cube_{match[1]}', 'cube') if match else ('insulator_grasp', 'insulator')


def _scene(observation: Observation) -> Scene:
    state = observation.state
    missing = [key for key in ('tool_pose', 'gripper') if key not in state]
    if missing:
        raise InputError(f'the scripted policy needs {" and ".join(missing)} in the observation\'s '
                         f'state; it has {", ".join(sorted(state)) or "nothing"}')
    frames = {key.removeprefix('object/'): value for key, value in state.items()
              if key.startswith('object/')}
    return Scene(np.asarray(state['tool_pose']), float(state['gripper']), frames)
