"""What was heard of an arm, in the profile's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class StateSample:
    """One joint state: when it came and was stamped [ns], joints (n,) [rad], opening [m]."""

    arrival_ns: int
    stamp_ns: int
    q: Array
    width: float | None


@dataclass(frozen=True, eq=False)
class PoseSample:
    """One pose of the arm's end by its driver: ``frame`` of the pose, ``T`` (4, 4) [m]."""

    arrival_ns: int
    stamp_ns: int
    frame: str
    T: Array


@dataclass(frozen=True)
class TopicSeen:
    """A topic on the graph, and the names of the nodes at its ends."""

    name: str
    types: tuple[str, ...] = ()
    publishers: tuple[str, ...] = ()
    subscribers: tuple[str, ...] = ()


@dataclass
class Recording:
    """Everything that was heard in some seconds.

    Attributes
    ----------
    seconds : float
        How long was listened.
    states, poses : list
        In order of arrival.
    errors : dict[str, int]
        What was wrong with joint states, and how often.
    names : tuple[str, ...]
        Joint names of the last message.
    widths_commanded : list[tuple[int, float]]
        (arrival [ns], width [m]) of commands by whoever sends them.
    topics : Mapping[str, TopicSeen]
        By role: ``states``, ``command``, ``end pose``.
    elsewhere : tuple[str, ...]
        Drivers whose joint states are on the graph, other than the one that was asked for.
    ready : str
        Why the arm could not be commanded at the end; empty when it could.
    description : str
        How ``/robot_description`` differs from our URDF, in words; empty without one.

    """

    seconds: float
    states: list[StateSample] = field(default_factory=list)
    poses: list[PoseSample] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    widths_commanded: list[tuple[int, float]] = field(default_factory=list)
    topics: Mapping[str, TopicSeen] = field(default_factory=dict)
    elsewhere: tuple[str, ...] = ()
    ready: str = ''
    description: str = ''
