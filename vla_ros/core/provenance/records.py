"""What is kept of a tick and of a chunk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class TickRecord:
    """What one control tick decided, and why.

    Attributes
    ----------
    stamp_ns : int
        Time of the tick [ns].
    mode, level, reason : str
        Who moves the arm, how well it is supplied (None: not told), and why.
    q, velocity : tuple[float, ...] | None
        (n,) command [rad], [rad/s]; None: nothing was sent.
    gripper, effort : float | None
        Opening width [m] and largest force [N] commanded.
    acted : tuple[str, ...]
        What each limiter changed, in words.
    chunk_stamps_ns, weights : tuple
        The chunks behind the motion, by the time of their observation [ns], and their weights.
    joint_state_stamp_ns : int | None
        Time of the joint state that was used [ns].
    playhead_ns : int | None
        The time for which the chunks were asked [ns].
    speed : float | None
        How fast the playhead moves, 1 as fast as time.
    intervention : str | None
        What of the action a person has taken over.

    """

    stamp_ns: int
    mode: str
    level: str | None = None
    reason: str = ''
    q: tuple[float, ...] | None = None
    velocity: tuple[float, ...] | None = None
    gripper: float | None = None
    effort: float | None = None
    acted: tuple[str, ...] = ()
    chunk_stamps_ns: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()
    joint_state_stamp_ns: int | None = None
    playhead_ns: int | None = None
    speed: float | None = None
    intervention: str | None = None

    @classmethod
    def of(cls, tick: Any) -> TickRecord:
        """Return the record of a pipeline's tick; what the tick does not have stays None or empty.

        Read by name, so that the tick may be any object with these attributes: ``stamp_ns`` and
        ``mode`` at least.
        """
        def get(name: str) -> Any:
            return getattr(tick, name, None)

        return cls(
            int(tick.stamp_ns), _text(tick.mode) or '', _text(get('level')), get('reason') or '',
            _floats(get('q')), _floats(get('velocity')), _float(get('gripper')),
            _float(get('effort')), tuple(get('acted') or ()),
            tuple(map(int, get('chunk_stamps_ns') or ())), _floats(get('weights')) or (),
            _int(get('joint_state_stamp_ns')), _int(get('playhead_ns')), _float(get('speed')),
            _text(get('intervention')))

    @property
    def joint_state_age_ns(self) -> int | None:
        """Age of the joint state that was used [ns]."""
        if self.joint_state_stamp_ns is None:
            return None
        return self.stamp_ns - self.joint_state_stamp_ns


@dataclass(frozen=True)
class ChunkRecord:
    """What a chunk was made from.

    Attributes
    ----------
    stamp_ns : int
        The observation's time [ns], by which ticks name the chunk.
    arrival_ns : int
        When it came [ns].
    source : str
        Which policy made it.
    sources : Mapping[str, int]
        Stream -> stamp of the sample that the policy saw [ns].
    skew_ns : int | None
        Largest difference between the cameras' stamps [ns]; None: not told.

    """

    stamp_ns: int
    arrival_ns: int
    source: str = ''
    sources: Mapping[str, int] = field(default_factory=dict)
    skew_ns: int | None = None

    def ages_ns(self, now_ns: int) -> dict[str, int]:
        """Return how old each of its inputs is at this time, stream -> age [ns]."""
        return {stream: now_ns - stamp for stream, stamp in self.sources.items()}


@dataclass(frozen=True)
class ProvenanceBatch:
    """The records of some ticks in a row.

    Attributes
    ----------
    joints : tuple[str, ...]
        Names of the joints of ``q`` and ``velocity``.
    chunks : tuple[ChunkRecord, ...]
        The chunks that were first told of in this batch; a later word on the same stamp counts.
    ticks : tuple[TickRecord, ...]
        In the order in which they were decided.
    lost : int
        Ticks that no batch has, since the beginning, because nobody took them in time.

    """

    joints: tuple[str, ...]
    chunks: tuple[ChunkRecord, ...] = ()
    ticks: tuple[TickRecord, ...] = ()
    lost: int = 0


def _text(value: Any) -> str | None:
    return None if value is None else str(getattr(value, 'value', value))  # an enum's word


def _int(value: Any) -> int | None:
    return None if value is None else int(value)


def _float(value: Any) -> float | None:
    return None if value is None else float(value)


def _floats(values: Any) -> tuple[float, ...] | None:
    if values is None:
        return None
    return tuple(values.tolist() if hasattr(values, 'tolist') else map(float, values))
