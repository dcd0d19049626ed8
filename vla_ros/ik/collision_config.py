"""Collision spheres of a robot's links, and which links need no check (``config/collision``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vla_ros.core.errors import unknown_choice
from vla_ros.resources import share_file, share_names
from vla_ros.section import Section


@dataclass(frozen=True, eq=False)
class CollisionConfig:
    """What ``tools/make_collision_spheres.py`` found for one URDF.

    Attributes
    ----------
    robot : str
        Name of the robot profile that it was made for.
    spheres : Mapping[str, np.ndarray]
        Link -> (k, 4) centres in the link's frame and radii [m]; together they cover the link.
    ignore : Mapping[str, tuple[str, ...]]
        Link -> links that it is not checked against: neighbours, and pairs that overlap in every
        posture or come near in none. Each pair is listed once.

    """

    robot: str
    spheres: Mapping[str, np.ndarray]
    ignore: Mapping[str, tuple[str, ...]]

    def ignored(self, link_a: str, link_b: str) -> bool:
        """Return whether two links need no check, in either order."""
        return link_b in self.ignore.get(link_a, ()) or link_a in self.ignore.get(link_b, ())


def load_collision_config(robot: str | Path) -> CollisionConfig:
    """Load the collision file of a robot by name, or a file of your own.

    Raises
    ------
    ConfigError
        There is none, or it is not complete; the message names the file and the key.

    """
    path = Path(robot).expanduser()
    if path.suffix not in ('.yaml', '.yml'):
        names = share_names('config/collision', '.yaml')
        if robot not in names:
            raise unknown_choice('robot with a collision file', str(robot), names)
        path = share_file('config', 'collision', f'{robot}.yaml')
    top = Section.open(path)
    spheres = {link: _spheres(top, link, rows) for link, rows in top.mapping('spheres').items()}
    ignore = top.section('self_collision_ignore')
    pairs = {link: ignore.texts(link) for link in top.mapping('self_collision_ignore')}
    unknown = sorted({*pairs, *(b for bs in pairs.values() for b in bs)} - set(spheres))
    if unknown:
        raise top.error('self_collision_ignore', f'links with spheres ({", ".join(spheres)})',
                        ', '.join(unknown))
    config = CollisionConfig(top.text('robot'), spheres, pairs)
    top.close()
    return config


def _spheres(top: Section, link: str, rows: object) -> np.ndarray:
    expected = 'a list of [x, y, z, radius], finite and with radius > 0'
    try:
        array = np.array(rows, dtype=np.float64)
    except (TypeError, ValueError):
        raise top.error(f'spheres.{link}', expected, rows) from None
    valid = array.ndim == 2 and array.shape[1] == 4 and len(array) > 0
    if not valid or not np.isfinite(array).all() or not (array[:, 3] > 0.0).all():
        raise top.error(f'spheres.{link}', expected, rows)
    array.setflags(write=False)
    return array


