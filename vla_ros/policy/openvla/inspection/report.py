"""What there is to say about a checkpoint directory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from vla_ros.policy.openvla.inspection.conventions import Match


@dataclass
class Dataset:
    """Statistics of one dataset.

    Attributes
    ----------
    key : str
        Its name, for ``unnorm_key``.
    action_size, proprio_size : int, optional
        Numbers of a step, and of the proprioception.
    action : list[dict]
        For each number what -1 and 1 of the model are in the data's units, ``low`` and ``high``,
        and whether it is ``normalised`` at all or passes through (the gripper).
    chunk : int, optional
        Steps of a chunk.
    normalization : str, optional
        Which statistics ``low`` and ``high`` are: ``bounds_q99`` or ``bounds``.
    reason : str
        Where chunk and normalisation come from.
    transitions, trajectories : int, optional
        Size of the dataset.
    error : str
        Why the checkpoint cannot be loaded with it.

    """

    key: str
    action_size: int | None = None
    proprio_size: int | None = None
    action: list[dict[str, Any]] = field(default_factory=list)
    chunk: int | None = None
    normalization: str | None = None
    reason: str = ''
    transitions: int | None = None
    trajectories: int | None = None
    error: str = ''


@dataclass
class Report:
    """What a checkpoint directory is.

    Attributes
    ----------
    path, base : str
        The directory, and that of the base model.
    loads : bool
        Whether it can be loaded on this machine.
    policy : str
        ``openvla`` or ``openvla_oft``.
    kind : str
        What it is, for people.
    needs : list[str]
        What has to be said to load it, since the checkpoint does not.
    problems, notes : list[str]
        Everything that is missing or wrong, and what is worth knowing.
    head, film, proprio : str, bool, int
        ``tokens``, ``l1``, ``diffusion`` or ``unreadable``; FiLM; numbers of proprioception.
    vision, language, images, adapter : dict
        Backbones, what an image becomes, and the LoRA adapter.
    parameters : dict[str, int]
        Values stored in each part.
    datasets : list[Dataset]
        Statistics.
    statistics_source : str
        Where they come from.
    memory : dict[str, int]
        Precision -> bytes of the weights.
    memory_assumptions : list[str]
        What that means.
    conventions : list[Match]
        How each ready-made file fits each dataset.
    files : dict[str, int]
        Name -> size [bytes].

    """

    path: str
    base: str | None
    loads: bool = False
    policy: str | None = None
    kind: str = ''
    needs: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    head: str = 'tokens'
    film: bool = False
    proprio: int | None = None
    vision: list[dict[str, Any]] = field(default_factory=list)
    language: dict[str, Any] = field(default_factory=dict)
    images: dict[str, Any] = field(default_factory=dict)
    adapter: dict[str, Any] | None = None
    parameters: dict[str, int] = field(default_factory=dict)
    datasets: list[Dataset] = field(default_factory=list)
    statistics_source: str = ''
    memory: dict[str, int] = field(default_factory=dict)
    memory_assumptions: list[str] = field(default_factory=list)
    conventions: list[Match] = field(default_factory=list)
    files: dict[str, int] = field(default_factory=dict)
