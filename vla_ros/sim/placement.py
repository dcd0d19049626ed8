"""Where the objects are after a reset: drawn from a seed, never on top of each other."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vla_ros.core.errors import ConfigError
from vla_ros.sim.settings import Layout, SceneSettings

_TRIES = 2000


@dataclass(frozen=True)
class Placement:
    """Positions in the base frame [m] and yaws [rad]."""

    insulator: np.ndarray  # (2,)
    insulator_yaw: float
    hook: np.ndarray  # (3,) the ring's seat
    cubes: np.ndarray  # (n, 2)
    cube_yaws: np.ndarray  # (n,)


def draw_placement(layout: Layout, scene: SceneSettings, seed: int) -> Placement:
    """Return the placement of a seed.

    Raises
    ------
    ConfigError
        The layout leaves too little room for the objects and the distances between them.

    """
    rng = np.random.default_rng(seed)
    spot, count, spacing = layout.insulator, len(scene.cubes.colours), scene.spacing
    for _ in range(_TRIES):
        insulator = _uniform(rng, spot.center, spot.spread)
        yaw = float(rng.uniform(-1.0, 1.0) * spot.yaw_spread)
        hook = _uniform(rng, layout.hook.position, layout.hook.spread)
        foot = hook[:2] + [scene.hook.root_distance, 0.0]
        if not math.dist(insulator, foot) >= spacing.hook:
            continue
        cubes = _cubes(rng, layout, scene, insulator, foot)
        if cubes is not None:
            yaws = rng.uniform(-math.pi / 4, math.pi / 4, count)
            return Placement(insulator, yaw, hook, cubes, yaws)
    raise ConfigError(
        f'scene: no room for the insulator, the hook and {count} cubes with the distances of '
        f'config/sim/scene.yaml spacing: {spacing}; widen the spreads or move the centres apart')


def _cubes(rng: np.random.Generator, layout: Layout, scene: SceneSettings, insulator: np.ndarray,
           foot: np.ndarray) -> np.ndarray | None:
    placed: list[np.ndarray] = []
    for _ in range(20 * len(scene.cubes.colours)):
        spot = _uniform(rng, layout.cubes.center, layout.cubes.spread)
        free = (all(math.dist(spot, other) >= scene.spacing.cubes for other in placed)
                and math.dist(spot, insulator) >= scene.spacing.insulator
                and math.dist(spot, foot) >= scene.spacing.hook)
        if free:
            placed.append(spot)
        if len(placed) == len(scene.cubes.colours):
            return np.array(placed)
    return None


def _uniform(rng: np.random.Generator, center: tuple[float, ...],
             spread: tuple[float, ...]) -> np.ndarray:
    return np.array(center) + rng.uniform(-1.0, 1.0, len(center)) * spread
