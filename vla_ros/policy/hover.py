"""The ``hover`` policy: the scripted expert with a failure that trained policies are known for.

It goes to the object and strokes it, and never closes the gripper by itself. Once somebody else has
closed it around the object it carries on as the expert does: keeps gripping, lifts, hangs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import unknown_choice
from vla_ros.core.types import ActionChunk, Observation
from vla_ros.policy.config_file import config_file
from vla_ros.policy.expert import OPEN, Expert, ExpertConfig, Intent, Scene
from vla_ros.policy.scripted import ScriptedPolicy, load_scripted
from vla_ros.section import Positive, Section, build

Array = NDArray[np.float64]

LABEL = 'scripted expert that never closes the gripper (privileged: reads object poses)'


@dataclass(frozen=True)
class HoverConfig:
    """How it strokes, see ``config/policies/hover.yaml`` for units and defaults."""

    stroke: Positive
    stroke_period: Positive


class HesitantExpert(Expert):
    """The expert, who stays where it would close the gripper, and leaves it open."""

    def pick(self, scene: Scene, grasp_frame: str, kind: str) -> Intent:
        """Return the expert's intent, but never that of closing around what is not gripped yet."""
        intent = super().pick(scene, grasp_frame, kind)
        if intent.gripper == OPEN or self.gripped(scene, grasp_frame, kind):
            return intent
        return replace(intent, gripper=OPEN, phase='hover')


class HoverPolicy(ScriptedPolicy):
    """The scripted policy with the hesitant expert.

    Parameters
    ----------
    config : ExpertConfig
        Speeds and distances of the expert.
    dt : float
        Time between two steps of a chunk [s].
    horizon : int
        Steps in a chunk.
    hover : HoverConfig
        How it strokes.

    """

    def __init__(self, config: ExpertConfig, dt: float, horizon: int, hover: HoverConfig) -> None:
        super().__init__(config, dt, horizon)
        self.spec = replace(self.spec, name='hover', label=LABEL)
        self._expert = HesitantExpert(config)
        self._open = config.gripper_open
        self._hover = hover
        self._settings += repr(hover)

    def infer(self, observation: Observation) -> ActionChunk:
        """Return the hesitant expert's next ``horizon`` steps, and the stroking."""
        chunk = super().infer(observation)
        # Fingers that somebody closes are left in peace.
        if self.phase(observation) != 'hover' or observation.state['gripper'] < self._open:
            return chunk
        actions = chunk.actions.copy()
        axis = np.asarray(observation.state['tool_pose'])[:3, 2]
        actions[:, :3] += np.diff(self._offsets(chunk))[:, None] * axis
        return replace(chunk, actions=actions)

    def _offsets(self, chunk: ActionChunk) -> Array:
        """Return how far off the stroke is when each step begins, and when the last one ends."""
        period_ns = round(self._hover.stroke_period * 1e9)
        times = chunk.stamp_ns % period_ns + np.arange(chunk.horizon + 1) * chunk.dt_ns
        return self._hover.stroke * np.sin(2.0 * math.pi * times / period_ns)


def load_hover(config: str | Path | None = None, **overrides: Any) -> HoverPolicy:
    """Return the hover policy of a configuration file (default: the one that is shipped).

    ``overrides`` replace single values of the file, or of the scripted policy's.
    """
    values = Section.open(config_file('hover', config))
    known, scripted = values.keys(), Section.open(config_file('scripted')).keys()
    for name in overrides:
        if name not in (*known, *scripted):
            raise unknown_choice('option of policy hover', name, [*known, *scripted])
    own = {name: value for name, value in overrides.items() if name in known}
    hover = build(HoverConfig, values.replaced(own))
    inner = load_scripted(**{k: v for k, v in overrides.items() if k not in own})
    return HoverPolicy(inner._expert.config, inner._dt, inner.spec.horizon, hover)
