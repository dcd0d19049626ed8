"""What is done to the timing of a recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from vla_ros.core.errors import ConfigError


@dataclass(frozen=True)
class Latency:
    """Time from an observation to the arrival of its chunk.

    Attributes
    ----------
    name : str
        For people.
    values_s : tuple[float, ...]
        One value: constant. Several: each chunk draws one, seeded [s].

    """

    name: str
    values_s: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.values_s or not all(0.0 <= value <= 60.0 for value in self.values_s):
            raise ConfigError(f'latency {self.name}: expected 0 to 60 s, found '
                              f'{" ".join(map(str, self.values_s[:5])) or "nothing"}')


@dataclass(frozen=True)
class Span:
    """A time from ``start_s`` after the beginning of the recording, ``duration_s`` long [s]."""

    start_s: float
    duration_s: float

    def __post_init__(self) -> None:
        if not (0.0 <= self.start_s < float('inf') and 0.0 < self.duration_s < float('inf')):
            raise ConfigError(f'a span of time: expected a start from 0 on and a positive '
                              f'duration, found {self.start_s} and {self.duration_s}')

    def __str__(self) -> str:
        return f'{self.start_s:g}+{self.duration_s:g} s'


@dataclass(frozen=True)
class CameraDisturbance:
    """What is done to one camera: its stamps are ``skew_s`` later, and it freezes for a span."""

    camera: str
    skew_s: float = 0.0
    freeze: Span | None = None

    def __post_init__(self) -> None:
        if not -10.0 <= self.skew_s <= 10.0:
            raise ConfigError(f'skew of {self.camera}: expected -10 to 10 s, found {self.skew_s}')

    def __str__(self) -> str:
        parts = [f'skew {self.skew_s:g} s'] if self.skew_s else []
        parts += [f'frozen at {self.freeze}'] if self.freeze else []
        return f'{self.camera} {", ".join(parts)}'


@dataclass(frozen=True)
class Disturbance:
    """One case of a comparison; the default one leaves everything as it was recorded.

    Attributes
    ----------
    latency : Latency | None
        Replaces the recorded latencies. A policy answers one observation after the other: those
        that come while it is busy are passed over.
    jitter_s : float
        Each chunk is late by another 0 to this, evenly distributed [s].
    drop : float
        Share of the chunks that never arrive.
    joint_delay_s, joint_jitter_s, joint_drop : float
        The same of the joint states, which stay in their order.
    joint_outage : Span | None
        No joint state arrives in this time.
    cameras : tuple[CameraDisturbance, ...]
        What is done to cameras; the ingest's checks then refuse observations.

    """

    latency: Latency | None = None
    jitter_s: float = 0.0
    drop: float = 0.0
    joint_delay_s: float = 0.0
    joint_jitter_s: float = 0.0
    joint_drop: float = 0.0
    joint_outage: Span | None = None
    cameras: tuple[CameraDisturbance, ...] = field(default=())

    def __post_init__(self) -> None:
        for name in ('jitter_s', 'joint_delay_s', 'joint_jitter_s'):
            if not 0.0 <= getattr(self, name) <= 60.0:
                raise ConfigError(f'{name.removesuffix("_s").replace("_", " ")}: expected 0 to '
                                  f'60 s, found {getattr(self, name)}')
        for name in ('drop', 'joint_drop'):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ConfigError(f'{name.replace("_", " ")}: expected a share from 0 to below 1, '
                                  f'found {getattr(self, name)}')

    @property
    def name(self) -> str:
        """The case in words."""
        parts = [f'latency {self.latency.name}'] if self.latency else []
        for text, value, unit in (('jitter', self.jitter_s, ' s'), ('drop', self.drop, ''),
                                  ('joint delay', self.joint_delay_s, ' s'),
                                  ('joint jitter', self.joint_jitter_s, ' s'),
                                  ('joint drop', self.joint_drop, '')):
            parts += [f'{text} {value:g}{unit}'] if value else []
        parts += [f'joint outage {self.joint_outage}'] if self.joint_outage else []
        parts += [str(camera) for camera in self.cameras]
        return ', '.join(parts) or AS_RECORDED


AS_RECORDED = 'as recorded'


def constant(seconds: float) -> Latency:
    """Return a latency that is always the same [s]."""
    return Latency(f'{seconds:g} s', (seconds,))


def distribution(name: str, seconds: Sequence[float]) -> Latency:
    """Return a latency that is drawn from measured ones [s]."""
    return Latency(name, tuple(float(value) for value in seconds))
