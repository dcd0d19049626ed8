"""Looking ahead: what is wrong with a chunk's poses, found before any of them runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import ConfigError, InputError
from vla_ros.core.kinematics import IkResult, IkStatus, Kinematics
from vla_ros.core.limits import JointLimits, SingularityLimits
from vla_ros.core.safety.clearance import Clearance

Array = NDArray[np.float64]

_Judgement = tuple['Trouble', str, float]


class Trouble(str, Enum):
    """What can be wrong with a step."""

    NOT_FINITE = 'not finite'
    UNREACHABLE = 'unreachable'
    JOINT_LIMIT = 'joint limit'
    BRANCH = 'branch'  # the joints would have to jump: another branch, a wrist flip
    COLLISION = 'collision'
    SINGULAR = 'singular'
    FAST = 'fast'  # reachable in one piece, but not in the time of a step


class OnTrouble(str, Enum):
    """What to do with a chunk that has trouble ahead."""

    SLOW = 'slow'  # slow down ahead of it; hold where it cannot be passed
    HOLD = 'hold'  # follow the chunk to the step that cannot be passed, then hold
    SKIP = 'skip'  # do not follow a chunk with a step that cannot be passed


@dataclass(frozen=True)
class LookaheadConfig:
    """How to look ahead.

    Attributes
    ----------
    on_trouble : OnTrouble
        What to do with a chunk that has trouble ahead. A step that a slower arm can pass is always
        reported; only ``slow`` does something about it, the joint gate slows the arm in any case.
    jump_factor : float
        A step in which a joint would move further than this times what its velocity limit allows
        is a branch change, above 1. Between 1 and this it is merely fast.
    slow_steps : int
        With ``slow``: over how many steps the arm slows down from full speed to none.

    """

    on_trouble: OnTrouble
    jump_factor: float
    slow_steps: int

    def __post_init__(self) -> None:
        if not 1.0 < self.jump_factor < np.inf:
            raise ConfigError(f'lookahead: jump_factor must be above 1, found {self.jump_factor}')
        if not self.slow_steps >= 1:
            raise ConfigError(f'lookahead: slow_steps must be at least 1, found {self.slow_steps}')


@dataclass(frozen=True, eq=False)
class Finding:
    """What is wrong with one step of a chunk, counted from the first that was looked at.

    ``factor`` is the share of its speed with which the step can be passed; 0: it cannot.
    """

    step: int
    trouble: Trouble
    reason: str
    factor: float = 0.0


@dataclass(frozen=True, eq=False)
class Foresight:
    """What is ahead, and what to do about it.

    Attributes
    ----------
    findings : tuple[Finding, ...]
        By step: the first of each kind of trouble that can be passed, and what cannot be. Steps
        behind that are not judged: nothing leads there.
    steps : int
        How many steps may be followed; then the arm holds.
    speed_factors : np.ndarray
        (steps,) by which the motion of each of them is to be scaled, 0 to 1.

    """

    findings: tuple[Finding, ...]
    steps: int
    speed_factors: Array

    @property
    def reason(self) -> str:
        """The findings in words; empty when there are none."""
        return '; '.join(f'step {f.step}: {f.reason}' for f in self.findings)


class Lookahead:
    """Solves a chunk's poses as a batch and judges the joints that they need.

    Parameters
    ----------
    kinematics : Kinematics
        Not the one that the control loop uses when this runs in another thread.
    joints : JointLimits
        Velocity limits and names.
    config : LookaheadConfig
        What to do about trouble.
    singularity : SingularityLimits | None
        Steps below ``slow_below`` are singular; None: they are not looked for.
    clearance : Clearance | None
        Steps in which links come too near to each other or to a keep-out box are collisions; None:
        they are not looked for.

    """

    def __init__(
        self, kinematics: Kinematics, joints: JointLimits, config: LookaheadConfig,
        singularity: SingularityLimits | None = None, clearance: Clearance | None = None,
    ) -> None:
        self.kinematics = kinematics
        self.joints = joints
        self.config = config
        self.singularity = singularity
        self.clearance = clearance

    def __call__(self, T_base_tool: Array, seed: Array, dt: float) -> Foresight:
        """Judge the poses (N, 4, 4) that follow the joints ``seed`` (n,) [rad], ``dt`` s apart.

        Raises
        ------
        InputError
            When the poses have another shape, or dt is not positive.

        """
        if T_base_tool.ndim != 3 or T_base_tool.shape[1:] != (4, 4) or not 0.0 < dt < np.inf:
            raise InputError(f'look-ahead: expected poses (N, 4, 4) and a positive dt, found '
                             f'{T_base_tool.shape} and {dt}')
        n = len(T_base_tool)
        finite = np.isfinite(T_base_tool).all(axis=(1, 2))
        usable = n if finite.all() else int(finite.argmin())
        results = self.kinematics.solve_batch(T_base_tool[:usable], seed, dt) if usable else []
        findings = self._findings(results, seed, dt)
        if usable < n and all(f.factor > 0.0 for f in findings):
            findings.append(Finding(usable, Trouble.NOT_FINITE, 'not finite: the pose'))
        return self._decide(findings, n)

    def _findings(self, results: Sequence[IkResult], seed: Array, dt: float) -> list[Finding]:
        """Return what is wrong with each step, up to one that cannot be passed."""
        found: list[Finding] = []
        before = seed
        for step, result in enumerate(results):
            found += [Finding(step, trouble, f'{trouble.value}: {reason}', factor)
                      for trouble, reason, factor in self._step(result, before, dt)]
            if any(f.factor <= 0.0 for f in found):
                break
            before = result.q
        return found

    def _step(self, result: IkResult, before: Array, dt: float) -> list[_Judgement]:
        names = self.joints.names
        if result.status is IkStatus.NOT_FINITE or not np.isfinite(result.q).all():
            return [(Trouble.NOT_FINITE, result.reason or 'no finite joints', 0.0)]
        if result.status is IkStatus.LIMITED:
            which = ', '.join(names[i] for i in result.limited) or result.reason
            return [(Trouble.JOINT_LIMIT, which, 0.0)]
        if result.status is IkStatus.BRANCH:
            return [(Trouble.BRANCH, result.reason, 0.0)]
        if result.status is IkStatus.SINGULAR:
            return [(Trouble.SINGULAR, result.reason, 0.0)]
        if not result.converged:
            return [(Trouble.UNREACHABLE, result.reason, 0.0)]
        return self._motion(result, before, dt) + self._place(result)

    def _motion(self, result: IkResult, before: Array, dt: float) -> list[_Judgement]:
        step = np.abs(result.q - before)
        ratio = step / (self.joints.velocity * dt)
        worst = int(ratio.argmax())
        if ratio[worst] <= 1.0:
            return []
        reason = f'{self.joints.names[worst]} by {step[worst]:.2f} rad in {dt:g} s'
        if not ratio[worst] <= self.config.jump_factor:
            return [(Trouble.BRANCH, reason, 0.0)]
        return [(Trouble.FAST, reason, 1.0 / float(ratio[worst]))]

    def _place(self, result: IkResult) -> list[_Judgement]:
        found: list[_Judgement] = []
        if self.clearance is not None:
            found += [(Trouble.COLLISION,
                       f'{p.names[0]} to {p.names[1]} {1e3 * p.distance:.0f} mm', 0.0)
                      for p in self.clearance.near(result.q) if p.distance < p.stop]
        value, limits = result.smallest_singular_value, self.singularity
        if limits is not None and not value >= limits.slow_below:
            factor = (value - limits.halt_below) / (limits.slow_below - limits.halt_below)
            found.append((Trouble.SINGULAR, f'smallest singular value {value:.4f}',
                          max(0.0, factor)))
        return found

    def _decide(self, findings: list[Finding], n: int) -> Foresight:
        end = min((f.step for f in findings if f.factor <= 0.0), default=n)
        first: dict[tuple[Trouble, bool], Finding] = {}
        for finding in findings:
            first.setdefault((finding.trouble, finding.factor > 0.0), finding)
        reported = tuple(first.values())
        if self.config.on_trouble is OnTrouble.SKIP and end < n:
            return Foresight(reported, 0, np.ones(0))
        factors = np.ones(end)
        if self.config.on_trouble is OnTrouble.SLOW:
            for finding in findings:
                if finding.step < end:
                    factors[finding.step] = min(factors[finding.step], finding.factor)
            after = 0.0 if end < n else 1.0
            for step in reversed(range(end)):
                after = factors[step] = min(factors[step], after + 1.0 / self.config.slow_steps)
        return Foresight(reported, end, factors)
