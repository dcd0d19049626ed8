"""How much each chunk counts at one moment: one small class for each way of fusing.

All weights go by time, never by control tick: inferences come when they are ready.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from vla_ros.core.errors import ConfigError, unknown_choice
from vla_ros.core.trajectory import Trajectory

DIRECTIONS = ('oldest', 'newest')
"""From which end ``ensemble`` and ``fade`` count; that end weighs most."""


class FusionMode(str, Enum):
    """How overlapping chunks become one target."""

    ENSEMBLE = 'ensemble'
    LATEST = 'latest'
    CROSSFADE = 'crossfade'
    FADE = 'fade'
    RECEDING = 'receding'
    BLEND = 'blend'


@dataclass(frozen=True)
class FusionConfig:
    """What can be set; the defaults are in ``config/nodes/control_node.yaml``, nowhere else.

    Attributes
    ----------
    mode : FusionMode
        How to weigh.
    ensemble_coefficient : float
        m of exp(-m i) in ``ensemble`` and ``fade``, not negative; 0 weighs all alike.
    ensemble_direction : str
        ``oldest`` or ``newest``: where i = 0 is, that is, whom m trusts more.
    crossfade_s : float
        Time in which ``crossfade`` and ``blend`` go over to a new chunk [s]; 0 switches at once.
    fade_horizon_s : float
        Remaining time below which ``fade`` and ``blend`` let a chunk go [s]; 0 lets it go at once
        at its end.
    receding_steps : int
        Steps that ``receding`` takes from a chunk before it looks for a newer one.

    Raises
    ------
    ConfigError
        When a value is out of its range.

    """

    mode: FusionMode
    ensemble_coefficient: float
    ensemble_direction: str
    crossfade_s: float
    fade_horizon_s: float
    receding_steps: int

    def __post_init__(self) -> None:
        if self.mode not in tuple(FusionMode):
            raise unknown_choice('fusion mode', self.mode, (m.value for m in FusionMode))
        if self.ensemble_direction not in DIRECTIONS:
            raise unknown_choice('ensemble_direction', self.ensemble_direction, DIRECTIONS)
        for name in ('ensemble_coefficient', 'crossfade_s', 'fade_horizon_s'):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ConfigError(f'{name} must not be negative, found {getattr(self, name)}')
        if not self.receding_steps >= 1:
            raise ConfigError(f'receding_steps must be at least 1, found {self.receding_steps}')


class Weights(Protocol):
    """What a way of fusing provides."""

    def __call__(self, live: Sequence[Trajectory], playhead_ns: int) -> list[float]:
        """Return one weight, not negative, for each trajectory; not all 0; the scale is free.

        ``live`` has at least one, the oldest stamp first, all with a step due at the playhead.
        """
        ...

    def reset(self) -> None:
        """Forget what was played."""
        ...


class Ensemble:
    """ACT (Zhao et al. 2023): exp(-m i), i = 0 the oldest prediction (or the newest).

    ACT has one inference a step. Here i is the time between the observations, in steps of the
    newest chunk.
    """

    def __init__(self, config: FusionConfig) -> None:
        self._m = config.ensemble_coefficient
        self._from_newest = config.ensemble_direction == 'newest'

    def __call__(self, live: Sequence[Trajectory], playhead_ns: int) -> list[float]:
        origin = live[-1 if self._from_newest else 0].stamp_ns
        per_ns = -self._m / live[-1].dt_ns
        return [math.exp(per_ns * abs(t.stamp_ns - origin)) for t in live]

    def reset(self) -> None:
        pass


class Latest:
    """The newest chunk alone."""

    def __init__(self, config: FusionConfig) -> None:
        pass

    def __call__(self, live: Sequence[Trajectory], playhead_ns: int) -> list[float]:
        return [0.0] * (len(live) - 1) + [1.0]

    def reset(self) -> None:
        pass


class Crossfade:
    """Each chunk ramps from 0 to 1 over all older ones, from its arrival on.

    The ramp lasts ``crossfade_s``, or as long as the newest chunk that went before still goes on,
    when that is shorter: at its end it has no weight left, so that it can go without a step. (kai0
    fades over the overlap too, but stretches it to eight steps by repeating the old chunk's last
    one. Here the old chunk says nothing after its end; what then is left between the command and
    the target is a correction, which the control loop lets fade.)

    A chunk's ramp is fixed when it is first seen.
    """

    def __init__(self, config: FusionConfig) -> None:
        self._longest_ns = round(config.crossfade_s * 1e9)
        self._ramps: dict[Trajectory, tuple[int, int]] = {}  # begin and length [ns]

    def __call__(self, live: Sequence[Trajectory], playhead_ns: int) -> list[float]:
        self._ramps = {t: self._ramps.get(t) or self._ramp(t, live[:i])
                       for i, t in enumerate(live)}
        weights = [0.0] * len(live)
        rest = 1.0
        for i in range(len(live) - 1, 0, -1):
            begin, length = self._ramps[live[i]]
            share = _ramp(playhead_ns - begin, length)
            weights[i] = rest * share
            rest *= 1.0 - share
        weights[0] = rest
        return weights

    def _ramp(self, new: Trajectory, older: Sequence[Trajectory]) -> tuple[int, int]:
        # Its stamp may lie ahead of its arrival, by a difference between two clocks.
        begin = max(new.arrival_ns, new.stamp_ns)
        for old in reversed(older):
            if old.end_ns > begin:
                return begin, min(self._longest_ns, old.end_ns - begin)
        return begin, 0

    def reset(self) -> None:
        self._ramps = {}


class Fade:
    """Axol: exp(-m rank) times the remaining time over ``fade_horizon_s``, at most 1.

    The rank counts the chunks from the oldest (or the newest). A chunk has no weight left at its
    end; a new one comes in with its full weight.
    """

    def __init__(self, config: FusionConfig) -> None:
        self._m = config.ensemble_coefficient
        self._from_newest = config.ensemble_direction == 'newest'
        self._fade_ns = config.fade_horizon_s * 1e9

    def __call__(self, live: Sequence[Trajectory], playhead_ns: int) -> list[float]:
        last = len(live) - 1
        weights = []
        for i, t in enumerate(live):
            rank = last - i if self._from_newest else i
            remaining = t.end_ns - playhead_ns
            share = 1.0 if remaining >= self._fade_ns else remaining / self._fade_ns
            weights.append(math.exp(-self._m * rank) * share)
        return weights

    def reset(self) -> None:
        pass


class Receding:
    """``receding_steps`` steps of one chunk, open loop, then the newest from where it is due.

    The step in which a chunk is taken up counts as its first. Its steps that were past by then are
    dropped, whatever their number; counted from the chunk's own first step, a policy that answers
    later than that would have none of its chunks followed. A chunk with no newer one goes on.
    """

    def __init__(self, config: FusionConfig) -> None:
        self._steps = config.receding_steps
        self._adopted: Trajectory | None = None
        self._until_ns = 0

    def __call__(self, live: Sequence[Trajectory], playhead_ns: int) -> list[float]:
        newest = live[-1]
        adopted = self._adopted
        if adopted is None or adopted not in live or (
                playhead_ns >= self._until_ns and adopted is not newest):
            step = (playhead_ns - newest.stamp_ns) // newest.dt_ns
            self._until_ns = newest.stamp_ns + (step + self._steps) * newest.dt_ns
            self._adopted = adopted = newest
        return [float(t is adopted) for t in live]

    def reset(self) -> None:
        self._adopted = None


class Blend:
    """Every chunk ramps in from its arrival on and out before its end; all count alike between.

    No weight ever steps, so neither does the target, whatever the chunks say; and because all of
    them count, one that errs does not take the arm along. The ramps last ``crossfade_s`` and
    ``fade_horizon_s``.
    """

    def __init__(self, config: FusionConfig) -> None:
        self._in_ns = config.crossfade_s * 1e9
        self._out_ns = config.fade_horizon_s * 1e9

    def __call__(self, live: Sequence[Trajectory], playhead_ns: int) -> list[float]:
        weights = []
        for t in live:
            known = playhead_ns - max(t.arrival_ns, t.stamp_ns)
            remaining = t.end_ns - playhead_ns
            weights.append(_ramp(known, self._in_ns) * _ramp(remaining, self._out_ns))
        return weights if any(weights) else [0.0] * (len(live) - 1) + [1.0]

    def reset(self) -> None:
        pass


def _ramp(past: float, length: float) -> float:
    """Return 0 before the ramp, 1 after it; a ramp may have no length."""
    return 0.0 if past < 0.0 else 1.0 if past >= length else past / length


WEIGHTS: dict[FusionMode, type[Ensemble | Latest | Crossfade | Fade | Receding | Blend]] = {
    FusionMode.ENSEMBLE: Ensemble,
    FusionMode.LATEST: Latest,
    FusionMode.CROSSFADE: Crossfade,
    FusionMode.FADE: Fade,
    FusionMode.RECEDING: Receding,
    FusionMode.BLEND: Blend,
}
"""The weights of each mode, made from a FusionConfig."""
