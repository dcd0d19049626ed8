"""Inverse kinematics from no seed at all: the best starts out of a bank of known poses."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vla_ros.core.errors import ConfigError
from vla_ros.core.kinematics import IkResult
from vla_ros.ik.arm import ArmProfile
from vla_ros.ik.pinocchio_ik import PinocchioIk
from vla_ros.ik.settings import PinocchioIkSettings

Array = NDArray[np.float64]


class GlobalSearch:
    """Solves for poses far from where the arm is: for benchmarks, planning and start-up checks.

    Never for following a path: the result may be on any branch. The bank holds joint positions
    drawn evenly within the limits, and their tool poses; a search starts from those nearest to the
    goal, one after the other, which takes about half the attempts of random starts.

    Parameters
    ----------
    profile : ArmProfile
        The arm.
    settings : PinocchioIkSettings | None
        Of the solver; ``max_joint_change`` is not used.
    bank : int
        Number of poses in the bank; a thousand take some milliseconds to make.
    random_seed : int
        Of the bank.

    Raises
    ------
    DependencyError, ConfigError
        As :class:`PinocchioIk`.

    """

    def __init__(self, profile: ArmProfile, settings: PinocchioIkSettings | None = None,
                 bank: int = 2000, random_seed: int = 0) -> None:
        if not bank >= 1:
            raise ConfigError(f'IK search: bank must be at least 1, found {bank}')
        self.ik = PinocchioIk(profile, replace(settings or PinocchioIkSettings(),
                                               max_joint_change=math.inf))
        arm = self.ik.arm
        # A joint that turns further than once has every pose within one turn.
        low, high = np.maximum(arm.lower, -math.pi), np.minimum(arm.upper, math.pi)
        self._q = np.random.default_rng(random_seed).uniform(low, high, (bank, arm.n))
        self._features = np.array([self._feature(self.ik.forward(q)) for q in self._q])
        self._squares = np.einsum('ij,ij->i', self._features, self._features)

    def _feature(self, T: Array) -> Array:
        """Return (12,) numbers whose distance is that of poses [m], for small rotations."""
        scale = self.ik.settings.rotation_length / math.sqrt(2.0)
        return np.concatenate((T[:3, 3], scale * T[:3, :3].ravel()))

    def solve(self, T_base_tool: Array, restarts: int = 60) -> IkResult:
        """Return joint positions that reach T_base_tool (4, 4) [m], or the nearest that were found.

        ``restarts`` is the number of starts at most, the first one included.
        """
        restarts = min(restarts, len(self._q))
        if not restarts >= 1:
            raise ConfigError(f'IK search: restarts must be at least 1, found {restarts}')
        distance = self._squares - 2.0 * (self._features @ self._feature(T_base_tool))
        nearest = np.argpartition(distance, restarts - 1)[:restarts]
        best: IkResult | None = None
        for index in nearest[np.argsort(distance[nearest])]:
            result = self.ik.solve(T_base_tool, self._q[index], 0.0)
            if best is None or self._distance(result) < self._distance(best):
                best = result
            if result.converged:
                break
        assert best is not None
        return best

    def _distance(self, result: IkResult) -> float:
        return math.hypot(result.position_error,
                          self.ik.settings.rotation_length * result.rotation_error)
