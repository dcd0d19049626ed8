"""What every policy has."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from vla_ros.core.types import (
    EE_DIMS,
    GRIPPER_DIM,
    ActionChunk,
    ActionConvention,
    Observation,
)


@dataclass(frozen=True)
class PolicySpec:
    """What a policy needs and what its answers mean.

    Attributes
    ----------
    name, label : str
        For programs and for people; the label says when a policy is no model.
    cameras : tuple[str, ...]
        Cameras that must be in ``Observation.images``.
    privileged : bool
        Whether it reads object poses, which only a simulation has.
    convention : ActionConvention
        How to read its actions.
    dt_ns, horizon : int
        Time between two steps of a chunk [ns], and their number.
    dims : tuple[str, ...]
        Names of an action's numbers.

    """

    name: str
    label: str
    cameras: tuple[str, ...]
    privileged: bool
    dt_ns: int
    horizon: int
    convention: ActionConvention = field(default_factory=ActionConvention)
    dims: tuple[str, ...] = (*EE_DIMS, GRIPPER_DIM)


class Policy(Protocol):
    """Answers an observation with an action chunk. Called from one thread at a time."""

    @property
    def spec(self) -> PolicySpec:
        """What it needs and what its answers mean."""

    def warm_up(self) -> None:
        """Do once what makes the first inference slow."""

    def check_instruction(self, instruction: str) -> None:
        """Raise InputError, naming what is understood, for an instruction it cannot follow."""

    def infer(self, observation: Observation) -> ActionChunk:
        """Return the actions for an observation, stamped with the observation's time.

        Raises
        ------
        InputError
            When the observation lacks something or the instruction is not understood.

        """
